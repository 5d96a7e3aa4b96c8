"""Decoders: latents [N, d] to the likelihood's output [N, H, W, C] in float32, without an output activation."""

import math
from collections.abc import Sequence
from typing import Any

import keras

from vae_tf.parts.base import register
from vae_tf.parts.layers import CentreCrop, DepthToSpace, Network, ResidualBlock


@register("decoder", "mlp")
class MLPDecoder(Network):
    """Dense layers up to the flattened picture (Kingma & Welling 2014, appendix C).

    Args:
        image_shape: (height, width, channels) of the output.
        widths: Units of each hidden layer.
        activation: A Keras activation of the hidden layers, by name.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        widths: Sequence[int] = (256, 512),
        activation: str = "silu",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.image_shape = tuple(image_shape)
        self.widths = tuple(widths)
        self.activation = activation

    def layers(self, input_shape: Any) -> list[keras.layers.Layer]:
        dense = [keras.layers.Dense(w, activation=self.activation, **self.policy()) for w in self.widths]
        output = keras.layers.Dense(math.prod(self.image_shape), **self.policy())
        return [*dense, output, keras.layers.Reshape(self.image_shape, dtype="float32")]


@register("decoder", "conv")
class ConvDecoder(Network):
    """A dense layer and transposed convolutions, each doubling the picture (Radford et al. 2016).

    Args:
        image_shape: (height, width, channels) of the output; doublings that overshoot are cropped.
        widths: Filters at each resolution, from the smallest; as many doublings follow.
    """

    def __init__(
        self, image_shape: Sequence[int], widths: Sequence[int] = (256, 128, 96, 64), **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.image_shape = tuple(image_shape)
        self.widths = tuple(widths)

    def layers(self, input_shape: Any) -> list[keras.layers.Layer]:
        policy = self.policy()
        height, width, channels = self.image_shape
        factor = 2 ** len(self.widths)
        base = (math.ceil(height / factor), math.ceil(width / factor), self.widths[0])
        doublings = [
            keras.layers.Conv2DTranspose(w, 4, strides=2, padding="same", activation="silu", **policy)
            for w in self.widths[1:]
        ]
        return [
            keras.layers.Dense(math.prod(base), activation="silu", **policy),
            keras.layers.Reshape(base, **policy),
            *doublings,
            keras.layers.Conv2DTranspose(channels, 4, strides=2, padding="same", **policy),
            CentreCrop(height, width, dtype="float32"),
        ]


@register("decoder", "patch")
class PatchDecoder(Network):
    """Residual blocks and sub-pixel doublings, then every cell becomes a patch of pixels; mirrors `PatchEncoder`.

    Args:
        image_shape: (height, width, channels) of the output; what overshoots is cropped.
        widths: Channels at each resolution, from the smallest.
        patch: Side of a patch, pixels.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        widths: Sequence[int] = (256, 128, 96, 64),
        patch: int = 4,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.image_shape = tuple(image_shape)
        self.widths = tuple(widths)
        self.patch = patch

    def layers(self, input_shape: Any) -> list[keras.layers.Layer]:
        policy = self.policy()
        height, width, channels = self.image_shape
        factor = self.patch * 2 ** (len(self.widths) - 1)
        base = (math.ceil(height / factor), math.ceil(width / factor), self.widths[0])
        blocks: list[keras.layers.Layer] = [ResidualBlock(self.widths[0], **policy)]
        for filters in self.widths[1:]:
            blocks.append(keras.layers.Conv2D(4 * filters, 1, **policy))
            blocks.append(DepthToSpace(2, **policy))
            blocks.append(ResidualBlock(filters, **policy))
        return [
            keras.layers.Dense(math.prod(base), activation="silu", **policy),
            keras.layers.Reshape(base, **policy),
            *blocks,
            keras.layers.Conv2D(channels * self.patch**2, 3, padding="same", **policy),
            DepthToSpace(self.patch, **policy),
            CentreCrop(height, width, dtype="float32"),
        ]
