"""What metrics.jsonl says of gradients and dimensions, against what the model itself gives."""

import numpy as np
import pytest
import tensorflow as tf

from vae_tf import recipes
from vae_tf.config import TrainingConfig
from vae_tf.data import batches
from vae_tf.evaluation.latents import embed
from vae_tf.monitor import Average
from vae_tf.training import loop
from vae_tf.training.plan import make_plan

LABELS = np.zeros(16, np.int64)
TRAIN, VALIDATION = np.arange(12), np.arange(12, 16)


def train(pictures, folder, recipe):
    model = recipes.build(recipe, (16, 16, 3), 3)
    plan = make_plan(TrainingConfig(epochs=1, batch_size=12, augment="none"), 12, (16, 16, 3))
    validation = batches.ordered_batches(pictures, LABELS, VALIDATION, 3)
    loop.fit(
        model,
        plan,
        lambda step: batches.training_batches(pictures, LABELS, TRAIN, 12, 0, step),
        validation,
        folder,
    )
    return model, validation, loop.read_metrics(folder / "metrics.jsonl")[-1]


def test_gradient_and_kl_are_those_of_the_model(pictures, tmp_path):
    model, validation, line = train(pictures, tmp_path, "mlp")
    # One step was taken, so that its gradient is that of fresh weights.
    fresh = recipes.build("mlp", (16, 16, 3), 3)
    batch = next(iter(batches.training_batches(pictures, LABELS, TRAIN, 12, 0, 0)))
    with tf.GradientTape() as tape:
        _, loss = fresh.training_loss({**batch, "x": fresh.pixels(batch["x"])}, fresh.steps_taken.value)
    gradients = tape.gradient(loss, fresh.trainable_variables)
    norm = np.sqrt(sum(float(np.sum(np.square(g))) for g in gradients))
    assert line["gradient_norm"] == pytest.approx(norm, rel=1e-4) and norm > 1
    assert line["largest_gradient_norm"] == line["gradient_norm"]
    model.weight_average.swap()
    expected = embed(model, validation).kl_per_dimension
    np.testing.assert_allclose(line["val_kl_per_dimension"], expected, rtol=1e-3)
    assert sum(line["val_kl_per_dimension"]) == pytest.approx(line["val_kl"], rel=2e-3)


def test_a_plain_autoencoder_has_no_kl_to_record(pictures, tmp_path):
    line = train(pictures, tmp_path, "ae")[2]
    assert "val_kl_per_dimension" not in line and line["gradient_norm"] > 0


def test_an_average_leaves_out_what_is_not_finite():
    average = Average((2,))
    assert average.mean is None
    for value, count in (([1.0, 4.0], 3.0), ([5.0, 0.0], 1.0), ([np.nan, 1.0], 7.0)):
        average.record(tf.constant(value), count)
    np.testing.assert_allclose(average.mean, [2.0, 3.0])
    np.testing.assert_allclose(average.highest, [5.0, 4.0])
    average.reset()
    assert average.mean is None
