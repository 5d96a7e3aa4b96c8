"""Priors p(z) over the latent space."""

from typing import Any

import keras
import numpy as np
from keras import ops
from pydantic import PositiveInt

from vae_tf.distributions import MultivariateNormal, Normal, multivariate, standard_normal_cdf
from vae_tf.errors import UserError
from vae_tf.parts.base import Part, register


class Prior(Part):
    """What the model asks of every prior. `call` takes z [..., d] and returns log p(z) [...] in nats.

    `context` is what `components` made of the model's encoder, for priors that are made of it; None for the others.

    Attributes:
        has_closed_form: Whether KL(q ‖ p) is known for a normal q, in total and per dimension.
        num_inputs: Pictures that the prior keeps for the encoder; 0 for most.
        has_switches: Whether dimensions may be exactly 0, switched off.
    """

    has_closed_form = True
    num_inputs = 0
    has_switches = False

    def __init__(self, latent_dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.latent_dim = latent_dim

    def build(self, z_shape: Any = None) -> None:
        self.built = True

    def call(self, z: Any) -> Any:
        return self.log_prob(z)

    def refuses(self, posterior: Any) -> str | None:
        """Why it cannot go with a posterior and what would, in one sentence; None if it can."""
        if self.has_switches == getattr(posterior, "has_switches", False):
            return None
        return (
            "posterior beta_bernoulli and prior beta_bernoulli go with each other only, since KL(q ‖ p) is infinite, "
            "or no feature ever off, where one alone can be off: choose both, --recipe beta-bernoulli."
        )

    def log_prob(self, z: Any, context: Any = None) -> Any:
        """log p(z) [...] of z [..., d], in nats."""
        raise NotImplementedError(f"{type(self).__name__} must define log_prob(z, context).")

    def noise_shape(self, num: int) -> tuple[int, ...]:
        """Shape of the standard normal noise that `sample` takes."""
        return (num, self.latent_dim)

    def sample(self, noise: Any, context: Any = None) -> Any:
        """z [N, d] from standard normal noise of `noise_shape(N)`."""
        raise NotImplementedError(f"{type(self).__name__} must define sample(noise, context).")

    def kl_per_dimension(self, posterior: Any) -> Any:
        """KL(q(z_i | x) ‖ p(z_i)) [B, d] in closed form, or None where there is none."""
        return None

    def kl(self, posterior: Any) -> Any:
        """KL(q(z | x) ‖ p(z)) [B] in closed form, or None where there is none."""
        per_dimension = self.kl_per_dimension(posterior)
        return None if per_dimension is None else ops.sum(per_dimension, axis=-1)


def dimension_kl(prior: Prior, posterior: Any, parameters: dict[str, Any]) -> Any:
    """KL(q(z_i | x) ‖ p(z_i)) [B, d] of a posterior's parameters, in nats.

    Against N(0, 1) where the prior does not factorise or the posterior has no closed form.
    """
    kl = prior.kl_per_dimension(posterior.distribution(parameters))
    if kl is not None:
        return kl
    return Normal(parameters["mean"], parameters["log_variance"]).kl(Normal(np.float32(0.0), np.float32(0.0)))


@register("prior", "standard_normal")
class StandardNormalPrior(Prior):
    """p(z) = N(0, I).

    Args:
        latent_dim: Number d of latent dimensions.
    """

    def distribution(self) -> Normal:
        zeros = ops.zeros((self.latent_dim,), dtype="float32")
        return Normal(zeros, zeros)

    def log_prob(self, z: Any, context: Any = None) -> Any:
        return ops.sum(self.distribution().log_prob(ops.cast(z, "float32")), axis=-1)

    def sample(self, noise: Any, context: Any = None) -> Any:
        return self.distribution().sample(noise)

    def kl_per_dimension(self, posterior: Any) -> Any:
        return posterior.kl(self.distribution()) if isinstance(posterior, Normal) else None

    def kl(self, posterior: Any) -> Any:
        if isinstance(posterior, MultivariateNormal):
            return posterior.kl(multivariate(self.distribution()))
        return super().kl(posterior)


@register("prior", "normal")
class NormalPrior(Prior):
    """p(z) = N(mean, L Lᵀ), learned; it begins at N(0, I). The KL is the general closed form of two normals.

    Args:
        latent_dim: Number d of latent dimensions.
        mean: A fixed mean of d numbers; learned where None.
        covariance: A fixed covariance, d rows of d numbers; learned where None.
    """

    def __init__(self, latent_dim: int, mean: Any = None, covariance: Any = None, **kwargs: Any) -> None:
        super().__init__(latent_dim, **kwargs)
        if mean is not None and np.shape(mean) != (latent_dim,):
            raise UserError(f"prior.mean has shape {np.shape(mean)}.", f"Give {latent_dim} numbers.")
        if covariance is not None and np.shape(covariance) != (latent_dim, latent_dim):
            raise UserError(
                f"prior.covariance has shape {np.shape(covariance)}.",
                f"Give {latent_dim} rows of {latent_dim}.",
            )
        self.mean = mean
        self.covariance = covariance

    def build(self, z_shape: Any = None) -> None:
        d = self.latent_dim
        if self.mean is None:
            self.learned_mean = self.add_weight(name="mean", shape=(d,), initializer="zeros")
        if self.covariance is None:
            self.raw_cholesky = self.add_weight(name="raw_cholesky", shape=(d, d), initializer="zeros")
        else:
            try:
                self.fixed_cholesky = np.linalg.cholesky(np.asarray(self.covariance, np.float64)).astype(
                    np.float32
                )
            except np.linalg.LinAlgError:
                raise UserError(
                    "prior.covariance is not positive definite.", "Give a covariance matrix."
                ) from None
        self.built = True

    def distribution(self) -> MultivariateNormal:
        mean = self.learned_mean if self.mean is None else ops.convert_to_tensor(self.mean, "float32")
        if self.covariance is not None:
            return MultivariateNormal(ops.cast(mean, "float32"), ops.convert_to_tensor(self.fixed_cholesky))
        raw = ops.cast(self.raw_cholesky, "float32")
        diagonal = ops.exp(ops.diagonal(raw)) * ops.eye(self.latent_dim)
        return MultivariateNormal(ops.cast(mean, "float32"), ops.tril(raw, k=-1) + diagonal)

    def log_prob(self, z: Any, context: Any = None) -> Any:
        return self.distribution().log_prob(ops.cast(z, "float32"))

    def sample(self, noise: Any, context: Any = None) -> Any:
        return self.distribution().sample(noise)

    has_closed_form = False  # in total, but not per dimension

    def kl(self, posterior: Any) -> Any:
        if isinstance(posterior, Normal):
            posterior = multivariate(posterior)
        return posterior.kl(self.distribution()) if isinstance(posterior, MultivariateNormal) else None


class MixturePrior(Prior):
    """p(z) = Σ_k w_k N(mean_k, diag(variance_k)); a subclass says which components."""

    has_closed_form = False

    def components(self, context: Any) -> tuple[Any, Normal]:
        """Logarithms of the weights [K] and the components [K, d]."""
        raise NotImplementedError(f"{type(self).__name__} must define components(context).")

    def log_prob(self, z: Any, context: Any = None) -> Any:
        log_weights, normals = self.components(context)
        densities = ops.sum(normals.log_prob(ops.cast(z, "float32")[..., None, :]), axis=-1)
        return ops.logsumexp(densities + log_weights, axis=-1)

    def noise_shape(self, num: int) -> tuple[int, ...]:
        # The last column chooses the component.
        return (num, self.latent_dim + 1)

    def sample(self, noise: Any, context: Any = None) -> Any:
        log_weights, normals = self.components(context)
        uniform = standard_normal_cdf(noise[:, -1])
        ends = ops.cumsum(ops.exp(log_weights))
        chosen = ops.sum(ops.cast(uniform[:, None] > ends[None, :-1], "int32"), axis=-1)
        picked = Normal(
            ops.take(normals.mean, chosen, axis=0), ops.take(normals.log_variance, chosen, axis=0)
        )
        return picked.sample(noise[:, :-1])


@register("prior", "mixture")
class GaussianMixturePrior(MixturePrior):
    """A learned mixture of diagonal normals (Dilokthanakul et al. 2016); the means begin apart, the weights equal.

    Args:
        latent_dim: Number d of latent dimensions.
        num_components: Number of components.
    """

    def __init__(self, latent_dim: int, num_components: PositiveInt = 10, **kwargs: Any) -> None:
        super().__init__(latent_dim, **kwargs)
        self.num_components = num_components

    def build(self, z_shape: Any = None) -> None:
        shape = (self.num_components, self.latent_dim)
        self.means = self.add_weight(
            name="means", shape=shape, initializer=keras.initializers.RandomNormal(stddev=1.0, seed=0)
        )
        self.log_variances = self.add_weight(name="log_variances", shape=shape, initializer="zeros")
        self.logits = self.add_weight(name="logits", shape=shape[:1], initializer="zeros")
        self.built = True

    def components(self, context: Any) -> tuple[Any, Normal]:
        logits = ops.cast(self.logits, "float32")
        log_variances = ops.clip(ops.cast(self.log_variances, "float32"), -10.0, 6.0)
        return ops.log_softmax(logits), Normal(ops.cast(self.means, "float32"), log_variances)


@register("prior", "vamp")
class VampPrior(MixturePrior):
    """The mean of the posteriors of learned pseudo-inputs (Tomczak & Welling 2018, eq. 9).

    Args:
        latent_dim: Number d of latent dimensions.
        image_shape: (H, W, C) of the pictures.
        num_inputs: Number of pseudo-inputs; they begin as noise around mid-grey.
    """

    def __init__(
        self, latent_dim: int, image_shape: Any = (), num_inputs: PositiveInt = 50, **kwargs: Any
    ) -> None:
        super().__init__(latent_dim, **kwargs)
        self.image_shape = tuple(image_shape)
        self.num_inputs = num_inputs

    def build(self, z_shape: Any = None) -> None:
        noise = keras.initializers.RandomNormal(stddev=0.5, seed=0)
        shape = (self.num_inputs, *self.image_shape)
        self.raw_inputs = self.add_weight(name="raw_inputs", shape=shape, initializer=noise)
        self.built = True

    @property
    def pictures(self) -> Any:
        """The pseudo-inputs [num_inputs, H, W, C], in [0, 1]."""
        return ops.sigmoid(ops.cast(self.raw_inputs, "float32"))

    def components(self, context: Any) -> tuple[Any, Normal]:
        if context is None:
            raise UserError("A VampPrior needs the model's encoder.", "Ask the model: model.log_prior(z).")
        weights = ops.zeros((self.num_inputs,)) - float(np.log(self.num_inputs))
        return weights, Normal(context["mean"], context["log_variance"])
