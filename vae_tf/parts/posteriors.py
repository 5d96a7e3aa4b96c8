"""Posteriors q(z | x): heads that own a distribution over the latent space.

`call` takes features [B, F] and returns a dictionary of tensors, always with "mean" [B, d] and "log_variance" [B, d]
of each dimension by itself, so that every posterior embeds and exports alike; others add what they need.
"""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops
from pydantic import PositiveInt

from vae_tf.distributions import MultivariateNormal, Normal
from vae_tf.parts.base import Part, register

# Outside this range exp() in float32 loses all precision or overflows within a few careless steps.
LOG_VARIANCE_RANGE = (-14.0, 6.0)


class Posterior(Part):
    """What the model asks of every posterior.

    Attributes:
        is_factorised: Whether its density is a product over latent dimensions.
        is_deterministic: Whether it is a point, so that there is no bound on log p(x).
        has_log_prob: Whether log q(z | x) is known of any z, not only of its own samples.
        has_switches: Whether dimensions may be exactly 0, switched off, so that log q has no gradient along z.
        kept: What `embed` and `export` give of each picture besides mean and variance: {parameter [B, d]: meaning}.
    """

    is_factorised = False
    is_deterministic = False
    has_log_prob = True
    has_switches = False
    kept: ClassVar[Mapping[str, str]] = {}

    def __init__(self, latent_dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.latent_dim = latent_dim
        self.heads: list[Any] = []

    def head(self, name: str, units: int, initializer: str = "zeros") -> Any:
        """A dense layer on the features, in float32: the exponential of a half-precision logarithm is too coarse."""
        layer = keras.layers.Dense(units, name=name, dtype="float32", kernel_initializer=initializer)
        self.heads.append(layer)
        return layer

    def build(self, features_shape: Any) -> None:
        for layer in self.heads:
            layer.build(features_shape)
        self.built = True

    def distribution(self, parameters: dict[str, Any]) -> Any:
        """The distribution as a value object; None where there is none in closed form."""
        return None

    def noise_shape(self, num_samples: int, batch_size: Any) -> tuple[Any, ...]:
        """Shape [K, B, d] of the standard normal noise that `sample` takes."""
        return (num_samples, batch_size, self.latent_dim)

    def sample(self, parameters: dict[str, Any], noise: Any) -> Any:
        """z [K, B, d] from noise [K, B, d], differentiable in the parameters."""
        return self.distribution(parameters).sample(noise)

    def log_prob(self, parameters: dict[str, Any], z: Any) -> Any:
        """log q(z | x) [K, B] of z [K, B, d], in nats."""
        raise NotImplementedError(f"{type(self).__name__} knows no density of an arbitrary z.")

    def sample_and_log_prob(self, parameters: dict[str, Any], noise: Any) -> tuple[Any, Any]:
        """z [K, B, d] and log q(z | x) [K, B] of it."""
        z = self.sample(parameters, noise)
        return z, self.log_prob(parameters, z)


@register("posterior", "diagonal")
class DiagonalPosterior(Posterior):
    """q(z | x) = N(mean(x), diag(variance(x))) (Kingma & Welling 2014, eq. 9).

    Args:
        latent_dim: Number d of latent dimensions.
    """

    is_factorised = True

    def __init__(self, latent_dim: int, **kwargs: Any) -> None:
        super().__init__(latent_dim, **kwargs)
        self.mean_head = self.head("mean", latent_dim, "glorot_uniform")
        self.log_variance_head = self.head("log_variance", latent_dim)

    def call(self, features: Any) -> dict[str, Any]:
        log_variance = self.log_variance_head(features)
        return {"mean": self.mean_head(features), "log_variance": ops.clip(log_variance, *LOG_VARIANCE_RANGE)}

    def distribution(self, parameters: dict[str, Any]) -> Normal:
        return Normal(parameters["mean"], parameters["log_variance"])

    def log_prob(self, parameters: dict[str, Any], z: Any) -> Any:
        return ops.sum(self.distribution(parameters).log_prob(z), axis=-1)


@register("posterior", "isotropic")
class IsotropicPosterior(DiagonalPosterior):
    """q(z | x) = N(mean(x), c(x)·I): one variance for all dimensions of a picture.

    Args:
        latent_dim: Number d of latent dimensions.
    """

    def __init__(self, latent_dim: int, **kwargs: Any) -> None:
        Posterior.__init__(self, latent_dim, **kwargs)
        self.mean_head = self.head("mean", latent_dim, "glorot_uniform")
        self.log_variance_head = self.head("log_variance", 1)

    def call(self, features: Any) -> dict[str, Any]:
        parameters = super().call(features)
        return {**parameters, "log_variance": parameters["log_variance"] + ops.zeros_like(parameters["mean"])}


@register("posterior", "full_covariance")
class FullCovariancePosterior(Posterior):
    """q(z | x) = N(mean(x), L(x) L(x)ᵀ), z = mean + L·noise (Kingma & Welling 2019, section 2.5.1).

    Adds "cholesky" [B, d, d]. The head below the diagonal begins at 0: training begins as the diagonal posterior does.

    Args:
        latent_dim: Number d of latent dimensions; the head has d·(d + 1)/2 outputs for L.
    """

    def __init__(self, latent_dim: int, **kwargs: Any) -> None:
        super().__init__(latent_dim, **kwargs)
        self.mean_head = self.head("mean", latent_dim, "glorot_uniform")
        self.log_scale_head = self.head("log_scale", latent_dim)
        self.lower_head = self.head("lower", latent_dim * (latent_dim - 1) // 2) if latent_dim > 1 else None

    def call(self, features: Any) -> dict[str, Any]:
        low, high = LOG_VARIANCE_RANGE
        diagonal = ops.exp(ops.clip(self.log_scale_head(features), low / 2, high / 2))
        cholesky = diagonal[..., None] * ops.eye(self.latent_dim)
        if self.lower_head is not None:
            cholesky = cholesky + self.below_diagonal(self.lower_head(features))
        variance = ops.sum(ops.square(cholesky), axis=-1)
        return {"mean": self.mean_head(features), "log_variance": ops.log(variance), "cholesky": cholesky}

    def below_diagonal(self, values: Any) -> Any:
        """Strictly lower triangular matrices [B, d, d] of values [B, d·(d − 1)/2], row by row."""
        d = self.latent_dim
        # Every cell looks its value up; cells on and above the diagonal find the zero that is appended.
        places = np.full((d, d), d * (d - 1) // 2)
        places[np.tril_indices(d, -1)] = np.arange(d * (d - 1) // 2)
        padded = ops.concatenate([values, ops.zeros_like(values[:, :1])], axis=-1)
        return ops.reshape(ops.take(padded, places.reshape(-1), axis=-1), (-1, d, d))

    def distribution(self, parameters: dict[str, Any]) -> MultivariateNormal:
        return MultivariateNormal(parameters["mean"], parameters["cholesky"])

    def log_prob(self, parameters: dict[str, Any], z: Any) -> Any:
        return self.distribution(parameters).log_prob(z)


@register("posterior", "deterministic")
class DeterministicPosterior(Posterior):
    """A point z = mean(x): the code of a plain autoencoder, of which there is no density and no bound.

    Args:
        latent_dim: Number d of latent dimensions.
    """

    is_deterministic = True
    has_log_prob = False

    def __init__(self, latent_dim: int, **kwargs: Any) -> None:
        super().__init__(latent_dim, **kwargs)
        self.mean_head = self.head("mean", latent_dim, "glorot_uniform")

    def call(self, features: Any) -> dict[str, Any]:
        mean = self.mean_head(features)
        return {"mean": mean, "log_variance": ops.full_like(mean, LOG_VARIANCE_RANGE[0])}

    def sample(self, parameters: dict[str, Any], noise: Any) -> Any:
        return parameters["mean"] + ops.zeros_like(noise)

    def sample_and_log_prob(self, parameters: dict[str, Any], noise: Any) -> tuple[Any, Any]:
        return self.sample(parameters, noise), ops.zeros_like(noise[..., 0])


@register("posterior", "iaf")
class InverseAutoregressivePosterior(Posterior):
    """A diagonal normal sent through inverse autoregressive flows (Kingma et al. 2016, eq. 10 to 12 and algorithm 1).

    z ← s ⊙ z + (1 − s) ⊙ m with gates s and shifts m from a masked network of z and the features (Germain et al.
    2015, MADE); the order of the dimensions is reversed between flows. Of a z that it has not drawn the density would
    need d passes, so that it is not given. "mean" and "log_variance" are those of the flow at its base's mean.

    Args:
        latent_dim: Number d of latent dimensions.
        num_flows: Number of flows.
        width: Hidden units of each masked network.
    """

    has_log_prob = False

    def __init__(
        self, latent_dim: int, num_flows: PositiveInt = 2, width: PositiveInt = 128, **kwargs: Any
    ) -> None:
        super().__init__(latent_dim, **kwargs)
        self.num_flows = num_flows
        self.width = width
        self.mean_head = self.head("base_mean", latent_dim, "glorot_uniform")
        self.log_variance_head = self.head("base_log_variance", latent_dim)
        self.context_head = self.head("context", width, "glorot_uniform")

    def build(self, features_shape: Any) -> None:
        super().build(features_shape)
        degrees = np.arange(self.width) % max(1, self.latent_dim - 1) + 1
        order = np.arange(1, self.latent_dim + 1)
        # A hidden unit of degree m sees dimensions up to m; output i sees units of degree below i.
        self.masks = (
            (degrees[None, :] >= order[:, None]).astype(np.float32),
            np.tile((order[None, :] > degrees[:, None]).astype(np.float32), 2),
        )
        scale = keras.initializers.GlorotUniform
        self.kernels = [
            (
                self.add_weight(
                    name=f"in_{i}", shape=(self.latent_dim, self.width), initializer=scale(seed=i)
                ),
                self.add_weight(
                    name=f"out_{i}", shape=(self.width, 2 * self.latent_dim), initializer="zeros"
                ),
                # Gates begin near 0.9: the flow begins close to the identity.
                self.add_weight(name=f"bias_{i}", shape=(2 * self.latent_dim,), initializer="zeros"),
            )
            for i in range(self.num_flows)
        ]

    def call(self, features: Any) -> dict[str, Any]:
        base = {
            "base_mean": self.mean_head(features),
            "base_log_variance": ops.clip(self.log_variance_head(features), *LOG_VARIANCE_RANGE),
            "context": ops.silu(self.context_head(features)),
        }
        mean, log_gates = self.flow(base, base["base_mean"][None])
        log_variance = base["base_log_variance"]
        if self.num_flows % 2:
            log_variance = ops.flip(log_variance, axis=-1)
        return {**base, "mean": mean[0], "log_variance": log_variance + 2.0 * log_gates[0]}

    def flow(self, parameters: dict[str, Any], z: Any) -> tuple[Any, Any]:
        """The flows' end [K, B, d] and the logarithms of the gates, summed over the flows [K, B, d]."""
        total = ops.zeros_like(z)
        for kernel_in, kernel_out, bias in self.kernels:
            z, total = ops.flip(z, axis=-1), ops.flip(total, axis=-1)
            hidden = ops.matmul(z, kernel_in * self.masks[0]) + parameters["context"]
            output = ops.matmul(ops.silu(hidden), kernel_out * self.masks[1]) + bias
            shift, gate = ops.split(output, 2, axis=-1)
            gate = ops.sigmoid(gate + math.log(9.0))
            z, total = gate * z + (1.0 - gate) * shift, total + ops.log(gate)
        return z, total

    def sample(self, parameters: dict[str, Any], noise: Any) -> Any:
        return self.sample_and_log_prob(parameters, noise)[0]

    def sample_and_log_prob(self, parameters: dict[str, Any], noise: Any) -> tuple[Any, Any]:
        base = Normal(parameters["base_mean"], parameters["base_log_variance"])
        start = base.sample(noise)
        z, log_gates = self.flow(parameters, start)
        return z, ops.sum(base.log_prob(start) - log_gates, axis=-1)
