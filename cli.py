"""The command line: parse, resolve the configuration, print it, call one stage.

Nothing heavy is imported here; each command imports what it needs.
"""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from vae_tf.errors import UserError

app = typer.Typer(
    help="What varies in a folder of pictures, whether its classes differ, and what lies between two of them: "
    "a variational autoencoder, from training to HTML reports and a SavedModel.",
    epilog="Begin with: python cli.py demo · or with your own: python cli.py train faces/ --latent 30",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
)

RunArgument = Annotated[
    str | None, typer.Argument(help="Name, number or folder of a run; the newest where left out.")
]
SourceArgument = Annotated[str, typer.Argument(help="A folder of pictures, or demo:faces.")]
Latent = Annotated[int, typer.Option(help="Number of latent dimensions.")]
Recipe = Annotated[str, typer.Option(help="conv or mlp.")]
Likelihood = Annotated[str | None, typer.Option(help="gaussian (learned σ) or bernoulli.")]
Beta = Annotated[float, typer.Option(help="Weight of the KL; 1 is the plain ELBO.")]
Epochs = Annotated[
    int | None, typer.Option(help="Passes over the pictures; about 1,500 steps where left out.")
]
BatchSize = Annotated[int | None, typer.Option(help="Pictures per step.")]
LearningRate = Annotated[float, typer.Option(help="Adam's step size after warm-up.")]
Schedule = Annotated[str, typer.Option(help="constant, or cosine over the planned epochs.")]
KlWarmup = Annotated[int, typer.Option(help="Steps over which the KL's weight rises to β.")]
Augment = Annotated[str, typer.Option(help="auto, none, or some of mirror,shift,brightness.")]
Seed = Annotated[int, typer.Option(help="Decides splits, weights, order and noise.")]
PrecisionOption = Annotated[str, typer.Option(help="auto, float32, mixed_float16 or mixed_bfloat16.")]
Size = Annotated[str | None, typer.Option(help="Side, or HEIGHTxWIDTH, in pixels; chosen from the data.")]
Fit = Annotated[str, typer.Option(help="crop, pad or stretch pictures of other proportions.")]
Grey = Annotated[bool | None, typer.Option("--grey/--rgb", help="Default: what the pictures are.")]
GroupBy = Annotated[
    str | None,
    typer.Option(
        help="Regular expression on the path; its first capture group names the person.", metavar="REGEX"
    ),
]
SplitOption = Annotated[
    str | None,
    typer.Option(
        help="Shares of train/validation/test, and of calibration as a fourth; 80/10/10, with --only 60/10/15/15.",
        metavar="SHARES",
    ),
]
Name = Annotated[str | None, typer.Option(help="Name of the run.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", help="AXIS.ARGUMENT=VALUE, such as likelihood.scale=0.1.")
]


def configuration(options: dict[str, Any]) -> Any:
    """The typed configuration of what was typed."""
    from vae_tf import config

    size, grey = options["size"], options["grey"]
    return config.parse_config(
        {
            "data": {
                "source": options["source"],
                "size": None if size is None else config.parse_size(size),
                "fit": options["fit"],
                "channels": None if grey is None else 1 if grey else 3,
                "group_by": options["group_by"],
                "split": None if options["split"] is None else config.parse_split(options["split"]),
            },
            "model": {
                "recipe": options["recipe"],
                "latent": options["latent"],
                "likelihood": options["likelihood"],
                "beta": options["beta"],
                "settings": config.parse_settings(options["settings"] or []),
            },
            "training": {
                key: options[key]
                for key in (
                    "epochs",
                    "batch_size",
                    "learning_rate",
                    "schedule",
                    "kl_warmup",
                    "augment",
                    "seed",
                    "precision",
                )
            },
        }
    )


def refuse_other_options(context: typer.Context, allowed: tuple[str, ...]) -> None:
    """What a run was started with decides how it goes on; an option without effect must not look as if it had one.

    Raises:
        UserError: An option outside `allowed` was typed.
    """
    for name in context.params:
        source = context.get_parameter_source(name)
        if name not in allowed and source is not None and source.name == "COMMANDLINE":
            raise UserError(
                f"--{name.replace('_', '-').replace('settings', 'set')} cannot be changed in a run that goes on.",
                f"With --{allowed[0]} come: {', '.join('--' + other for other in allowed[1:])}. "
                "For another configuration train a new run.",
            )


