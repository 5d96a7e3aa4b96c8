"""Every named model is one row of parts; a user's own is the row with `--set axis.argument=value`."""

from vae_tf.recipes.building import build, check
from vae_tf.recipes.checks import check_data, check_kind
from vae_tf.recipes.table import RECIPES, Recipe, find_recipe

__all__ = ["RECIPES", "Recipe", "build", "check", "check_data", "check_kind", "find_recipe"]
