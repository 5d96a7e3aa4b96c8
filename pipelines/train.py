"""Stage `train`: from a source of pictures to the weights of a run."""

import dataclasses
import platform
import shutil
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pipelines.checkpoint_uploads import CheckpointUploads
from pipelines.console import TrainingDisplay, decoding, next_step, say, seconds, warn
from pipelines.describe import describe_data, inspect_pictures
from pipelines.run_data import (
    Examples,
    config_of,
    load_examples_of,
    own_pictures,
    read_inspection,
    resolved_data,
    save_pictures,
    short_name,
    train_folder,
)
from pipelines.stopping import noting
from pipelines.text_data import prepare_text, resolved_text, save_sentences
from reports.words import bytes_in_words, plural
from vae_tf import recipes, strangers
from vae_tf.artifacts.hashes import hash_of_file
from vae_tf.artifacts.run import Run
from vae_tf.artifacts.runs import all_runs, delete_run, find_run, new_run
from vae_tf.config import Config
from vae_tf.data.dataset import Pictures, load_pictures
from vae_tf.data.inspection import Inspection
from vae_tf.data.sentences import SentenceFile, Sentences
from vae_tf.data.sources import Source
from vae_tf.errors import UserError
from vae_tf.options import to_toml
from vae_tf.places import cache_root, is_remote, runs_root
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


def prepare_data(config: Config, source: Source) -> Pictures:
    """Decodes, labels and splits the pictures, and says what was found."""
    with decoding() as progress:
        pictures = load_pictures(config.data, config.training.seed, cache_root(), progress, source)
    describe_data(pictures)
    return pictures


def resolve(
    config: Config, pictures: Examples, distribution: Any, first_epoch: int = 0
) -> tuple[Config, dict[str, Any]]:
    """The configuration with every open choice filled in, and the choices that only this machine decides."""
    from vae_tf.training import plan as plans
    from vae_tf.training import precision

    if isinstance(pictures, Sentences):
        data, num_tokens = resolved_text(config.data, pictures), len(pictures.vocabulary)
        image_shape: tuple[int, ...] = (pictures.num_positions,)
    else:
        data, num_tokens = resolved_data(config.data, pictures.shape, pictures.shares), 0
        image_shape = pictures.shape.image_shape
    learns_classes = "labels" in recipes.find_recipe(config.model.recipe).needs
    num_examples = len(pictures.index.where("train"))
    chosen = precision.resolve(config.training.precision, config.model.recipe)
    distribution = distribution.for_recipe(config.model.recipe, chosen.policy)
    if distribution.num_replicas > 1:
        chosen = precision.without_xla(chosen)
    plan = plans.make_plan(
        config.training, num_examples, image_shape, first_epoch, learns_classes, distribution.num_replicas
    )
    training = config.training.model_copy(
        update={"epochs": plan.epochs - first_epoch, "batch_size": plan.batch_size}
    )
    resolved = config.model_copy(update={"data": data, "training": training})
    machine = {
        "plan": dataclasses.asdict(plan),
        "precision": dataclasses.asdict(chosen),
        "distribution": distribution.describe(plan.batch_size),
        "num_examples": num_examples,
        "num_classes": len(pictures.index.class_names),
        "num_tokens": num_tokens,
        "m1_steps": plan.num_steps // 2,
    }
    return resolved, machine


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


def alone() -> Any:
    from vae_tf.training.distribution import Distribution

    return Distribution()


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


def prepare(config: Config, source: Source | SentenceFile) -> tuple[Examples, Inspection | None]:
    """What to train on, and what is odd about pictures."""
    if isinstance(source, SentenceFile):
        return prepare_text(config, source), None
    pictures = prepare_data(config, source)
    check_latent(config.model.latent, pictures)
    return pictures, inspect_pictures(pictures)


def check_model(config: Config) -> None:
    """Finds a mistake in the model's and the augmentation's options before the pictures are read.

    Raises:
        UserError: An unknown recipe, part, argument or augmentation.
    """
    from vae_tf.training.plan import choose_augmentation

    is_text = recipes.find_recipe(config.model.recipe).data == "sentences"
    choose_augmentation(config.training.augment, 1, (8,) if is_text else (8, 8, 1))
    settings = config.model.settings
    recipes.check(
        config.model.recipe, config.model.latent, config.model.likelihood, config.model.beta, settings
    )


def run_label(source: str) -> str:
    """The source's name for that of a run: without folders, and without the suffixes of a file."""
    name = short_name(source)
    is_file = Path(name).suffix != "" if is_remote(source) else Path(source).is_file()
    return name.split(".")[0] if is_file else name