@app.command(rich_help_panel="Chain")
def train(
    context: typer.Context,
    source: Annotated[str | None, typer.Argument(help="A folder of pictures, or demo:faces.")] = None,
    latent: Latent = 30,
    recipe: Recipe = "conv",
    likelihood: Likelihood = None,
    beta: Beta = 1.0,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    learning_rate: LearningRate = 1e-3,
    schedule: Schedule = "constant",
    kl_warmup: KlWarmup = 0,
    augment: Augment = "auto",
    seed: Seed = 0,
    precision: PrecisionOption = "auto",
    size: Size = None,
    fit: Fit = "crop",
    grey: Grey = None,
    group_by: GroupBy = None,
    split: SplitOption = None,
    name: Name = None,
    settings: Settings = None,
    dry_run: Annotated[bool, typer.Option(help="Say what would be done, and stop.")] = False,
    tensorboard: Annotated[bool, typer.Option(help="Write TensorBoard logs into the run.")] = False,
    resume: Annotated[str | None, typer.Option(help="Finish this interrupted run.", metavar="RUN")] = None,
    extend: Annotated[
        str | None,
        typer.Option(help="Train this finished run for --epochs more, as a child run.", metavar="RUN"),
    ] = None,
) -> None:
    """Train a VAE on a folder of pictures and write its report."""
    options = dict(locals())
    del options["context"]
    modes = [value for value in (source, resume, extend) if value is not None]
    if len(modes) != 1:
        raise UserError(
            "Give one of: a folder of pictures, --resume RUN, or --extend RUN.",
            "For example: python cli.py train faces/ --latent 30 (or demo:faces for the embedded faces)",
        )
    if extend is not None and epochs is None:
        raise UserError(
            "--extend needs --epochs: how many more.", f"python cli.py train --extend {extend} --epochs 100"
        )
    if source is None:
        allowed = (
            ("resume", "tensorboard") if resume is not None else ("extend", "epochs", "name", "tensorboard")
        )
        refuse_other_options(context, allowed)
    config = None if source is None else configuration(options)
    from pipelines import chain

    if config is not None:
        chain.train(config, name, dry_run, tensorboard)
    elif resume is not None:
        chain.resume(resume, tensorboard)
    else:
        chain.extend(str(extend), epochs or 1, name, tensorboard)


@app.command(rich_help_panel="Chain")
def embed(run: RunArgument = None) -> None:
    """Posterior mean and standard deviation of every picture."""
    from pipelines import chain

    chain.embed(run)


@app.command(rich_help_panel="Chain")
def cluster_report(
    run: RunArgument = None,
    perplexity: Annotated[
        float | None, typer.Option(help="Of t-SNE; chosen from the number of pictures.")
    ] = None,
    neighbors: Annotated[int | None, typer.Option(help="Of UMAP.")] = None,
    permutations: Annotated[int, typer.Option(help="Of each permutation test.")] = 999,
    seed: Seed = 0,
) -> None:
    """Maps of the latent space, clusters, and whether the classes can be read or cluster."""
    from pipelines import chain

    chain.cluster_report(run, perplexity, neighbors, permutations, seed)


@app.command(rich_help_panel="Chain")
def interpolation_grid(
    run: RunArgument = None,
    start: Annotated[
        list[str] | None, typer.Option("--from", help="Path, or a part of it, of a picture.")
    ] = None,
    to: Annotated[list[str] | None, typer.Option("--to", help="Path, or a part of it, of a picture.")] = None,
    steps: Annotated[int, typer.Option(help="Pictures from one end to the other.", min=3, max=60)] = 11,
    pairs: Annotated[int, typer.Option(help="Pairs chosen where none is named.", min=1, max=20)] = 4,
    seed: Seed = 0,
) -> None:
    """What lies between two pictures: grids, sliders and the paths between classes."""
    from pipelines import chain

    chain.interpolation_grid(run, start or [], to or [], steps, pairs, seed)


@app.command(rich_help_panel="Chain")
def export(run: RunArgument = None) -> None:
    """A SavedModel for TF Serving, with the proof that it gives the run's outputs."""
    from pipelines import chain

    chain.export(run)


