"""Losses as courses print them are β·KL + ½‖x − x̂‖², up to a factor and a constant; misprints are something else."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from vae_tf.distributions import LOG_TWO_PI, Normal
from vae_tf.parts import ElboTerms, build_part

SIDE, CHANNELS = 2, 3
PIXELS = SIDE * SIDE * CHANNELS


# The printed formulas, as they stand. x and x̂ are [B, D], the mean μ and log σ² of the posterior [B, d].


def printed_sum(x, x_hat, mean, log_variance):
    """Σ(σ² + μ² − log σ² − 1) + Σ‖x − x̂‖², mean over the batch."""
    kl = np.sum(np.exp(log_variance) + mean**2 - log_variance - 1, axis=1)
    return np.mean(kl + np.sum((x - x_hat) ** 2, axis=1))


def printed_half(x, x_hat, mean, log_variance):
    """½(tr Σ + μᵀμ − log det Σ − n + E‖x − x̂‖²), mean over the batch."""
    losses = []
    for i in range(len(x)):
        covariance = np.diag(np.exp(log_variance[i]))
        divergence = (
            np.trace(covariance) + mean[i] @ mean[i] - np.linalg.slogdet(covariance)[1] - len(mean[i])
        )
        losses.append(0.5 * (divergence + np.linalg.norm(x[i] - x_hat[i]) ** 2))
    return np.mean(losses)


def printed_no_half(x, x_hat, mean, log_variance):
    """‖x − x̂‖² + KL, mean over the batch."""
    kl = -0.5 * np.sum(1 + log_variance - mean**2 - np.exp(log_variance), axis=1)
    return np.mean(np.linalg.norm(x - x_hat, axis=1) ** 2 + kl)


def printed_mean_pixels(x, x_hat, mean, log_variance):
    """batch size · mean squared error over batch and pixels + KL, summed over batch and latents."""
    kl = -0.5 * np.sum(1 + log_variance - mean**2 - np.exp(log_variance))
    return len(x) * np.mean((x - x_hat) ** 2) + kl


def printed_mean_kl(x, x_hat, mean, log_variance):
    """Summed squared error − ½·mean(1 + log σ² − μ² − σ²) over batch and latents."""
    kl = -0.5 * np.mean(1 + log_variance - mean**2 - np.exp(log_variance))
    return np.sum((x - x_hat) ** 2) + kl


@dataclasses.dataclass(frozen=True)
class Printed:
    """A printed loss is `factor`·(our loss − its constant) with our KL weighted by `beta`.

    Args:
        recipe: Its name on the command line.
        formula: Of x, x̂ [B, D], μ and log σ² [B, d].
        beta, factor: Of the batch size B and the number d of latent dimensions.
    """

    recipe: str
    formula: Callable[..., float]
    beta: Callable[[int, int], float]
    factor: Callable[[int, int], float]


PRINTED = [
    Printed("printed-sum", printed_sum, lambda B, d: 1.0, lambda B, d: 2.0),
    Printed("printed-half", printed_half, lambda B, d: 1.0, lambda B, d: 1.0),
    Printed("printed-no-half", printed_no_half, lambda B, d: 0.5, lambda B, d: 2.0),
    Printed("printed-mean-pixels", printed_mean_pixels, lambda B, d: PIXELS / 2, lambda B, d: 2 * B / PIXELS),
    Printed("printed-mean-kl", printed_mean_kl, lambda B, d: 1 / (2 * B * d), lambda B, d: 2.0 * B),
]
# What the normaliser of unit noise adds to our loss, nats per picture.
CONSTANT = 0.5 * PIXELS * LOG_TWO_PI
printed_losses = pytest.mark.parametrize("printed", PRINTED, ids=lambda printed: printed.recipe)
batches = st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(0, 10_000))


@dataclasses.dataclass(frozen=True)
class Batch:
    """Random pictures, posterior, noise and the weights W of a decoder x̂ = sigmoid(zW), in double precision."""

    size: int
    latent_dim: int
    seed: int

    def arrays(self):
        draws = np.random.default_rng(self.seed)
        x = draws.uniform(size=(self.size, PIXELS))
        noise = draws.normal(size=(self.size, self.latent_dim))
        parameters = {
            "mean": draws.normal(size=(self.size, self.latent_dim)),
            "log_variance": draws.uniform(-3, 1, size=(self.size, self.latent_dim)),
            "weights": draws.normal(size=(self.latent_dim, PIXELS)),
        }
        return x, noise, parameters


def their_loss(printed, x, noise, parameters):
    """The printed formula with z = μ + σε, in NumPy."""
    z = parameters["mean"] + np.exp(0.5 * parameters["log_variance"]) * noise
    x_hat = 1 / (1 + np.exp(-z @ parameters["weights"]))
    return printed.formula(x, x_hat, parameters["mean"], parameters["log_variance"])


def their_gradient(printed, x, noise, parameters, step=1e-5):
    """Central differences of the printed formula, one parameter after the other, as one vector."""
    slopes = []
    for name, values in parameters.items():
        for place in np.ndindex(values.shape):
            losses = []
            for sign in (1, -1):
                moved = values.copy()
                moved[place] += sign * step
                losses.append(their_loss(printed, x, noise, {**parameters, name: moved}))
            slopes.append((losses[0] - losses[1]) / (2 * step))
    return np.array(slopes)


def our_loss_and_gradient(beta, x, noise, parameters):
    """The same from our parts: diagonal posterior, standard normal prior, gaussian likelihood of scale 1, ELBO."""
    size, latent_dim = noise.shape
    posterior = build_part("posterior", "diagonal", latent_dim=latent_dim, dtype="float32")
    prior = build_part("prior", "standard_normal", latent_dim=latent_dim, dtype="float32")
    likelihood = build_part("likelihood", "gaussian", scale=1.0, activation="sigmoid", dtype="float32")
    objective = build_part("objective", "elbo", beta=beta)
    variables = {name: tf.Variable(values, dtype=tf.float32) for name, values in parameters.items()}
    x = np.float32(x).reshape(size, SIDE, SIDE, CHANNELS)
    with tf.GradientTape() as tape:
        heads = {"mean": variables["mean"], "log_variance": variables["log_variance"]}
        z = posterior.sample(heads, np.float32(noise)[None])
        output = tf.reshape(z @ variables["weights"], (1, *x.shape))
        kl = prior.kl_per_dimension(posterior.distribution(heads))
        terms = ElboTerms(
            z=z,
            posterior=heads,
            log_px=likelihood.log_prob(output, x),
            log_qz=posterior.log_prob(heads, z),
            log_pz=prior.log_prob(z),
            kl=tf.reduce_sum(kl, axis=-1),
            kl_per_dimension=kl,
        )
        loss = tf.reduce_mean(objective(terms, 0))
    gradient = tape.gradient(loss, variables)
    return float(loss), np.concatenate([np.ravel(gradient[name]) for name in parameters]).astype(np.float64)


@printed_losses
@settings(max_examples=20)
@given(batches)
def test_printed_loss_is_ours_up_to_its_factor_and_constant(printed, sizes):
    batch = Batch(*sizes)
    x, noise, parameters = batch.arrays()
    beta = printed.beta(batch.size, batch.latent_dim)
    factor = printed.factor(batch.size, batch.latent_dim)
    ours, _ = our_loss_and_gradient(beta, x, noise, parameters)
    theirs = their_loss(printed, x, noise, parameters)
    assert factor * (ours - CONSTANT) == pytest.approx(theirs, rel=1e-4, abs=1e-4)


@printed_losses
@settings(max_examples=8)
@given(batches)
def test_printed_gradient_is_ours_times_its_factor(printed, sizes):
    batch = Batch(*sizes)
    x, noise, parameters = batch.arrays()
    beta = printed.beta(batch.size, batch.latent_dim)
    _, ours = our_loss_and_gradient(beta, x, noise, parameters)
    theirs = their_gradient(printed, x, noise, parameters)
    size = np.abs(theirs).max()
    factor = printed.factor(batch.size, batch.latent_dim)
    np.testing.assert_allclose(factor * ours, theirs, rtol=1e-3, atol=1e-4 * size)
    assert ours @ theirs / (np.linalg.norm(ours) * np.linalg.norm(theirs)) > 1 - 1e-6


@printed_losses
def test_another_beta_would_be_another_direction(printed):
    x, noise, parameters = Batch(4, 3, 0).arrays()
    theirs = their_gradient(printed, x, noise, parameters)
    _, ours = our_loss_and_gradient(3 * printed.beta(4, 3), x, noise, parameters)
    assert ours @ theirs / (np.linalg.norm(ours) * np.linalg.norm(theirs)) < 1 - 1e-6


@printed_losses
def test_recipe_has_the_printed_beta_and_unit_noise(printed):
    from vae_tf.recipes import find_recipe
    from vae_tf.recipes.building import part_arguments
    from vae_tf.recipes.table import Sizes

    row = part_arguments(find_recipe(printed.recipe), Sizes((SIDE, SIDE, CHANNELS), 3, 4))
    assert row["objective"]["name"] == "elbo" and row["likelihood"] == {"name": "gaussian", "scale": 1.0}
    assert row["posterior"]["name"] == "diagonal" and row["prior"]["name"] == "standard_normal"
    assert row["objective"]["beta"] == pytest.approx(printed.beta(4, 3))


# Misprints in teaching material. Each differs, and is not offered.


@pytest.mark.parametrize("variance", [0.25, 4.0])
def test_misprint_variance_as_scale_makes_samples_of_variance_sigma_to_the_fourth(variance):
    noise = np.random.default_rng(0).standard_normal(200_000).astype(np.float32)
    mean, log_variance = np.float32(0.5), np.float32(np.log(variance))
    ours = np.asarray(Normal(mean, log_variance).sample(noise))
    misprint = mean + np.exp(log_variance) * noise
    assert ours.var() == pytest.approx(variance, rel=0.02)
    assert misprint.var() == pytest.approx(variance**2, rel=0.02)


def test_misprint_variance_as_scale_prefers_another_posterior():
    # With x̂ = 2z and posterior variance v the expected loss is ½·4·Var(z) + KL(v); printed, Var(z) is v².
    variances = np.linspace(0.01, 1, 4000)
    log_variances = np.log(variances).astype(np.float32)
    kl = np.asarray(Normal(np.float32(0), log_variances).kl(Normal(np.float32(0), np.float32(0))))
    right = variances[np.argmin(2 * variances + kl)]
    misprint = variances[np.argmin(2 * variances**2 + kl)]
    assert right == pytest.approx(1 / 5, abs=0.01)
    assert misprint == pytest.approx((np.sqrt(33) - 1) / 16, abs=0.01)
    assert misprint**2 < 0.5 * right


def test_misprint_log_variance_as_scale_has_no_noise_at_the_prior():
    noise = np.random.default_rng(0).standard_normal(10_000).astype(np.float32)
    log_variance = np.float32(0)
    assert np.asarray(Normal(np.float32(0), log_variance).sample(noise)).std() == pytest.approx(1, abs=0.03)
    assert (0 + log_variance * noise).std() == 0
    # And σ = ½ and σ = 2 would be sampled alike.
    narrow, wide = np.log(0.25) * noise, np.log(4.0) * noise
    assert narrow.std() == pytest.approx(wide.std())


@pytest.mark.parametrize("side", [1, 8])
def test_misprint_one_dimensional_normaliser_is_no_density_of_a_picture(side):
    draws = np.random.default_rng(0)
    mean, x = draws.uniform(size=(2, side, side, 3)).astype(np.float32)
    likelihood = build_part("likelihood", "gaussian", scale=1.0, activation="linear")
    likelihood.build((None, side, side, 3))
    num_values = x.size
    density = scipy.stats.multivariate_normal(mean.ravel(), np.eye(num_values)).logpdf(x.ravel())
    ours = float(likelihood.log_prob(mean, x))
    misprint = -0.5 * np.sum((x - mean) ** 2) - 0.5 * LOG_TWO_PI
    assert ours == pytest.approx(density, rel=1e-5)
    # 0.92 nats for every value but one: with fixed unit noise a constant, with a learned σ another optimum.
    assert misprint - density == pytest.approx((num_values - 1) / 2 * LOG_TWO_PI, rel=1e-5)


def test_misprint_one_dimensional_normaliser_learns_a_scale_that_grows_with_the_picture():
    # The normaliser −log(σ√2π) for one value instead of 192: σ comes out √192 times too wide.
    errors = np.random.default_rng(0).normal(scale=0.2, size=192)
    scales = np.geomspace(0.01, 10, 4000)
    squared = np.sum(errors**2) / (2 * scales**2)
    right = scales[np.argmin(squared + len(errors) * np.log(scales))]
    misprint = scales[np.argmin(squared + np.log(scales))]
    assert right == pytest.approx(np.sqrt(np.mean(errors**2)), rel=0.01)
    assert misprint == pytest.approx(np.sqrt(np.sum(errors**2)), rel=0.01)