def check_latent(latent: int, pictures: Pictures) -> None:
    """Raises: UserError: As many numbers as a picture has values compress nothing."""
    height, width, channels = pictures.shape.image_shape
    values = height * width * channels
    if latent >= values:
        raise UserError(
            f"--latent {latent}: a picture of {height}×{width}×{channels} has only {values:,} values itself.",
            f"Give fewer, such as --latent {min(30, max(1, values // 10))}, or larger pictures: --size.",
        )


def classes_to_learn(pictures: Examples) -> list[str]:
    """Names of the classes that some picture or sentence of the training part is labelled with."""
    index = pictures.index
    labels = set(index.visible_labels[index.where("train")].tolist()) - {-1}
    return [name for i, name in enumerate(index.class_names) if i in labels]


def preview(
    config: Config, machine: dict[str, Any], model: Any, pictures: Examples, inspection: Inspection | None
) -> None:
    """What a dry run leaves: an estimate from a few real steps, and the page about the data."""
    from pipelines.data_record import write_preview

    estimate = estimate_training(config, machine, model, pictures)
    in_all = estimate.seconds_per_epoch * machine["plan"]["epochs"]
    said = [
        ("Training", f"{seconds(estimate.seconds_per_epoch)} per epoch, {seconds(in_all)} in all"),
        ("Memory", bytes_in_words(estimate.memory)),
    ]
    if isinstance(pictures, Pictures):
        said.append(("Cache of decoded pictures", bytes_in_words(pictures.images.nbytes)))
    for what, how_much in said:
        say(f"  {what.lower()}: {how_much}")
    say("The resolved configuration, as --config would read it:", style="bold")
    say(to_toml(config))
    if isinstance(pictures, Sentences) or inspection is None:
        say("This was a dry run: no run was made, and nothing written.")
        return
    page = write_preview(config, pictures, inspection, said)
    say(f"  page: {page}", style="bold")
    say("This was a dry run: no run was made, and nothing written but this page and the decoded pictures.")


def estimate_training(config: Config, machine: dict[str, Any], model: Any, pictures: Examples) -> Any:
    """Trains a few steps and forgets them."""
    import tempfile

    from vae_tf.training import loop
    from vae_tf.training.estimate import Stopwatch

    plan = plan_of(machine)
    stopwatch = Stopwatch(plan, len(pictures.index.where("validation")))
    with tempfile.TemporaryDirectory() as folder:
        loop.fit(
            model,
            plan,
            batch_maker(pictures, plan, alone()),
            None,
            Path(folder),
            jit_compile=machine["precision"]["jit_compile"],
            listener=stopwatch,
            wants_stop=lambda: stopwatch.is_done,
        )
    return stopwatch.finish()


def plan_of(machine: dict[str, Any]) -> Any:
    from pydantic import TypeAdapter

    from vae_tf.training.plan import Plan

    with strangers.read_from(Path("run.json")):
        plan = TypeAdapter(Plan).validate_python(machine["plan"])
        if min(plan.batch_size, plan.steps_per_epoch, plan.epochs, plan.steps_per_execution) < 1:
            raise ValueError("a plan without steps")
        return plan


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
    run = new_run(label, record)
    try:
        if isinstance(pictures, Sentences):
            save_sentences(run, config.data, pictures)
        else:
            assert inspection is not None, "pictures are inspected first"
            save_pictures(run, config.data, pictures, inspection)
    except BaseException:
        # A run that does not know its pictures is of no use.
        if run.exists and run.stage("data") is None:
            delete_run(run)
        raise
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
        if (parent := run.record["parent"]) is not None and not run.partial_train.exists():
            inherit(run, find_run(parent[:5]))
        say(f"run {run.name} goes on", style="bold")
        model = build_model(config_of(run), run.record["machine"])
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


def resolve_extension(
    parent: Run, pictures: Examples, epochs: int, distribution: Any
) -> tuple[Config, dict[str, Any]]:
    """As `resolve`, of the parent's configuration for `epochs` more, in the parent's precision."""
    config, before = config_of(parent), parent.record["machine"]
    training = config.training.model_copy(update={"epochs": epochs})
    longer = config.model_copy(update={"training": training})
    resolved, machine = resolve(longer, pictures, distribution, before["plan"]["epochs"])
    return resolved, {**machine, **{name: before[name] for name in ("precision", "m1_steps")}}


