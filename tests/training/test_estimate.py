"""The estimate against a training whose clock is known."""

import time
from unittest import mock

import pytest

from vae_tf.training.estimate import Stopwatch, memory_held
from vae_tf.training.plan import Plan


def plan(epochs=10, steps_per_epoch=20, batch_size=8):
    return Plan(batch_size, steps_per_epoch, epochs, 1e-3, "constant", 5, None, 0)


def tell(stopwatch, seconds_per_step, first_execution, num):
    """Events of `num` executions of five steps; the first takes longer, as it compiles."""
    now = first_execution
    for execution in range(1, num + 1):
        with mock.patch.object(time, "monotonic", return_value=now):
            stopwatch({"event": "batch", "step": 5 * execution})
        now += 5 * seconds_per_step


def test_compiling_is_not_taken_for_training():
    stopwatch = Stopwatch(plan(), num_validation=0)
    tell(stopwatch, 0.1, first_execution=60.0, num=8)
    estimate = stopwatch.estimate
    assert estimate.seconds_per_epoch == pytest.approx(20 * 0.1)
    # It is known after four executions: 180 of the 200 steps are left.
    assert estimate.seconds == pytest.approx(180 * 0.1)


def test_validation_counts():
    with_validation, without = Stopwatch(plan(), 480), Stopwatch(plan(), 0)
    for stopwatch in (with_validation, without):
        tell(stopwatch, 0.1, 0.0, 8)
    # 480 pictures at a third of a training picture's 0.1 / 8 s.
    assert with_validation.estimate.seconds_per_epoch - without.estimate.seconds_per_epoch == pytest.approx(
        2.0
    )


def test_nothing_is_said_before_a_second_was_timed():
    stopwatch = Stopwatch(plan(), 0)
    tell(stopwatch, 0.001, 0.0, 20)
    assert not stopwatch.is_done
    assert stopwatch.finish().seconds_per_epoch == pytest.approx(0.02)


@pytest.mark.slow
def test_memory_is_that_of_this_process():
    before = memory_held()
    held = bytearray(before + 50_000_000)
    held[::4096] = b"x" * len(held[::4096])
    assert memory_held() >= before + 50_000_000
