"""The list of named models."""

from pipelines.console import console, say
from vae_tf.recipes import RECIPES


def list_recipes() -> None:
    """One row per recipe: the command's word, what it is, its paper, what to expect."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("recipe", "what it is", "paper", "what to expect"):
        table.add_column(column, no_wrap=column == "recipe")
    for name, recipe in RECIPES.items():
        table.add_row(*map(escape, (name, recipe.description, recipe.paper, recipe.expect)))
    console.print(table, soft_wrap=False)
    say(
        "Change a part with --set, such as --set likelihood.scale=0.1; choose with --recipe NAME.",
        style="dim",
    )
