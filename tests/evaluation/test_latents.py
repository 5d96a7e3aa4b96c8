"""Embeddings against the encoder's own outputs and the closed form of the KL in NumPy."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from vae_tf import recipes
from vae_tf.data.batches import ordered_batches
from vae_tf.evaluation.latents import Embedding, embed
from vae_tf.parts.posteriors import DiagonalPosterior
from vae_tf.parts.priors import StandardNormalPrior


def closed_form(mean: NDArray[np.float64], deviation: NDArray[np.float64]) -> NDArray[np.float64]:
    return 0.5 * (mean**2 + deviation**2 - 1.0) - np.log(deviation)


def batches_of(pictures: NDArray[np.uint8], batch_size: int) -> tf.data.Dataset:
    return ordered_batches(pictures, np.full(len(pictures), -1), np.arange(len(pictures)), batch_size)


def fake_model(means: NDArray[np.float32], log_variances: NDArray[np.float32]) -> Any:
    """A model whose posterior of picture number i (its pixel) is row i."""

    def encode(x: Any) -> dict[str, Any]:
        number = tf.cast(x[:, 0, 0, 0], tf.int32)
        return {"mean": tf.gather(means, number), "log_variance": tf.gather(log_variances, number)}

    latent_dim = means.shape[1]
    return SimpleNamespace(
        encode=encode,
        posterior=DiagonalPosterior(latent_dim),
        prior=StandardNormalPrior(latent_dim),
        graphs={},
    )


@pytest.mark.parametrize("batch_size", [4, 100])
def test_mean_deviation_and_kl_of_every_picture_in_order(batch_size: int) -> None:
    random = np.random.default_rng(0)
    means = random.normal(size=(10, 3)).astype(np.float32) * [3.0, 0.3, 0.0]
    log_variances = (random.normal(size=(10, 3)) * [3.0, 0.3, 0.0]).astype(np.float32)
    means = means.astype(np.float32)
    pictures = np.broadcast_to(np.arange(10, dtype=np.uint8)[:, None, None, None], (10, 2, 2, 1))
    found = embed(fake_model(means, log_variances), batches_of(pictures, batch_size))
    deviations = np.exp(0.5 * log_variances.astype(np.float64))
    expected = closed_form(means.astype(np.float64), deviations)
    assert np.array_equal(found.mean, means)
    np.testing.assert_allclose(found.standard_deviation, deviations, rtol=1e-6)
    # Differences of numbers of up to e⁶ in float32.
    np.testing.assert_allclose(found.kl, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found.kl_per_dimension, expected.mean(0), rtol=1e-5, atol=1e-6)
    assert np.all(found.kl[:, 2] == 0)


def test_a_real_model_is_embedded_by_its_own_encoder(pictures: NDArray[np.uint8]) -> None:
    model = recipes.build("mlp", image_shape=(16, 16, 3), latent_dim=4)
    model.build((None, 16, 16, 3))
    # Its log-variance head begins with zeros: give it something to say.
    kernel = model.posterior.log_variance_head.kernel
    kernel.assign(np.random.default_rng(0).normal(0, 0.2, kernel.shape))
    found = embed(model, batches_of(pictures, 7))
    parameters = {name: value.numpy().astype(np.float64) for name, value in model.encode(pictures).items()}
    deviation = np.exp(0.5 * parameters["log_variance"])
    assert deviation.std() > 0.01
    np.testing.assert_allclose(found.mean, parameters["mean"], atol=1e-5)
    np.testing.assert_allclose(found.standard_deviation, deviation, rtol=1e-5)
    np.testing.assert_allclose(found.kl, closed_form(parameters["mean"], deviation), rtol=1e-3, atol=1e-5)


def test_units_that_switch_are_in_use_above_a_tenth_of_a_nat_of_kl_on_average() -> None:
    kl = np.array([[0.0, 0.25, 0.05, 0.11], [0.0, 0.0, 0.14, 0.1]], np.float32)
    on = {"on": np.ones((2, 4), np.float32)}
    found = Embedding(np.zeros((2, 4), np.float32), np.ones((2, 4), np.float32), kl, on)
    np.testing.assert_allclose(found.kl_per_dimension, [0.0, 0.125, 0.095, 0.105], atol=1e-7)
    assert found.active.tolist() == [False, True, False, True]


def test_a_dimension_that_is_away_from_the_prior_for_every_picture_alike_is_not_in_use() -> None:
    random = np.random.default_rng(0)
    means = np.stack([np.full(200, 3.0), random.normal(size=200)], axis=1).astype(np.float32)
    deviations = np.full((200, 2), 0.3, np.float32)
    kl = closed_form(means, deviations)
    found = Embedding(means, deviations, kl)
    assert kl.mean(axis=0)[0] > 4.0
    assert found.active.tolist() == [False, True]
    switching = Embedding(means, deviations, kl, {"on": np.ones((200, 2), np.float32)})
    assert switching.information is None and switching.active.tolist() == [True, True]
