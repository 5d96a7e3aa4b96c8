"""Adam in one operation gives the numbers of the paper's algorithm, and of Keras' own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from vae_tf.training.averaging import WeightAverage
from vae_tf.training.optimizer import Adam


def gradients(num_steps: int) -> list[list[np.ndarray]]:
    generator = np.random.default_rng(0)
    return [
        [generator.normal(size=(3, 4)).astype(np.float32), generator.normal(size=5).astype(np.float32)]
        for _ in range(num_steps)
    ]


def variables() -> list[keras.Variable]:
    return [keras.Variable(np.ones((3, 4), np.float32)), keras.Variable(np.zeros(5, np.float32))]


def test_updates_follow_the_algorithm_of_the_paper() -> None:
    """Kingma & Ba 2015, algorithm 1, in float64; their ε̂ form, whose ε is added before the bias is corrected."""
    rate, beta_1, beta_2, epsilon = 0.01, 0.9, 0.99, 1e-7
    optimizer, found = Adam(rate, beta_1, beta_2, epsilon), variables()
    expected = [np.array(v, np.float64) for v in found]
    m, v = [np.zeros_like(e) for e in expected], [np.zeros_like(e) for e in expected]
    for t, step in enumerate(gradients(6), start=1):
        optimizer.apply(step, found)
        for i, g in enumerate(step):
            m[i] = beta_1 * m[i] + (1 - beta_1) * g
            v[i] = beta_2 * v[i] + (1 - beta_2) * np.square(g, dtype=np.float64)
            corrected = rate * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
            expected[i] -= corrected * m[i] / (np.sqrt(v[i]) + epsilon)
    for variable, right in zip(found, expected, strict=True):
        np.testing.assert_allclose(np.array(variable), right, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_it_equals_keras_own_with_a_schedule_and_a_clipped_gradient(jit_compile: bool) -> None:
    def trained(kind: type) -> list[np.ndarray]:
        schedule = keras.optimizers.schedules.CosineDecay(0.0, 6, warmup_target=0.1, warmup_steps=2)
        optimizer, found = kind(schedule, beta_2=0.99, global_clipnorm=1.0), variables()
        optimizer.build(found)

        @tf.function(jit_compile=jit_compile)
        def take(*step: tf.Tensor) -> None:
            optimizer.apply(list(step), found)

        for step in gradients(6):
            take(*map(tf.constant, step))
        return [np.array(variable) for variable in found]

    for ours, theirs in zip(trained(Adam), trained(keras.optimizers.Adam), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)


def test_rows_that_an_embedding_did_not_use_take_keras_way() -> None:
    """A sparse gradient is not what the operation takes."""
    table, other = keras.Variable(np.ones((4, 2), np.float32)), keras.Variable(np.ones((4, 2), np.float32))
    sparse = tf.IndexedSlices(tf.ones((1, 2)), tf.constant([2]), tf.constant([4, 2]))
    Adam(0.1).apply([sparse], [table])
    keras.optimizers.Adam(0.1).apply([sparse], [other])
    np.testing.assert_array_equal(np.array(table), np.array(other))


def test_the_average_forgets_as_its_formula_says() -> None:
    """average ← d·average + (1 − d)·weight with d = min(0.9, (1 + t)/(10 + t)), in NumPy."""
    (weight, _) = variables()
    average, expected = WeightAverage([weight], decay=0.9), np.ones((3, 4))
    for t, (step, _) in enumerate(gradients(5)):
        weight.assign(step)
        average.update(tf.constant(t, tf.int64))
        decay = min(0.9, (1 + t) / (10 + t))
        expected = decay * expected + (1 - decay) * step
    np.testing.assert_allclose(np.array(average.averages[0]), expected, rtol=1e-5, atol=1e-6)
