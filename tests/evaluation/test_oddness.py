"""Scores of single pictures are the same function of each, whatever it is scored beside."""

import numpy as np
import pytest

from vae_tf import recipes
from vae_tf.errors import UserError
from vae_tf.evaluation.oddness import BoundsScorer, reconstruction_errors

SETTINGS = {"encoder.widths": [8], "decoder.widths": [8]}


@pytest.fixture(scope="module")
def model():
    return recipes.build("mlp", image_shape=(8, 8, 1), latent_dim=2, seed=3, settings=SETTINGS)


@pytest.fixture(scope="module")
def pictures():
    return np.random.default_rng(0).integers(0, 255, (70, 8, 8, 1), np.uint8)


def test_a_score_does_not_depend_on_the_other_pictures(model, pictures):
    scorer = BoundsScorer(model, 5, seed=1)
    together = scorer(pictures)
    order = np.random.default_rng(1).permutation(70)
    again = scorer(pictures[order])
    np.testing.assert_allclose(again.elbo, together.elbo[order], rtol=1e-5)
    np.testing.assert_allclose(
        scorer(pictures[66:67]).importance_weighted, together.importance_weighted[66], rtol=1e-5
    )
    twice = BoundsScorer(model, 5, seed=1)(pictures[:3])
    np.testing.assert_array_equal(twice.elbo, scorer(pictures[:3]).elbo)


def test_the_bounds_are_in_order_and_the_elbo_has_its_closed_kl(model, pictures):
    few = pictures[:6]
    found = BoundsScorer(model, 4000, seed=0)(few)
    assert (found.importance_weighted >= found.elbo - 1e-6).all()
    parameters = model.encode(few)
    mean, log_variance = (np.asarray(parameters[name], np.float64) for name in ("mean", "log_variance"))
    kl = 0.5 * np.sum(mean**2 + np.exp(log_variance) - log_variance - 1.0, axis=1)
    noise = np.random.default_rng(5).normal(size=(4000, 1, 2))
    z = (mean + np.exp(0.5 * log_variance) * noise).astype(np.float32)
    expected = np.asarray(model.log_likelihood(z, few)).mean(axis=0) - kl
    np.testing.assert_allclose(found.elbo, expected, atol=0.3)
    one = BoundsScorer(model, 1, seed=0)(few)
    np.testing.assert_allclose(one.elbo, one.importance_weighted)


def test_errors_are_mean_squares_over_pixels():
    pictures = np.array([[[[0], [255]]], [[[51], [51]]]], np.uint8)
    found = reconstruction_errors(lambda x: np.full(x.shape, 0.2), pictures)
    assert found == pytest.approx([(0.04 + 0.64) / 2, 0.0], abs=1e-12)


def test_a_plain_autoencoder_has_no_bounds():
    plain = recipes.build("ae", image_shape=(8, 8, 1), latent_dim=2, settings=SETTINGS)
    with pytest.raises(UserError, match="no probability"):
        BoundsScorer(plain, 2)
