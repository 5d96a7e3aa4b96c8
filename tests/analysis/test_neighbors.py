"""Nearest neighbours against every distance in NumPy."""

import numpy as np
import pytest

from vae_tf.analysis import neighbors
from vae_tf.analysis.neighbors import nearest_neighbors, nearest_of


def distances(queries: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return np.sqrt(np.square(queries[:, None] - rows[None], dtype=np.float64).sum(axis=-1))


@pytest.mark.parametrize("num_dimensions", [1, 8, 9, 30])
def test_neighbours_are_those_of_every_distance(num_dimensions: int) -> None:
    rows = np.random.default_rng(0).normal(size=(150, num_dimensions)).astype(np.float32)
    positions, found = nearest_neighbors(rows, 6)
    every = distances(rows, rows)
    np.fill_diagonal(every, np.inf)
    np.testing.assert_allclose(found, np.sort(every, axis=1)[:, :6], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(np.take_along_axis(every, positions, 1), found, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("num_dimensions", [3, 20])
def test_landmarks_nearest_to_a_query(num_dimensions: int) -> None:
    generator = np.random.default_rng(1)
    landmarks = generator.normal(size=(80, num_dimensions)).astype(np.float32)
    queries = generator.normal(size=(40, num_dimensions)).astype(np.float32)
    expected = np.argsort(distances(queries, landmarks), axis=1)[:, :5]
    np.testing.assert_array_equal(nearest_of(landmarks, queries, 5), expected)


@pytest.mark.slow
def test_among_very_many_nearly_all_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of rows that equal each other, too, none is its own neighbour."""
    rows = np.random.default_rng(2).normal(size=(1200, 12)).astype(np.float32)
    rows[:30] = rows[0]
    exact, _ = nearest_neighbors(rows, 8)
    monkeypatch.setattr(neighbors, "LARGEST_EXACT", 1000)
    positions, found = nearest_neighbors(rows, 8)
    assert positions.shape == found.shape == (1200, 8)
    assert not (positions == np.arange(1200)[:, None]).any()
    assert (np.diff(found, axis=1) >= 0).all()
    both = (positions[30:, :, None] == exact[30:, None, :]).any(axis=1).mean()
    assert both > 0.95
