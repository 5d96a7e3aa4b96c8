#!/usr/bin/env python3
"""The command line: parse, resolve the configuration, print it, call one stage.

Nothing heavy is imported here; each command imports what it needs.
"""

import io
import os
import sys
import warnings
from pathlib import Path
from typing import Annotated, Any

import typer

from pipelines import failures, stopping
from pipelines.command_line import Shared, sharing
from pipelines.shared_options import (
    ENGINE,
    SOURCES,
    Epochs,
    Latent,
    OtherSource,
    Recipe,
    RunArgument,
    Seed,
    SourceArgument,
    Thumbnails,
    engine_options,
    label_options,
    training_options,
)
from reports.words import visible
from vae_tf.errors import UserError

# Set by the shells' scripts, which Typer writes; it leaves the dot in.
COMPLETION = "_CLI.PY_COMPLETE"

app = typer.Typer(
    help="What varies in a folder of pictures, whether its classes differ, and what lies between two of them: "
    "a variational autoencoder, from training to HTML reports and a SavedModel.",
    epilog="Begin with: python cli.py demo · or with your own: python cli.py train faces/ --latent 30",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
)


def configuration(options: dict[str, Any]) -> Any:
    """The typed configuration of what was typed."""
    from vae_tf.options import to_config

    return to_config({name.rstrip("_"): value for name, value in options.items()})


def refuse_other_options(context: typer.Context, allowed: tuple[str, ...]) -> None:
    """What a run was started with decides how it goes on; an option without effect must not look as if it had one.

    Raises:
        UserError: An option outside `allowed` was typed.
    """
    for name in typed(context) - set(allowed):
        raise UserError(
            f"--{name.rstrip('_').replace('_', '-')} cannot be changed in a run that goes on.",
            f"With --{allowed[0]} come: {', '.join('--' + other for other in allowed[1:])}. "
            "For another configuration train a new run.",
        )


