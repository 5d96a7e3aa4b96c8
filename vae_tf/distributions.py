"""Factorised distributions as small value objects; every method is per element, in nats, in float32.

They are never returned from a Keras `call` (which must return tensors): parts make them from tensors on demand.
Summing over the axes of an event (pixels, latent dimensions) is left to the caller, who knows them.
"""

import dataclasses
import math
from typing import Any

from keras import ops

LOG_TWO_PI = math.log(2.0 * math.pi)


@dataclasses.dataclass(frozen=True)
class Normal:
    """N(mean, exp(log_variance)), element by element; the two broadcast against each other.

    Args:
        mean: Float tensor of any shape.
        log_variance: Natural logarithm of the variance (not of the standard deviation).
    """

    mean: Any
    log_variance: Any

    @property
    def standard_deviation(self) -> Any:
        return ops.exp(0.5 * self.log_variance)

    def log_prob(self, x: Any) -> Any:
        """log N(x; mean, variance) per element, in nats."""
        squared = ops.square(x - self.mean) * ops.exp(-self.log_variance)
        return -0.5 * (squared + self.log_variance + LOG_TWO_PI)

    def sample(self, noise: Any) -> Any:
        """mean + standard deviation · noise (the reparameterisation of Kingma & Welling 2014, section 2.4)."""
        return self.mean + self.standard_deviation * noise

    def kl(self, other: "Normal") -> Any:
        """KL(self ‖ other) per element, in nats (Kingma & Welling 2014, appendix B, for any diagonal `other`)."""
        difference = self.log_variance - other.log_variance
        scaled = ops.square(self.mean - other.mean) * ops.exp(-other.log_variance)
        return 0.5 * (ops.exp(difference) - 1.0 - difference + scaled)


@dataclasses.dataclass(frozen=True)
class Bernoulli:
    """A pixel is on with probability sigmoid(logits); grey values in [0, 1] count as expectations.

    Args:
        logits: Float tensor of any shape, log-odds.
    """

    logits: Any

    @property
    def mean(self) -> Any:
        return ops.sigmoid(self.logits)

    def log_prob(self, x: Any) -> Any:
        """x·log p + (1 − x)·log(1 − p) per element in nats, from the logits, so that it never overflows."""
        return x * self.logits - ops.softplus(self.logits)

    def sample(self, noise: Any) -> Any:
        """1 where `noise`, uniform in [0, 1), falls below the mean."""
        return ops.cast(noise < self.mean, "float32")

    def kl(self, other: "Bernoulli") -> Any:
        """KL(self ‖ other) per element, in nats."""
        p = self.mean
        log_on = ops.log_sigmoid(self.logits) - ops.log_sigmoid(other.logits)
        log_off = ops.log_sigmoid(-self.logits) - ops.log_sigmoid(-other.logits)
        return p * log_on + (1.0 - p) * log_off
