"""Scores of single pictures under a model: how badly it rebuilds them, and how improbable it finds them.

A score must be the same function of every picture, or a threshold from some would promise nothing for others. So every
picture gets the same noise, and none depends on what it is scored beside.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from vae_tf import random
from vae_tf.evaluation.likelihood import LogMean, check_has_elbo, largest_num_decoded
from vae_tf.pixels import to_unit

BATCH_SIZE = 64


@dataclasses.dataclass(frozen=True)
class Bounds:
    """Bounds on log p(x) of N pictures from the same K samples, nats: the mean of log w, and log of the mean of w."""

    elbo: NDArray[np.float64]
    importance_weighted: NDArray[np.float64]


def reconstruction_errors(reconstruct: Callable[[Any], Any], pictures: NDArray[Any]) -> NDArray[np.float64]:
    """Mean squared error of each picture [N], in squared units of the pixel range."""
    parts = [np.zeros(0)]
    for start in range(0, len(pictures), BATCH_SIZE):
        x = np.asarray(pictures[start : start + BATCH_SIZE])
        error = to_unit(x).astype(np.float64) - np.asarray(reconstruct(x))
        parts.append(np.mean(error**2, axis=(1, 2, 3)))
    return np.concatenate(parts)


class BoundsScorer:
    """ELBO and importance-weighted bound (Burda et al. 2016, eq. 8) of each picture, with one noise for all.

    Args:
        model: A `VAE`.
        num_samples: K.
        seed: Of the noise.

    Raises:
        UserError: The model has no bound on log p(x).
    """

    def __init__(self, model: Any, num_samples: int, seed: int = 0) -> None:
        check_has_elbo(model)
        self.model, self.num_samples, self.seed = model, num_samples, seed
        # The pieces of the samples must not depend on how many pictures a batch holds: their keys decide the noise.
        self.piece = max(1, min(num_samples, largest_num_decoded(model) // BATCH_SIZE))
        self.log_weights = tf.function(self._log_weights, reduce_retracing=True)

    def noise(self) -> Any:
        """The noise that every picture gets [K, 1, m]."""
        starts = range(0, self.num_samples, self.piece)
        pieces = [
            self._piece(min(self.piece, self.num_samples - start), key) for key, start in enumerate(starts)
        ]
        return tf.concat(pieces, axis=0)

    def _piece(self, num: Any, key: Any) -> Any:
        return random.normal(self.model.posterior.noise_shape(num, 1), self.seed, key, "oddness")

    def _log_weights(self, x: Any, num: Any, key: Any) -> Any:
        model = self.model
        parameters = model.encode(x)
        noise = self._piece(num, key)
        z, log_qz = model.posterior.sample_and_log_prob(parameters, tf.repeat(noise, tf.shape(x)[0], axis=1))
        return model.log_likelihood(z, x) + model.log_prior(z) - log_qz

    def __call__(self, pictures: NDArray[Any], progress: Callable[[int, int], None] | None = None) -> Bounds:
        """Of stored pictures [N, H, W, C]."""
        elbo, weighted = [np.zeros(0)], [np.zeros(0)]
        for start in range(0, len(pictures), BATCH_SIZE):
            x = self.target(pictures[start : start + BATCH_SIZE])
            mean, total = LogMean(len(x)), np.zeros(len(x))
            for key, done in enumerate(range(0, self.num_samples, self.piece)):
                num = min(self.piece, self.num_samples - done)
                logs = self.log_weights(x, tf.constant(num), tf.constant(key)).numpy()
                mean.add(logs)
                total += logs.sum(axis=0, dtype=np.float64)
            elbo.append(total / self.num_samples)
            weighted.append(mean.estimate().value)
            if progress is not None:
                progress(start + len(x), len(pictures))
        return Bounds(np.concatenate(elbo), np.concatenate(weighted))

    def target(self, pictures: NDArray[Any]) -> Any:
        """What the likelihood is asked about: grey pixels, or black and white ones, drawn by one noise for all."""
        x = tf.constant(to_unit(pictures))
        if not self.model.binarised:
            return x
        return tf.cast(random.uniform((1, *x.shape[1:]), self.seed, 0, "binarise oddness") < x, tf.float32)