def typed(context: typer.Context) -> set[str]:
    """Names of the parameters that were typed."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return {name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"}


@app.command(
    rich_help_panel="Chain",
    epilog="Examples: train faces/ --latent 30 · train scans.zip --labels facts.csv --group-column patient · "
    "train mnist.npz --recipe mlp --augment none · train good/ --test other/ · train --config run.toml --dry-run",
)
@sharing(label_options, training_options, engine_options)
def train(
    context: typer.Context,
    options: Shared,
    source: Annotated[str | None, typer.Argument(help=SOURCES)] = None,
    dry_run: Annotated[
        bool, typer.Option(help="Say what would be done, look at the data, estimate the time, and stop.")
    ] = False,
    tensorboard: Annotated[bool, typer.Option(help="Write TensorBoard logs into the run.")] = False,
    resume: Annotated[str | None, typer.Option(help="Finish this interrupted run.", metavar="RUN")] = None,
    extend: Annotated[
        str | None,
        typer.Option(help="Train this finished run for --epochs more, as a child run.", metavar="RUN"),
    ] = None,
    workers: Annotated[
        int,
        typer.Option(
            help="Processes on this machine, or on those of --engine ray, that share each batch.",
            min=1,
            max=64,
        ),
    ] = 1,
) -> None:
    """Train a VAE on pictures and write its report."""
    modes = [value for value in (source, resume, extend) if value is not None]
    if len(modes) != 1:
        raise UserError(
            "Give one of: a folder of pictures, --resume RUN, or --extend RUN.",
            "For example: python cli.py train faces/ --latent 30 (or demo:faces for the embedded faces)",
        )
    epochs, name = options["epochs"], options["name"]
    if extend is not None and epochs is None:
        raise UserError(
            "--extend needs --epochs: how many more.", f"python cli.py train --extend {extend} --epochs 100"
        )
    if source is None:
        allowed = (
            ("resume", "tensorboard", "workers", "engine", "address")
            if resume is not None
            else ("extend", "epochs", "name", "tensorboard", "workers", "engine", "address")
        )
        refuse_other_options(context, allowed)
    engine, address = options.pop("engine"), options.pop("address")
    wanted = None if source is None else configuration({"source": source, **options})
    from pipelines import chain

    if chain.uses_ray(engine, address) and not dry_run:
        task = {"config": wanted, "resume": resume, "extend": extend, "epochs": epochs}
        chain.train_on_ray(
            {**task, "name": name, "tensorboard": tensorboard}, workers, address, options["thumbnails"]
        )
    elif wanted is not None:
        chain.train(wanted, name, options["thumbnails"], dry_run, tensorboard, workers)
    elif resume is not None:
        chain.resume(resume, tensorboard, workers)
    else:
        chain.extend(str(extend), epochs, name, tensorboard, workers)


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
    from pipelines import chain

    engine, address = options.pop("engine"), options.pop("address")
    if chain.uses_ray(engine, address):
        for name in typed(context) - {"engine", "address", "to", "run", "source"}:
            raise UserError(
                f"--{name.rstrip('_').replace('_', '-')} has no effect with --engine ray.",
                "It reads a folder of pictures, each by itself.",
            )
        chain.embed_on_ray(run, source, address, to)
        return
    if to is not None:
        raise UserError("--to goes with --engine ray.", "Without it latents.csv is written into the run.")
    chain.embed(run, None if source is None else configuration({"source": source, **options}))


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
    from pipelines import chain

    chain.cluster_report(run, source, perplexity, neighbors, permutations, seed)


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
    from pipelines import chain

    chain.interpolation_grid(run, source, start or [], to or [], steps, pairs, seed)


@app.command(
    rich_help_panel="Chain",
    epilog="Examples: explore · explore 3 · explore 3 more-faces/",
)
def explore(run: RunArgument = None, source: OtherSource = None) -> None:
    """A page that draws by itself: a slider for each latent, and a dropped picture beside its neighbours."""
    from pipelines import chain

    chain.explore(run, source)


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
    from pipelines import chain

    chain.traverse(run, source, steps, reach, permutations, seed)


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
    from pipelines import chain

    chain.evaluate(run, source, samples, pictures, seed)


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
    from pipelines import chain

    chain.probe(run, labels, finetune, draws, seed)


@app.command(
    rich_help_panel="Chain",
    epilog="Examples: predict · predict 3 new-digits/",
)
def predict(run: RunArgument = None, source: OtherSource = None, seed: Seed = 0) -> None:
    """The class of every picture with its probability, for models that learn classes (--recipe m2 or m1-m2)."""
    from pipelines import chain

    chain.predict(run, source, seed)


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
    from pipelines import chain

    chain.anomalies(run, source, normal or [], alpha, score, samples, seed)


@app.command(
    rich_help_panel="Chain",
    epilog="Examples: export faces-conv-z30 · export --to models/ (models/NAME/1/, ready for TF Serving) · "
    "export --format onnx --weights int8",
)
def export(
    run: RunArgument = None,
    form: Annotated[
        str,
        typer.Option(
            "--format", help="saved-model, onnx (onnxruntime) or litert (telephones).", metavar="FORMAT"
        ),
    ] = "saved-model",
    weights: Annotated[
        str | None,
        typer.Option(help="float32, float16 or int8, with --format onnx or litert.", metavar="TYPE"),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(help="Place a copy as DIR/NAME/N/, as TF Serving expects it.", metavar="DIR"),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="NAME of the model; the run's own where left out.", metavar="NAME")
    ] = None,
    version: Annotated[
        int | None, typer.Option(help="N; the next free number where left out.", metavar="N")
    ] = None,
) -> None:
    """A SavedModel for TF Serving, or ONNX or LiteRT, with the proof that it gives the run's outputs."""
    from pipelines import chain

    if form == "saved-model":
        if weights not in (None, "float32"):
            raise UserError(
                f"--weights {weights} goes with --format onnx or litert.",
                f"python cli.py export --format onnx --weights {weights}",
            )
        chain.export(run, to, name, version)
        return
    if version is not None:
        raise UserError("--version is for TF Serving, which reads SavedModels.", "Leave it out.")
    chain.export_as(run, form, weights or "float32", to, name)


@app.command(
    rich_help_panel="Chain",
    epilog="Examples: serve · serve faces-conv-z30 --rest-port 9000 · serve exported/",
)
def serve(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN|DIR]",
            help="Name, number or folder of a run, or a folder that export --to wrote; the newest run where left out.",
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; only this machine by default.")
    ] = "127.0.0.1",
    rest_port: Annotated[
        int, typer.Option(help="Of the REST API; 0 takes a free one.", min=0, max=65535)
    ] = 8501,
    grpc_port: Annotated[int, typer.Option(help="Of gRPC; 0 takes a free one.", min=0, max=65535)] = 8500,
    batching: Annotated[
        bool, typer.Option(help="Compute requests that wait together (batching_parameters.txt).")
    ] = True,
    poll: Annotated[float, typer.Option(help="Seconds between looks for new versions.", min=0.05)] = 1.0,
    grace: Annotated[
        float, typer.Option(help="Seconds that requests in flight have at the end.", min=0)
    ] = 10.0,
    request_time: Annotated[float, typer.Option(help="Seconds that a request may take.", min=0.01)] = 30.0,
    max_body: Annotated[int, typer.Option(help="Largest request, MiB.", min=1, max=1024)] = 64,
    max_rows: Annotated[int, typer.Option(help="Most rows of one request.", min=1)] = 4096,
    max_pixels: Annotated[
        int, typer.Option(help="Most pixels that the pictures of one request may decode to, millions.", min=1)
    ] = 64,
    token: Annotated[
        Path | None,
        typer.Option(
            help="File with the token that every request must name; everybody may ask where left out."
        ),
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option(help="TLS: PEM file of the certificate, with its chain.")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="TLS: PEM file of the certificate's key.")] = None,
) -> int:
    """Serve an export as TF Serving would, by REST and gRPC: for development and small sites."""
    from pipelines import serve as command

    options = command.ServeOptions(
        host, rest_port, grpc_port, batching, poll, grace, request_time, max_body, max_rows, max_pixels,
        token, certificate, key,
    )  # fmt: skip
    return command.serve(run, options)


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
    from pipelines import chain

    chain.report(run, source, single_file, thumbnails)


