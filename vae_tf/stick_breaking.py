"""Distributions of the Beta-Bernoulli process: sticks (Beta, Kumaraswamy) and switches (relaxed, spike and slab).

As in `vae_tf.distributions` every method is per element, in nats, in float32.
"""

import dataclasses
import math
from typing import Any

import numpy as np
import tensorflow as tf
from keras import ops

from vae_tf.distributions import Bernoulli, Normal

EULER_GAMMA = float(np.euler_gamma)
# Terms of the series of E log(1 − x); what follows them is an integral.
NUM_TERMS = 100


@dataclasses.dataclass(frozen=True)
class Beta:
    """Beta(a, b) on (0, 1).

    Args:
        a, b: Positive float tensors that broadcast against each other.
    """

    a: Any
    b: Any

    @property
    def mean(self) -> Any:
        return self.a / (self.a + self.b)

    def log_prob(self, x: Any) -> Any:
        """log-density of x in (0, 1) per element, in nats."""
        return (self.a - 1.0) * ops.log(x) + (self.b - 1.0) * ops.log1p(-x) - log_beta(self.a, self.b)


@dataclasses.dataclass(frozen=True)
class Kumaraswamy:
    """The density a·b·x^(a−1)·(1 − x^a)^(b−1) on (0, 1): near to Beta(a, b), with an inverse CDF in closed form.

    (Kumaraswamy 1980; as a posterior of sticks Nalisnick & Smyth 2017.) With b = 1 it is Beta(a, 1).

    Args:
        a, b: Positive float tensors that broadcast against each other.
    """

    a: Any
    b: Any

    @property
    def mean(self) -> Any:
        return self.moment(1.0)

    @property
    def mean_log(self) -> Any:
        """E log x = −(ψ(b + 1) + γ) / a."""
        return -(tf.math.digamma(self.b + 1.0) + EULER_GAMMA) / self.a

    @property
    def mean_log_complement(self) -> Any:
        """E log(1 − x) = −Σ_m E[x^m] / m: its first 100 terms, and of the rest the integral from 100½ on.

        Far terms fall as (m + a·b/2)^(−b−1), from Stirling's series. The relative error is below 1e-3 for a ≤ 10, and
        grows with a; without the rest it would be about a^b·Γ(b)·100^(−b).
        """
        m = ops.reshape(ops.arange(1, NUM_TERMS + 1, dtype="float32"), (-1, *[1] * len(ops.shape(self.a))))
        edge = NUM_TERMS + 0.5
        return (
            -ops.sum(self.moment(m) / m, axis=0)
            - self.moment(edge) / edge * (edge + 0.5 * self.a * self.b) / self.b
        )

    def moment(self, order: Any) -> Any:
        """E x^order = b·B(1 + order/a, b)."""
        return ops.exp(ops.log(self.b) + log_beta(1.0 + order / self.a, self.b))

    def log_prob(self, x: Any) -> Any:
        """log-density of x in (0, 1) per element, in nats."""
        log_x = ops.log(x)
        density = ops.log(self.a * self.b) + (self.a - 1.0) * log_x
        return density + (self.b - 1.0) * log_one_minus_exp(self.a * log_x)

    def log_sample(self, noise: Any) -> Any:
        """Logarithm of `sample`, precise where the sample rounds to 1."""
        return log_one_minus_exp(ops.log1p(-noise) / self.b) / self.a

    def sample(self, noise: Any) -> Any:
        """The inverse CDF (1 − (1 − u)^(1/b))^(1/a) at `noise` u, uniform in (0, 1)."""
        return ops.exp(self.log_sample(noise))

    def kl(self, other: Beta) -> Any:
        """KL(self ‖ other) per element, in nats (Nalisnick & Smyth 2017, eq. 10).

        Exact where other.b = 1; else as exact as `mean_log_complement`.
        """
        entropy = ops.log(self.a * self.b) - (self.b - 1.0) / self.b
        at_zero = (self.a - other.a) * self.mean_log
        at_one = (other.b - 1.0) * self.mean_log_complement
        return entropy + at_zero + log_beta(other.a, other.b) - at_one


