"""Commands about named models."""

import typer

app = typer.Typer()


@app.command(rich_help_panel="Model")
def recipes() -> None:
    """List the named models: what they are, where they come from, what to expect."""
    from pipelines import recipes as stage

    stage.list_recipes()
