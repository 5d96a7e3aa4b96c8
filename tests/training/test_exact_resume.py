"""Bit for bit on a CPU: equal seeds, killed and resumed, extended."""

import itertools
import json

import numpy as np
import pytest

from vae_tf import recipes
from vae_tf.config import TrainingConfig
from vae_tf.data import batches
from vae_tf.training import loop
from vae_tf.training import plan as plan_module
from vae_tf.training.plan import make_plan

LABELS = np.zeros(16, np.int64)
TRAIN, VALIDATION = np.arange(12), np.arange(12, 16)


DISCRIMINATOR = {"encoder.widths": (4, 8), "decoder.widths": (8, 4), "model.discriminator_widths": (4, 8, 8)}
SMALL = {"factor": DISCRIMINATOR, "vae-gan": DISCRIMINATOR}


class Killed(Exception):
    """As sudden as a kill: nothing is saved on the way out."""


def train(
    pictures,
    folder,
    epochs,
    precision="float32",
    seed=0,
    first_epoch=0,
    jit_compile=False,
    recipe="conv",
    **arguments,
):
    """Four steps an epoch, on a conv model (dense where XLA compiles it)."""
    name = "mlp" if jit_compile else recipe
    model = recipes.build(name, (16, 16, 3), 3, precision=precision, seed=seed, settings=SMALL.get(name))
    config = TrainingConfig(epochs=epochs, batch_size=3, seed=seed, augment="mirror,shift")
    plan = make_plan(config, len(TRAIN), (16, 16, 3), first_epoch)
    outcome, best = loop.fit(
        model,
        plan,
        lambda step: batches.training_batches(pictures, LABELS, TRAIN, plan.batch_size, seed, step),
        batches.ordered_batches(pictures, LABELS, VALIDATION, 4),
        folder,
        jit_compile=jit_compile,
        **arguments,
    )
    return model, outcome, best


def assert_equal(first, second):
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def assert_same_ending(first, second):
    """Weights, averages, best weights and metrics, all equal."""
    assert_equal(first[0], second[0])
    for a, b in zip(first[0].weight_average.averages, second[0].weight_average.averages, strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(first[2], second[2], strict=True):
        np.testing.assert_array_equal(a, b)
    for key in ("epoch", "step", "best_epoch", "best_value"):
        assert first[1].facts[key] == second[1].facts[key]


def assert_same_metrics(first, second, whole_epochs=True):
    """All lines of metrics.jsonl but the seconds; a split epoch averages its last part only."""
    left, right = (loop.read_metrics(folder / "metrics.jsonl") for folder in (first, second))
    assert [line["epoch"] for line in left] == [line["epoch"] for line in right]
    keys = ["step", "val_loss", "val_elbo", "is_best", "learning_rate", "scale", "val_kl_per_dimension"]
    means = ["loss", "kl", "gradient_norm", "largest_gradient_norm"]
    for a, b in zip(left, right, strict=True):
        for key in keys + (means if whole_epochs else []):
            assert a[key] == b[key], key


@pytest.fixture(scope="module")
def three_epochs(tmp_path_factory):
    """Trained undisturbed, by the steps of one execution: one training that many tests compare with."""
    trained = {}

    def of(pictures, steps_per_execution=None):
        if steps_per_execution not in trained:
            folder = tmp_path_factory.mktemp("undisturbed")
            trained[steps_per_execution] = (*train(pictures, folder, 3), folder)
        return trained[steps_per_execution]

    return of


@pytest.mark.parametrize(
    ("precision", "jit_compile"),
    [
        ("float32", False),
        pytest.param("mixed_bfloat16", False, marks=pytest.mark.slow),
        pytest.param("float32", True, marks=pytest.mark.slow),
    ],
)
def test_same_seed_same_weights(pictures, tmp_path, precision, jit_compile):
    first = train(pictures, tmp_path / "a", 2, precision, jit_compile=jit_compile)
    second = train(pictures, tmp_path / "b", 2, precision, jit_compile=jit_compile)
    assert_same_ending(first, second)


@pytest.mark.slow
def test_another_seed_has_other_weights(pictures, tmp_path, three_epochs):
    other = train(pictures, tmp_path, 3, seed=1)
    assert not np.array_equal(three_epochs(pictures)[0].trainable_weights[0], other[0].trainable_weights[0])


@pytest.mark.parametrize("stop_at", [1, *(pytest.param(at, marks=pytest.mark.slow) for at in (2, 5))])
def test_interrupted_and_resumed_equals_undisturbed(pictures, tmp_path, monkeypatch, three_epochs, stop_at):
    # Two executions of two steps make an epoch: odd stops lie within one.
    monkeypatch.setattr(plan_module, "LARGEST_NUM_STEPS_PER_EXECUTION", 2)
    *undisturbed, undisturbed_folder = three_epochs(pictures, 2)
    calls = itertools.count(1)
    interrupted = train(pictures, tmp_path / "b", 3, wants_stop=lambda: next(calls) >= stop_at)
    assert interrupted[1].status == "interrupted"
    assert interrupted[1].facts["step"] == 2 * stop_at
    resumed = train(pictures, tmp_path / "b", 3)
    assert resumed[1].status == "finished"
    assert_same_ending(undisturbed, resumed)
    assert_same_metrics(undisturbed_folder, tmp_path / "b", whole_epochs=stop_at % 2 == 0)


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["factor", "vae-gan"])
def test_discriminators_resume_too(pictures, tmp_path, monkeypatch, recipe):
    monkeypatch.setattr(plan_module, "LARGEST_NUM_STEPS_PER_EXECUTION", 2)
    undisturbed = train(pictures, tmp_path / "a", 2, recipe=recipe)
    calls = itertools.count(1)
    train(pictures, tmp_path / "b", 2, recipe=recipe, wants_stop=lambda: next(calls) >= 1)
    resumed = train(pictures, tmp_path / "b", 2, recipe=recipe)
    assert_same_ending(undisturbed, resumed)
    for a, b in zip(undisturbed[0].extra_variables(), resumed[0].extra_variables(), strict=True):
        np.testing.assert_array_equal(a, b)
    fresh = recipes.build(recipe, (16, 16, 3), 3, settings=SMALL[recipe])
    assert not np.array_equal(fresh.extra_variables()[0], resumed[0].extra_variables()[0])


