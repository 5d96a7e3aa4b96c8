"""Augmentation against a plain loop over pictures from the same random draws."""

from typing import Any

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st
from numpy.typing import NDArray

from vae_tf import random
from vae_tf.data.augmentation import Augmentation

X = np.random.default_rng(0).uniform(size=(40, 9, 13, 3)).astype(np.float32)
EVERYTHING = Augmentation(mirror=True, shift=3, brightness=0.3)


def draw(shape: tuple[int, ...], seed: int, step: int, purpose: str) -> NDArray[np.float32]:
    values: NDArray[np.float32] = random.uniform(shape, seed, step, purpose).numpy()
    return values


def by_loop(x: NDArray[np.float32], augmentation: Augmentation, seed: int, step: int) -> NDArray[np.float64]:
    count, height, width, _ = x.shape
    flips = draw((count, 1, 1, 1), seed, step, "mirror").ravel() < 0.5
    moves = np.floor(draw((2, count, 1), seed, step, "shift") * (2 * augmentation.shift + 1)).astype(int)[
        ..., 0
    ]
    factors = draw((count, 1, 1, 1), seed, step, "brightness").ravel()
    result = np.zeros(x.shape)
    for i in range(count):
        picture = x[i, :, ::-1] if augmentation.mirror and flips[i] else x[i]
        down, right = moves[:, i] - augmentation.shift
        for row in range(height):
            for column in range(width):
                source = min(max(row + down, 0), height - 1), min(max(column + right, 0), width - 1)
                result[i, row, column] = picture[source]
        if augmentation.brightness:
            result[i] *= 1.0 + augmentation.brightness * (2.0 * factors[i] - 1.0)
    return result.clip(0.0, 1.0)


@pytest.mark.parametrize("step", [0, 5])
@pytest.mark.parametrize(
    "augmentation",
    [EVERYTHING, Augmentation(True, 0, 0.0), Augmentation(False, 2, 0.0), Augmentation(False, 0, 0.5)],
    ids=["everything", "mirror", "shift", "brightness"],
)
def test_equals_a_loop(augmentation: Augmentation, step: int) -> None:
    result = augmentation(tf.constant(X), 11, step)
    assert result.dtype == tf.float32 and result.shape == X.shape
    np.testing.assert_allclose(result.numpy(), by_loop(X, augmentation, 11, step), rtol=0, atol=2e-7)


def test_shifts_reach_both_bounds_and_half_are_mirrored() -> None:
    x = np.tile(np.arange(11, dtype=np.float32)[None, None, :, None] / 10, (4000, 1, 1, 1))
    moved = Augmentation(mirror=False, shift=2)(tf.constant(x), 0, 0).numpy()
    counts = np.bincount(np.rint(10 * moved[:, 0, 5, 0]).astype(int), minlength=11)
    # Uniform over five shifts: 800 each, standard deviation 25.
    assert counts[:3].sum() == counts[8:].sum() == 0
    assert np.abs(counts[3:8] - 800).max() < 125
    mirrored = Augmentation(mirror=True, shift=0)(tf.constant(x), 0, 0).numpy()[:, 0, 0, 0] > 0.5
    assert abs(int(mirrored.sum()) - 2000) < 160


def test_nothing_switched_on_changes_nothing() -> None:
    assert np.array_equal(Augmentation(mirror=False, shift=0)(tf.constant(X), 1, 2).numpy(), X)


def test_the_same_step_gives_the_same_and_another_something_else() -> None:
    results = {
        EVERYTHING(tf.constant(X), seed, tf.constant(step, tf.int64)).numpy().tobytes()
        for seed in (0, 1)
        for step in (0, 1, 0, 1)
    }
    assert len(results) == 4


def test_a_graph_of_unknown_batch_size_gives_the_same_bits() -> None:
    @tf.function(input_signature=[tf.TensorSpec((None, 9, 13, 3)), tf.TensorSpec((), tf.int64)])
    def graph(x: Any, step: Any) -> Any:
        return EVERYTHING(x, 3, step)

    for count in (1, 40):
        eager = EVERYTHING(tf.constant(X[:count]), 3, 7).numpy()
        assert np.array_equal(graph(X[:count], tf.constant(7, tf.int64)).numpy(), eager)


@hypothesis.given(st.integers(0, 20), st.floats(0.0, 1.0), st.integers(0, 2**31 - 1), st.integers(0, 2**40))
def test_values_stay_in_range(shift: int, brightness: float, seed: int, step: int) -> None:
    extremes = np.round(X[:4])
    result = Augmentation(True, shift, brightness)(tf.constant(extremes), seed, step).numpy()
    assert result.min() >= 0.0 and result.max() <= 1.0 and result.dtype == np.float32
