"""Commands that judge a model, or by which a model judges."""

from typing import Annotated

import typer

from pipelines.commands.shared_options import OtherSource, RunArgument, Seed

app = typer.Typer()


@app.command(
    rich_help_panel="Chain",
    epilog="Examples: evaluate · evaluate 3 --samples 1000 --pictures 500",
)
def evaluate(
    run: RunArgument = None,
    source: OtherSource = None,
    samples: Annotated[int, typer.Option(help="Of each bound on log p(x).", min=2)] = 100,
    pictures: Annotated[int, typer.Option(help="Of each part, for the bounds.", min=2)] = 100,
    seed: Seed = 0,
) -> None:
    """Bounds on log p(x), collapse, over-fitting, quality of samples, and known factors."""
    from pipelines.chain import scores

    scores.evaluate(run, source, samples, pictures, seed)


@app.command(
    rich_help_panel="Chain",
    epilog="Examples: probe · probe 3 --labels 1,10,all --finetune",
)
def probe(
    run: RunArgument = None,
    labels: Annotated[
        str, typer.Option(help="Numbers of labelled pictures of each class, with commas.")
    ] = "1,5,20,all",
    finetune: Annotated[
        bool, typer.Option("--finetune", help="Also train the encoder further, and one from scratch.")
    ] = False,
    draws: Annotated[int, typer.Option(help="Choices of the labelled pictures.", min=1, max=100)] = 3,
    seed: Seed = 0,
) -> None:
    """What a few labels are worth: classifiers on latents, PCA and pixels, and the encoder fine-tuned."""
    from pipelines.chain import scores

    scores.probe(run, labels, finetune, draws, seed)


@app.command(
    rich_help_panel="Chain",
    epilog="Examples: predict · predict 3 new-digits/",
)
def predict(run: RunArgument = None, source: OtherSource = None, seed: Seed = 0) -> None:
    """The class of every picture with its probability, for models that learn classes (--recipe m2 or m1-m2)."""
    from pipelines.chain import scores

    scores.predict(run, source, seed)


@app.command(
    rich_help_panel="Chain",
    epilog="Examples: anomalies · anomalies 3 --normal functional --alpha 0.01 · anomalies 3 new-cells/ --normal good",
)
def anomalies(
    run: RunArgument = None,
    source: OtherSource = None,
    normal: Annotated[
        list[str] | None,
        typer.Option(
            help="The class that is normal; what --only named where left out. Repeatable.", metavar="CLASS"
        ),
    ] = None,
    alpha: Annotated[float, typer.Option(help="Rate of false alarms to promise.")] = 0.05,
    score: Annotated[
        str, typer.Option(help="What ranks the pictures: reconstruction, elbo, bound, latent or pca.")
    ] = "reconstruction",
    samples: Annotated[int, typer.Option(help="Of each bound on log p(x).", min=1)] = 32,
    seed: Seed = 0,
) -> None:
    """Which unseen pictures are odd, after train --only CLASS, with a promised rate of false alarms."""
    from pipelines.chain import scores

    scores.anomalies(run, source, normal or [], alpha, score, samples, seed)
