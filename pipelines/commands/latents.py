"""Commands about the latent space."""

from typing import Annotated

import typer

from pipelines.commands.command_line import Shared, configuration, sharing, typed
from pipelines.commands.shared_options import (
    ENGINE,
    OtherSource,
    RunArgument,
    Seed,
    engine_options,
    label_options,
)
from vae_tf.errors import UserError

app = typer.Typer()


@app.command(
    rich_help_panel="Chain",
    epilog="Examples: embed · embed 3 new-faces/ --labels facts.csv · embed faces-conv-z30 scans.zip · "
    "embed 3 s3://bucket/faces --engine ray --address auto --to s3://bucket/scores",
)
@sharing(label_options, engine_options)
def embed(
    context: typer.Context,
    options: Shared,
    run: RunArgument = None,
    source: OtherSource = None,
    to: Annotated[
        str | None,
        typer.Option(
            help="With --engine ray: a new folder, or its URL, for Parquet files; inside the run where left out.",
            metavar="DIR",
            rich_help_panel=ENGINE,
        ),
    ] = None,
) -> None:
    """Posterior mean and standard deviation of every picture of the run, or of another source.

    With --engine ray also scores, as Parquet files and without pages: for any number of pictures.
    """
    from pipelines.chain import latents, on_ray

    engine, address = options.pop("engine"), options.pop("address")
    if on_ray.uses_ray(engine, address):
        for name in typed(context) - {"engine", "address", "to", "run", "source"}:
            raise UserError(
                f"--{name.rstrip('_').replace('_', '-')} has no effect with --engine ray.",
                "It reads a folder of pictures, each by itself.",
            )
        on_ray.embed_on_ray(run, source, address, to)
        return
    if to is not None:
        raise UserError("--to goes with --engine ray.", "Without it latents.csv is written into the run.")
    latents.embed(run, None if source is None else configuration({"source": source, **options}))


@app.command(
    rich_help_panel="Chain",
    epilog="Examples: cluster-report · cluster-report 3 --perplexity 15 · cluster-report 3 new-faces/",
)
def cluster_report(
    run: RunArgument = None,
    source: OtherSource = None,
    perplexity: Annotated[
        float | None, typer.Option(help="Of t-SNE; chosen from the number of pictures.")
    ] = None,
    neighbors: Annotated[int | None, typer.Option(help="Of UMAP.")] = None,
    permutations: Annotated[int, typer.Option(help="Of each permutation test.")] = 999,
    seed: Seed = 0,
) -> None:
    """Maps of the latent space, clusters, and whether the classes can be read or cluster."""
    from pipelines.chain import latents

    latents.cluster_report(run, source, perplexity, neighbors, permutations, seed)


@app.command(
    rich_help_panel="Chain",
    epilog="Examples: interpolation-grid · interpolation-grid 3 --from happy/anna --to angry/anna --steps 15",
)
def interpolation_grid(
    run: RunArgument = None,
    source: OtherSource = None,
    start: Annotated[
        list[str] | None, typer.Option("--from", help="Path, or a part of it, of a picture.")
    ] = None,
    to: Annotated[list[str] | None, typer.Option("--to", help="Path, or a part of it, of a picture.")] = None,
    steps: Annotated[int, typer.Option(help="Pictures from one end to the other.", min=3, max=60)] = 11,
    pairs: Annotated[int, typer.Option(help="Pairs chosen where none is named.", min=1, max=20)] = 4,
    seed: Seed = 0,
) -> None:
    """What lies between two pictures: grids, sliders and the paths between classes."""
    from pipelines.chain import latents

    latents.interpolation_grid(run, source, start or [], to or [], steps, pairs, seed)


@app.command(
    rich_help_panel="Chain",
    epilog="Examples: explore · explore 3 · explore 3 more-faces/",
)
def explore(run: RunArgument = None, source: OtherSource = None) -> None:
    """A page that draws by itself: a slider for each latent, and a dropped picture beside its neighbours."""
    from pipelines.chain import latents

    latents.explore(run, source)


@app.command(
    rich_help_panel="Chain",
    epilog="Examples: traverse · traverse 3 --reach 3 · traverse 3 new-faces/",
)
def traverse(
    run: RunArgument = None,
    source: OtherSource = None,
    steps: Annotated[int, typer.Option(help="Pictures of each walk.", min=3, max=60)] = 11,
    reach: Annotated[
        float, typer.Option(help="Ends of a walk, standard deviations of the codes.", min=0.1, max=10)
    ] = 2.0,
    permutations: Annotated[int, typer.Option(help="Of each correlation's test.", min=99)] = 1999,
    seed: Seed = 0,
) -> None:
    """What each latent draws, which known factor goes with it, and one class turned into another."""
    from pipelines.chain import latents

    latents.traverse(run, source, steps, reach, permutations, seed)
