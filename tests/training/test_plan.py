"""What is resolved before training begins, the schedule, the weight average and the precision."""

import dataclasses

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vae_tf.config import TrainingConfig
from vae_tf.errors import UserError
from vae_tf.training.averaging import WeightAverage
from vae_tf.training.plan import make_optimizer, make_plan
from vae_tf.training.precision import resolve
from vae_tf.training.schedules import WarmUp

SHAPE = (64, 64, 3)


@given(st.integers(3, 300_000), st.one_of(st.none(), st.integers(1, 4096)))
def test_plan_fits_any_number_of_pictures(num_pictures, batch_size):
    plan = make_plan(TrainingConfig(batch_size=batch_size), num_pictures, SHAPE)
    assert 1 <= plan.batch_size <= num_pictures
    assert (
        (plan.steps_per_epoch - 1) * plan.batch_size < num_pictures <= plan.steps_per_epoch * plan.batch_size
    )
    assert plan.steps_per_epoch % plan.steps_per_execution == 0
    assert plan.num_steps >= 1000 and plan.epochs >= 20


def test_extension_counts_on_from_its_parent():
    assert make_plan(TrainingConfig(epochs=400), 100, SHAPE, first_epoch=800).epochs == 1200


def test_augmentation_follows_the_size_of_the_set_and_names_its_switch():
    large = make_plan(TrainingConfig(), 500, SHAPE)
    few = make_plan(TrainingConfig(), 20, SHAPE)
    digits = make_plan(TrainingConfig(augment="shift"), 500, (28, 28, 1))
    assert large.augmentation == {"mirror": True, "shift": 3, "brightness": 0.0}
    assert few.augmentation["brightness"] > 0
    assert digits.augmentation["shift"] == 1 and not digits.augmentation["mirror"]
    assert make_plan(TrainingConfig(augment="none"), 500, SHAPE).augmentation is None
    assert "--augment" in large.notes[0]


@pytest.mark.parametrize("text", ["flip", "auto,mirror", "", "none,shift"])
def test_unknown_augmentation_lists_the_choices(text):
    with pytest.raises(UserError, match="mirror,shift,brightness"):
        make_plan(TrainingConfig(augment=text), 100, SHAPE)


def test_warm_up_is_linear_then_constant():
    schedule = WarmUp(0.01, 10)
    values = [float(schedule(step)) for step in range(30)]
    np.testing.assert_allclose(values, np.minimum(1, (np.arange(30) + 1) / 10) * 0.01, rtol=1e-6)


def test_default_schedule_does_not_know_the_planned_end_but_cosine_does():
    def rates(epochs, schedule):
        plan = make_plan(TrainingConfig(epochs=epochs, schedule=schedule), 320, SHAPE)
        rate = make_optimizer(plan)._learning_rate
        return [float(rate(step)) for step in range(0, plan.num_steps + 1, plan.steps_per_epoch)]

    assert rates(20, "constant") == rates(40, "constant")[:21]
    short, long = rates(20, "cosine"), rates(40, "cosine")
    assert (
        short[-1] == pytest.approx(0, abs=1e-9) and long[20] > 1e-4 and long[-1] == pytest.approx(0, abs=1e-9)
    )


def test_weight_average_equals_its_recurrence():
    variable = keras.Variable(np.array([1.0, -2.0], np.float32))
    average = WeightAverage([variable], decay=0.9)
    expected = np.array([1.0, -2.0])
    draws = np.random.default_rng(0)
    for step in range(40):
        value = draws.normal(size=2).astype(np.float32)
        variable.assign(value)
        average.update(step)
        decay = min(0.9, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * value
    np.testing.assert_allclose(average.averages[0], expected, rtol=1e-5)
    held = np.array(variable)
    average.swap()
    np.testing.assert_allclose(variable, expected, rtol=1e-5)
    average.swap()
    np.testing.assert_array_equal(variable, held)


@pytest.mark.parametrize(
    ("requested", "recipe", "device", "capable", "policy", "jit"),
    [
        ("auto", "conv", "cpu", True, "mixed_bfloat16", False),
        ("auto", "conv", "cpu", False, "float32", False),
        ("auto", "mlp", "cpu", True, "float32", True),
        ("auto", "conv", "gpu", True, "mixed_bfloat16", False),
        ("auto", "conv", "gpu", False, "mixed_float16", False),
        ("mixed_float16", "conv", "cpu", True, "mixed_float16", False),
    ],
)
def test_precision_follows_the_rule_and_a_request_wins(requested, recipe, device, capable, policy, jit):
    resolved = resolve(requested, recipe, device, capable)
    assert (resolved.policy, resolved.jit_compile) == (policy, jit)
    assert resolved.reason


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_each_phase_has_the_schedule_of_a_training_of_its_own(schedule):
    plan = make_plan(TrainingConfig(epochs=30, schedule=schedule), 320, SHAPE)
    begin = 10 * plan.steps_per_epoch
    rate = make_optimizer(plan, (begin,))._learning_rate
    again = type(rate).from_config(rate.get_config())
    for epochs, first in ((10, 0), (20, begin)):
        alone = make_optimizer(dataclasses.replace(plan, epochs=epochs))._learning_rate
        for step in range(0, epochs * plan.steps_per_epoch, 7):
            expected = pytest.approx(float(alone(step)), rel=1e-5)
            assert float(rate(first + step)) == expected and float(again(first + step)) == expected
    assert make_optimizer(plan, (plan.num_steps + 1,))._learning_rate(3) == make_optimizer(
        plan
    )._learning_rate(3)
