"""A network as a list of plain operations and one block of numbers, for engines that know nothing of Keras.

The report's `explore` page runs such a list in the browser (reports/static/network.js). Pictures are [H, W, C], one at
a time; weights lie in the order in which an engine reads them: dense [in, out], convolutions [kh, kw, in, out].
"""

import dataclasses
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from vae_tf.errors import UserError
from vae_tf.parts.layers import CentreCrop, DepthToSpace, Network, ResidualBlock
from vae_tf.parts.likelihoods import ContinuousBernoulliLikelihood
from vae_tf.parts.posteriors import DeterministicPosterior, DiagonalPosterior, FullCovariancePosterior

ACTIVATIONS = ("linear", "silu", "relu", "tanh", "sigmoid")


@dataclasses.dataclass
class Operations:
    """What `encode` and `decode` do, step by step, and the weights that the steps point into.

    Args:
        encode: From a picture in [0, 1] to the posterior mean [d].
        decode: From a latent [d] to the mean picture in [0, 1].
        weights: All weights [W], float32; a step names where its own begin.
    """

    encode: list[dict[str, Any]]
    decode: list[dict[str, Any]]
    weights: NDArray[np.float32]


def operations_of(model: Any) -> Operations:
    """The operations of a trained VAE.

    Raises:
        UserError: A part whose operations are not among those that can be written down.
    """
    if why := refusal(model):
        raise UserError(why, "Its pages show samples, traversals and interpolations all the same.")
    writer = Writer()
    encode = [step for layer in model.encoder.network.layers for step in writer.steps(layer)]
    encode += writer.steps(model.posterior.mean_head)
    decode = [step for layer in model.decoder.network.layers for step in writer.steps(layer)]
    decode.append({"op": "mean", "channels": model.image_shape[-1], "of": mean_of(model.likelihood)})
    return Operations(encode, decode, np.concatenate(writer.pieces))


def refusal(model: Any) -> str | None:
    """Why a model's operations cannot be written down, in a sentence; None where they can."""
    networks = (model.encoder, model.decoder)
    if not all(isinstance(network, Network) for network in networks):
        return "Sentences are read and written word by word, which the page cannot do."
    if model.condition_dim:
        return "The decoder is told a class beside the latents, which the page cannot do."
    # A flow's mean is where the base's mean ends, a switched feature's an expectation: neither is a dense layer.
    if not isinstance(model.posterior, DiagonalPosterior | FullCovariancePosterior | DeterministicPosterior):
        return f"The mean of a posterior {model.posterior.name} is not one dense layer, as the page needs it."
    return None


def mean_of(likelihood: Any) -> str:
    """How the decoder's output becomes a mean picture."""
    if isinstance(likelihood, ContinuousBernoulliLikelihood):
        return "continuous_bernoulli"
    return "linear" if getattr(likelihood, "activation", "sigmoid") == "linear" else "sigmoid"


class Writer:
    """Turns layers into operations, and keeps their weights one after the other."""

    def __init__(self) -> None:
        self.pieces: list[NDArray[np.float32]] = []
        self.size = 0

    def put(self, weights: Any) -> int:
        """Where the weights begin."""
        flat = np.asarray(weights, dtype=np.float32).reshape(-1)
        place, self.size = self.size, self.size + flat.size
        self.pieces.append(flat)
        return place

    def steps(self, layer: Any) -> list[dict[str, Any]]:
        """The operations of one layer.

        Raises:
            UserError: A layer of another kind.
        """
        match layer:
            case keras.layers.Rescaling():
                return [{"op": "affine", "scale": float(layer.scale), "offset": float(layer.offset)}]
            case keras.layers.Flatten():
                return [{"op": "flatten"}]
            case keras.layers.Reshape():
                return [{"op": "reshape", "shape": list(layer.target_shape)}]
            case keras.layers.Dense():
                return [self.weighted("dense", layer, layer.kernel, units=layer.units)]
            case keras.layers.Conv2DTranspose():
                kernel = np.transpose(layer.kernel, (0, 1, 3, 2))
                return [self.convolution("conv_transpose", layer, kernel)]
            case keras.layers.Conv2D():
                return [self.convolution("conv", layer, layer.kernel)]
            case ResidualBlock():
                first, second = self.steps(layer.first), self.steps(layer.second)
                return [{"op": "residual", "steps": [*first, {"op": "silu"}, *second]}]
            case DepthToSpace():
                return [{"op": "depth_to_space", "block": layer.block}]
            case CentreCrop():
                return [{"op": "crop", "height": layer.height, "width": layer.width}]
        raise UserError(f"The page cannot do what a layer {type(layer).__name__} does.")

    def convolution(self, name: str, layer: Any, kernel: Any) -> dict[str, Any]:
        return self.weighted(
            name, layer, kernel, filters=layer.filters, side=layer.kernel_size[0], stride=layer.strides[0]
        )

    def weighted(self, name: str, layer: Any, kernel: Any, **facts: int) -> dict[str, Any]:
        activation = layer.activation.__name__
        if activation not in ACTIVATIONS:
            raise UserError(
                f"The page does not know the activation {activation}.", f"It knows {', '.join(ACTIVATIONS)}."
            )
        return {
            "op": name,
            **facts,
            "weights": self.put(kernel),
            "bias": self.put(layer.bias),
            "activation": activation,
        }
