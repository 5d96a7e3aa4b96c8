"""Keras' convolutions, computed another way where that is faster on a CPU; names, weights and results are Keras'.

What is slow there: oneDNN fills its vectors with the channels of the output, so that three colours use a fraction of
one; and it sums a kernel's gradient over the width of a row, so that short rows do the same.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from vae_tf.parts.activations import on_cpu

# Filters of a transposed convolution up to which it is one of cells: measured from 1 to 64 on two cores of an AMD EPYC.
MOST_COLOURS = 8
LONGEST_SHORT_ROW = 8


def is_usual(layer: Any) -> bool:
    """Whether the layer is a convolution as this project has them: square, channels last, "same", nothing else."""
    return (
        layer.kernel_size[0] == layer.kernel_size[1]
        and layer.strides[0] == layer.strides[1]
        and tuple(layer.dilation_rate) == (1, 1)
        and (layer.padding, layer.data_format, layer.use_bias) == ("same", "channels_last", True)
    )


def takes_a_product(layer: Any, height: int, width: int) -> bool:
    """Whether a product of matrices finds the gradient of the kernel; height and width are those of the larger side.

    In bfloat16 it is faster where rows of the smaller side are short (measured on two cores of an AMD EPYC with 64
    pictures; in float32 it is not). And where a picture is smaller than the kernel, oneDNN's own in TensorFlow 2.21
    reads memory that nobody wrote: numbers of 10³⁰ come out, now and then.
    """
    columns = -(-width // layer.strides[0])
    is_short = columns <= min(LONGEST_SHORT_ROW, 4 * layer.strides[0])
    return bool(layer.compute_dtype == "bfloat16" and (is_short or min(height, width) < layer.kernel_size[0]))


@keras.saving.register_keras_serializable(package="vae_tf")
class Conv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D`; the gradient of its kernel is a product of matrices where rows are short."""

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        usual = on_cpu() and is_usual(self) and self.groups == 1 and None not in inputs.shape[1:3]
        if usual and takes_a_product(self, *inputs.shape[1:3]):
            return _convolution(self.strides[0])(inputs, tf.cast(kernel, self.compute_dtype))
        return super().convolution_op(inputs, kernel)


@keras.saving.register_keras_serializable(package="vae_tf")
class Conv2DTranspose(keras.layers.Conv2DTranspose):
    """`keras.layers.Conv2DTranspose`; to few colours it is a convolution whose outputs are cells of 2×2 pixels.

    That is Shi et al. 2016, section 3: the sums are those of a transposed convolution with a kernel of 4×4 and
    stride 2. The gradient of its kernel is a product of matrices where rows are short.
    """

    def call(self, inputs: Any) -> Any:
        usual = on_cpu() and is_usual(self) and self.output_padding is None and None not in inputs.shape[1:3]
        if not (usual and self.kernel_size == (4, 4) and self.strides == (2, 2)):
            return super().call(inputs)
        height, width = inputs.shape[1:3]
        to_colours, product = self.filters <= MOST_COLOURS, takes_a_product(self, 2 * height, 2 * width)
        if not (to_colours or product):
            return super().call(inputs)
        kernel, bias = (tf.cast(each, self.compute_dtype) for each in (self.kernel, self.bias))
        return self.activation(_doubling(to_colours, product)(inputs, kernel, bias))


def _convolution(stride: int) -> Callable[..., Any]:
    """(pictures [B, H, W, C], kernel [k, k, C, F]) to [B, ⌈H/stride⌉, ⌈W/stride⌉, F], with zeros around the picture."""

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def convolve(x: Any, kernel: Any) -> tuple[Any, Any]:
        def gradient(arriving: Any) -> tuple[Any, Any]:
            to_x = tf.nn.conv2d_transpose(arriving, kernel, tf.shape(x), stride, "SAME")
            return to_x, kernel_gradient(x, arriving, kernel.shape[0], stride)

        return tf.nn.conv2d(x, kernel, stride, "SAME"), gradient

    return convolve