@pytest.mark.parametrize("kill_at", [1, *(pytest.param(at, marks=pytest.mark.slow) for at in (2, 3))])
def test_killed_and_resumed_equals_undisturbed(pictures, tmp_path, monkeypatch, three_epochs, kill_at):
    *undisturbed, undisturbed_folder = three_epochs(pictures)
    monkeypatch.setattr(loop, "SECONDS_BETWEEN_SAVES", 0.0)

    def listener(event):
        if event["event"] == "epoch" and event["epoch"] == kill_at:
            raise Killed

    with pytest.raises(Killed):
        train(pictures, tmp_path / "b", 3, listener=listener)
    assert_same_ending(undisturbed, train(pictures, tmp_path / "b", 3))
    assert_same_metrics(undisturbed_folder, tmp_path / "b")


def test_killed_before_anything_was_saved_begins_anew(pictures, tmp_path, three_epochs):
    def listener(event):
        if event["event"] == "epoch":
            raise Killed

    with pytest.raises(Killed):
        train(pictures, tmp_path, 3, listener=listener)
    assert not (tmp_path / "checkpoints" / "last.npz").exists()
    assert_same_ending(three_epochs(pictures), train(pictures, tmp_path, 3))


def test_one_epoch_extended_by_two_equals_three(pictures, tmp_path, three_epochs):
    train(pictures, tmp_path, 1)
    extended = train(pictures, tmp_path, 2, first_epoch=1)
    *three, folder = three_epochs(pictures)
    assert_same_ending(three, extended)
    assert_same_metrics(folder, tmp_path)


def test_best_is_the_averaged_weights_of_the_best_validation(pictures, three_epochs):
    model, outcome, best, folder = three_epochs(pictures)
    lines = loop.read_metrics(folder / "metrics.jsonl")
    values = [line["val_loss"] for line in lines]
    assert outcome.facts["best_value"] == min(values)
    assert outcome.facts["best_epoch"] == 1 + int(np.argmin(values))
    again = recipes.build("conv", (16, 16, 3), 3)
    again.set_weights(best)
    again.compile()
    scores = again.evaluate(
        batches.ordered_batches(pictures, LABELS, VALIDATION, 4), verbose=0, return_dict=True
    )
    assert scores["loss"] == pytest.approx(min(values), rel=1e-6)
    assert not all(np.array_equal(a, b) for a, b in zip(best[1:], model.get_weights()[1:], strict=True))


def test_non_finite_loss_stops_the_run_and_keeps_its_weights(pictures, tmp_path):
    model = recipes.build("mlp", (16, 16, 3), 3)
    plan = make_plan(TrainingConfig(epochs=3, batch_size=3, augment="none"), 12, (16, 16, 3))
    poisoned = pictures.astype(np.float32) / 255.0

    def make_batches(step):
        import tensorflow as tf

        def spoil(batch):
            bad = tf.cast(batch["index"][0] >= 0, tf.float32) * float("nan")
            return {**batch, "x": tf.cast(batch["x"], tf.float32) / 255.0 + bad}

        return batches.training_batches(pictures, LABELS, TRAIN, 3, 0, step).map(spoil)

    outcome, _ = loop.fit(model, plan, make_batches, None, tmp_path)
    assert outcome.status == "not finite"
    assert outcome.failure == (0, "reconstruction")
    assert np.isfinite(model.reconstruct(poisoned)).all()
    assert outcome.facts["step"] <= plan.steps_per_epoch


def test_validation_that_is_not_finite_stops_the_run_and_says_so(pictures, tmp_path):
    """With finite losses in training nothing else would tell, and the first weights would be kept as the best."""
    model = recipes.build("mlp", (16, 16, 3), 3)
    plan = make_plan(TrainingConfig(epochs=3, batch_size=3, augment="none"), 12, (16, 16, 3))
    spoiled = pictures.astype(np.float32) / 255.0
    spoiled[13, 2, 2, 0] = np.nan
    outcome, best = loop.fit(
        model,
        plan,
        lambda step: batches.training_batches(pictures, LABELS, TRAIN, 3, 0, step),
        batches.ordered_batches(spoiled, LABELS, VALIDATION, 4),
        tmp_path,
    )
    assert outcome.status == "not finite" and outcome.failure == (4, "validation loss")
    assert best is None and outcome.facts["step"] == 4
    (line,) = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert "NaN" not in line and "val_loss" not in json.loads(line)
