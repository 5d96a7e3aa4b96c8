"""The Beta-Bernoulli process (the finite Indian buffet process): features of which each picture has a few.

    ν_k ~ Beta(α, 1)    π_k = ν_1 ⋯ ν_k    b_k ~ Bernoulli(π_k)    a_k ~ N(0, 1)    z = b ⊙ a

(Teh, Görür & Ghahramani 2007, stick-breaking; Singh, Ling & Doshi-Velez 2017, the autoencoder with q(b, a | x) per
picture and q(ν) for all). Every z that leaves these parts is one of this discrete model, with features exactly off;
only gradients know of a relaxation. So every bound is one on the model's own log p(x), and none of a relaxed one's.
"""

from typing import Any, ClassVar

import numpy as np
from keras import ops

from vae_tf import random
from vae_tf.distributions import Normal, standard_normal_cdf
from vae_tf.errors import UserError
from vae_tf.parts.base import register
from vae_tf.parts.posteriors import LOG_VARIANCE_RANGE, Posterior
from vae_tf.parts.priors import Prior
from vae_tf.stick_breaking import Beta, Kumaraswamy, SpikeAndSlab, log_one_minus_exp

# Beyond these log-odds the noise, made of float32 normals, would know no difference.
LARGEST_LOGIT = 9.0
SMALLEST_UNIFORM = 1e-6
# Fixed draws of the sticks for the one expectation over them that has no closed form.
NUM_STICK_DRAWS = 128
# Sticks must travel orders of magnitude in one training: a step of theirs counts this many of any other weight.
STICK_PACE = 10.0


@register("posterior", "beta_bernoulli")
class BetaBernoulliPosterior(Posterior):
    """q(z_k | x) = (1 − p_k)·δ_0 + p_k·N(m_k, s_k²): feature k is on with probability p_k(x), and then normal.

    "mean" p·m and "log_variance" are the exact moments of z; adds "on" p, "logits", "slab_mean" m and
    "slab_log_variance". Gradients of the switches are those of binary concrete ones (`SpikeAndSlab.sample`).

    Args:
        latent_dim: Number d of features at most: the truncation of the process.
        temperature: Of the relaxation that gradients take.
    """

    is_factorised = True
    has_switches = True
    kept: ClassVar[dict[str, str]] = {"on": "probability that the feature is on"}

    def __init__(self, latent_dim: int, temperature: float = 0.5, **kwargs: Any) -> None:
        super().__init__(latent_dim, **kwargs)
        if temperature <= 0:
            raise UserError(f"posterior.temperature is {temperature}.", "Give a number above 0, such as 0.5.")
        self.temperature = temperature
        self.mean_head = self.head("mean", latent_dim, "glorot_uniform")
        self.log_variance_head = self.head("log_variance", latent_dim)
        self.logit_head = self.head("logit", latent_dim)

    def call(self, features: Any) -> dict[str, Any]:
        parameters = {
            "logits": ops.clip(self.logit_head(features), -LARGEST_LOGIT, LARGEST_LOGIT),
            "slab_mean": self.mean_head(features),
            "slab_log_variance": ops.clip(self.log_variance_head(features), *LOG_VARIANCE_RANGE),
        }
        q = self.distribution(parameters)
        return {"mean": q.mean, "log_variance": q.log_variance, "on": q.on, **parameters}

    def distribution(self, parameters: dict[str, Any]) -> SpikeAndSlab:
        slab = Normal(parameters["slab_mean"], parameters["slab_log_variance"])
        return SpikeAndSlab(parameters["logits"], slab)

    def noise_shape(self, num_samples: int, batch_size: Any) -> tuple[Any, ...]:
        """[K, B, 2·d]: the second half is for the switches."""
        return (num_samples, batch_size, 2 * self.latent_dim)

    def sample(self, parameters: dict[str, Any], noise: Any) -> Any:
        slab_noise, switch_noise = halves(noise)
        return self.distribution(parameters).sample(slab_noise, switch_noise, self.temperature)

    def log_prob(self, parameters: dict[str, Any], z: Any) -> Any:
        return ops.sum(self.distribution(parameters).log_prob(z), axis=-1)