def _doubling(to_colours: bool, product: bool) -> Callable[..., Any]:
    """(cells [B, H, W, C], kernel [4, 4, F, C], bias [F]) to pictures [B, 2H, 2W, F]."""

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def double(x: Any, kernel: Any, bias: Any) -> tuple[Any, Any]:
        def gradient(arriving: Any) -> tuple[Any, Any, Any]:
            if product:
                to_kernel = kernel_gradient(arriving, x, 4, 2)
            else:
                to_kernel = tf.raw_ops.Conv2DBackpropFilter(
                    input=arriving,
                    filter_sizes=kernel.shape,
                    out_backprop=x,
                    strides=[1, 2, 2, 1],
                    padding="SAME",
                )
            return tf.nn.conv2d(arriving, kernel, 2, "SAME"), to_kernel, sum_of_colours(arriving)

        if to_colours:
            return pictures_of_cells(x, kernel, bias), gradient
        height, width = x.shape[1:3]
        shape = (tf.shape(x)[0], 2 * height, 2 * width, kernel.shape[2])
        return tf.nn.bias_add(tf.nn.conv2d_transpose(x, kernel, shape, 2, "SAME"), bias), gradient

    return double


def pictures_of_cells(x: Any, kernel: Any, bias: Any) -> Any:
    """The transposed convolution with stride 2 of cells [B, H, W, C] by a kernel [4, 4, F, C], [B, 2H, 2W, F].

    Row 2i + u − 1 of the picture takes row u of the kernel from cell i. So rows 2p − 1 and 2p are sums over cells
    p − 1 and p alone, with rows 2 and 3 of the kernel, and 0 and 1: a kernel of 2×2 cells that gives 2×2 pixels at
    once, of which the outermost ones are cut off.
    """
    height, width, depth = x.shape[1:]
    colours = kernel.shape[2]
    halves = tf.reverse(tf.reshape(kernel, (2, 2, 2, 2, colours, depth)), [0, 2])
    cells = tf.reshape(tf.transpose(halves, (0, 2, 5, 1, 3, 4)), (2, 2, depth, 4 * colours))
    y = tf.nn.conv2d(x, cells, 1, [[0, 0], [1, 1], [1, 1], [0, 0]])
    y = tf.nn.bias_add(y, tf.tile(bias, [4]))
    y = tf.transpose(tf.reshape(y, (-1, height + 1, width + 1, 2, 2, colours)), (0, 1, 3, 2, 4, 5))
    return tf.reshape(y, (-1, 2 * height + 2, 2 * width + 2, colours))[:, 1:-1, 1:-1]


def kernel_gradient(pictures: Any, arriving: Any, side: int, stride: int) -> Any:
    """Gradient [side, side, C, F] of a convolution's kernel, as one product of matrices.

    Args:
        pictures: What was convolved [B, H, W, C], with zeros around it.
        arriving: Gradient of the result [B, ⌈H/stride⌉, ⌈W/stride⌉, F].
        side: Of the kernel.
        stride: Of the convolution.
    """
    height, width, depth = pictures.shape[1:]
    rows = tf.reshape(pictures, (-1, height * width, depth))
    # Where the kernel looks past the edge, it finds the cell of zeros behind the last one.
    rows = tf.concat([rows, tf.zeros_like(rows[:, :1])], axis=1)
    seen = tf.gather(rows, cells_seen(height, width, side, stride), axis=1)
    seen, arriving = (
        tf.reshape(seen, (-1, side * side * depth)),
        tf.reshape(arriving, (-1, arriving.shape[-1])),
    )
    return tf.reshape(tf.matmul(seen, arriving, transpose_a=True), (side, side, depth, -1))


def cells_seen(height: int, width: int, side: int, stride: int) -> NDArray[np.int32]:
    """Which cell of a picture each cell of the kernel sees, at each place [⌈H/stride⌉ · ⌈W/stride⌉ · side²].

    height·width stands for what lies past the edge, as far as "SAME" goes there.
    """

    def along(size: int) -> NDArray[np.int64]:
        count = -(-size // stride)
        before = max((count - 1) * stride + side - size, 0) // 2
        return np.arange(count)[:, None] * stride + np.arange(side) - before

    down, across = along(height)[:, None, :, None], along(width)[None, :, None, :]
    inside = (down >= 0) & (down < height) & (across >= 0) & (across < width)
    return np.where(inside, down * width + across, height * width).astype(np.int32).reshape(-1)


def sum_of_colours(arriving: Any) -> Any:
    """Sum over all but the last axis of [B, H, W, F], in float32: over pictures first, which are long rows."""
    height, width, colours = arriving.shape[1:]
    rows = tf.reshape(tf.cast(arriving, tf.float32), (-1, height * width * colours))
    sums = tf.reduce_sum(tf.reshape(tf.reduce_sum(rows, axis=0), (-1, colours)), axis=0)
    return tf.cast(sums, arriving.dtype)
