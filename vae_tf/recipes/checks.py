"""What a recipe cannot carry, found before anything is trained."""

from collections.abc import Mapping, Sequence
from typing import Any

from vae_tf.errors import UserError
from vae_tf.recipes.table import RECIPES, Recipe, find_recipe

SMALLEST_SIDE = 8
# What only sentences can go through; everything else of these axes is for pictures.
OF_SENTENCES = {"encoder": ("lstm",), "decoder": ("lstm",), "likelihood": ("categorical",)}


def check_kind(name: str, kind: str, source: str) -> None:
    """Finds out before anything is read that a recipe and a source do not go together.

    Args:
        name: A recipe.
        kind: What the source holds, "pictures" or "sentences".
        source: What to call the source.

    Raises:
        UserError: Sentences for a recipe of pictures, or pictures for one of sentences.
    """
    wanted = find_recipe(name).data
    if kind == wanted:
        return
    fitting = ", ".join(other for other, recipe in RECIPES.items() if recipe.data == kind)
    raise UserError(
        f"--recipe {name} is for {wanted}, and {source} holds {kind}.",
        f"For {kind} choose: {fitting}."
        + (" Sentences are a text file, one to a line." if wanted == "sentences" else ""),
    )


def check_data(name: str, class_names: Sequence[str], all_names: Sequence[str] = ()) -> None:
    """Finds out before training that the data lacks what the recipe learns from.

    Args:
        name: A recipe.
        class_names: Classes that pictures to train on have.
        all_names: Classes that any picture has.

    Raises:
        UserError: No classes, one alone, or one without a labelled picture, for a recipe that learns classes.
    """
    if "labels" not in find_recipe(name).needs:
        return
    if len(class_names) < 2:
        found = f"have only one, {class_names[0]!r}" if class_names else "have none"
        raise UserError(
            f"--recipe {name} learns classes from labelled pictures, and these {found}.",
            "Classes come from subfolders or --labels FILE.csv; without them choose --recipe conv.",
        )
    if missing := [name for name in all_names if name not in class_names]:
        raise UserError(
            f"--recipe {name} has no labelled picture of class {missing[0]!r} to train on.",
            "Label some of its pictures, or take the class out of the source.",
        )


def check_sizes(recipe: Recipe, image_shape: Sequence[int], latent_dim: int, num_tokens: int) -> None:
    """Raises: UserError: Sizes that no network fits."""
    if latent_dim < 1:
        raise UserError(f"A latent size of {latent_dim} was asked for.", "Give at least 1.")
    if recipe.data == "sentences":
        if len(image_shape) != 1 or min(image_shape[0], num_tokens) < 2:
            raise UserError(
                f"Sentences of shape {tuple(image_shape)} with {num_tokens} tokens cannot be modelled.",
                "Give image_shape=(positions,) and num_tokens, at least 2 each.",
            )
        return
    height, width, channels = image_shape
    if min(height, width) < SMALLEST_SIDE or channels not in (1, 3):
        raise UserError(
            f"Pictures of {height}×{width} with {channels} channels cannot be modelled.",
            f"Sides of at least {SMALLEST_SIDE} pixels and 1 or 3 channels are needed.",
        )


def check_parts(row: Mapping[str, Mapping[str, Any]], name: str) -> None:
    """Raises: UserError: A part of pictures in a recipe of sentences, or the other way."""
    kind = find_recipe(name).data
    for axis, parts in OF_SENTENCES.items():
        if (row[axis]["name"] in parts) != (kind == "sentences"):
            choices = (
                f"Leave it at {', '.join(parts)}." if kind == "sentences" else "See `--recipe sentence`."
            )
            raise UserError(
                f"The {axis} {row[axis]['name']!r} is not for {kind}, which --recipe {name} is about.",
                choices,
            )
    if kind == "sentences" and row["prior"]["name"] == "vamp":
        raise UserError(
            "The prior 'vamp' learns pictures, and sentences are no numbers that can be learned so.",
            "Choose prior mixture, which may form groups, too.",
        )
