"""The Beta-Bernoulli latent: its prior, its KL, and its bounds against a log p(x) that is summed over all features."""

import itertools

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logsumexp

from vae_tf.errors import UserError
from vae_tf.parts import build_part
from vae_tf.recipes import build

LATENT, PIXELS, SIGMA = 3, 6, 0.4
generator = np.random.default_rng(7)
W = generator.normal(size=(PIXELS, LATENT))


def make_prior(latent=LATENT, seed=None, num_examples=400, **arguments):
    """At its beginning, or (with a seed) with sticks somewhere else."""
    prior = build_part(
        "prior", "beta_bernoulli", latent_dim=latent, num_examples=num_examples, dtype="float32", **arguments
    )
    prior.build()
    if seed is not None:
        draws = np.random.default_rng(seed)
        prior.set_weights([draws.normal(0, 0.15, latent), draws.normal(0, 0.15, latent)])
    return prior


def settled_prior():
    """Of 0.7, 0.56, 0.224, almost surely: q(ν) is narrow and its KL shared among many."""
    prior = make_prior(num_examples=10**7)
    # The Kumaraswamy of mean m and large a is narrow where E x = m: solve 1 − v^(1/b) = m^a at its median.
    a = 400.0
    b = np.log(0.5) / np.log1p(-(np.array([0.7, 0.8, 0.4]) ** a))
    prior.set_weights([np.full(LATENT, np.log(a / prior.alpha)) / 10, np.minimum(np.log(b), 9.0) / 10])
    return prior


def make_posterior(seed=0, batch=5):
    posterior = build_part("posterior", "beta_bernoulli", latent_dim=LATENT, dtype="float32")
    draws = np.random.default_rng(seed)
    features = draws.normal(size=(batch, 4)).astype(np.float32)
    posterior(features)
    posterior.set_weights([draws.normal(0, 0.6, weight.shape) for weight in posterior.get_weights()])
    return posterior, posterior(features)


def noise(num, batch, seed=0, latent=LATENT):
    return np.random.default_rng(seed).standard_normal((num, batch, 2 * latent)).astype(np.float32)


@given(st.floats(0.5, 20), st.integers(1, 40))
def test_the_prior_expects_the_number_of_features_of_the_process(alpha, latent):
    expected = sum((alpha / (1 + alpha)) ** k for k in range(1, latent + 1))
    assert float(np.sum(make_prior(latent, alpha=alpha).feature_probabilities)) == pytest.approx(
        expected, rel=1e-3
    )


def test_samples_of_the_prior_have_that_many_features_and_normal_values():
    prior = make_prior(10, alpha=2.0)
    z = np.asarray(prior.sample(noise(1, 40_000, latent=10)[0]))
    np.testing.assert_allclose((z != 0).mean(axis=0), prior.feature_probabilities, atol=0.012)
    assert scipy.stats.kstest(z[:, 0][z[:, 0] != 0], "norm").pvalue > 1e-3


@given(st.integers(0, 200))
def test_features_become_rarer(seed):
    probabilities = np.asarray(make_prior(12, seed).feature_probabilities)
    assert (np.diff(probabilities) <= 0).all() and (probabilities > 0).all() and probabilities[0] < 1


@pytest.mark.parametrize("seed", [None, 0, 1])
def test_expected_logarithms_are_those_of_drawn_sticks(seed):
    prior = make_prior(6, seed)
    a, b = (np.asarray(value, np.float64) for value in (prior.sticks.a, prior.sticks.b))
    uniform = np.random.default_rng(3).random((200_000, 6))
    log_probabilities = np.cumsum(np.log1p(-(uniform ** (1 / b))) / a, axis=1)
    log_on, log_off = prior.mean_log_switches()
    np.testing.assert_allclose(log_on, log_probabilities.mean(axis=0), rtol=0.01, atol=2e-3)
    drawn = np.log(-np.expm1(log_probabilities)).mean(axis=0)
    np.testing.assert_allclose(log_off, drawn, rtol=0.03, atol=2e-3)


def test_the_sticks_begin_at_their_prior_and_pay_once_for_all_pictures():
    np.testing.assert_allclose(make_prior(6).share_of_sticks(), 0, atol=1e-7)
    shares = [np.asarray(make_prior(6, 4, num).share_of_sticks()) for num in (10, 1000)]
    assert (shares[0] > 0).all()
    np.testing.assert_allclose(shares[0], 100 * shares[1], rtol=1e-4)


def test_an_unknown_number_of_pictures_is_said():
    with pytest.raises(UserError, match="num_examples"):
        make_prior(num_examples=None).log_prob(np.zeros((1, LATENT), np.float32))


@pytest.mark.parametrize("seed", [None, 2])
def test_the_divergence_is_the_mean_of_its_samples_and_not_negative(seed):
    prior, (posterior, parameters) = make_prior(seed=seed), make_posterior()
    z, log_qz = posterior.sample_and_log_prob(parameters, noise(60_000, 5))
    ratio = np.asarray(log_qz) - np.asarray(prior.log_prob(z))
    kl = np.asarray(prior.kl(posterior.distribution(parameters)))
    assert (np.abs(ratio.mean(axis=0) - kl) < 4.5 * ratio.std(axis=0) / np.sqrt(len(ratio))).all()
    assert (kl > 0).all() and (ratio.mean(axis=0) > 0).all()


