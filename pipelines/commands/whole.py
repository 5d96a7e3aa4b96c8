"""The whole chain on one source, and the pages of a run written anew."""

from typing import Annotated

import typer

from pipelines.commands.command_line import Shared, configuration, sharing
from pipelines.commands.shared_options import (
    Epochs,
    Latent,
    OtherSource,
    Recipe,
    RunArgument,
    Seed,
    SourceArgument,
    Thumbnails,
    label_options,
    training_options,
)

app = typer.Typer()


@app.command(
    rich_help_panel="Chain",
    epilog="Examples: report --single-file (one file per page, to be sent by mail) · report 3 --no-thumbnails",
)
def report(
    run: RunArgument = None,
    source: OtherSource = None,
    single_file: Annotated[
        bool, typer.Option("--single-file", help="Write every page as one file that needs no other.")
    ] = False,
    thumbnails: Thumbnails = None,
) -> None:
    """Write the run's pages anew from what its stages left."""
    from pipelines.chain import whole

    whole.report(run, source, single_file, thumbnails)


@app.command(
    "run",
    rich_help_panel="Chain",
    epilog="Examples: run faces/ · run tfds:mnist --recipe mlp --augment none --latent 10",
)
@sharing(label_options, training_options)
def run_all(options: Shared, source: SourceArgument) -> None:
    """The whole chain: train, embed, cluster-report, interpolation-grid, traverse, export."""
    wanted = configuration({"source": source, **options})
    from pipelines.chain import whole

    whole.run(wanted, options["name"], options["thumbnails"])


@app.command(rich_help_panel="Chain")
def demo(
    latent: Latent = 30,
    epochs: Epochs = None,
    recipe: Recipe = "conv",
    seed: Seed = 0,
) -> None:
    """The whole chain on the embedded happy and angry faces."""
    from vae_tf import config

    document = {
        "data": {"source": "demo:faces"},
        "model": {"latent": latent, "recipe": recipe},
        "training": {"epochs": epochs, "seed": seed},
    }
    from pipelines.chain import whole

    whole.run(config.parse_config(document), "demo-faces", None)
