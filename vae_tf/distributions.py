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


@dataclasses.dataclass(frozen=True)
class MultivariateNormal:
    """N(mean, L Lᵀ) over the last axis; unlike the others its methods sum over that axis.

    Args:
        mean: [..., d].
        cholesky: Lower triangular L with a positive diagonal [..., d, d].
    """

    mean: Any
    cholesky: Any

    @property
    def log_determinant(self) -> Any:
        """log det of the covariance [...]."""
        return 2.0 * ops.sum(ops.log(ops.diagonal(self.cholesky, axis1=-2, axis2=-1)), axis=-1)

    @property
    def variance(self) -> Any:
        """Of each dimension by itself [..., d]."""
        return ops.sum(ops.square(self.cholesky), axis=-1)

    def whiten(self, x: Any) -> Any:
        """L⁻¹ x over the last axis [..., d]; the leading axes of L broadcast against those of x."""
        inverse = ops.linalg.solve_triangular(self.cholesky, identity_like(self.cholesky), lower=True)
        return ops.squeeze(ops.matmul(inverse, x[..., None]), axis=-1)

    def log_prob(self, x: Any) -> Any:
        """log N(x; mean, L Lᵀ) [...], in nats."""
        squared = ops.sum(ops.square(self.whiten(x - self.mean)), axis=-1)
        return -0.5 * (squared + self.log_determinant + x.shape[-1] * LOG_TWO_PI)

    def sample(self, noise: Any) -> Any:
        """mean + L · noise [..., d]."""
        return self.mean + ops.squeeze(ops.matmul(self.cholesky, noise[..., None]), axis=-1)

    def kl(self, other: "MultivariateNormal") -> Any:
        """KL(self ‖ other) [...]: ½ (tr Σ₁⁻¹Σ₀ + mᵀΣ₁⁻¹m − d + log det Σ₁ − log det Σ₀), in nats."""
        inverse = ops.linalg.solve_triangular(other.cholesky, identity_like(other.cholesky), lower=True)
        ratio, shift = ops.matmul(inverse, self.cholesky), other.whiten(other.mean - self.mean)
        trace = ops.sum(ops.square(ratio), axis=(-2, -1))
        log_ratio = other.log_determinant - self.log_determinant
        return 0.5 * (trace + ops.sum(ops.square(shift), axis=-1) - self.mean.shape[-1] + log_ratio)


def standard_normal_cdf(x: Any) -> Any:
    """Φ(x): makes uniform noise of standard normal noise."""
    return 0.5 * (1.0 + ops.erf(x / math.sqrt(2.0)))


def identity_like(matrix: Any) -> Any:
    return ops.eye(matrix.shape[-1], dtype=matrix.dtype) + ops.zeros_like(matrix)


def multivariate(normal: Normal) -> MultivariateNormal:
    """A factorised normal over the last axis as one that is not bound to be."""
    deviation = normal.standard_deviation
    return MultivariateNormal(normal.mean, deviation[..., None] * ops.eye(deviation.shape[-1]))


@dataclasses.dataclass(frozen=True)
class ContinuousBernoulli:
    """The density on [0, 1] proportional to λˣ (1 − λ)¹⁻ˣ, with λ = sigmoid(logits) (Loaiza-Ganem & Cunningham 2019).

    In the logits η it is exp(η·x − A(η)) with A(η) = log((e^η − 1)/η), which needs no λ and hence never rounds to
    0 or 1.

    Args:
        logits: Float tensor of any shape; 0 is the uniform density.
    """

    logits: Any

    @property
    def log_partition(self) -> Any:
        """A(η) = η/2 + log(sinh(u)/u), u = η/2, by its Taylor series where |u| < ½ (relative error below 1e-7)."""
        u = 0.5 * self.logits
        square = ops.square(ops.clip(u, -0.5, 0.5))
        series = square * (1 / 6 - square * (1 / 180 - square * (1 / 2835 - square / 37800)))
        far = ops.maximum(ops.abs(u), 0.5)
        closed = far + ops.log1p(-ops.exp(-2.0 * far)) - ops.log(2.0 * far)
        return u + ops.where(ops.abs(u) < 0.5, series, closed)

    @property
    def mean(self) -> Any:
        """A′(η) = ½ + ½ (coth u − 1/u), u = η/2, by its Taylor series where |u| < ½."""
        u = 0.5 * self.logits
        is_near = ops.abs(u) < 0.5
        near, far = ops.clip(u, -0.5, 0.5), ops.where(is_near, 0.5, u)
        square = ops.square(near)
        series = near * (1 / 3 - square * (1 / 45 - square * (2 / 945 - square / 4725)))
        return 0.5 + 0.5 * ops.where(is_near, series, 1.0 / ops.tanh(far) - 1.0 / far)

    def log_prob(self, x: Any) -> Any:
        """log-density of x in [0, 1] per element, in nats."""
        return x * self.logits - self.log_partition

    def sample(self, noise: Any) -> Any:
        """The inverse of the distribution function at `noise`, uniform in [0, 1)."""
        u = ops.maximum(ops.abs(self.logits), 1e-6)
        # Under −|η|, where nothing overflows; a rising density is the mirror of a falling one.
        is_rising = self.logits > 0.0
        x = -ops.log1p(ops.where(is_rising, 1.0 - noise, noise) * ops.expm1(-u)) / u
        return ops.clip(ops.where(is_rising, 1.0 - x, x), 0.0, 1.0)

    def kl(self, other: "ContinuousBernoulli") -> Any:
        """KL(self ‖ other) per element, in nats: (η − η′)·E[x] − A(η) + A(η′)."""
        difference = (self.logits - other.logits) * self.mean
        return difference - self.log_partition + other.log_partition


