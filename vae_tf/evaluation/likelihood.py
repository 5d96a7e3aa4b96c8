"""Estimates of log p(x): the naive mean over the prior, the ELBO, and the importance-weighted bound.

All three are means of K weights in one shape: log (1/K) Σ_k w_k. Under the prior w = p(x | z), which is unbiased for
p(x) but misses nearly every z that explains the picture; under the posterior w = p(x, z) / q(z | x) (Burda et al. 2016,
eq. 8), whose logarithm at K = 1 is the ELBO on average and rises with K towards log p(x).
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from vae_tf import random
from vae_tf.errors import UserError

# Latents decoded at once, and numbers that the decoder may give for them; more only need more memory.
LARGEST_NUM_DECODED = 4096
LARGEST_NUM_VALUES = 64_000_000


@dataclasses.dataclass(frozen=True)
class Estimate:
    """log p(x) of N pictures from K samples each.

    Args:
        value: [N], nats; a lower bound on average.
        standard_error: [N], of the value, by the delta method; too small where few samples carry the weight.
        effective_sample_size: (Σw)² / Σw² [N], from 1 (one sample carries all) to K.
        num_samples: K.
    """

    value: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    effective_sample_size: NDArray[np.float64]
    num_samples: int


class LogMean:
    """log (1/K) Σ w and log (1/K) Σ w² of N pictures, from logarithms that arrive in pieces."""

    def __init__(self, num_pictures: int) -> None:
        self.first = np.full(num_pictures, -np.inf)
        self.second = np.full(num_pictures, -np.inf)
        self.count = 0

    def add(self, log_weights: NDArray[Any]) -> None:
        """log w [k, N] of k further samples."""
        pieces = log_weights.astype(np.float64)
        self.first = np.logaddexp(self.first, np.logaddexp.reduce(pieces, axis=0))
        self.second = np.logaddexp(self.second, np.logaddexp.reduce(2.0 * pieces, axis=0))
        self.count += len(pieces)

    def estimate(self) -> Estimate:
        log_count = np.log(self.count)
        log_ess = 2.0 * self.first - self.second
        # Relative variance of the mean of w: (K/ESS − 1) / K.
        relative = np.maximum(np.exp(log_count - log_ess) - 1.0, 0.0) / self.count
        return Estimate(self.first - log_count, np.sqrt(relative), np.exp(log_ess), self.count)


def importance_weighted(
    model: Any, pictures: NDArray[Any], num_samples: int, seed: int = 0, batch_size: int = 64
) -> Estimate:
    """The bound with samples of the posterior, K = `num_samples`.

    Raises:
        UserError: The model has no bound on log p(x).
    """
    check_has_elbo(model)

    @tf.function(reduce_retracing=True)
    def log_weights(x: Any, num: Any, key: Any) -> Any:
        parameters = model.encode(x)
        shape = model.posterior.noise_shape(num, tf.shape(x)[0])
        noise = random.normal(shape, seed, key, "importance")
        z, log_qz = model.posterior.sample_and_log_prob(parameters, noise)
        return model.log_likelihood(z, x) + model.log_prior(z) - log_qz

    return estimate(log_weights, pictures, num_samples, batch_size, largest_num_decoded(model))


def under_the_prior(
    model: Any, pictures: NDArray[Any], num_samples: int, seed: int = 0, batch_size: int = 64
) -> Estimate:
    """The naive mean of p(x | z) over z drawn from the prior.

    Raises:
        UserError: The model has no bound on log p(x).
    """
    check_has_elbo(model)

    @tf.function(reduce_retracing=True)
    def log_weights(x: Any, num: Any, key: Any) -> Any:
        columns = model.prior.noise_shape(1)[1]
        noise = random.normal((num * tf.shape(x)[0], columns), seed, key, "naive")
        z = model.prior.sample(noise, model.prior_context())
        return model.log_likelihood(tf.reshape(z, (num, -1, model.latent_dim)), x)

    return estimate(log_weights, pictures, num_samples, batch_size, largest_num_decoded(model))


def largest_num_decoded(model: Any) -> int:
    """Latents to decode at once: fewer of sentences, whose decoder gives a number for every word at every position."""
    values = math.prod(model.decoder.compute_output_shape((1, model.latent_dim + model.condition_dim))[1:])
    return max(1, min(LARGEST_NUM_DECODED, LARGEST_NUM_VALUES // values))


def estimate(
    log_weights: Callable[[Any, Any, Any], Any],
    pictures: NDArray[Any],
    num_samples: int,
    batch_size: int,
    largest: int = LARGEST_NUM_DECODED,
) -> Estimate:
    """Runs over pictures and samples in pieces that fit into memory; keys differ between all pieces."""
    parts, key = [], 0
    batch_size = min(batch_size, largest)
    for start in range(0, len(pictures), batch_size):
        x = tf.constant(pictures[start : start + batch_size])
        mean, left = LogMean(len(x)), num_samples
        while left:
            num = min(left, max(1, largest // len(x)))
            mean.add(log_weights(x, tf.constant(num), tf.constant(key)).numpy())
            left, key = left - num, key + 1
        parts.append(mean.estimate())
    columns = ("value", "standard_error", "effective_sample_size")
    joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in columns}
    return Estimate(**joined, num_samples=num_samples)


def rising_bound(
    model: Any, pictures: NDArray[Any], numbers: Sequence[int], seed: int = 0
) -> dict[int, Estimate]:
    """The importance-weighted bound for several K; the first is the ELBO by sampling."""
    return {num: importance_weighted(model, pictures, num, seed) for num in numbers}


def check_has_elbo(model: Any) -> None:
    if not model.has_elbo:
        raise UserError(
            f"{model.no_elbo}, and so no bound on it.",
            "Compare reconstructions instead, or train a VAE: --recipe conv.",
        )


def single_sample_elbo(model: Any, batches: Any) -> NDArray[np.float64]:
    """The ELBO of each picture [N] of a dataset of batches, by one sample with the noise of validation; nats."""
    from vae_tf.model import figures

    @tf.function(reduce_retracing=True)
    def step(batch: dict[str, Any]) -> Any:
        key = batch["index"][0]
        x = model.target(batch["x"], key, "binarise validation")
        return figures(*model.validation_loss({**batch, "x": x}, key))["elbo"]

    return np.concatenate([step(batch).numpy() for batch in batches]).astype(np.float64)
