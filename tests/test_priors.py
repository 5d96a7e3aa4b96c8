"""Priors against scipy's densities, closed forms and their own samples."""

import numpy as np
import pytest
import scipy.special
import scipy.stats

from vae_tf.distributions import MultivariateNormal, Normal
from vae_tf.errors import UserError
from vae_tf.parts import build_part
from vae_tf.recipes import build

LATENT = 3
generator = np.random.default_rng(1)


def posterior(batch=4):
    return Normal(*generator.normal(size=(2, batch, LATENT)).astype(np.float32))


def built(name, **arguments):
    part = build_part("prior", name, latent_dim=LATENT, dtype="float32", **arguments)
    part.build()
    part.set_weights([generator.normal(0, 0.5, weight.shape) for weight in part.get_weights()])
    return part


def monte_carlo(q, prior, num=40_000):
    """KL(q ‖ p) by sampling, and its standard error."""
    noise = np.random.default_rng(0).normal(size=(num, *q.mean.shape)).astype(np.float32)
    z = q.sample(noise)
    log_q = q.log_prob(z) if isinstance(q, MultivariateNormal) else np.sum(np.asarray(q.log_prob(z)), axis=-1)
    values = np.asarray(log_q) - np.asarray(prior.log_prob(z))
    return values.mean(axis=0), values.std(axis=0) / np.sqrt(num)


@pytest.mark.parametrize("name", ["standard_normal", "normal"])
@pytest.mark.parametrize("kind", ["factorised", "full"])
def test_closed_form_divergence_is_what_sampling_finds(name, kind):
    prior, q = built(name), posterior()
    if kind == "full":
        lower = np.tril(generator.normal(size=(4, LATENT, LATENT)), -1) + np.eye(LATENT)
        q = MultivariateNormal(q.mean, lower.astype(np.float32))
    value, error = monte_carlo(q, prior)
    np.testing.assert_array_less(np.abs(np.asarray(prior.kl(q)) - value), 5 * error)


def test_a_fixed_normal_prior_is_the_one_that_was_given():
    mean, covariance = [1.0, 0.0, -1.0], [[2.0, 0.5, 0.0], [0.5, 1.0, 0.2], [0.0, 0.2, 0.7]]
    prior = built("normal", mean=mean, covariance=covariance)
    z = generator.normal(size=(5, LATENT)).astype(np.float32)
    np.testing.assert_allclose(
        prior.log_prob(z), scipy.stats.multivariate_normal(mean, covariance).logpdf(z), rtol=1e-4
    )
    assert not prior.trainable_weights
    z = np.asarray(prior.sample(generator.normal(size=(20_000, LATENT)).astype(np.float32)))
    np.testing.assert_allclose(np.cov(z.T), covariance, atol=0.06)
    np.testing.assert_allclose(z.mean(axis=0), mean, atol=0.05)


@pytest.mark.parametrize(
    "arguments",
    [{"mean": [0.0]}, {"covariance": [[1.0]]}, {"covariance": [[1, 2, 0], [2, 1, 0], [0, 0, 1]]}],
)
def test_a_normal_prior_that_is_none_is_refused(arguments):
    with pytest.raises(UserError):
        built("normal", **arguments)


def mixture_density(log_weights, normals, z):
    densities = (
        scipy.stats.norm(normals.mean, np.exp(0.5 * np.asarray(normals.log_variance)))
        .logpdf(z[:, None])
        .sum(-1)
    )
    return scipy.special.logsumexp(densities + np.asarray(log_weights), axis=1)


def test_a_mixture_is_the_sum_of_its_components():
    prior = built("mixture", num_components=4)
    z = generator.normal(size=(6, LATENT)).astype(np.float32)
    expected = mixture_density(*prior.components(None), z)
    np.testing.assert_allclose(prior.log_prob(z), expected, rtol=1e-4)
    assert prior.kl(posterior()) is None and prior.kl_per_dimension(posterior()) is None


def test_samples_of_a_mixture_come_from_its_components_by_weight():
    prior = built("mixture", num_components=3)
    prior.means.assign(100.0 * np.arange(3)[:, None] * np.ones((1, LATENT)))
    z = np.asarray(prior.sample(generator.normal(size=prior.noise_shape(20_000)).astype(np.float32)))
    shares = np.bincount(np.rint(z[:, 0] / 100).astype(int), minlength=3) / len(z)
    weights = np.exp(np.asarray(prior.components(None)[0]))
    np.testing.assert_allclose(shares, weights, atol=4 * np.sqrt(0.25 / len(z)))


def test_a_vamp_prior_is_the_mean_of_the_posteriors_of_its_own_pictures():
    model = build("vamp", (16, 16, 1), LATENT, settings={"prior.num_inputs": 5, "encoder.name": "mlp"})
    parameters = {name: np.asarray(value) for name, value in model.encode(model.prior.pictures).items()}
    z = generator.normal(size=(6, LATENT)).astype(np.float32)
    normals = Normal(parameters["mean"], parameters["log_variance"])
    np.testing.assert_allclose(model.log_prior(z), mixture_density(-np.log(5), normals, z), rtol=1e-4)
    assert np.asarray(model.sample(3)).shape == (3, 16, 16, 1)
