"""Which weights are kept: those that validation found best, not the newest."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from vae_tf.config import TrainingConfig
from vae_tf.training.distribution import Distribution
from vae_tf.training.loop import Loop
from vae_tf.training.plan import make_plan


def after_epochs(values: list[float | None], folder: Path, facts: dict[str, float] | None = None) -> Loop:
    """A loop that has seen these validation losses; the averaged weights were the number of the epoch."""
    plan = make_plan(TrainingConfig(epochs=9), 12, (8, 8, 1))
    facts = {"epoch": 0, "step": 0, "seconds": 0.0, "best_epoch": 0, "best_value": np.inf, **(facts or {})}
    loop = Loop(plan, folder, lambda event: None, lambda: False, facts, None, Distribution())
    for epoch, value in enumerate(values, start=1):
        average = SimpleNamespace(weights_of=lambda model, epoch=epoch: [np.array(epoch)])
        loop.set_model(SimpleNamespace(weight_average=average))
        record = {"epoch": epoch} if value is None else {"epoch": epoch, "val_loss": value}
        assert loop.keep_if_best(record) is (loop.facts["best_epoch"] == epoch)
    return loop


@pytest.mark.parametrize(
    ("values", "best"),
    [([5.0, 3.0, 4.0], 2), ([3.0, 3.0, 4.0], 1), ([-5.0, -7.0, -6.0], 2), ([4.0, 3.0, 2.0], 3)],
)
def test_the_first_of_the_least_validation_losses_is_kept(
    values: list[float | None], best: int, tmp_path: Path
) -> None:
    loop = after_epochs(values, tmp_path)
    assert loop.best is not None and loop.best[0] == best
    assert (loop.facts["best_epoch"], loop.facts["best_value"]) == (
        best,
        min(v for v in values if v is not None),
    )


def test_without_validation_the_newest_is_kept(tmp_path: Path) -> None:
    loop = after_epochs([None, None], tmp_path)
    assert loop.best is not None and loop.best[0] == 2 and loop.facts["best_value"] == np.inf


def test_an_earlier_part_of_the_training_may_have_been_better(tmp_path: Path) -> None:
    loop = after_epochs([3.0, 2.5], tmp_path, {"best_epoch": 7, "best_value": 2.0})
    assert loop.best is None and (loop.facts["best_epoch"], loop.facts["best_value"]) == (7, 2.0)
