"""Decoders: latents [N, d] to the likelihood's output [N, H, W, C] in float32, without an output activation.

That of sentences is told the tokens so far as well, and gives the logits of each next one [N, T, V].
"""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops
from pydantic import PositiveInt

from vae_tf.parts.activations import silu
from vae_tf.parts.base import Activation, Part, SomeWidths, Widths, register
from vae_tf.parts.convolutions import Conv2D, Conv2DTranspose
from vae_tf.parts.layers import CentreCrop, DepthToSpace, Network, ResidualBlock
from vae_tf.vocabulary import START


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
        widths: Widths = (256, 512),
        activation: Activation = "silu",
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
        self, image_shape: Sequence[int], widths: SomeWidths = (256, 128, 96, 64), **kwargs: Any
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
            Conv2DTranspose(w, 4, strides=2, padding="same", activation=silu, **policy)
            for w in self.widths[1:]
        ]
        return [
            keras.layers.Dense(math.prod(base), activation=silu, **policy),
            keras.layers.Reshape(base, **policy),
            *doublings,
            Conv2DTranspose(channels, 4, strides=2, padding="same", **policy),
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
        widths: SomeWidths = (256, 128, 96, 64),
        patch: PositiveInt = 4,
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
            blocks.append(Conv2D(4 * filters, 1, **policy))
            blocks.append(DepthToSpace(2, **policy))
            blocks.append(ResidualBlock(filters, **policy))
        return [
            keras.layers.Dense(math.prod(base), activation=silu, **policy),
            keras.layers.Reshape(base, **policy),
            *blocks,
            Conv2D(channels * self.patch**2, 3, padding="same", **policy),
            DepthToSpace(self.patch, **policy),
            CentreCrop(height, width, dtype="float32"),
        ]


@register("decoder", "lstm")
class LSTMDecoder(Part):
    """An LSTM that gives each next token from those before it, z in its first state and at every step.

    Bowman et al. 2016; z at every step as in Serban et al. 2017.

    Args:
        num_tokens: Size V of the vocabulary.
        num_positions: Positions T of a sentence, its end included.
        embedding: Numbers that stand for a token.
        width: Units of the LSTM.
    """

    def __init__(
        self,
        num_tokens: int,
        num_positions: int,
        embedding: PositiveInt = 128,
        width: PositiveInt = 256,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_tokens = num_tokens
        self.num_positions = num_positions
        self.embedding = embedding
        self.width = width
        policy = self.dtype_policy
        self.embed = keras.layers.Embedding(num_tokens, embedding, dtype=policy)
        self.first_state = keras.layers.Dense(2 * width, activation="tanh", dtype=policy)
        self.recurrent = keras.layers.LSTM(width, return_sequences=True, dtype=policy)
        self.logits = keras.layers.Dense(num_tokens, dtype=policy)

    def build(self, z_shape: Any) -> None:
        latent_dim = z_shape[-1]
        self.embed.build((None, None))
        self.first_state.build((None, latent_dim))
        self.recurrent.build((None, None, self.embedding + latent_dim))
        self.logits.build((None, self.width))
        self.built = True

    def call(self, z: Any, teacher: Any = None) -> Any:
        """Logits [N, T, V] in float32 of latents z [N, d], position t told the tokens of `teacher` [N, T] before t.

        Without a teacher every token before is START: the logits of a sentence's first token, T times.
        """
        if teacher is None:
            teacher = ops.full((ops.shape(z)[0], self.num_positions), START, dtype="int32")
        told = ops.concatenate([ops.full_like(teacher[:, :1], START), teacher[:, :-1]], axis=1)
        inputs = self.embed(told)
        everywhere = ops.broadcast_to(z[:, None, :], (*ops.shape(told), z.shape[-1]))
        inputs = ops.concatenate([inputs, ops.cast(everywhere, inputs.dtype)], axis=-1)
        hidden = self.recurrent(inputs, initial_state=self.initial_state(z))
        return ops.cast(self.logits(hidden), "float32")

    def initial_state(self, z: Any) -> list[Any]:
        """Hidden and cell state [N, width] before the first token."""
        return list(ops.split(self.first_state(z), 2, axis=-1))

    def step(self, token: Any, z: Any, state: list[Any]) -> tuple[Any, list[Any]]:
        """Logits [N, V] in float32 of the token that follows `token` [N], and the state after it."""
        inputs = self.embed(token)
        inputs = ops.concatenate([inputs, ops.cast(z, inputs.dtype)], axis=-1)
        hidden, state = self.recurrent.cell(inputs, list(state))
        return ops.cast(self.logits(hidden), "float32"), list(state)

    def compute_output_shape(self, z_shape: Any) -> Any:
        return (z_shape[0], self.num_positions, self.num_tokens)
