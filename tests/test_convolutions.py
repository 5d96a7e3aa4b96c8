"""Convolutions computed another way have Keras' results and gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from vae_tf.parts import convolutions
from vae_tf.parts.convolutions import MOST_COLOURS, Conv2D, Conv2DTranspose

# TensorFlow 2.21 writes past its memory in the gradient of a kernel that is smaller than its stride.
SIDE_AND_STRIDE = st.integers(1, 4).flatmap(lambda stride: st.tuples(st.integers(stride, 5), st.just(stride)))
# Numbers here are small integers: their products and sums are exact, and bfloat16 rounds a result once, by 2⁻⁹.
ROUNDING = {"float32": 0.0, "mixed_bfloat16": 2.0**-8}


def integers(seed, shape):
    return np.random.default_rng(seed).integers(-3, 4, size=shape).astype(np.float32)


def beside_keras(kind, shape, policy, **settings_):
    """Result and gradients to pictures, kernel and bias: ours, and those of Keras' layer in float32."""
    x = tf.constant(integers(0, shape))
    found = []
    for each, precision in ((kind, policy), (kind.__base__, "float32")):
        layer = each(padding="same", dtype=precision, **settings_)
        layer.build(shape)
        layer.set_weights([integers(1, weight.shape) for weight in layer.weights])
        coefficients = integers(2, layer.compute_output_shape(shape))

        @tf.function
        def all_of(x, layer=layer, coefficients=coefficients):
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = layer(x)
                loss = tf.reduce_sum(tf.cast(y, tf.float32) * coefficients)
            variables = [variable.value for variable in layer.trainable_variables]
            return y, *tape.gradient(loss, [x, *variables])

        found.append([np.asarray(tf.cast(each, tf.float32)) for each in all_of(x)])
    return found


def check_same(ours, theirs, policy):
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape
        # oneDNN leaves 1e-34 where a sum is empty.
        np.testing.assert_allclose(a, b, rtol=ROUNDING[policy], atol=1e-30)


@pytest.mark.parametrize("policy", list(ROUNDING))
@given(
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    depth=st.integers(1, 5),
    filters=st.sampled_from([1, 3, 4, MOST_COLOURS, MOST_COLOURS + 1]),
    batch=st.integers(1, 3),
)
@settings(max_examples=12, deadline=None)
def test_transposed_convolutions_are_those_of_keras(policy, height, width, depth, filters, batch):
    shape = (batch, height, width, depth)
    check_same(
        *beside_keras(Conv2DTranspose, shape, policy, filters=filters, kernel_size=4, strides=2), policy
    )


@pytest.mark.parametrize("policy", list(ROUNDING))
@given(
    height=st.integers(1, 12),
    width=st.integers(1, 12),
    depth=st.integers(1, 5),
    side_and_stride=SIDE_AND_STRIDE,
)
@settings(max_examples=20, deadline=None)
def test_convolutions_are_those_of_keras(policy, height, width, depth, side_and_stride):
    (side, stride), shape = side_and_stride, (2, height, width, depth)
    check_same(*beside_keras(Conv2D, shape, policy, filters=3, kernel_size=side, strides=stride), policy)


@given(
    height=st.integers(1, 12),
    width=st.integers(1, 12),
    side_and_stride=SIDE_AND_STRIDE,
)
@settings(max_examples=30, deadline=None)
def test_the_gradient_of_a_kernel_is_tensorflows(height, width, side_and_stride):
    side, stride = side_and_stride
    generator = np.random.default_rng(0)
    pictures = generator.normal(size=(3, height, width, 2)).astype(np.float32)
    arriving = generator.normal(size=(3, -(-height // stride), -(-width // stride), 4)).astype(np.float32)
    expected = tf.raw_ops.Conv2DBackpropFilter(
        input=pictures,
        filter_sizes=[side, side, 2, 4],
        out_backprop=arriving,
        strides=[1, stride, stride, 1],
        padding="SAME",
    )
    found = convolutions.kernel_gradient(tf.constant(pictures), tf.constant(arriving), side, stride)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "change", [{"use_bias": False}, {"dilation_rate": 2, "strides": 1}, {"kernel_size": 3}]
)
def test_unusual_layers_are_left_to_keras(change):
    settings_ = {"filters": 3, "kernel_size": 4, "strides": 2, **change}
    check_same(*beside_keras(Conv2DTranspose, (2, 4, 4, 3), "mixed_bfloat16", **settings_), "mixed_bfloat16")


def test_second_derivatives_are_those_of_keras():
    """A Hessian's product with a vector: through the gradients that are ours."""
    x = tf.constant(np.random.default_rng(0).normal(size=(1, 4, 4, 2)).astype(np.float32))
    found = []
    for kind in (Conv2DTranspose, keras.layers.Conv2DTranspose):
        layer = kind(3, 4, strides=2, padding="same")
        layer.build(x.shape)
        layer.set_weights([np.random.default_rng(1).normal(size=w.shape) for w in layer.weights])
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = tf.reduce_sum(tf.sin(layer(x)))
            slope = inner.gradient(y, x)
            total = tf.reduce_sum(slope * slope)
        found.append(outer.gradient(total, x))
    np.testing.assert_allclose(found[0], found[1], rtol=1e-4, atol=1e-3)