@dataclasses.dataclass(frozen=True)
class RelaxedBernoulli:
    """A Bernoulli's continuous stand-in on (0, 1), the binary concrete (Maddison et al. 2017; Jang et al. 2017).

    It lies above ½ as often as the Bernoulli is 1, at any temperature.

    Args:
        logits: Log-odds of 1.
        temperature: Towards 0 samples approach 0 and 1.
    """

    logits: Any
    temperature: float

    def cdf(self, x: Any) -> Any:
        return ops.sigmoid(self.temperature * (ops.log(x) - ops.log1p(-x)) - self.logits)

    def log_prob(self, x: Any) -> Any:
        """log-density of x in (0, 1) per element, in nats (Maddison et al. 2017, eq. 24)."""
        log_x, log_rest = ops.log(x), ops.log1p(-x)
        logistic = self.temperature * (log_x - log_rest) - self.logits
        return math.log(self.temperature) - logistic - 2.0 * ops.softplus(-logistic) - log_x - log_rest

    def sample(self, noise: Any) -> Any:
        """The inverse CDF at `noise`, uniform in (0, 1)."""
        return ops.sigmoid((self.logits + ops.log(noise) - ops.log1p(-noise)) / self.temperature)


@dataclasses.dataclass(frozen=True)
class SpikeAndSlab:
    """z = b·a, b ~ Bernoulli(sigmoid(logits)), a ~ slab (Mitchell & Beauchamp 1988).

    b can be read off z, as a = 0 has probability 0. Densities are with respect to length plus an atom at 0.

    Args:
        logits: Log-odds of b = 1.
        slab: Of z where b = 1.
    """

    logits: Any
    slab: Normal

    @property
    def on(self) -> Any:
        """P(b = 1)."""
        return ops.sigmoid(self.logits)

    @property
    def mean(self) -> Any:
        return self.on * self.slab.mean

    @property
    def log_variance(self) -> Any:
        within = ops.exp(self.slab.log_variance) + (1.0 - self.on) * ops.square(self.slab.mean)
        return ops.log_sigmoid(self.logits) + ops.log(within)

    def log_prob(self, z: Any) -> Any:
        """log P(z = 0) where z is 0, else log P(b = 1) + log slab(z); per element, in nats."""
        at_slab = ops.log_sigmoid(self.logits) + self.slab.log_prob(z)
        return ops.where(z == 0.0, ops.log_sigmoid(-self.logits), at_slab)

    def sample(self, slab_noise: Any, switch_noise: Any, temperature: float) -> Any:
        """z from standard normal `slab_noise` and uniform `switch_noise`.

        b is 0 or 1; its gradient is that of a relaxed Bernoulli of this temperature with the same noise (Jang et al.
        2017, section 2.2, the straight-through estimator): biased, the less the lower the temperature.
        """
        soft = RelaxedBernoulli(self.logits, temperature).sample(switch_noise)
        hard = ops.cast(soft > 0.5, "float32")
        # The bracket is exactly 0, so that what is off is exactly 0.
        switch = hard + (soft - ops.stop_gradient(soft))
        return switch * self.slab.sample(slab_noise)

    def kl(self, other: "SpikeAndSlab") -> Any:
        """KL(self ‖ other) per element, in nats: the slab counts as often as it is on."""
        return Bernoulli(self.logits).kl(Bernoulli(other.logits)) + self.on * self.slab.kl(other.slab)


def log_beta(a: Any, b: Any) -> Any:
    """log B(a, b) of positive tensors."""
    a, b = ops.convert_to_tensor(a), ops.convert_to_tensor(b)
    return tf.math.lgamma(a) + tf.math.lgamma(b) - tf.math.lgamma(a + b)


def log_one_minus_exp(x: Any) -> Any:
    """log(1 − exp x) of x < 0, precise at both ends (Mächler 2012); gradients are finite on both branches."""
    is_near = x > -math.log(2.0)
    near, far = ops.where(is_near, x, -1.0), ops.where(is_near, -1.0, x)
    return ops.where(is_near, ops.log(-ops.expm1(near)), ops.log1p(-ops.exp(far)))
