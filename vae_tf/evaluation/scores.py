"""Numbers about single pictures in one pass: code, KL, squared error and −ELBO, for collections too large to keep."""

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from vae_tf.evaluation.latents import codes
from vae_tf.evaluation.oddness import BoundsScorer
from vae_tf.pixels import to_unit


@dataclasses.dataclass(frozen=True)
class Scores:
    """Of N pictures and d latent dimensions.

    Args:
        codes: "mean", "standard_deviation" and what the posterior adds, see `Posterior.kept` [N, d] each.
        kl: KL(q(z | x) ‖ p(z)) [N] in nats, as `Embedding.kl` summed; NaN for a plain autoencoder.
        squared_error: Mean over pixels [N], in squared units of the pixel range, of the posterior mean decoded.
        negative_elbo: [N], nats, from one sample whose noise is the same for every picture; NaN without an ELBO.
    """

    codes: dict[str, NDArray[np.float32]]
    kl: NDArray[np.float64]
    squared_error: NDArray[np.float64]
    negative_elbo: NDArray[np.float64]


class PictureScorer:
    """Scores of stored pictures [N, H, W, C] under a `VAE`; each depends on nothing but its picture.

    Args:
        model: A `VAE` of pictures.
        seed: Of the noise.
    """

    def __init__(self, model: Any, seed: int = 0) -> None:
        self.model = model
        self.bounds = BoundsScorer(model, 1, seed) if model.has_elbo else None
        self.names = ("mean", "standard_deviation", *model.posterior.kept)
        self.step = tf.function(self._step, reduce_retracing=True)

    def _step(self, x: Any, target: Any) -> dict[str, Any]:
        # Written as three passes; TensorFlow finds that the encoder is asked the same thing and runs it once.
        mean, deviation, kl, *kept = codes(self.model, x)
        difference = tf.cast(x, tf.float64) - tf.cast(self.model.reconstruct(x), tf.float64)
        squared_error = tf.reduce_mean(tf.square(difference), axis=(1, 2, 3))
        if self.bounds is None:
            negative_elbo = tf.fill(tf.shape(squared_error), np.float32("nan"))
        else:
            negative_elbo = -self.bounds.log_weights(target, tf.constant(1), tf.constant(0))[0]
        return {
            "codes": dict(zip(self.names, (mean, deviation, *kept), strict=True)),
            "kl": tf.reduce_sum(kl, axis=-1),
            "squared_error": squared_error,
            "negative_elbo": negative_elbo,
        }

    def __call__(self, pictures: NDArray[Any]) -> Scores:
        x = tf.constant(to_unit(pictures))
        found = self.step(x, x if self.bounds is None else self.bounds.target(pictures))
        numbers = {name: found[name].numpy().astype(np.float64) for name in found if name != "codes"}
        return Scores({name: values.numpy() for name, values in found["codes"].items()}, **numbers)