def build_model(config: Config, machine: dict[str, Any], precision: str | None = None) -> Any:
    settings = dict(config.model.settings)
    if config.training.kl_warmup:
        # An objective without a warm-up refuses it by name, which says what is wrong.
        settings.setdefault("objective.warmup_steps", config.training.kl_warmup)
    if recipes.find_recipe(config.model.recipe).model == "m1-m2":
        settings.setdefault("model.m1_steps", machine["m1_steps"])
    model = recipes.build(
        config.model.recipe,
        image_shape=example_shape(config),
        latent_dim=config.model.latent,
        likelihood=config.model.likelihood,
        beta=config.model.beta,
        precision=precision or machine["precision"]["policy"],
        seed=config.training.seed,
        settings=settings,
        batch_size=machine["plan"]["batch_size"],
        num_classes=machine["num_classes"],
        num_tokens=machine.get("num_tokens", 0),
    )
    for part in (model.objective, model.prior):
        if getattr(part, "num_examples", 0) is None:
            part.num_examples = machine["num_examples"]
    return model


def example_shape(config: Config) -> tuple[int, ...]:
    """(height, width, channels) of a picture; (positions,) of a sentence, its end included."""
    if recipes.find_recipe(config.model.recipe).data == "sentences":
        return ((config.data.longest or 1) + 1,)
    return (*(config.data.size or ()), config.data.channels or 3)


def describe_plan(config: Config, machine: dict[str, Any], model: Any) -> None:
    plan, precision = machine["plan"], machine["precision"]
    names = " · ".join(
        type(getattr(model, axis)).__name__
        for axis in ("encoder", "posterior", "prior", "decoder", "likelihood", "objective")
    )
    say(f"recipe {config.model.recipe}, latent {config.model.latent}: {names}")
    say(
        f"  {model.count_params():,} weights; {describe_objective(model)}; {precision['reason']}", style="dim"
    )
    epochs = f"{plural(plan['epochs'], 'epoch')} of {plural(plan['steps_per_epoch'], 'step')}"
    say(
        f"  {epochs}, batch {plan['batch_size']}, "
        f"learning rate {plan['learning_rate']:g} {plan['schedule']}, seed {plan['seed']}",
        style="dim",
    )
    for note in [*plan["notes"], *describe_distribution(machine["distribution"], plan)]:
        say(f"  {note}", style="dim")


def describe_distribution(distribution: dict[str, Any], plan: dict[str, Any]) -> list[str]:
    """Who computes what, in a line; nothing where one device does all, and there is but one."""
    if distribution["replicas"] == 1:
        return [] if distribution["reason"] == "one device" else [f"Trained on {distribution['reason']}."]
    return [
        f"{distribution['strategy']} ({distribution['reason']}): {distribution['replicas']} replicas take "
        f"{distribution['batch_size_per_replica']} pictures each of every batch of {plan['batch_size']}, "
        f"at learning rate {plan['learning_rate']:g}."
    ]


def describe_objective(model: Any) -> str:
    """The arguments of what is minimised, such as "beta 4, warmup_steps 0"."""
    arguments = model.objective.get_config().items()
    return ", ".join(f"{name} {value}" for name, value in arguments) or "no further arguments"


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

    config, machine = config_of(run), run.record["machine"]
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
    return run


def batch_maker(
    pictures: Examples, plan: Any, distribution: Any, are_resident: bool = False
) -> Callable[[int], Any]:
    from vae_tf.data import batches

    index = pictures.index
    return lambda first_step: batches.training_batches(
        None if are_resident else pictures.examples,
        index.visible_labels,
        index.where("train"),
        plan.batch_size,
        plan.seed,
        first_step,
        plan.num_labelled,
        distribution.replicas,
    )


def validation_batches(pictures: Examples, plan: Any, distribution: Any) -> Any:
    from vae_tf.data import batches

    indices = pictures.index.where("validation")
    if not len(indices):
        return None
    size = max(64, plan.batch_size)
    return batches.ordered_batches(
        pictures.examples, pictures.index.labels, indices, size, distribution.replicas
    )


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
        "parent": run.record["parent"],
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


def explain_stop(run: Run, outcome: Any) -> None:
    if outcome.status == "interrupted":
        warn(f"Stopped at epoch {outcome.facts['epoch']}; the best and the last state are kept.")
        next_step(f"python cli.py train --resume {run.name}")
        return
    step, term = outcome.failure
    kept = "" if term == "validation loss" else "; the weights were left as they were before it"
    warn(f"The {term} was no finite number at step {step}{kept}.")
    say("  Try a smaller --learning-rate, --precision float32, or --set likelihood.floor=0.05.")


def versions() -> dict[str, str]:
    from importlib.metadata import version

    import vae_tf

    packages = {name: version(name) for name in ("tensorflow", "keras", "numpy", "pillow")}
    return {"vae_tf": vae_tf.__version__, "python": platform.python_version(), **packages}
