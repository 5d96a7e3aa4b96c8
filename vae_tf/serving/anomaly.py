"""The run's score of oddness inside a graph, with its threshold: what `anomalies` says of a picture, served."""

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from vae_tf import random


@dataclasses.dataclass(frozen=True)
class AnomalyRule:
    """How odd a picture is, and above which score it is called so.

    Args:
        score: "reconstruction", "elbo", "bound", "latent" or "pca", see `pipelines.anomalies`.
        threshold: What is larger is an alarm.
        calibration: Scores of normal pictures [n], which make a score a p-value.
        alpha: The promised rate of false alarms.
        num_samples, seed: Of the noise of "elbo" and "bound".
        centre, matrix: Mean code [d] and precision [d, d] for "latent"; mean picture [D] and components [k, D] for
            "pca"; None for others.
    """

    score: str
    threshold: float
    calibration: NDArray[np.float64]
    alpha: float
    num_samples: int = 1
    seed: int = 0
    centre: NDArray[np.float64] | None = None
    matrix: NDArray[np.float64] | None = None

    def __call__(self, model: Any, pictures: Any, code: Any, error: Any) -> dict[str, Any]:
        """Score, p-value and verdict [B] of pictures [B, H, W, C] in [0, 1].

        Args:
            model: The run's VAE.
            pictures: What is scored.
            code: Their posterior means [B, d].
            error: Mean squared errors [B] of their reconstructions, float64.
        """
        score = tf.cast(self._score(model, pictures, code, error), tf.float64)
        at_least = tf.reduce_sum(tf.cast(self.calibration[None] >= score[:, None], tf.float64), axis=-1)
        return {
            "anomaly_score": tf.cast(score, tf.float32),
            "p_value": tf.cast((1.0 + at_least) / (len(self.calibration) + 1.0), tf.float32),
            "threshold": tf.fill(tf.shape(score), tf.constant(self.threshold, tf.float32)),
            "is_anomaly": score > self.threshold,
        }

    def _score(self, model: Any, pictures: Any, code: Any, error: Any) -> Any:
        if self.score == "latent":
            centred = tf.cast(code, tf.float64) - self.centre
            squares = tf.reduce_sum(tf.matmul(centred, self.matrix) * centred, axis=-1)
            return tf.sqrt(tf.maximum(squares, 0.0))
        if self.score == "pca":
            return self._pca_error(pictures)
        if self.score in ("elbo", "bound"):
            logs = tf.cast(
                log_weights(model, pictures, self.noise(model), target_of(model, pictures, self.seed)),
                tf.float64,
            )
            if self.score == "elbo":
                return -tf.reduce_mean(logs, axis=0)
            return np.log(self.num_samples) - tf.reduce_logsumexp(logs, axis=0)
        return error

    def _pca_error(self, pictures: Any) -> Any:
        assert self.centre is not None and self.matrix is not None
        rows = tf.reshape(pictures, (-1, len(self.centre))) - tf.cast(self.centre, tf.float32)
        components = tf.cast(self.matrix, tf.float32)
        rebuilt = tf.matmul(tf.matmul(rows, components, transpose_b=True), components)
        rebuilt = tf.clip_by_value(rebuilt + tf.cast(self.centre, tf.float32), 0.0, 1.0)
        return squared_error(pictures, tf.reshape(rebuilt, tf.shape(pictures)))

    def noise(self, model: Any) -> NDArray[np.float32]:
        """The noise of all pictures [K, 1, m], drawn before the graph is, in the pieces of `BoundsScorer`."""
        from vae_tf.evaluation.oddness import BoundsScorer

        with tf.init_scope():
            return BoundsScorer(model, self.num_samples, self.seed).noise().numpy()


def log_weights(model: Any, pictures: Any, noise: Any, target: Any) -> Any:
    """log p(x, z)/q(z | x) [K, B] of pictures [B, H, W, C], or tokens, at posterior noise [K, B or 1, m], in nats."""
    noise = tf.broadcast_to(noise, (tf.shape(noise)[0], tf.shape(pictures)[0], noise.shape[-1]))
    z, log_qz = model.posterior.sample_and_log_prob(model.encode(pictures), noise)
    return model.log_likelihood(z, target) + model.log_prior(z) - log_qz


def target_of(model: Any, pictures: Any, seed: int = 0) -> Any:
    """What the likelihood is asked about: black and white pixels, by one noise for all, where training drew them."""
    if not model.binarised:
        return pictures
    with tf.init_scope():
        levels = random.uniform((1, *pictures.shape[1:]), seed, 0, "binarise oddness").numpy()
    return tf.cast(levels < pictures, tf.float32)


def squared_error(pictures: Any, reconstructions: Any) -> Any:
    """Mean squared error [B] over the pixels of pictures [B, H, W, C], float64, in squared units of the pixel range."""
    difference = tf.cast(pictures, tf.float64) - tf.cast(reconstructions, tf.float64)
    return tf.reduce_mean(tf.square(difference), axis=(1, 2, 3))
