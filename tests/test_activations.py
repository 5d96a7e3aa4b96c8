"""SiLU and its gradient against the formula in NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from vae_tf.parts.activations import silu

VALUES = np.concatenate([np.linspace(-30, 30, 241), [-3e4, -100, 100, 3e4]]).astype(np.float32)


def formula(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    sigmoid = np.exp(-np.logaddexp(0.0, -x))
    return x * sigmoid, sigmoid * (1 + x * (1 - sigmoid))


# bfloat16 has 8 bits: half of the last is 2⁻⁹ of a value; what lies below 1 is held to that absolutely.
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-6), ("bfloat16", 2**-8)])
def test_value_and_gradient_follow_the_formula(dtype: str, tolerance: float) -> None:
    x = tf.cast(VALUES, dtype)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = silu(x)
    slope = tape.gradient(y, x)
    assert y.dtype == slope.dtype == dtype
    value, derivative = formula(np.array(tf.cast(x, tf.float64)))
    np.testing.assert_allclose(np.array(tf.cast(y, tf.float64)), value, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(
        np.array(tf.cast(slope, tf.float64)), derivative, rtol=tolerance, atol=tolerance
    )


def test_a_saved_model_keeps_it(tmp_path) -> None:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, activation=silu)])
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    x = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    np.testing.assert_array_equal(np.array(again(x)), np.array(model(x)))