@register("prior", "beta_bernoulli")
class BetaBernoulliPrior(Prior):
    """p(z | ν) with a posterior q(ν_k) = Kumaraswamy(a_k, b_k) of the sticks, learned; it begins at p(ν) = Beta(α, 1).

    log p(z) stands for E_q log p(z | ν) − KL(q(ν) ‖ p(ν)) / N, each of N pictures paying its share. It lies below
    log p(z | E ν), which `sample` draws from, so that all that is built on it stays a lower bound.

    Args:
        latent_dim: Number d of features at most.
        alpha: α > 0; a priori a picture has Σ_k (α / (1 + α))^k features on, about α where d is large.
        num_examples: Number N of training pictures; training sets it where it is None.
    """

    has_switches = True

    def __init__(
        self, latent_dim: int, alpha: float = 5.0, num_examples: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(latent_dim, **kwargs)
        if alpha <= 0:
            raise UserError(f"prior.alpha is {alpha}.", "Give the number of features expected per picture.")
        self.alpha = alpha
        self.num_examples = num_examples

    def build(self, z_shape: Any = None) -> None:
        shape = (self.latent_dim,)
        self.raw_a = self.add_weight(name="raw_a", shape=shape, initializer="zeros")
        self.raw_b = self.add_weight(name="raw_b", shape=shape, initializer="zeros")
        draws = np.tile(np.arange(NUM_STICK_DRAWS), (self.latent_dim, 1))
        shuffled = random.generator(0, "sticks").permuted(draws, axis=1).T
        self.stick_noise = ((shuffled + 0.5) / NUM_STICK_DRAWS).astype(np.float32)
        self.built = True

    @property
    def sticks(self) -> Kumaraswamy:
        """q(ν) of each stick [d]."""
        a, b = (ops.exp(ops.clip(STICK_PACE * raw, -9.0, 9.0)) for raw in (self.raw_a, self.raw_b))
        return Kumaraswamy(self.alpha * a, b)

    @property
    def feature_probabilities(self) -> Any:
        """E π_k [d] under q(ν): how often a picture has each feature; falls with k."""
        return ops.exp(ops.cumsum(ops.log(self.sticks.mean)))

    def mean_log_switches(self) -> tuple[Any, Any]:
        """E log π_k and E log(1 − π_k) [d] under q(ν); the second from 128 fixed draws, a Latin hypercube."""
        sticks = self.sticks
        log_draws = ops.cumsum(sticks.log_sample(self.stick_noise), axis=-1)
        # Rounded to 1 a product of sticks would say that no picture can lack the feature.
        log_off = ops.mean(log_one_minus_exp(ops.minimum(log_draws, -1e-7)), axis=0)
        return ops.cumsum(sticks.mean_log), log_off

    def share_of_sticks(self) -> Any:
        """KL(q(ν_k) ‖ p(ν_k)) / N [d], nats per picture."""
        if self.num_examples is None:
            raise UserError(
                "prior beta_bernoulli does not know the number of training pictures.",
                "Give prior.num_examples.",
            )
        prior = Beta(ops.full((self.latent_dim,), self.alpha), ops.ones((self.latent_dim,)))
        return self.sticks.kl(prior) / float(self.num_examples)

    def log_prob(self, z: Any, context: Any = None) -> Any:
        z = ops.cast(z, "float32")
        log_on, log_off = self.mean_log_switches()
        per_feature = ops.where(z == 0.0, log_off, log_on + STANDARD.log_prob(z))
        return ops.sum(per_feature - self.share_of_sticks(), axis=-1)

    def noise_shape(self, num: int) -> tuple[int, ...]:
        return (num, 2 * self.latent_dim)

    def sample(self, noise: Any, context: Any = None) -> Any:
        slab_noise, switch_noise = halves(noise)
        return slab_noise * ops.cast(switch_noise < self.feature_probabilities, "float32")

    def kl_per_dimension(self, posterior: Any) -> Any:
        """E_ν KL(q(z_k | x) ‖ p(z_k | ν)) + KL(q(ν_k) ‖ p(ν_k)) / N [B, d], the discrete switches' own KL."""
        if not isinstance(posterior, SpikeAndSlab):
            return None
        log_on, log_off = self.mean_log_switches()
        on, logits = posterior.on, posterior.logits
        switches = on * (ops.log_sigmoid(logits) - log_on) + (1.0 - on) * (ops.log_sigmoid(-logits) - log_off)
        return switches + on * posterior.slab.kl(STANDARD) + self.share_of_sticks()


STANDARD = Normal(np.float32(0.0), np.float32(0.0))


def halves(noise: Any) -> tuple[Any, Any]:
    """Standard normal noise [..., 2·d] as d columns of it and d that are uniform in (0, 1)."""
    slab_noise, rest = ops.split(noise, 2, axis=-1)
    return slab_noise, ops.clip(standard_normal_cdf(rest), SMALLEST_UNIFORM, 1.0 - SMALLEST_UNIFORM)
