"""What every analysis asks of its input: checked arrays, and coordinates that keep all distances."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vae_tf.errors import UserError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_COLUMNS_AT_ONCE = 4096


def as_features(latents: ArrayLike, name: str = "latents") -> NDArray[Any]:
    """Check a feature matrix and return it as floats, one row per picture.

    Args:
        latents: [N, ...] numbers; trailing axes are flattened, so pictures may be passed as they are.
        name: What to call the array in the message.

    Returns:
        [N, d] array, float32 where that holds the input exactly (float32, 8 and 16 bits), else float64.

    Raises:
        UserError: No rows, no columns, or values that are not finite.
    """
    features = np.asarray(latents)
    if features.ndim < 2 or features.size == 0:
        raise UserError(
            f"{name} have shape {features.shape}; expected [N, d] with at least one row and one column.",
            "Pass one row per picture; embed the pictures again if the file is empty.",
        )
    features = features.astype(np.result_type(features.dtype, np.float32), copy=False)
    features = features.reshape(len(features), -1)
    num_bad = int((~np.isfinite(features).all(axis=1)).sum())
    if num_bad:
        raise UserError(
            f"{name} hold values that are not finite in {num_bad} of {len(features)} rows.",
            "Training may have diverged: look at the learning curves, then train and embed again.",
        )
    return features


def principal_scores(features: NDArray[Any]) -> Floats:
    """Rotate centred features onto their principal axes, keeping every one of them.

    Nothing is lost: all pairwise distances stay the same, and the columns are orthogonal with falling
    variance. For pictures with more pixels than there are pictures this makes every later step cheap.

    Args:
        features: [N, d], finite.

    Returns:
        [N, r] with r = rank of the centred features; [N, 1] of zeros where all rows are equal.
    """
    num_rows, num_columns = features.shape
    wide = num_columns > num_rows
    gram = _gram_of_rows(features) if wide else _gram_of_columns(features)
    eigenvalues, vectors = np.linalg.eigh(gram)
    squared_size = float(np.einsum("ij,ij->", features, features, dtype=np.float64))
    # Below this, what is left after centring is rounding, not variation.
    order = np.flatnonzero(eigenvalues > 1e-12 * max(eigenvalues[-1], 1e-8 * squared_size))[::-1]
    if len(order) == 0:
        return np.zeros((num_rows, 1))
    if wide:
        return np.asarray(vectors[:, order] * np.sqrt(eigenvalues[order]))
    return np.asarray(_centre(features) @ vectors[:, order])


def squared_distances(scores: Floats) -> Floats:
    """All squared Euclidean distances between the rows of [N, r], as [N, N] with a zero diagonal."""
    squares = (scores**2).sum(axis=1)
    distances = squares[:, None] + squares[None, :] - 2 * (scores @ scores.T)
    np.maximum(distances, 0, out=distances)
    np.fill_diagonal(distances, 0)
    return np.asarray(distances)


def _centre(features: NDArray[Any]) -> Floats:
    block = features.astype(np.float64)
    return np.asarray(block - block.mean(axis=0))


def _gram_of_columns(features: NDArray[Any]) -> Floats:
    centred = _centre(features)
    return np.asarray(centred.T @ centred)


def _gram_of_rows(features: NDArray[Any]) -> Floats:
    """Summed over blocks of columns, so that float32 pixels are never all in memory as float64."""
    gram = np.zeros((len(features), len(features)))
    for start in range(0, features.shape[1], _COLUMNS_AT_ONCE):
        centred = _centre(features[:, start : start + _COLUMNS_AT_ONCE])
        gram += centred @ centred.T
    return gram