def test_the_parameters_state_the_moments_of_the_samples():
    posterior, parameters = make_posterior()
    z = np.asarray(posterior.sample(parameters, noise(100_000, 5)))
    np.testing.assert_allclose(z.mean(axis=0), parameters["mean"], atol=0.03)
    np.testing.assert_allclose(z.var(axis=0), np.exp(parameters["log_variance"]), rtol=0.06)
    np.testing.assert_allclose((z != 0).mean(axis=0), parameters["on"], atol=0.01)


def features_of_three():
    return [np.array(b, float) for b in itertools.product((0, 1), repeat=LATENT)]


def log_joint(x, b, probabilities):
    """log p(x, b): given its features a picture is normal (Tipping & Bishop 1999)."""
    log_b = np.sum(np.where(b == 1, np.log(probabilities), np.log1p(-probabilities)))
    covariance = (W * b) @ W.T + SIGMA**2 * np.eye(PIXELS)
    return log_b + scipy.stats.multivariate_normal(np.zeros(PIXELS), covariance).logpdf(x)


def best_factorised(x, probabilities):
    """Parameters [1, d] with each feature's own exact posterior probability, mean and variance."""
    states = features_of_three()
    weights = np.array([log_joint(x, b, probabilities) for b in states])
    weights = np.exp(weights - logsumexp(weights))
    on, first, second = np.zeros(LATENT), np.zeros(LATENT), np.zeros(LATENT)
    for weight, b in zip(weights, states, strict=True):
        covariance = np.linalg.inv(np.eye(LATENT) + (W * b).T @ (W * b) / SIGMA**2)
        mean = covariance @ (W * b).T @ x / SIGMA**2
        on += weight * b
        first += weight * b * mean
        second += weight * b * (np.diag(covariance) + mean**2)
    on = np.clip(on, 1e-4, 1 - 1e-4)
    mean = first / on
    spread = np.log(second / on - mean**2)
    values = {"logits": np.log(on / (1 - on)), "slab_mean": mean, "slab_log_variance": spread}
    return {name: np.clip(value, -9, 9)[None].astype(np.float32) for name, value in values.items()}


@pytest.mark.parametrize("seed", range(4))
def test_bounds_lie_below_and_near_the_enumerated_likelihood(seed):
    prior, posterior = settled_prior(), make_posterior()[0]
    probabilities = np.float64(prior.feature_probabilities)
    draws = np.random.default_rng(seed)
    x = W @ (draws.normal(size=LATENT) * (draws.random(LATENT) < probabilities)) + SIGMA * draws.normal(
        size=PIXELS
    )
    exact = logsumexp([log_joint(x, b, probabilities) for b in features_of_three()])
    parameters = best_factorised(x, probabilities)
    z, log_qz = posterior.sample_and_log_prob(parameters, noise(200_000, 1, seed))
    log_px = scipy.stats.norm(np.float64(z)[:, 0] @ W.T, SIGMA).logpdf(x).sum(axis=1)
    log_weights = log_px + np.asarray(prior.log_prob(z) - log_qz)[:, 0]
    elbo = log_px.mean() - float(prior.kl(posterior.distribution(parameters))[0])
    assert log_weights.mean() == pytest.approx(elbo, abs=6 * log_weights.std() / np.sqrt(len(log_weights)))
    bounds = [
        np.mean(logsumexp(log_weights.reshape(-1, k), axis=1)) - np.log(k) for k in (1, 10, 100, 200_000)
    ]
    assert bounds == sorted(bounds)
    assert elbo < exact and exact - 0.06 < bounds[-1] < exact + 0.02


def test_a_feature_that_no_picture_has_becomes_rare_and_one_that_all_have_frequent():
    prior = make_prior(2, num_examples=1000, alpha=1.0)
    optimizer = tf.keras.optimizers.Adam(0.02)
    z = np.tile(np.array([[0.3, 0.0]], np.float32), (8, 1))
    optimizer.build(prior.trainable_variables)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(prior.log_prob(z))
        optimizer.apply(tape.gradient(loss, prior.trainable_variables), prior.trainable_variables)

    for _ in range(300):
        step()
    # The exact posterior of the first stick is Beta(1 + 1000, 1), of the second Beta(1, 1 + 1000).
    probabilities = np.asarray(prior.feature_probabilities)
    assert probabilities[0] > 0.99 and probabilities[1] < 0.01


@pytest.mark.parametrize("pair", [{"posterior.name": "diagonal"}, {"prior.name": "standard_normal"}])
def test_the_two_halves_go_with_each_other_only(pair):
    with pytest.raises(UserError, match="beta_bernoulli"):
        build("beta-bernoulli", (16, 16, 1), 4, settings=pair)


@pytest.mark.parametrize("setting", [{"prior.alpha": 0.0}, {"posterior.temperature": 0.0}])
def test_what_must_be_positive_is_refused(setting):
    with pytest.raises(UserError, match="Give"):
        build("beta-bernoulli", (16, 16, 1), 4, settings=setting)
