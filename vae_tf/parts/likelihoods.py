"""Likelihoods p(x | z): they own the output activation and the variance, so `mean` is the picture everywhere."""

import math
from typing import Any

from keras import ops

from vae_tf.distributions import Bernoulli, Normal
from vae_tf.errors import UserError
from vae_tf.parts.base import Part, register

PIXEL_AXES = (-3, -2, -1)


class Likelihood(Part):
    """A distribution over pictures x in [0, 1], given the decoder's output [..., H, W, C] in float32.

    `call` takes that output and returns the mean picture, in [0, 1].
    """

    def distribution(self, output: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define distribution(output).")

    def build(self, output_shape: Any = None) -> None:
        self.built = True

    def call(self, output: Any) -> Any:
        return self.mean(output)

    def mean(self, output: Any) -> Any:
        """E[x | z], the picture, in [0, 1], of the output's shape."""
        return self.distribution(output).mean

    def log_prob(self, output: Any, x: Any) -> Any:
        """log p(x | z), summed over pixels and channels, in nats: [...] for output and x [..., H, W, C]."""
        return ops.sum(self.distribution(output).log_prob(x), axis=PIXEL_AXES)


@register("likelihood", "gaussian")
class GaussianLikelihood(Likelihood):
    """p(x | z) = N(mean(z), σ² I) with its normaliser kept, so that the loss is an ELBO in nats.

    A learned σ makes the weight of the KL follow the data (Rybkin et al. 2021, "Simple and effective VAE
    training with calibrated decoders"); its floor keeps tiny sets from being memorised.

    Args:
        scale: "learned" for one scalar σ, or a fixed σ > 0 in units of the pixel range [0, 1].
        floor: Smallest σ that learning may reach (0.01 is 2.5 of 255 grey levels).
        initial: The learned σ before the first step.
        activation: "sigmoid" or "linear" mean.
    """

    def __init__(
        self,
        scale: str | float = "learned",
        floor: float = 0.01,
        initial: float = 0.2,
        activation: str = "sigmoid",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if scale != "learned" and not (isinstance(scale, int | float) and scale > 0):
            raise UserError(
                f"likelihood.scale is {scale!r}.", 'Give "learned", or a standard deviation above 0.'
            )
        if activation not in ("sigmoid", "linear"):
            raise UserError(f"likelihood.activation is {activation!r}.", "Choose one of: sigmoid, linear.")
        if not 0 < floor < initial:
            raise UserError(f"likelihood.floor {floor} and initial {initial}: expected 0 < floor < initial.")
        self.scale = scale
        self.floor = floor
        self.initial = initial
        self.activation = activation

    def build(self, output_shape: Any = None) -> None:
        if self.scale == "learned":
            raw = math.log(math.expm1(self.initial - self.floor))
            self.raw_scale = self.add_weight(
                name="raw_scale", shape=(), initializer=lambda shape, dtype=None: ops.full(shape, raw, dtype)
            )
        self.built = True

    @property
    def standard_deviation(self) -> Any:
        """σ as a scalar, in units of the pixel range [0, 1]."""
        if self.scale == "learned":
            return self.floor + ops.softplus(ops.cast(self.raw_scale, "float32"))
        return ops.convert_to_tensor(float(self.scale), dtype="float32")

    def distribution(self, output: Any) -> Normal:
        mean = ops.sigmoid(output) if self.activation == "sigmoid" else output
        return Normal(mean, 2.0 * ops.log(self.standard_deviation))

    def mean(self, output: Any) -> Any:
        return ops.clip(self.distribution(output).mean, 0.0, 1.0)


@register("likelihood", "bernoulli")
class BernoulliLikelihood(Likelihood):
    """Each pixel is on with probability sigmoid(output) (Kingma & Welling 2014, appendix C.1).

    Right for black-and-white pictures; for grey ones it is no density, and its "nats" compare only with itself.
    """

    def distribution(self, output: Any) -> Bernoulli:
        return Bernoulli(output)
