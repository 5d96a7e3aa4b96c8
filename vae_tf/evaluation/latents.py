"""Posterior means and standard deviations of many pictures, and which latent dimensions are in use."""

import dataclasses
import functools
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from vae_tf.distributions import Normal
from vae_tf.evaluation.aggregate import information_per_dimension
from vae_tf.parts.priors import dimension_kl

# Below this, in nats, a dimension tells next to nothing about the picture. The variance of the mean is no such test (it
# calls collapsed dimensions active), nor is the KL: a posterior that is away from the prior, and the same for
# every picture, costs nats and tells nothing.
SMALLEST_INFORMATION = 0.1
# Of the variance of the code that varies most.
SMALLEST_SHARE = 0.01


@dataclasses.dataclass(frozen=True)
class Embedding:
    """Of N pictures and d latent dimensions.

    Args:
        mean: Posterior mean [N, d].
        standard_deviation: Posterior standard deviation [N, d].
        kl: KL(q(z_i | x) ‖ p(z_i)) of each picture and dimension [N, d], nats; against N(0, 1) where the prior does
            not factorise or the posterior has no closed form; NaN for a plain autoencoder, whose codes have none.
        kept: What the posterior adds, see `Posterior.kept` [N, d] each.
    """

    mean: NDArray[np.float32]
    standard_deviation: NDArray[np.float32]
    kl: NDArray[np.float32]
    kept: dict[str, NDArray[np.float32]] = dataclasses.field(default_factory=dict)

    @property
    def kl_per_dimension(self) -> NDArray[np.float64]:
        """Mean KL of each dimension [d], nats."""
        return self.kl.mean(axis=0, dtype=np.float64)

    @functools.cached_property
    def information(self) -> NDArray[np.float64] | None:
        """I(x; z_i) [d] in nats, at most the KL; None where codes are points, or may be exactly 0 (`on` in `kept`)."""
        if np.isnan(self.kl).any() or "on" in self.kept:
            return None
        return information_per_dimension(self.mean, self.standard_deviation)[0]

    @property
    def active(self) -> NDArray[np.bool_]:
        """Which dimensions are in use [d]: information above 0.1 nat; of features that switch, KL above it.

        Of codes without KL, those that vary at all.
        """
        if np.isnan(self.kl).all():
            variance = self.mean.var(axis=0)
            return np.asarray(variance > SMALLEST_SHARE * variance.max(initial=0.0))
        told = self.kl_per_dimension if self.information is None else self.information
        return np.asarray(told > SMALLEST_INFORMATION)


def embed(model: Any, batches: Any) -> Embedding:
    """Encodes every batch of a dataset, in order.

    Args:
        model: A `VAE`.
        batches: Dataset of batch dictionaries.
    """
    graph = model.graphs.setdefault("embed", tf.function(functools.partial(codes, model)))
    step = graph.get_concrete_function(batches.element_spec["x"])
    pieces = [[value.numpy() for value in step(batch["x"])] for batch in batches]
    mean, deviation, kl, *kept = (np.concatenate(column) for column in zip(*pieces, strict=True))
    return Embedding(mean, deviation, kl, dict(zip(model.posterior.kept, kept, strict=True)))


def codes(model: Any, x: Any) -> tuple[Any, ...]:
    """Tensors [B, d] of pictures [B, H, W, C], or tokens: mean, standard deviation, KL, and what the posterior adds.

    See `Embedding` for their meaning.
    """
    parameters = model.encode(x)
    kept = [parameters[name] for name in model.posterior.kept]
    marginal = Normal(parameters["mean"], parameters["log_variance"])
    if model.posterior.is_deterministic:
        unknown = tf.fill(tf.shape(marginal.mean), np.float32("nan"))
        return marginal.mean, tf.zeros_like(marginal.mean), unknown, *kept
    kl = dimension_kl(model.prior, model.posterior, parameters)
    return marginal.mean, marginal.standard_deviation, kl, *kept
