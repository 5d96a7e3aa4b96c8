"""Stage `train`: from a source of pictures to the weights of a run."""

import shutil
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pipelines.build_model import build_model
from pipelines.checkpoint_uploads import CheckpointUploads
from pipelines.console import TrainingDisplay, next_step, say, seconds, warn
from pipelines.describe_training import describe_plan, explain_stop
from pipelines.dry_run import preview
from pipelines.machine import machine_of
from pipelines.resolve import check_model, plan_of, resolve, resolve_extension
from pipelines.run_data import (
    Examples,
    config_of,
    load_examples_of,
    own_pictures,
    read_inspection,
    save_pictures,
    short_name,
    train_folder,
)
from pipelines.stopping import noting
from pipelines.text_data import save_sentences
from pipelines.training_data import batch_maker, classes_to_learn, prepare, validation_batches
from pipelines.workers import alone
from vae_tf import recipes
from vae_tf.artifacts.hashes import hash_of_file
from vae_tf.artifacts.run import Run
from vae_tf.artifacts.runs import all_runs, find_run, new_run
from vae_tf.config import Config
from vae_tf.data.inspection import Inspection
from vae_tf.data.sentences import SentenceFile, Sentences
from vae_tf.data.sources import Source
from vae_tf.errors import UserError
from vae_tf.places import is_remote, runs_root
from vae_tf.versions import versions
from vae_tf.whole import new_file, new_folder, renamed, sync_folder

NUM_LOOKED_AT = 200


class ChiefStopped(Exception):
    """The chief ended before training began, and has said why."""


class TrainingStopped(Exception):
    """Training ended before its plan was done; `exit_code` is the command's."""

    def __init__(self, run: Run, exit_code: int) -> None:
        super().__init__(run.name)
        self.run = run
        self.exit_code = exit_code


