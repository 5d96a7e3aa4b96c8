"""Likelihoods p(x | z): they own the output activation and the variance, so `mean` is the picture everywhere."""

import math
from typing import Any

import numpy as np
from keras import ops

from vae_tf.distributions import Bernoulli, Categorical, ContinuousBernoulli, DiscretisedLogistic, Normal
from vae_tf.errors import UserError
from vae_tf.parts.base import Part, register
from vae_tf.pixels import WHITE
from vae_tf.vocabulary import PAD

PIXEL_AXES = (-3, -2, -1)
SCALES = ("learned", "pixel", "output")
# A few stray pixels do not make a black-and-white data set grey.
TOLERATED_SHARE = 0.05


class Likelihood(Part):
    """A distribution over pictures x in [0, 1], given the decoder's output [..., H, W, outputs_per_channel·C].

    `call` takes that output and returns the mean picture [..., H, W, C], in [0, 1], in float32.

    Attributes:
        outputs_per_channel: How many numbers the decoder gives for each pixel and channel.
        is_density: Whether `log_prob` is the logarithm of a density over x in [0, 1], else of a mass.
        unit: What `log_prob` counts, for pages; only ELBOs of the same unit may be compared.
        noise: Which noise `sample` takes, a function of `vae_tf.random`: "normal" or "uniform".
    """

    is_density: bool
    unit: str
    noise: str = "uniform"

    def __init__(self, **kwargs: Any) -> None:
        # No autocasting: under mixed precision the output, which is float32, would lose its grey levels.
        super().__init__(autocast=False, **kwargs)

    @property
    def outputs_per_channel(self) -> int:
        return 1

    def distribution(self, output: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define distribution(output).")

    def build(self, output_shape: Any = None) -> None:
        self.built = True

    def call(self, output: Any) -> Any:
        return self.mean(output)

    def mean(self, output: Any) -> Any:
        """E[x | z], the picture [..., H, W, C], in [0, 1]."""
        return self.distribution(ops.cast(output, "float32")).mean

    def log_prob(self, output: Any, x: Any) -> Any:
        """log p(x | z), summed over pixels and channels, in nats: [...] for x [..., H, W, C]."""
        return ops.sum(self.distribution(ops.cast(output, "float32")).log_prob(x), axis=PIXEL_AXES)

    def sample(self, output: Any, noise: Any) -> Any:
        """x ~ p(x | z) [..., H, W, C] from noise of that shape and of the kind `self.noise`.

        A Gaussian's tails may leave [0, 1]; they are not cut.
        """
        return self.distribution(ops.cast(output, "float32")).sample(noise)

    def warning_for(self, pixels: Any) -> str | None:
        """What a user should know who gives stored `pixels` (uint8, uint16 or floats in [0, 1]) to this likelihood."""
        return None


class ScaledLikelihood(Likelihood):
    """What Gaussian and logistic share: the decoder gives the location, and σ is learned, fixed or given with it.

    A learned σ makes the weight of the KL follow the data (Rybkin et al. 2021, "Simple and effective VAE
    training with calibrated decoders"); its floor keeps tiny sets from being memorised.

    Args:
        scale: The standard deviation σ in units of the pixel range [0, 1]: a fixed number above 0; "learned", one σ;
            "pixel", one learned σ for each pixel and channel, the same for all pictures; "output", the decoder
            gives a σ with each mean, as floor + softplus, so that its output has 2·C channels: locations, then σ.
        floor: Smallest σ that learning may reach (0.01 is 2.5 of 255 grey levels).
        initial: σ before the first step; for "output" where the decoder gives 0.
        activation: "sigmoid" or "linear" location.
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
        if scale not in SCALES and not (isinstance(scale, int | float) and scale > 0):
            raise UserError(
                f"likelihood.scale is {scale!r}.",
                f"Give one of {', '.join(SCALES)}, or a standard deviation above 0.",
            )
        if activation not in ("sigmoid", "linear"):
            raise UserError(f"likelihood.activation is {activation!r}.", "Choose one of: sigmoid, linear.")
        if not 0 < floor < initial:
            raise UserError(f"likelihood.floor {floor} and initial {initial}: expected 0 < floor < initial.")
        self.scale = scale
        self.floor = floor
        self.initial = initial
        self.activation = activation

    @property
    def outputs_per_channel(self) -> int:
        return 2 if self.scale == "output" else 1

    @property
    def _raw_initial(self) -> float:
        """Where floor + softplus(raw) is `initial`."""
        return math.log(math.expm1(self.initial - self.floor))

    def build(self, output_shape: Any = None) -> None:
        if self.scale in ("learned", "pixel"):
            self.raw_scale = self.add_weight(
                name="raw_scale",
                shape=() if self.scale == "learned" else tuple(output_shape[-3:]),
                initializer=lambda shape, dtype=None: ops.full(shape, self._raw_initial, dtype),
                autocast=False,
            )
        self.built = True

    def location_and_deviation(self, output: Any) -> tuple[Any, Any]:
        """Location [..., H, W, C] and σ, which broadcasts against it, in units of the pixel range [0, 1]."""
        if self.scale == "output":
            output, raw = ops.split(output, 2, axis=-1)
            deviation = self.floor + ops.softplus(raw + self._raw_initial)
        elif self.scale in SCALES:
            deviation = self.floor + ops.softplus(self.raw_scale)
        else:
            deviation = ops.convert_to_tensor(float(self.scale), dtype="float32")
        return (ops.sigmoid(output) if self.activation == "sigmoid" else output), deviation

    @property
    def standard_deviation(self) -> Any:
        """σ as a scalar, in units of the pixel range [0, 1]; for "pixel" its root mean square over pixels.

        Raises:
            AttributeError: The decoder gives σ, so that the likelihood by itself has none.
        """
        if self.scale == "output":
            raise AttributeError("With likelihood.scale 'output' σ belongs to each picture.")
        _, deviation = self.location_and_deviation(ops.zeros(()))
        return ops.sqrt(ops.mean(ops.square(deviation)))


@register("likelihood", "gaussian")
class GaussianLikelihood(ScaledLikelihood):
    """p(x | z) = N(mean(z), diag σ²) with its normaliser kept, so that the loss is an ELBO in nats.

    With scale = 1 it is ½‖x − mean‖² and a constant, the squared error of `docs/losses.md`. For the arguments see
    `ScaledLikelihood`.
    """

    is_density = True
    unit = "nats of density over [0, 1]"
    noise = "normal"

    def distribution(self, output: Any) -> Normal:
        mean, deviation = self.location_and_deviation(output)
        return Normal(mean, 2.0 * ops.log(deviation))

    def mean(self, output: Any) -> Any:
        return ops.clip(super().mean(output), 0.0, 1.0)


@register("likelihood", "bernoulli")
class BernoulliLikelihood(Likelihood):
    """Each pixel is on with probability sigmoid(output) (Kingma & Welling 2014, appendix C.1).

    Right for black-and-white pictures; for grey ones it is no density, and its "nats" compare only with itself.
    """

    is_density = False
    unit = "nats of mass over black and white"

    def distribution(self, output: Any) -> Bernoulli:
        return Bernoulli(output)

    def warning_for(self, pixels: Any) -> str | None:
        values = np.asarray(pixels)
        is_grey = (values != 0) & (values != WHITE.get(values.dtype.name, 1.0))
        if np.mean(is_grey) <= TOLERATED_SHARE:
            return None
        return (
            "Grey pixels under a Bernoulli likelihood: its nats are no density; "
            "--likelihood continuous_bernoulli or gaussian"
        )


@register("likelihood", "continuous_bernoulli")
class ContinuousBernoulliLikelihood(Likelihood):
    """The density on [0, 1] that the cross-entropy of grey pixels lacks a normaliser for.

    Loaiza-Ganem & Cunningham 2019, "The continuous Bernoulli: fixing a pervasive error in variational autoencoders",
    section 3. The output is the logit of λ; the mean picture is not λ but lies nearer to ½.
    """

    is_density = True
    unit = "nats of density over [0, 1]"

    def distribution(self, output: Any) -> ContinuousBernoulli:
        return ContinuousBernoulli(output)


@register("likelihood", "discretised_logistic")
class DiscretisedLogisticLikelihood(ScaledLikelihood):
    """Log-masses of 256 grey levels under a logistic of standard deviation σ, scale σ·√3/π (Kingma et al. 2016).

    Other depths than 8 bits are rounded to 256 levels. For the arguments see `ScaledLikelihood`; the location is
    linear, since black and white take their whole tails only where it lies beyond [0, 1] (on scikit-learn's digits
    an ELBO of −165 nats on unseen pictures, with a sigmoid −183).
    """

    is_density = False
    unit = "nats of mass over 256 grey levels"

    def __init__(
        self,
        scale: str | float = "learned",
        floor: float = 0.01,
        initial: float = 0.2,
        activation: str = "linear",
        **kwargs: Any,
    ) -> None:
        super().__init__(scale, floor, initial, activation, **kwargs)

    def distribution(self, output: Any) -> DiscretisedLogistic:
        location, deviation = self.location_and_deviation(output)
        return DiscretisedLogistic(location, deviation * (math.sqrt(3.0) / math.pi))

    def warning_for(self, pixels: Any) -> str | None:
        values = np.asarray(pixels)
        if values.dtype == np.uint8:
            return None
        levels = values.astype(np.float64) * (255.0 / WHITE.get(values.dtype.name, 1.0))
        if np.mean(np.abs(levels - np.rint(levels)) > 1e-3) <= TOLERATED_SHARE:
            return None
        return "Pixels of more than 8 bits are rounded to 256 grey levels; --likelihood gaussian keeps them"


@register("likelihood", "categorical")
class CategoricalLikelihood(Likelihood):
    """The probability of a sentence, token by token: x [..., T] of the decoder's logits [..., T, V].

    `log_prob` counts every token and the end of the sentence, and not the padding behind it. `mean` is the probability
    of each token at each position [..., T, V].
    """

    is_density = False
    unit = "nats of mass over sentences"

    def distribution(self, output: Any) -> Categorical:
        return Categorical(output)

    def log_prob(self, output: Any, x: Any) -> Any:
        """log p(x | z) [...], summed over the tokens of x [..., T] with its end, in nats."""
        x = ops.broadcast_to(ops.cast(x, "int32"), ops.shape(output)[:-1])
        log_probs = self.distribution(ops.cast(output, "float32")).log_prob(x)
        return ops.sum(ops.where(ops.equal(x, PAD), 0.0, log_probs), axis=-1)
