"""Priors p(z) over the latent space."""

from typing import Any

from keras import ops

from vae_tf.distributions import Normal
from vae_tf.parts.base import Part, register


@register("prior", "standard_normal")
class StandardNormalPrior(Part):
    """p(z) = N(0, I). `call` takes z [..., d] and returns log p(z) [...] in nats.

    Args:
        latent_dim: Number d of latent dimensions.
    """

    def __init__(self, latent_dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.latent_dim = latent_dim

    def build(self, z_shape: Any = None) -> None:
        self.built = True

    def distribution(self) -> Normal:
        zeros = ops.zeros((self.latent_dim,), dtype="float32")
        return Normal(zeros, zeros)

    def call(self, z: Any) -> Any:
        return self.log_prob(z)

    def log_prob(self, z: Any) -> Any:
        """log p(z) [...] of z [..., d], in nats."""
        return ops.sum(self.distribution().log_prob(ops.cast(z, "float32")), axis=-1)

    def sample(self, noise: Any) -> Any:
        """z [N, d] from standard normal noise [N, d]."""
        return self.distribution().sample(noise)

    def kl_per_dimension(self, posterior: Any) -> Any:
        """KL(q(z_i | x) ‖ p(z_i)) [B, d] in closed form, or None where `posterior` is no factorised normal."""
        return posterior.kl(self.distribution()) if isinstance(posterior, Normal) else None
