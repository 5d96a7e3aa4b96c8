"""On probabilistic PCA (Tipping & Bishop 1999) everything is known in closed form: the ELBO against the truth.

x = W z + b + σ ε with a fixed non-orthogonal W, so log p(x) = log N(x; b, W Wᵀ + σ² I).
"""

import numpy as np
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from vae_tf.distributions import Normal
from vae_tf.parts import build_part
from vae_tf.parts.terms import ElboTerms

SIDE, LATENT, SIGMA = 3, 2, 0.3
PIXELS = SIDE * SIDE
generator = np.random.default_rng(5)
W = generator.normal(size=(PIXELS, LATENT)) @ np.array([[1.0, 0.7], [0.0, 0.6]])
B = generator.normal(size=PIXELS)
COVARIANCE = W @ W.T + SIGMA**2 * np.eye(PIXELS)
# The true posterior (Tipping & Bishop 1999, eq. 9): its covariance is not diagonal, as W is not orthogonal.
PRECISION = np.eye(LATENT) + W.T @ W / SIGMA**2
POSTERIOR_COVARIANCE = np.linalg.inv(PRECISION)


def evidence(x):
    return scipy.stats.multivariate_normal(B, COVARIANCE).logpdf(x)


def posterior_mean(x):
    return POSTERIOR_COVARIANCE @ W.T @ (x - B) / SIGMA**2


def log_likelihood(x, z):
    """log p(x | z) [K] by our Gaussian likelihood, z [K, d]."""
    likelihood = build_part("likelihood", "gaussian", scale=SIGMA, activation="linear", dtype="float32")
    likelihood.build()
    output = (z @ W.T + B).reshape(-1, SIDE, SIDE, 1).astype(np.float32)
    return np.asarray(likelihood.log_prob(output, x.reshape(SIDE, SIDE, 1).astype(np.float32)))


def log_prior(z):
    prior = build_part("prior", "standard_normal", latent_dim=LATENT, dtype="float32")
    return np.asarray(prior.log_prob(z.astype(np.float32)))


def analytic_elbo(x, mean, variance):
    """E_q log p(x | z) − KL(q ‖ p) without sampling: the expectation of a quadratic form, our closed-form KL."""
    at_mean = scipy.stats.norm(W @ mean + B, SIGMA).logpdf(x).sum()
    expectation = at_mean - 0.5 * np.sum((W**2) @ variance) / SIGMA**2
    q = Normal(mean, np.log(variance))
    kl = 0.5 * np.sum(variance + mean**2 - np.log(variance) - 1)
    ours = np.asarray(q.kl(Normal(np.zeros(LATENT), np.zeros(LATENT)))).sum()
    np.testing.assert_allclose(ours, kl, rtol=1e-5)
    return expectation - kl


@given(st.integers(0, 10_000), st.floats(0.05, 3.0), st.floats(-1, 1), st.floats(-1, 1))
def test_analytic_elbo_stays_below_the_evidence(seed, scale, shift_a, shift_b):
    x = np.random.default_rng(seed).multivariate_normal(B, COVARIANCE)
    mean = posterior_mean(x) + np.array([shift_a, shift_b])
    variance = scale * np.diag(POSTERIOR_COVARIANCE)
    assert analytic_elbo(x, mean, variance) <= evidence(x) + 1e-6


def test_best_diagonal_posterior_misses_the_evidence_by_its_known_kl():
    x = np.random.default_rng(11).multivariate_normal(B, COVARIANCE)
    variance = 1.0 / np.diag(PRECISION)
    # KL between the best factorised normal and the true posterior of equal mean.
    gap = 0.5 * (np.log(np.diag(PRECISION)).sum() - np.linalg.slogdet(PRECISION)[1])
    np.testing.assert_allclose(evidence(x) - analytic_elbo(x, posterior_mean(x), variance), gap, rtol=1e-6)


@given(st.integers(0, 10_000))
def test_at_the_true_posterior_the_weight_is_the_evidence_for_every_z(seed):
    draws = np.random.default_rng(seed)
    x = draws.multivariate_normal(B, COVARIANCE)
    z = draws.multivariate_normal(posterior_mean(x), POSTERIOR_COVARIANCE, size=50)
    log_q = scipy.stats.multivariate_normal(posterior_mean(x), POSTERIOR_COVARIANCE).logpdf(z)
    weights = log_likelihood(x, z) + log_prior(z) - log_q
    # float32 sums of terms of size 10 to 100.
    np.testing.assert_allclose(weights, evidence(x), atol=2e-3, rtol=1e-4)


def test_sampled_elbo_agrees_with_the_analytic_one():
    x = np.random.default_rng(3).multivariate_normal(B, COVARIANCE)
    mean, variance = posterior_mean(x), 1.5 * np.diag(POSTERIOR_COVARIANCE)
    noise = np.random.default_rng(4).standard_normal((200_000, LATENT))
    z = mean + np.sqrt(variance) * noise
    posterior = build_part("posterior", "diagonal", latent_dim=LATENT, dtype="float32")
    parameters = {
        "mean": mean[None].astype(np.float32),
        "log_variance": np.log(variance)[None].astype(np.float32),
    }
    terms = ElboTerms(
        z=z[:, None],
        posterior=parameters,
        log_px=log_likelihood(x, z)[:, None],
        log_qz=posterior.log_prob(parameters, z[:, None].astype(np.float32)),
        log_pz=log_prior(z)[:, None],
    )
    values = np.asarray(terms.log_px) - np.asarray(terms.log_qz) + np.asarray(terms.log_pz)
    error = 4 * values.std() / np.sqrt(len(values))
    assert abs(float(terms.elbo[0]) - analytic_elbo(x, mean, variance)) < error + 1e-3
