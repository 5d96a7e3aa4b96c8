"""Commands about runs as such."""

from typing import Annotated

import typer

from pipelines.commands.command_line import Shared, configuration, sharing
from pipelines.commands.shared_options import RunArgument, SourceArgument, label_options, training_options

app = typer.Typer()


@app.command(
    rich_help_panel="Runs",
    epilog="Examples: compare 3 4 5 · compare faces-conv-z20 faces-conv-z50",
)
def compare(
    names: Annotated[list[str], typer.Argument(metavar="RUN...", help="Names, numbers or folders of runs.")],
) -> None:
    """Runs side by side, on the same unseen pictures."""
    from pipelines.chain import several

    several.compare(names)


@app.command(
    rich_help_panel="Runs",
    epilog="Examples: sweep faces/ --latent 20,30,50 · sweep mnist.npz --recipe mlp,vamp --seed 0,1,2 --augment none",
)
@sharing(label_options, training_options)
def sweep(
    options: Shared,
    source: SourceArgument,
    latent: Annotated[str, typer.Option(help="Numbers of latent dimensions, with commas.")] = "20,30,50",
    recipe: Annotated[str, typer.Option(help="Named models, with commas.")] = "conv",
    seed: Annotated[str, typer.Option(help="Seeds, with commas; each draws its own parts.")] = "0",
) -> None:
    """Train on one source with every combination of latents, recipes and seeds, and compare."""
    wanted = configuration({"source": source, **options})
    from pipelines.chain import several

    several.sweep(wanted, latent, recipe, seed, options["thumbnails"])


@app.command("runs", rich_help_panel="Runs")
def list_runs() -> None:
    """List the runs, the newest last."""
    from pipelines import runs

    runs.list_runs()


@app.command(
    rich_help_panel="Runs",
    epilog="Examples: show · show 3 --toml > run.toml (then: train --config run.toml)",
)
def show(
    run: RunArgument = None,
    toml: Annotated[bool, typer.Option(help="Only the configuration, as --config reads it.")] = False,
) -> None:
    """A run's configuration, pictures, scores, stages and size on disk."""
    from pipelines import runs

    runs.show(run, toml)


@app.command("open", rich_help_panel="Runs")
def open_report(run: RunArgument = None) -> None:
    """Open a run's report in the browser."""
    from pipelines import runs

    runs.open_report(run)


@app.command(
    rich_help_panel="Runs",
    epilog="Example: rename 3 best-faces",
)
def rename(
    run: Annotated[str, typer.Argument(help="Name, number or folder of a run.")],
    name: Annotated[str, typer.Argument(help="What to call it; its number stays.")],
) -> None:
    """Give a run another name."""
    from pipelines import runs

    runs.rename(run, name)


@app.command(
    rich_help_panel="Runs",
    epilog="Examples: delete 3 · delete 3 4 5 --yes",
)
def delete(
    names: Annotated[list[str], typer.Argument(metavar="RUN...", help="Names, numbers or folders of runs.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete runs, and the decoded pictures that no other run uses."""
    from pipelines import runs

    runs.delete(names, yes)
