"""Encoders: pictures [B, H, W, C] in [0, 1], or tokens [B, T], to features [B, F]."""

from typing import Any

import keras
from keras import ops
from pydantic import PositiveInt

from vae_tf.parts.activations import silu
from vae_tf.parts.base import Activation, Part, SomeWidths, Widths, register
from vae_tf.parts.convolutions import Conv2D
from vae_tf.parts.layers import Network, ResidualBlock
from vae_tf.vocabulary import PAD


def centred() -> keras.layers.Layer:
    """Pixels in [0, 1] to [−1, 1]."""
    return keras.layers.Rescaling(2.0, offset=-1.0, dtype="float32", name="centred")


@register("encoder", "mlp")
class MLPEncoder(Network):
    """Dense layers on the flattened picture (Kingma & Welling 2014, appendix C).

    Args:
        widths: Units of each hidden layer.
        activation: A Keras activation of the hidden layers, by name.
    """

    def __init__(self, widths: Widths = (512, 256), activation: Activation = "silu", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.widths = tuple(widths)
        self.activation = activation

    def layers(self, input_shape: Any) -> list[keras.layers.Layer]:
        dense = [keras.layers.Dense(w, activation=self.activation, **self.policy()) for w in self.widths]
        return [centred(), keras.layers.Flatten(**self.policy()), *dense]


@register("encoder", "conv")
class ConvEncoder(Network):
    """Strided convolutions, each halving the picture (Radford et al. 2016), then one dense layer.

    Args:
        widths: Filters of each convolution.
        features: Units F of the dense layer.
    """

    def __init__(
        self, widths: SomeWidths = (64, 96, 128, 256), features: PositiveInt = 256, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.widths = tuple(widths)
        self.features = features

    def layers(self, input_shape: Any) -> list[keras.layers.Layer]:
        convolutions = [
            Conv2D(w, 4, strides=2, padding="same", activation=silu, **self.policy()) for w in self.widths
        ]
        return [
            centred(),
            *convolutions,
            keras.layers.Flatten(**self.policy()),
            keras.layers.Dense(self.features, activation=silu, **self.policy()),
        ]


@register("encoder", "patch")
class PatchEncoder(Network):
    """Patches of `patch` pixels as channels, then residual blocks and halvings, for larger pictures.

    The patch stem (Dosovitskiy et al. 2021) spares the costly convolutions at full resolution.

    Args:
        widths: Channels of each resolution, beginning after the stem.
        patch: Side of a patch, pixels.
        features: Units F of the dense layer.
    """

    def __init__(
        self,
        widths: SomeWidths = (64, 96, 128, 256),
        patch: PositiveInt = 4,
        features: PositiveInt = 256,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.widths = tuple(widths)
        self.patch = patch
        self.features = features

    def layers(self, input_shape: Any) -> list[keras.layers.Layer]:
        policy = self.policy()
        first, *others = self.widths
        stem = Conv2D(first, self.patch, strides=self.patch, padding="same", **policy)
        blocks: list[keras.layers.Layer] = [ResidualBlock(first, **policy)]
        for width in others:
            blocks.append(Conv2D(width, 3, strides=2, padding="same", **policy))
            blocks.append(ResidualBlock(width, **policy))
        dense = keras.layers.Dense(self.features, activation=silu, **policy)
        return [centred(), stem, *blocks, keras.layers.Flatten(**policy), dense]


@register("encoder", "lstm")
class LSTMEncoder(Part):
    """The last state of an LSTM over the tokens of a sentence [B, T] (Bowman et al. 2016).

    Padding follows the sentence, and the state is taken before it: it changes nothing.

    Args:
        num_tokens: Size of the vocabulary.
        embedding: Numbers that stand for a token.
        width: Units F of the LSTM.
    """

    def __init__(
        self, num_tokens: int, embedding: PositiveInt = 128, width: PositiveInt = 256, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.num_tokens = num_tokens
        self.embedding = embedding
        self.width = width
        self.embed = keras.layers.Embedding(num_tokens, embedding, dtype=self.dtype_policy)
        self.recurrent = keras.layers.LSTM(width, return_sequences=True, dtype=self.dtype_policy)

    def build(self, input_shape: Any) -> None:
        self.embed.build(input_shape)
        self.recurrent.build((*input_shape, self.embedding))
        self.built = True

    def call(self, x: Any) -> Any:
        x = ops.cast(x, "int32")
        states = self.recurrent(self.embed(x))
        last = ops.maximum(ops.sum(ops.cast(ops.not_equal(x, PAD), "int32"), axis=-1) - 1, 0)
        return ops.take_along_axis(states, last[:, None, None], axis=1)[:, 0]

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (input_shape[0], self.width)
