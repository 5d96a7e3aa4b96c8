"""Posteriors q(z | x): heads that own a distribution over the latent space."""

from typing import Any

import keras
from keras import ops

from vae_tf.distributions import Normal
from vae_tf.parts.base import Part, register

# Outside this range exp() in float32 loses all precision or overflows within a few careless steps.
LOG_VARIANCE_RANGE = (-14.0, 6.0)


@register("posterior", "diagonal")
class DiagonalPosterior(Part):
    """q(z | x) = N(mean(x), diag(variance(x))) (Kingma & Welling 2014, eq. 9).

    `call` takes features [B, F] and returns {"mean": [B, d], "log_variance": [B, d]} in float32.

    Args:
        latent_dim: Number d of latent dimensions.
    """

    def __init__(self, latent_dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.latent_dim = latent_dim
        # float32 under every precision: the exponential of a half-precision log-variance is too coarse.
        self.mean_head = keras.layers.Dense(latent_dim, name="mean", dtype="float32")
        self.log_variance_head = keras.layers.Dense(
            latent_dim, name="log_variance", dtype="float32", kernel_initializer="zeros"
        )

    def build(self, features_shape: Any) -> None:
        self.mean_head.build(features_shape)
        self.log_variance_head.build(features_shape)
        self.built = True

    def call(self, features: Any) -> dict[str, Any]:
        log_variance = self.log_variance_head(features)
        return {"mean": self.mean_head(features), "log_variance": ops.clip(log_variance, *LOG_VARIANCE_RANGE)}

    def distribution(self, parameters: dict[str, Any]) -> Normal:
        return Normal(parameters["mean"], parameters["log_variance"])

    def noise_shape(self, num_samples: int, batch_size: Any) -> tuple[Any, ...]:
        """Shape [K, B, d] of the standard normal noise that `sample` takes."""
        return (num_samples, batch_size, self.latent_dim)

    def sample(self, parameters: dict[str, Any], noise: Any) -> Any:
        """z [K, B, d] from noise [K, B, d], differentiable in the parameters."""
        return self.distribution(parameters).sample(noise)

    def log_prob(self, parameters: dict[str, Any], z: Any) -> Any:
        """log q(z | x) [K, B] of z [K, B, d], in nats."""
        return ops.sum(self.distribution(parameters).log_prob(z), axis=-1)