@app.command(rich_help_panel="Chain")
def report(run: RunArgument = None) -> None:
    """Write the run's pages anew from what its stages left."""
    from pipelines import chain

    chain.report(run)


@app.command("run", rich_help_panel="Chain")
def run_all(
    source: SourceArgument,
    latent: Latent = 30,
    recipe: Recipe = "conv",
    likelihood: Likelihood = None,
    beta: Beta = 1.0,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    learning_rate: LearningRate = 1e-3,
    schedule: Schedule = "constant",
    kl_warmup: KlWarmup = 0,
    augment: Augment = "auto",
    seed: Seed = 0,
    precision: PrecisionOption = "auto",
    size: Size = None,
    fit: Fit = "crop",
    grey: Grey = None,
    group_by: GroupBy = None,
    split: SplitOption = None,
    name: Name = None,
    settings: Settings = None,
) -> None:
    """The whole chain: train, embed, cluster-report, interpolation-grid, export."""
    options = dict(locals())
    config = configuration(options)
    from pipelines import chain

    chain.run(config, name)


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
    from pipelines import chain

    chain.run(config.parse_config(document), "demo-faces")


@app.command(rich_help_panel="Pictures")
def sample(
    run: RunArgument = None,
    num: Annotated[int, typer.Option("--num", "-n", help="Number of pictures.", min=1, max=10_000)] = 64,
    temperature: Annotated[float, typer.Option(help="Scale of the prior's noise.", min=0.0)] = 1.0,
    seed: Seed = 0,
    to: Annotated[Path | None, typer.Option(help="PNG file to write; inside the run where left out.")] = None,
) -> None:
    """New pictures drawn from the prior, as one PNG."""
    from pipelines import chain

    chain.sample(run, num, temperature, seed, to)


@app.command(rich_help_panel="Pictures")
def reconstruct(
    files: Annotated[list[Path], typer.Argument(help="Picture files.")],
    run: Annotated[str | None, typer.Option(help="Name, number or folder of a run.")] = None,
    to: Annotated[Path | None, typer.Option(help="PNG file to write; inside the run where left out.")] = None,
) -> None:
    """Pictures of your own above their reconstructions, as one PNG."""
    from pipelines import chain

    chain.reconstruct(run, files, to)


@app.command(rich_help_panel="Pictures")
def make_faces(
    folder: Annotated[Path, typer.Argument(help="A folder that is new or empty.")],
    people: Annotated[int, typer.Option(help="Number of people.")] = 40,
    per_person: Annotated[int, typer.Option(help="Pictures of each person.")] = 10,
    size: Annotated[int, typer.Option(help="Side of a picture, pixels.")] = 64,
    seed: Seed = 0,
) -> None:
    """Write rendered happy and angry faces, with every generative factor in factors.csv."""
    from pipelines import make_faces as stage

    stage.make_faces(folder, people, per_person, size, seed)


@app.command("runs", rich_help_panel="Runs")
def list_runs() -> None:
    """List the runs, the newest last."""
    from pipelines import runs

    runs.list_runs()


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns its exit code: 0, 2 for a user's mistake, 130 for Ctrl-C, 1 for a defect."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    try:
        result = app(arguments, prog_name="python cli.py", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except UserError as error:
        return complain(error.message, error.hint, 2, debug)
    except KeyboardInterrupt:
        return complain("Stopped.", "", 130, debug)
    except Exception as error:
        return explain(error, debug)


def explain(error: Exception, debug: bool) -> int:
    """What Typer and the stages raise, told in a line or two."""
    if hasattr(error, "show") and hasattr(error, "exit_code"):
        error.show()
        return int(error.exit_code)
    if type(error).__name__ == "Abort":
        return 130
    if hasattr(error, "exit_code"):
        return int(error.exit_code)
    if isinstance(error, OSError):
        return complain(
            f"{type(error).__name__}: {error}", "Is the disk full, or the folder read-only?", 1, debug
        )
    return complain(f"{type(error).__name__}: {error}", "This is a defect; --debug shows where.", 1, debug)


def complain(message: str, hint: str, code: int, debug: bool) -> int:
    if debug:
        import traceback

        traceback.print_exc()
    print(f"error: {message}" if code != 130 else message, file=sys.stderr)
    if hint:
        print("\n".join(f"  {line}" for line in hint.splitlines()), file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
