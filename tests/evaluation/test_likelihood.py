"""Estimates of log p(x) on probabilistic PCA, where log p(x) is known (Tipping & Bishop 1999)."""

import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats

from vae_tf.errors import UserError
from vae_tf.evaluation.likelihood import LogMean, importance_weighted, under_the_prior
from vae_tf.recipes import build

SIDE, LATENT, SIGMA, NUM = 8, 2, 0.25, 24
PIXELS = SIDE * SIDE


class Constant(keras.initializers.Initializer):
    def __init__(self, value):
        self.value = value

    def __call__(self, shape, dtype=None, **kwargs):
        return np.reshape(self.value, shape).astype(np.float32)


@pytest.fixture(scope="module")
def truth():
    """x = W z + b + σ ε with a fixed W whose columns are not orthogonal, as pictures."""
    generator = np.random.default_rng(2)
    w = 0.15 * generator.normal(size=(PIXELS, LATENT)) @ np.array([[1.0, 0.8], [0.0, 0.6]])
    b = generator.uniform(0.3, 0.7, PIXELS)
    x = generator.normal(size=(NUM, LATENT)) @ w.T + b + SIGMA * generator.normal(size=(NUM, PIXELS))
    return w, b, x.astype(np.float32)


def exact_model(truth, posterior, wide=False):
    """A VAE whose encoder gives the best posterior of its kind, and whose decoder is the truth.

    The best factorised one is narrower than the truth, so that its weights have no finite variance; a `wide` one, with
    twice the true variances, has.
    """
    w, b, _ = truth
    precision = np.eye(LATENT) + w.T @ w / SIGMA**2
    covariance = np.linalg.inv(precision)
    settings = {
        "encoder.widths": (),
        "decoder.widths": (),
        "likelihood.scale": SIGMA,
        "likelihood.activation": "linear",
    }
    model = build("mlp", (SIDE, SIDE, 1), LATENT, settings=settings | {"posterior.name": posterior})
    # The encoder gives 2x − 1, flattened; the mean is Σ Wᵀ (x − b) / σ².
    to_mean = covariance @ w.T / SIGMA**2
    heads = [(to_mean.T / 2, to_mean @ (0.5 - b))]
    zeros = np.zeros((PIXELS, LATENT))
    if posterior == "diagonal":
        variance = 2 * np.diag(covariance) if wide else 1 / np.diag(precision)
        heads.append((zeros, np.log(variance)))
    else:
        cholesky = np.linalg.cholesky(covariance)
        heads.append((zeros, np.log(np.diag(cholesky))))
        heads.append((zeros[:, :1], cholesky[1:2, 0]))
    model.posterior.set_weights([np.asarray(value) for head in heads for value in head])
    model.decoder.set_weights([w.T, b])
    return model


def evidence(truth):
    w, b, x = truth
    return scipy.stats.multivariate_normal(b, w @ w.T + SIGMA**2 * np.eye(PIXELS)).logpdf(x)


def pictures(truth):
    return truth[2].reshape(NUM, SIDE, SIDE, 1)


def test_with_the_true_posterior_every_weight_is_the_evidence(truth):
    found = importance_weighted(exact_model(truth, "full_covariance"), pictures(truth), 8)
    np.testing.assert_allclose(found.value, evidence(truth), rtol=1e-4, atol=1e-2)
    np.testing.assert_allclose(found.effective_sample_size, 8, rtol=1e-3)
    assert found.standard_error.max() < 1e-2


def test_the_best_diagonal_posterior_falls_short_by_its_known_gap(truth):
    w, _, _ = truth
    precision = np.eye(LATENT) + w.T @ w / SIGMA**2
    gap = 0.5 * (np.log(np.diag(precision)).sum() - np.linalg.slogdet(precision)[1])
    model = exact_model(truth, "diagonal")
    draws = importance_weighted(
        model, np.tile(pictures(truth), (300, 1, 1, 1)), 1, batch_size=NUM * 300
    ).value
    missing = (evidence(truth) - draws.reshape(300, NUM)).mean(axis=1)
    assert missing.mean() == pytest.approx(gap, abs=4 * missing.std() / np.sqrt(len(missing)))
    assert gap > 0.1


def test_the_bound_rises_to_the_evidence_with_the_number_of_samples(truth):
    model = exact_model(truth, "diagonal", wide=True)
    bounds = {k: importance_weighted(model, pictures(truth), k, seed=3) for k in (1, 4, 16, 256)}
    tiled = np.tile(pictures(truth), (40, 1, 1, 1))
    means = [importance_weighted(model, tiled, k, batch_size=len(tiled)).value.mean() for k in (1, 4, 16)]
    assert means[0] < means[1] < means[2] < evidence(truth).mean() + 0.02
    errors = np.abs(bounds[256].value - evidence(truth)) / bounds[256].standard_error
    assert errors.mean() < 2 and errors.max() < 5
    assert np.all(bounds[256].effective_sample_size > 20)


def test_the_naive_mean_is_far_off_with_as_many_samples(truth):
    model = exact_model(truth, "diagonal", wide=True)
    naive, weighted = (
        under_the_prior(model, pictures(truth), 64),
        importance_weighted(model, pictures(truth), 64),
    )
    errors = [np.abs(found.value - evidence(truth)).mean() for found in (naive, weighted)]
    assert errors[0] > 3 * errors[1]
    assert naive.effective_sample_size.mean() < 0.3 * weighted.effective_sample_size.mean()


def test_the_naive_mean_is_right_in_the_end(truth):
    model = exact_model(truth, "diagonal", wide=True)
    found = under_the_prior(model, pictures(truth)[:4], 60_000)
    np.testing.assert_allclose(found.value, evidence(truth)[:4], atol=0.5)


def test_pieces_of_logarithms_are_one_mean():
    log_weights = np.random.default_rng(0).normal(-300, 3, (50, 4))
    mean = LogMean(4)
    for piece in np.split(log_weights, [1, 20, 33]):
        mean.add(piece)
    found = mean.estimate()
    np.testing.assert_allclose(found.value, scipy.special.logsumexp(log_weights, axis=0) - np.log(50))
    weights = np.exp(log_weights - log_weights.max(axis=0))
    np.testing.assert_allclose(found.effective_sample_size, weights.sum(0) ** 2 / (weights**2).sum(0))
    expected = weights.std(axis=0) / weights.mean(axis=0) / np.sqrt(50)
    np.testing.assert_allclose(found.standard_error, expected, rtol=1e-6)


def test_an_autoencoder_has_no_likelihood():
    with pytest.raises(UserError, match="no bound"):
        importance_weighted(
            build("ae", (8, 8, 1), 2, settings={"encoder.name": "mlp", "decoder.name": "mlp"}), None, 5
        )
