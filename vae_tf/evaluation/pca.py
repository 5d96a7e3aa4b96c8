"""Principal components as the yardstick: as many as the VAE has latents, fitted with the same augmentation."""

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from vae_tf.data.augmentation import Augmentation
from vae_tf.pixels import to_unit

# Bounds of the matrix that is decomposed: rows, and float32 values (2 GB).
LARGEST_NUM_ROWS = 4000
LARGEST_NUM_VALUES = 500_000_000
NUM_AT_ONCE = 512


class PCA:
    """The best linear reconstruction of rank `num_components`, as pictures.

    Args:
        num_components: At most the number of rows less one; fewer are used where there are fewer.
        seed: Key of the augmentation and of the randomised decomposition.
    """

    def __init__(self, num_components: int, seed: int = 0) -> None:
        self.num_components = num_components
        self.seed = seed

    def fit(self, pictures: NDArray[Any], augmentation: Augmentation | None) -> "PCA":
        """Fits on pictures [N, H, W, C] and, with augmentation, on as many augmented copies as fit."""
        import sklearn.decomposition

        limit = min(LARGEST_NUM_ROWS, max(2, LARGEST_NUM_VALUES // int(np.prod(pictures.shape[1:]))))
        if len(pictures) > limit:
            chosen = np.random.default_rng(self.seed).choice(len(pictures), limit, replace=False)
            pictures = pictures[np.sort(chosen)]
        rows = self._rows(pictures, augmentation, copies=max(1, limit // len(pictures)))
        components = max(1, min(self.num_components, len(rows) - 1, rows.shape[1]))
        self.decomposition = sklearn.decomposition.PCA(
            components,
            copy=False,  # the rows are nobody else's
            svd_solver="randomized",
            iterated_power=7,
            random_state=self.seed,
        )
        self.decomposition.fit(rows)
        return self

    def _rows(
        self, pictures: NDArray[Any], augmentation: Augmentation | None, copies: int
    ) -> NDArray[np.float32]:
        # Sixteen copies sample mirror and shift well; more only cost time.
        copies = 1 if augmentation is None else min(copies, 16)
        rows = np.empty((copies, *pictures.shape), np.float32)
        # Augmenting holds four copies of what it is given.
        starts = range(0, len(pictures), NUM_AT_ONCE)
        for part, start in enumerate(starts):
            pixels = to_unit(pictures[start : start + NUM_AT_ONCE])
            rows[0, start : start + NUM_AT_ONCE] = pixels
            if augmentation is None:
                continue
            for copy in range(copies - 1):
                step = tf.constant(copy * len(starts) + part, tf.int64)
                moved = augmentation(tf.constant(pixels), self.seed, step)
                rows[copy + 1, start : start + NUM_AT_ONCE] = moved
        return rows.reshape(copies * len(pictures), -1)

    def encode(self, pictures: NDArray[Any]) -> NDArray[np.float32]:
        """Scores [N, num_components] of stored pictures."""
        starts = range(0, max(len(pictures), 1), NUM_AT_ONCE)
        return np.concatenate([self._scores(pictures[start : start + NUM_AT_ONCE]) for start in starts])

    def _scores(self, pictures: NDArray[Any]) -> NDArray[np.float32]:
        rows = to_unit(pictures).reshape(len(pictures), -1)
        scores: NDArray[np.float32] = self.decomposition.transform(rows)
        return scores

    def reconstruct(self, pictures: NDArray[Any]) -> NDArray[np.float32]:
        """Reconstructions in [0, 1] of stored pictures [N, H, W, C], same shape."""
        rows: Any = self.decomposition.inverse_transform(self.encode(pictures))
        return np.clip(rows, 0.0, 1.0).reshape(pictures.shape).astype(np.float32)
