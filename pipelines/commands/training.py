"""The command `train`."""

from typing import Annotated

import typer

from pipelines.commands.command_line import Shared, configuration, refuse_other_options, sharing
from pipelines.commands.shared_options import SOURCES, engine_options, label_options, training_options
from vae_tf.errors import UserError

app = typer.Typer()


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
    from pipelines.chain import on_ray, training

    if on_ray.uses_ray(engine, address) and not dry_run:
        task = {"config": wanted, "resume": resume, "extend": extend, "epochs": epochs}
        on_ray.train_on_ray(
            {**task, "name": name, "tensorboard": tensorboard}, workers, address, options["thumbnails"]
        )
    elif wanted is not None:
        training.train(wanted, name, options["thumbnails"], dry_run, tensorboard, workers)
    elif resume is not None:
        training.resume(resume, tensorboard, workers)
    else:
        training.extend(str(extend), epochs, name, tensorboard, workers)