def start(
    config: Config,
    source: Source | SentenceFile,
    name: str | None,
    dry_run: bool = False,
    tensorboard: bool = False,
    distribution: Any = None,
) -> Run | None:
    """Trains a new run on an opened source; with `dry_run` says only what it would do, and writes the data page."""
    distribution = distribution or alone()
    with distribution.preparing():
        check_model(config)
        pictures, inspection = prepare(config, source)
        recipes.check_data(config.model.recipe, classes_to_learn(pictures), pictures.index.class_names)
        resolved, machine = resolve(config, pictures, distribution)
        model = build_model(resolved, machine)
        describe_plan(resolved, machine, model)
        sample = pictures.examples[:: max(1, len(pictures.examples) // NUM_LOOKED_AT)]
        if (warning := model.likelihood.warning_for(sample)) is not None:
            warn(warning)
        if dry_run:
            preview(resolved, machine, model, pictures, inspection)
            return None
        label = name or f"{run_label(resolved.data.source)}-{config.model.recipe}-z{config.model.latent}"
        run = create_run(label, resolved, machine, pictures, inspection, job=distribution.job)
    return work(run, model, pictures, tensorboard, distribution)


def join(distribution: Any) -> Run:
    """Trains with the chief the run that it names, in `start`, `resume` or `extend`.

    Raises:
        ChiefStopped: There is nothing to train.
        TrainingStopped: Ctrl-C, or a loss that is not finite.
        UserError: The run's folder cannot be seen from here.
    """
    told = distribution.tell()
    if "run" not in told:
        raise ChiefStopped
    run = Run(runs_root() / told["run"])
    if run not in all_runs():
        raise UserError(
            f"The chief trains {told['run']}, which is not in {runs_root()}/ of worker {distribution.rank}.",
            "All workers must see the same folder of runs: a shared file system, named by VAE_TF_RUNS.",
        )
    pictures = load_examples_of(own_pictures(run))
    run.take_checkpoints()
    return work(run, None, pictures, False, distribution)


def run_label(source: str) -> str:
    """The source's name for that of a run: without folders, and without the suffixes of a file."""
    name = short_name(source)
    is_file = Path(name).suffix != "" if is_remote(source) else Path(source).is_file()
    return name.split(".")[0] if is_file else name


def create_run(
    label: str,
    config: Config,
    machine: dict[str, Any],
    pictures: Examples,
    inspection: Inspection | None,
    parent: str | None = None,
    job: str | None = None,
) -> Run:
    record = {
        "config": config.to_json(),
        "machine": machine,
        "seed": config.training.seed,
        "fingerprint": pictures.fingerprint,
        "parent": parent,
        "versions": versions(),
        **({} if job is None else {"job": job}),
    }

    def list_examples(run: Run) -> None:
        if isinstance(pictures, Sentences):
            save_sentences(run, config.data, pictures)
        else:
            assert inspection is not None, "pictures are inspected first"
            save_pictures(run, config.data, pictures, inspection)

    # A run that does not know its pictures could neither be resumed nor shown.
    run = new_run(label, record, fill=list_examples)
    say(f"run {run.name}", style="bold")
    return run


def resume(text: str, tensorboard: bool = False, distribution: Any = None) -> Run:
    """Finishes an interrupted run's plan, in the precision that was resolved at its start."""
    distribution = distribution or alone()
    with distribution.preparing():
        run = find_run(text, trained=False)
        check_unfinished(run)
        pictures = load_examples_of(own_pictures(run))
        run.take_checkpoints()
        if run.parent and not run.partial_train.exists():
            inherit(run, find_run(run.parent[:5]))
        say(f"run {run.name} goes on", style="bold")
        model = build_model(config_of(run), machine_of(run))
    return work(run, model, pictures, tensorboard, distribution)


def check_unfinished(run: Run) -> None:
    """Raises: UserError: There is nothing to go on with."""
    if run.is_trained:
        raise UserError(
            f"{run.name} has finished its training.",
            f"To train it further: python cli.py train --extend {run.name} --epochs 100",
        )


def extend(
    text: str, epochs: int, name: str | None, tensorboard: bool = False, distribution: Any = None
) -> Run:
    """A child run that goes on from the last state of a finished one for `epochs` more."""
    distribution = distribution or alone()
    with distribution.preparing():
        parent = find_run(text)
        subject = own_pictures(parent)
        pictures = load_examples_of(subject)
        resolved, machine = resolve_extension(parent, pictures, epochs, distribution)
        inspection = None if subject.is_text else read_inspection(subject)
        label = name or f"{parent.name[6:]}-extended"
        run = create_run(label, resolved, machine, pictures, inspection, parent.name, distribution.job)
        inherit(run, parent)
        model = build_model(resolved, machine)
    return work(run, model, pictures, tensorboard, distribution)


def inherit(run: Run, parent: Run) -> None:
    """Gives a child run the state of its parent, all of it at once: without, it would begin anew."""
    trained = train_folder(parent)
    with run.working(), new_folder(run.partial_train) as partial:
        shutil.copytree(trained / "checkpoints", partial / "checkpoints")
        shutil.copy2(trained / "metrics.jsonl", partial / "metrics.jsonl")
        sync_folder(partial)
        renamed(partial, run.partial_train)


def work(run: Run, model: Any, pictures: Examples, tensorboard: bool, distribution: Any) -> Run:
    """Runs the plan in `train.partial/` and makes it the stage `train`; of several workers, the chief does.

    Raises:
        TrainingStopped: Ctrl-C or SIGTERM, or a loss that is not finite; both states are on disk.
        UserError: Another process trains it, or has finished it.
    """
    with ExitStack() as stack:
        if distribution.is_chief:
            with distribution.preparing():
                stack.enter_context(run.training_lock())
                check_unfinished(run)
        return work_alone(run, model, pictures, tensorboard, distribution)


def work_alone(run: Run, model: Any, pictures: Examples, tensorboard: bool, distribution: Any) -> Run:
    """As `work`, while nobody else trains the run."""
    from vae_tf.data import resident
    from vae_tf.training import loop, precision
    from vae_tf.training.estimate import Stopwatch

    config, machine = config_of(run), machine_of(run)
    plan = plan_of(machine)
    if distribution.is_chief and distribution.num_workers > 1:
        # The others may fetch the run from a store.
        CheckpointUploads(run).give_now()
        distribution.tell({"run": run.name})
    distribution = distribution.for_recipe(config.model.recipe, machine["precision"]["policy"])
    if distribution.strategy is not None:
        model = distribution.build(lambda: build_model(config, machine))
    stopwatch = Stopwatch(plan, len(pictures.index.where("validation")))
    if resident.fits(pictures.examples, distribution.num_replicas, precision.find_device()[0]):
        model.resident = resident.put(pictures.examples)
    folder = run.partial_train
    started = time.time()
    with (
        TrainingDisplay(
            plan.epochs, plan.num_steps, stopwatch, own_pictures(run).noun, model.has_kl
        ) as display,
        noting(lambda: say("Stopping at the next step (Ctrl-C again stops at once) …")) as wants_stop,
        CheckpointUploads(run) as uploads,
    ):
        outcome, best = loop.fit(
            model,
            plan,
            batch_maker(pictures, plan, distribution, model.resident is not None),
            validation_batches(pictures, plan, distribution),
            folder,
            jit_compile=machine["precision"]["jit_compile"],
            listener=uploads.after(display) if distribution.is_chief else display,
            wants_stop=wants_stop,
            callbacks=tensorboard_callbacks(folder) if tensorboard else None,
            distribution=distribution,
        )
    if outcome.status != "finished":
        if distribution.is_chief:
            uploads.give_now()
        explain_stop(run, outcome)
        raise TrainingStopped(run, wants_stop.exit_code if outcome.status == "interrupted" else 1)
    if not distribution.is_chief:
        return run
    save_best(config, machine, best, folder / "vae.keras")
    finish(run, pictures, outcome, started, plan)
    if wants_stop():
        # Asked at the last step, or while the weights were written.
        warn("Stopped: the training is done, and its pages are not written.")
        next_step(f"python cli.py report {run.name}")
        raise TrainingStopped(run, wants_stop.exit_code)
    return run


def tensorboard_callbacks(folder: Path) -> list[Any]:
    import keras

    return [keras.callbacks.TensorBoard(folder / "tensorboard", write_graph=False)]


def save_best(config: Config, machine: dict[str, Any], best: list[Any] | None, path: Path) -> None:
    """The best weights in a float32 model: what is embedded and exported must not depend on the training's device."""
    model = build_model(config, machine, precision="float32")
    if best is not None:
        model.set_weights(best)
    with new_file(path) as partial:
        model.save(partial)


def finish(run: Run, pictures: Examples, outcome: Any, started: float, plan: Any) -> None:
    facts = outcome.facts
    inputs = {
        "config": run.record["config"],
        "fingerprint": pictures.fingerprint,
        "parent": run.parent or None,
    }
    best_value = facts["best_value"] if facts["best_value"] < float("inf") else None
    results = {
        **facts,
        "best_value": best_value,
        "model": hash_of_file(run.partial_train / "vae.keras"),
    }
    run.finish_training(inputs, started, results)
    say(
        f"trained in {seconds(facts['seconds'])}: best at epoch {facts['best_epoch']} of {facts['epoch']}"
        + (f", validation {facts['best_value']:,.1f} nats" if facts["best_value"] < float("inf") else ""),
        style="bold",
    )
