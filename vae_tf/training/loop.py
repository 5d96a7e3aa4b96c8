"""The loop around Keras' `fit`: validation with averaged weights, best and last state, stopping without loss."""

import dataclasses
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from vae_tf.training.averaging import WeightAverage
from vae_tf.training.distribution import Distribution, ReplicatedAdam
from vae_tf.training.plan import AVERAGE_DECAY, Plan, make_optimizer
from vae_tf.training.state import load_state, load_weights, save_state, save_weights
from vae_tf.whole import sync, write_text

SECONDS_BETWEEN_SAVES = 30.0
Listener = Callable[[dict[str, Any]], None]


@dataclasses.dataclass
class Outcome:
    """How a training ended.

    Args:
        status: "finished", "interrupted" or "not finite".
        failure: (step, term) of the first non-finite loss.
        facts: epoch, seconds, best epoch and value (infinite without validation).
    """

    status: str
    failure: tuple[int, str] | None
    facts: dict[str, Any]


class Loop(keras.callbacks.Callback):
    """Everything that happens at the boundaries of executions and epochs.

    Args:
        plan: Numbers of the training.
        folder: Where metrics.jsonl and checkpoints/ go.
        listener: Told of each batch and epoch.
        wants_stop: Asked at each execution boundary.
        facts: Where an earlier part of this training ended.
        best: Weights that an earlier part found best.
        distribution: Of all who train this model, the chief alone writes.
    """

    def __init__(
        self,
        plan: Plan,
        folder: Path,
        listener: Listener,
        wants_stop: Callable[[], bool],
        facts: dict[str, Any],
        best: list[Any] | None,
        distribution: Distribution,
    ) -> None:
        super().__init__()
        self.distribution = distribution
        self.plan, self.folder, self.listener, self.wants_stop = plan, folder, listener, wants_stop
        self.facts, self.best = facts, best
        self.best_is_saved = best is not None
        self.last_save = self.last_time = time.monotonic()
        self.seconds_before = float(facts["seconds"])
        self.started = time.monotonic()
        self.first_step = int(facts["step"])
        self.status = "finished"
        self.validation_failure: tuple[int, str] | None = None

    @property
    def failure(self) -> tuple[int, str] | None:
        """(step, term) of the first loss that was not finite, in training or validation."""
        return self.model.health.failure() or self.validation_failure

    @property
    def step(self) -> int:
        return int(self.model.steps_taken.numpy())

    @property
    def seconds(self) -> float:
        return self.seconds_before + time.monotonic() - self.started

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self.model.health.failure() is not None:
            self.status = "not finite"
        elif self.distribution.anyone(self.wants_stop()):
            self.status = "interrupted"
        if self.status != "finished":
            self.model.stop_training = True
        elif self.step % self.plan.steps_per_epoch:
            # At the end of an epoch the state is whole only after its validation, see on_epoch_end.
            self.save_if_due()
        self.listener({"event": "batch", "step": self.step, "speed": self.speed(), **(logs or {})})

    def speed(self) -> float:
        """Training pictures per second since this process began, validation and saving included."""
        return (
            (self.step - self.first_step) * self.plan.batch_size / max(time.monotonic() - self.started, 1e-9)
        )

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.model.gradient_norm.reset()

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        self.model.weight_average.swap()
        self.model.validation_kl.reset()

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        self.model.weight_average.swap()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self.step < (epoch + 1) * self.plan.steps_per_epoch:
            return
        record = {"epoch": epoch + 1, "step": self.step, **(logs or {})}
        record["seconds"] = round(self.seconds, 2)
        record["learning_rate"] = float(self.model.optimizer.learning_rate)
        if hasattr(self.model.likelihood, "standard_deviation"):
            record["scale"] = float(self.model.likelihood.standard_deviation)
        record |= self.watched()
        if not math.isfinite(record.get("val_loss", 0.0)):
            self.status, self.validation_failure = "not finite", (self.step, "validation loss")
            self.model.stop_training = True
        record["is_best"] = self.status != "not finite" and self.keep_if_best(record)
        if self.distribution.is_chief:
            with open(self.folder / "metrics.jsonl", "a", encoding="utf-8") as file:
                file.write(json.dumps(known(record), allow_nan=False) + "\n")
        self.facts.update(epoch=epoch + 1)
        self.save_if_due()
        self.listener({"event": "epoch", **record, "speed": self.speed()})

    def watched(self) -> dict[str, Any]:
        """The epoch's gradients: mean and largest norm before clipping; and each dimension's KL in validation."""
        norm, kl = self.model.gradient_norm, self.model.validation_kl.mean
        found: dict[str, Any] = {}
        if norm.mean is not None:
            found.update(gradient_norm=float(norm.mean), largest_gradient_norm=float(norm.highest.numpy()))
        if kl is not None:
            found["val_kl_per_dimension"] = [float(f"{value:.4g}") for value in kl]
        return found

    def keep_if_best(self, record: dict[str, Any]) -> bool:
        """Keeps the averaged weights in memory where validation found them best; without validation, the newest."""
        value = record.get("val_loss")
        if value is not None and not value < self.facts["best_value"]:
            return False
        self.best = self.model.weight_average.weights_of(self.model)
        self.best_is_saved = False
        self.facts.update(best_epoch=record["epoch"], best_value=float("inf") if value is None else value)
        return True

    def save_if_due(self) -> None:
        if time.monotonic() - self.last_save > SECONDS_BETWEEN_SAVES:
            self.save()

    def save(self) -> None:
        """Both states on disk; the best goes first, since the last names its epoch."""
        self.facts.update(step=self.step, seconds=self.seconds)
        if not self.distribution.is_chief:
            return
        if self.best is not None and not self.best_is_saved:
            save_weights(self.folder / "checkpoints" / "best.npz", self.best, self.facts)
            self.best_is_saved = True
        if (metrics := self.folder / "metrics.jsonl").exists():
            # The last state counts on the lines of its epochs, too.
            sync(metrics)
        save_state(self.folder / "checkpoints" / "last.npz", self.model, self.facts)
        self.last_save = time.monotonic()