@dataclasses.dataclass(frozen=True)
class DiscretisedLogistic:
    """Masses of the 256 grey levels 0, 1/255, …, 1: a logistic's between the middles of neighbouring levels.

    Black and white take the tails (Kingma et al. 2016, "Improved variational inference with inverse autoregressive
    flow", appendix; with these bins Salimans et al. 2017, "PixelCNN++", section 2.1, one component). For levels
    between, with a and b the standardised upper and lower edge, σ(a) − σ(b) = σ(a)·σ(−b)·(1 − exp(b − a)): a product,
    so that nothing cancels in the tails.

    Args:
        location: The logistic's mean, in units of the pixel range [0, 1].
        scale: Its scale s > 0 in the same units (standard deviation s·π/√3).
    """

    location: Any
    scale: Any

    @property
    def mean(self) -> Any:
        """The mean grey level, in [0, 1], as ∫₀¹ σ((location − t)/s) dt, which is closed.

        Exactly it is the midpoint sum of that integral at the 255 edges: within 1e-4 from s = 1/255 up, within half a
        level (0.002) for any s.
        """
        low = ops.softplus((self.location - 1.0) / self.scale)
        return ops.clip(self.scale * (ops.softplus(self.location / self.scale) - low), 0.0, 1.0)

    def log_prob(self, x: Any) -> Any:
        """log-mass of the grey level nearest to x in [0, 1], per element, in nats: at most 0."""
        level = ops.round(255.0 * x)
        upper = ((level + 0.5) / 255.0 - self.location) / self.scale
        lower = ((level - 0.5) / 255.0 - self.location) / self.scale
        below, above = ops.log_sigmoid(upper), ops.log_sigmoid(-lower)
        between = below + above + ops.log(-ops.expm1(-1.0 / (255.0 * self.scale)))
        return ops.where(level < 0.5, below, ops.where(level > 254.5, above, between))

    def sample(self, noise: Any) -> Any:
        """Grey levels in [0, 1] from `noise`, uniform in [0, 1)."""
        logistic = self.location + self.scale * (ops.log(noise) - ops.log1p(-noise))
        return ops.clip(ops.round(255.0 * logistic), 0.0, 255.0) / 255.0


@dataclasses.dataclass(frozen=True)
class Categorical:
    """One of V choices with probabilities softmax(logits); unlike the others here it takes the last axis as one.

    Args:
        logits: Float tensor [..., V], unnormalised log-probabilities.
    """

    logits: Any

    @property
    def mean(self) -> Any:
        """The probability of each choice [..., V]."""
        return ops.softmax(self.logits, axis=-1)

    def log_prob(self, x: Any) -> Any:
        """log p(x) [...] of choices x [...], integers from 0 to V − 1, in nats."""
        return -ops.sparse_categorical_crossentropy(ops.cast(x, "int32"), self.logits, from_logits=True)

    def sample(self, noise: Any) -> Any:
        """Choices [...] from uniform noise [...], by the inverse of the distribution function."""
        ends = ops.cumsum(self.mean, axis=-1)[..., :-1]
        return ops.sum(ops.cast(noise[..., None] >= ends, "int32"), axis=-1)