@app.command(
    "run",
    rich_help_panel="Chain",
    epilog="Examples: run faces/ · run tfds:mnist --recipe mlp --augment none --latent 10",
)
@sharing(label_options, training_options)
def run_all(options: Shared, source: SourceArgument) -> None:
    """The whole chain: train, embed, cluster-report, interpolation-grid, traverse, export."""
    wanted = configuration({"source": source, **options})
    from pipelines import chain

    chain.run(wanted, options["name"], options["thumbnails"])


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

    chain.run(config.parse_config(document), "demo-faces", None)


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
    from pipelines import chain

    chain.sample(run, num, temperature, seed, to)


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
    from pipelines import chain

    chain.reconstruct(run, files, to)


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


@app.command(
    rich_help_panel="Runs",
    epilog="Examples: compare 3 4 5 · compare faces-conv-z20 faces-conv-z50",
)
def compare(
    names: Annotated[list[str], typer.Argument(metavar="RUN...", help="Names, numbers or folders of runs.")],
) -> None:
    """Runs side by side, on the same unseen pictures."""
    from pipelines import chain

    chain.compare(names)


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
    from pipelines import chain

    chain.sweep(wanted, latent, recipe, seed, options["thumbnails"])


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


@app.command(rich_help_panel="Model")
def recipes() -> None:
    """List the named models: what they are, where they come from, what to expect."""
    from pipelines import recipes as stage

    stage.list_recipes()


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns its exit code.

    0; 2 for a user's mistake; 130 for Ctrl-C and 143 for SIGTERM; 1 for a defect, or a disk that refuses.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in arguments
    # Pillow's remarks name no file; what makes a picture unusable is said with its name.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    arguments = [argument for argument in arguments if argument != "--debug"]
    try:
        with stopping.unwinding():
            name = program_name(arguments)
            result = app(arguments, prog_name=name, complete_var=COMPLETION, standalone_mode=False)
            return result if isinstance(result, int) else 0
    except UserError as error:
        return complain(error.message, error.hint, 2, debug)
    except stopping.Requested as stop:
        return stopped(stop.code, debug)
    except Exception as error:
        return explain(error, debug)


def program_name(arguments: list[str]) -> str:
    """As usage lines name the program; shells complete the words after `./cli.py`, so there it is `cli.py`."""
    completing = "_CLI_PY_COMPLETE" in os.environ or {"--install-completion", "--show-completion"} & set(
        arguments
    )
    return "cli.py" if completing else "python cli.py"


def explain(error: Exception, debug: bool) -> int:
    """What Typer and the stages raise, told in a line or two."""
    if hasattr(error, "show") and hasattr(error, "exit_code"):
        error.show()
        return int(error.exit_code)
    if type(error).__name__ == "Abort":
        return stopped(stopping.CTRL_C, debug)
    if hasattr(error, "exit_code"):
        return int(error.exit_code)
    message, hint = failures.told(error) or (
        f"{type(error).__name__}: {error}",
        "This is a defect; --debug shows where.",
    )
    return complain(message, hint, 1, debug)


def stopped(code: int, debug: bool) -> int:
    if debug:
        import traceback

        traceback.print_exc()
    print("Stopped.", file=sys.stderr)
    return code


def complain(message: str, hint: str, code: int, debug: bool) -> int:
    if debug:
        import traceback

        traceback.print_exc()
    print(visible(f"error: {message}"), file=sys.stderr)
    if hint:
        print(visible("\n".join(f"  {line}" for line in hint.splitlines())), file=sys.stderr)
    return code


if __name__ == "__main__":
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Names of files may hold what is no Unicode, or what the terminal's encoding lacks.
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(main())