def prepare(model: Any, plan: Plan, jit_compile: bool, several: bool = False) -> None:
    """Compiles the model for the plan, with its optimizer, weight average and augmentation."""
    from vae_tf.data.augmentation import Augmentation

    adam = ReplicatedAdam if several else None
    model.augmentation = Augmentation(**plan.augmentation) if plan.augmentation else None
    model.weight_average = WeightAverage(model.trainable_variables, AVERAGE_DECAY)
    model.compile(
        optimizer=make_optimizer(plan, model.phases, adam),
        jit_compile=jit_compile,
        steps_per_execution=plan.steps_per_execution,
    )
    model.optimizer.build(model.trainable_variables)


def restore(model: Any, folder: Path, writes: bool = True) -> tuple[dict[str, Any], list[Any] | None]:
    """The state that an earlier process left in `folder`, put into the model: (facts, best weights)."""
    fresh = {"epoch": 0, "step": 0, "seconds": 0.0, "best_epoch": 0, "best_value": float("inf")}
    checkpoints = folder / "checkpoints"
    if not (checkpoints / "last.npz").exists():
        if writes:
            forget_metrics_after(folder / "metrics.jsonl", 0)
        return fresh, None
    facts = load_state(checkpoints / "last.npz", model)
    best = None
    if (checkpoints / "best.npz").exists():
        best, best_facts = load_weights(checkpoints / "best.npz")
        if best_facts["best_epoch"] > facts["epoch"]:
            # Written after the last state, just before a crash: the same epochs will find it again.
            best, facts["best_value"] = None, float("inf")
    if writes:
        forget_metrics_after(folder / "metrics.jsonl", facts["epoch"])
    return facts, best


def known(record: dict[str, Any]) -> dict[str, Any]:
    """The record without figures that are no finite numbers, for which JSON has no word."""
    return {
        name: value for name, value in record.items() if not isinstance(value, float) or math.isfinite(value)
    }


def forget_metrics_after(path: Path, epoch: int) -> None:
    """Drops the lines of epochs that the restored state does not know, and a half-written last line."""
    if not path.exists():
        return
    kept = [line for line in read_metrics(path) if line["epoch"] <= epoch]
    write_text(path, "".join(json.dumps(line) + "\n" for line in kept))


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """One dictionary per finished epoch."""
    lines = []
    if path.exists():
        for text in path.read_text(encoding="utf-8").splitlines():
            try:
                lines.append(json.loads(text))
            except json.JSONDecodeError:
                break
    return lines


def fit(
    model: Any,
    plan: Plan,
    make_batches: Callable[[int], Any],
    validation: Any,
    folder: Path,
    jit_compile: bool = False,
    listener: Listener = lambda event: None,
    wants_stop: Callable[[], bool] = lambda: False,
    callbacks: list[Any] | None = None,
    distribution: Distribution | None = None,
) -> tuple[Outcome, list[Any] | None]:
    """Trains until the plan is done, going on from the state in `folder` where there is one.

    Args:
        model: A `VAE`.
        plan: Numbers of the training.
        make_batches: From a first step to an endless dataset of batches.
        validation: Dataset of validation batches, or None.
        folder: Where metrics.jsonl and checkpoints/ are and go.
        jit_compile: Whether XLA compiles the step.
        listener: Told of each batch and epoch.
        wants_stop: Asked at each execution boundary.
        callbacks: Further Keras callbacks.
        distribution: Who trains it together; the model was made by its `build`, and the datasets hold the rows of its
            `replicas`. None: this process alone, on one device.

    Returns:
        How it ended, and the best weights (averaged) as NumPy arrays.
    """
    distribution = distribution or Distribution()
    if distribution.is_chief:
        (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
    several = distribution.strategy is not None
    # XLA knows no exchange between replicas on a CPU.
    distribution.build(lambda: prepare(model, plan, jit_compile and not several, several))
    distribution.take_over(model, plan.steps_per_execution)
    facts, best = restore(model, folder, distribution.is_chief)
    distribution.check_agreement(int(facts["step"]))
    loop = Loop(plan, folder, listener, wants_stop, facts, best, distribution)
    epoch, begun = divmod(int(facts["step"]), plan.steps_per_epoch)
    if epoch >= plan.epochs:
        return Outcome("finished", None, facts), best
    batches = make_batches(int(facts["step"]))
    common = {
        "validation_data": validation,
        "callbacks": [loop, *(callbacks or [])],
        "verbose": 0,
        "shuffle": False,
    }
    if begun:
        # Stops fall between executions, so that what is left of the epoch is a whole number of them.
        model.fit(
            batches,
            initial_epoch=epoch,
            epochs=epoch + 1,
            steps_per_epoch=plan.steps_per_epoch - begun,
            **common,
        )
        epoch += 1
        batches = make_batches(loop.step)
    if epoch < plan.epochs and loop.status == "finished":
        model.fit(
            batches, initial_epoch=epoch, epochs=plan.epochs, steps_per_epoch=plan.steps_per_epoch, **common
        )
    loop.save()
    return Outcome(loop.status, loop.failure, loop.facts), loop.best
