"""Small building blocks that encoders and decoders share."""

from typing import Any

import keras
from keras import ops

from vae_tf.parts.activations import silu
from vae_tf.parts.base import Part
from vae_tf.parts.convolutions import Conv2D


@keras.saving.register_keras_serializable(package="vae_tf")
class ResidualBlock(Part):
    """x + conv(silu(conv(x))) at constant width; starts as the identity (Zhang et al. 2019, "Fixup").

    Args:
        filters: Number of channels in and out.
    """

    def __init__(self, filters: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.first = Conv2D(filters, 3, padding="same", dtype=self.dtype_policy)
        self.second = Conv2D(filters, 3, padding="same", kernel_initializer="zeros", dtype=self.dtype_policy)

    def build(self, input_shape: Any) -> None:
        self.first.build(input_shape)
        self.second.build(input_shape)
        self.built = True

    def call(self, x: Any) -> Any:
        return x + self.second(silu(self.first(x)))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


@keras.saving.register_keras_serializable(package="vae_tf")
class DepthToSpace(Part):
    """[B, H, W, block²·C] to [B, block·H, block·W, C] (Shi et al. 2016, "sub-pixel convolution").

    Args:
        block: Side of the square that one cell becomes.
    """

    def __init__(self, block: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.block = block

    def build(self, input_shape: Any) -> None:
        self.built = True

    def call(self, x: Any) -> Any:
        _, height, width, channels = x.shape
        b, depth = self.block, channels // self.block**2
        cells = ops.reshape(x, (-1, height, width, b, b, depth))
        return ops.reshape(ops.transpose(cells, (0, 1, 3, 2, 4, 5)), (-1, height * b, width * b, depth))

    def compute_output_shape(self, input_shape: Any) -> Any:
        batch, height, width, channels = input_shape
        return (batch, height * self.block, width * self.block, channels // self.block**2)


@keras.saving.register_keras_serializable(package="vae_tf")
class CentreCrop(Part):
    """Cuts [B, H', W', C] down to the middle [B, height, width, C]."""

    def __init__(self, height: int, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.height = height
        self.width = width

    def build(self, input_shape: Any) -> None:
        self.built = True

    def call(self, x: Any) -> Any:
        top, left = (x.shape[1] - self.height) // 2, (x.shape[2] - self.width) // 2
        if top == left == 0 and tuple(x.shape[1:3]) == (self.height, self.width):
            # A slice of everything is copied, and its gradient filled into zeros.
            return x
        return x[:, top : top + self.height, left : left + self.width, :]

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (input_shape[0], self.height, self.width, input_shape[3])


class Network(Part):
    """A part whose `call` is one sequence of layers, made by `layers()` when the input's shape is known."""

    def __init__(self, **kwargs: Any) -> None:
        # Pixels rounded to bfloat16 would lose grey levels; the inner layers cast where they compute.
        super().__init__(autocast=False, **kwargs)

    def layers(self, input_shape: Any) -> list[keras.layers.Layer]:
        raise NotImplementedError(f"{type(self).__name__} must define layers(input_shape).")

    def build(self, input_shape: Any) -> None:
        self.network = keras.Sequential(self.layers(input_shape), name="network")
        self.network.build(input_shape)
        self.built = True

    def call(self, x: Any) -> Any:
        return self.network(x)

    def compute_output_shape(self, input_shape: Any) -> Any:
        if not self.built:
            self.build(input_shape)
        return self.network.compute_output_shape(input_shape)

    def policy(self) -> dict[str, Any]:
        """The precision that every inner layer takes from this part."""
        return {"dtype": self.dtype_policy}
