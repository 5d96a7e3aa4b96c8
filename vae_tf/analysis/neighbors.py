"""The nearest pictures of each picture in the latent space itself, which no flat map can promise to keep."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vae_tf.analysis.features import as_features


def nearest_neighbors(
    latents: ArrayLike, num_neighbors: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The nearest other rows of each row by Euclidean distance, exact, the nearest first.

    Args:
        latents: [N, d] numbers, N ≥ 1.
        num_neighbors: How many; fewer where there are not so many others.

    Returns:
        Positions [N, k] and distances [N, k], k = min(num_neighbors, N − 1). A row is never its own neighbour, also
        where others equal it.

    Raises:
        UserError: Latents of the wrong shape or not finite.
    """
    from sklearn.neighbors import NearestNeighbors

    features = as_features(latents).astype(np.float32)
    count = min(num_neighbors, len(features) - 1)
    if count < 1:
        return np.zeros((len(features), 0), np.int32), np.zeros((len(features), 0), np.float32)
    # Without rows to look for, scikit-learn leaves each row out of its own neighbours.
    distances, positions = NearestNeighbors(n_neighbors=count).fit(features).kneighbors()
    return positions.astype(np.int32), distances.astype(np.float32)
