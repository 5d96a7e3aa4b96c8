"""Posteriors against scipy's densities and against the change of variables itself."""

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from vae_tf.distributions import MultivariateNormal, Normal, multivariate
from vae_tf.parts import build_part

BATCH, FEATURES, LATENT, SAMPLES = 3, 5, 4, 7
NORMAL = ("diagonal", "isotropic", "full_covariance")


def random_cholesky(generator, size=LATENT, batch=()):
    lower = np.tril(generator.normal(size=(*batch, size, size)), -1) * 0.7
    return (lower + np.eye(size) * generator.uniform(0.3, 1.5, (*batch, size, 1))).astype(np.float32)


def make(name, seed=0, latent=LATENT, **arguments):
    """A posterior with random weights, so that nothing begins at zero, and its parameters for random features."""
    generator = np.random.default_rng(seed)
    part = build_part("posterior", name, latent_dim=latent, dtype="float32", **arguments)
    features = generator.normal(size=(BATCH, FEATURES)).astype(np.float32)
    part(features)
    part.set_weights([generator.normal(0, 0.4, weight.shape) for weight in part.get_weights()])
    noise = generator.normal(size=(SAMPLES, BATCH, latent)).astype(np.float32)
    return part, part(features), noise


@given(st.integers(0, 1000))
def test_multivariate_normal_is_that_of_scipy(seed):
    generator = np.random.default_rng(seed)
    mean, cholesky = generator.normal(size=LATENT).astype(np.float32), random_cholesky(generator)
    x = generator.normal(size=(6, LATENT)).astype(np.float32)
    expected = scipy.stats.multivariate_normal(mean, cholesky @ cholesky.T).logpdf(x)
    np.testing.assert_allclose(MultivariateNormal(mean, cholesky).log_prob(x), expected, rtol=2e-3, atol=2e-3)


@given(st.integers(0, 1000))
def test_divergence_of_two_normals_is_the_textbooks(seed):
    generator = np.random.default_rng(seed)
    (m0, m1), (l0, l1) = (
        generator.normal(size=(2, LATENT)).astype(np.float32),
        random_cholesky(generator, batch=(2,)),
    )
    s0, s1 = np.float64(l0) @ np.float64(l0).T, np.float64(l1) @ np.float64(l1).T
    inverse, shift = np.linalg.inv(s1), np.float64(m1 - m0)
    log_ratio = np.linalg.slogdet(s1)[1] - np.linalg.slogdet(s0)[1]
    expected = 0.5 * (np.trace(inverse @ s0) + shift @ inverse @ shift - LATENT + log_ratio)
    ours = float(MultivariateNormal(m0, l0).kl(MultivariateNormal(m1, l1)))
    assert ours == pytest.approx(expected, rel=2e-3, abs=2e-3)
    assert float(MultivariateNormal(m0, l0).kl(MultivariateNormal(m0, l0))) == pytest.approx(0.0, abs=1e-4)


def test_a_factorised_normal_is_the_same_normal_either_way():
    generator = np.random.default_rng(3)
    a, b = [Normal(*generator.normal(size=(2, BATCH, LATENT)).astype(np.float32)) for _ in range(2)]
    ours = multivariate(a).kl(multivariate(b))
    np.testing.assert_allclose(ours, np.sum(np.asarray(a.kl(b)), axis=-1), rtol=1e-4)


@pytest.mark.parametrize("name", NORMAL)
def test_samples_and_density_are_those_of_the_parameters(name):
    part, parameters, noise = make(name)
    z, log_qz = (np.asarray(value) for value in part.sample_and_log_prob(parameters, noise))
    mean, variance = np.asarray(parameters["mean"]), np.exp(np.asarray(parameters["log_variance"]))
    for i in range(BATCH):
        if name == "full_covariance":
            cholesky = np.asarray(parameters["cholesky"][i])
            assert not np.triu(cholesky, 1).any() and np.tril(cholesky, -1)[np.tril_indices(LATENT, -1)].all()
            covariance = cholesky @ cholesky.T
        else:
            covariance = np.diag(variance[i])
        np.testing.assert_allclose(np.diag(covariance), variance[i], rtol=1e-5)
        expected = scipy.stats.multivariate_normal(mean[i], covariance).logpdf(z[:, i])
        np.testing.assert_allclose(log_qz[:, i], expected, rtol=1e-3, atol=1e-3)
        root = np.linalg.cholesky(covariance)
        np.testing.assert_allclose(z[:, i], mean[i] + noise[:, i] @ root.T, rtol=1e-4, atol=1e-4)
    if name == "isotropic":
        assert np.ptp(variance, axis=1).max() == 0 and np.ptp(variance[:, 0]) > 0


@pytest.mark.parametrize("num_flows", [1, 2, 3])
def test_the_flows_density_obeys_the_change_of_variables(num_flows):
    part, parameters, noise = make("iaf", num_flows=num_flows, width=6)
    base = Normal(parameters["base_mean"], parameters["base_log_variance"])
    for i in range(BATCH):
        one = {name: value[i : i + 1] for name, value in parameters.items()}
        start = base.sample(noise)[0, i]
        with tf.GradientTape() as tape:
            tape.watch(start)
            end = part.flow(one, start[None, None])[0][0, 0]
        jacobian = np.float64(tape.jacobian(end, start).numpy())
        log_base = (
            scipy.stats.norm(one["base_mean"][0], np.exp(0.5 * one["base_log_variance"][0]))
            .logpdf(start)
            .sum()
        )
        expected = log_base - np.linalg.slogdet(jacobian)[1]
        z, log_qz = part.sample_and_log_prob(parameters, noise)
        np.testing.assert_allclose(z[0, i], end, rtol=1e-5, atol=1e-5)
        assert float(log_qz[0, i]) == pytest.approx(expected, rel=1e-4, abs=1e-4)
        # Every flow mixes: no dimension is left to itself, and none sees a later one in its own order.
        assert np.count_nonzero(np.abs(jacobian) > 1e-7) > LATENT


def test_the_flow_begins_near_its_base():
    part = build_part("posterior", "iaf", latent_dim=LATENT, dtype="float32")
    parameters = part(np.random.default_rng(0).normal(size=(BATCH, FEATURES)).astype(np.float32))
    np.testing.assert_allclose(parameters["mean"], 0.81 * np.asarray(parameters["base_mean"]), rtol=1e-4)


def test_a_code_without_noise_is_its_mean():
    part, parameters, noise = make("deterministic")
    z, log_qz = part.sample_and_log_prob(parameters, noise)
    np.testing.assert_array_equal(z, np.broadcast_to(parameters["mean"], z.shape))
    assert not np.any(log_qz) and part.is_deterministic


@pytest.mark.parametrize("name", [*NORMAL, "iaf", "deterministic"])
def test_every_posterior_serves_embedding_with_one_latent_too(name):
    _, parameters, _ = make(name, latent=1)
    assert tuple(parameters["mean"].shape) == tuple(parameters["log_variance"].shape) == (BATCH, 1)
    assert keras.backend.standardize_dtype(parameters["mean"].dtype) == "float32"
