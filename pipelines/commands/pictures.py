"""Commands that make pictures, or sentences."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.shared_options import RunArgument, Seed

app = typer.Typer()


@app.command(
    rich_help_panel="Pictures",
    epilog="Examples: sample -n 100 · sample 3 --temperature 0.7 --to samples.png",
)
def sample(
    run: RunArgument = None,
    num: Annotated[int, typer.Option("--num", "-n", help="Number of pictures.", min=1, max=10_000)] = 64,
    temperature: Annotated[float, typer.Option(help="Scale of the prior's noise.", min=0.0)] = 1.0,
    seed: Seed = 0,
    to: Annotated[Path | None, typer.Option(help="PNG file to write; inside the run where left out.")] = None,
) -> None:
    """New pictures, as one PNG, or sentences, drawn from the prior."""
    from pipelines.chain import pictures

    pictures.sample(run, num, temperature, seed, to)


@app.command(
    rich_help_panel="Pictures",
    epilog="Example: reconstruct me.jpg you.heic --run 3",
)
def reconstruct(
    files: Annotated[list[Path], typer.Argument(help="Picture files; of a run on sentences, sentences.")],
    run: Annotated[str | None, typer.Option(help="Name, number or folder of a run.")] = None,
    to: Annotated[Path | None, typer.Option(help="PNG file to write; inside the run where left out.")] = None,
) -> None:
    """Pictures (or sentences) of your own beside their reconstructions."""
    from pipelines.chain import pictures

    pictures.reconstruct(run, files, to)


@app.command(
    rich_help_panel="Pictures",
    epilog="Example: make-faces faces/ --people 10 --per-person 2",
)
def make_faces(
    folder: Annotated[Path, typer.Argument(help="A folder that is new or empty.")],
    people: Annotated[int, typer.Option(help="Number of people.")] = 40,
    per_person: Annotated[int, typer.Option(help="Pictures of each person.")] = 10,
    size: Annotated[int, typer.Option(help="Side of a picture, pixels.")] = 64,
    seed: Annotated[int, typer.Option(help="Decides the faces.")] = 0,
) -> None:
    """Write rendered happy and angry faces, with every generative factor in factors.csv."""
    from pipelines import make_faces as stage

    stage.make_faces(folder, people, per_person, size, seed)
