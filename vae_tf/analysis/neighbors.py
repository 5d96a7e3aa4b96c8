"""The nearest pictures of each picture in the latent space itself, which no flat map can promise to keep."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vae_tf.analysis.features import as_features

# Beyond, every pair would be too many: 10¹² of a million pictures are a quarter of an hour on two cores.
LARGEST_EXACT = 200_000


def nearest_neighbors(
    latents: ArrayLike, num_neighbors: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The nearest other rows of each row by Euclidean distance, the nearest first; approximate beyond 200,000 rows.

    Approximate ones are found by descent in a graph of neighbours (Dong et al. 2011, pynndescent), by a fixed seed.

    Args:
        latents: [N, d] numbers, N ≥ 1.
        num_neighbors: How many; fewer where there are not so many others.

    Returns:
        Positions [N, k] and distances [N, k], k = min(num_neighbors, N − 1). A row is never its own neighbour, also
        where others equal it.

    Raises:
        UserError: Latents of the wrong shape or not finite.
    """
    features = as_features(latents).astype(np.float32)
    count = min(num_neighbors, len(features) - 1)
    if count < 1:
        return np.zeros((len(features), 0), np.int32), np.zeros((len(features), 0), np.float32)
    find = _exact if len(features) <= LARGEST_EXACT else _approximate
    positions, distances = find(features, count)
    return positions.astype(np.int32), distances.astype(np.float32)


def nearest_of(
    landmarks: NDArray[np.float32], queries: NDArray[np.float32], num_neighbors: int
) -> NDArray[np.int64]:
    """Positions [Q, k] of the landmarks [L, d] nearest to each query [Q, d], exact, the nearest first."""
    from sklearn.neighbors import NearestNeighbors

    found = NearestNeighbors(n_neighbors=num_neighbors, algorithm=_algorithm(landmarks)).fit(landmarks)
    positions: NDArray[np.int64] = found.kneighbors(queries, return_distance=False)
    return positions


def _algorithm(features: NDArray[np.float32]) -> str:
    """Trees lose to every pair as dimensions are added: at 15, where scikit-learn changes over, by six times."""
    return "kd_tree" if features.shape[1] <= 8 else "brute"


def _exact(features: NDArray[np.float32], count: int) -> tuple[NDArray[Any], NDArray[Any]]:
    from sklearn.neighbors import NearestNeighbors

    # Without rows to look for, scikit-learn leaves each row out of its own neighbours.
    found = NearestNeighbors(n_neighbors=count, algorithm=_algorithm(features)).fit(features)
    distances, positions = found.kneighbors()
    return positions, distances


def _approximate(features: NDArray[np.float32], count: int) -> tuple[NDArray[Any], NDArray[Any]]:
    import pynndescent

    index = pynndescent.NNDescent(features, n_neighbors=count + 1, random_state=0)
    positions, distances = index.neighbor_graph
    # A row finds itself, first unless others equal it, and then perhaps not at all: it, or else the last, goes.
    itself = positions == np.arange(len(features))[:, None]
    itself[~itself.any(axis=1), -1] = True
    shape = (len(features), count)
    return positions[~itself].reshape(shape), distances[~itself].reshape(shape)
