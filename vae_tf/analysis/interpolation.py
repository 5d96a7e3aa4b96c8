"""What lies between pictures: paths, grids and pairs in latent space. Decoding them is the caller's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vae_tf.analysis.features import Floats, Integers, as_features
from vae_tf.errors import UserError

Path = Callable[[ArrayLike, ArrayLike, int], Floats]

_PAIR_CANDIDATES = 2_000


@dataclass(frozen=True)
class ClassMeans:
    """The mean latent of each class.

    Attributes:
        labels: [C] the labels, ascending, −1 (none) left out.
        means: [C, d].
        counts: [C] pictures per class.
    """

    labels: Integers
    means: Floats
    counts: Integers


def linear(z0: ArrayLike, z1: ArrayLike, num: int) -> Floats:
    """Points at equal steps on the straight line from z0 to z1, both included exactly.

    Args:
        z0: [d] first latent.
        z1: [d] last latent.
        num: Number of points, at least 2.

    Returns:
        [num, d].

    Raises:
        UserError: Fewer than 2 points, or ends that are not two finite vectors of one length.
    """
    first, last = _ends(z0, z1, num)
    fraction = np.linspace(0, 1, num)[:, None]
    return _with_exact_ends((1 - fraction) * first + fraction * last, first, last)


def spherical(z0: ArrayLike, z1: ArrayLike, num: int) -> Floats:
    """Points at equal angles on the great circle from z0 to z1, the norm going linearly between theirs.

    Under a standard normal prior in d dimensions the latents lie near a shell of radius √d, which the
    straight line leaves (White 2016); the formula is Shoemake 1985. Parallel ends, a zero end and one
    dimension give the straight line. Between opposite ends every great circle is as good: the one through the
    coordinate axis that is nearest to perpendicular is taken.

    Args:
        z0: [d] first latent.
        z1: [d] last latent.
        num: Number of points, at least 2.

    Returns:
        [num, d].

    Raises:
        UserError: As for `linear`.
    """
    first, last = _ends(z0, z1, num)
    norm_first, norm_last = np.linalg.norm(first), np.linalg.norm(last)
    if norm_first == 0 or norm_last == 0 or len(first) == 1:
        return linear(first, last, num)
    direction = first / norm_first
    cosine = float(np.clip(direction @ (last / norm_last), -1, 1))
    sideways = last / norm_last - cosine * direction
    if np.linalg.norm(sideways) < 1e-12:
        if cosine > 0:
            return linear(first, last, num)
        axis = np.eye(len(first))[np.argmin(np.abs(direction))]
        sideways = axis - (axis @ direction) * direction
    sine = np.linalg.norm(last / norm_last - cosine * direction)
    # arctan2 stays accurate near 0 and π, where arccos does not.
    angles = np.linspace(0, np.arctan2(sine, cosine), num)[:, None]
    circle = np.cos(angles) * direction + np.sin(angles) * (sideways / np.linalg.norm(sideways))
    norms = np.linspace(norm_first, norm_last, num)[:, None]
    return _with_exact_ends(norms * circle, first, last)


def four_corners(
    z00: ArrayLike,
    z01: ArrayLike,
    z10: ArrayLike,
    z11: ArrayLike,
    rows: int,
    columns: int,
    path: Path = linear,
) -> Floats:
    """A grid between four latents: down the left and the right edge, then across each row.

    Args:
        z00: [d] top left.
        z01: [d] top right.
        z10: [d] bottom left.
        z11: [d] bottom right.
        rows: Number of rows, at least 2.
        columns: Number of columns, at least 2.
        path: `linear` or `spherical`.

    Returns:
        [rows, columns, d]; the corners are the four latents exactly.

    Raises:
        UserError: As for `linear`.
    """
    left, right = path(z00, z10, rows), path(z01, z11, rows)
    return np.stack([path(start, end, columns) for start, end in zip(left, right, strict=True)])


def manifold_grid(num: int, latent_dim: int = 2) -> Floats:
    """Latents at the standard normal's quantiles (i + ½)/num (Kingma & Welling 2014, appendix D).

    Every cell of the grid stands for the same share of the prior.

    Args:
        num: Points per axis, at least 1.
        latent_dim: 2 for a grid, 1 for a strip.

    Returns:
        [num, num, 2] with the first latent growing to the right and the second growing upwards (row 0 is the
        top), or [num, 1].

    Raises:
        UserError: Another latent_dim, or num below 1.
    """
    from scipy.stats import norm

    if latent_dim not in (1, 2):
        raise UserError(
            f"The manifold grid needs 1 or 2 latent dimensions, not {latent_dim}.",
            "Train with --latent 2, or interpolate between pictures instead.",
        )
    if num < 1:
        raise UserError(f"The manifold grid needs at least 1 point per axis, not {num}.")
    quantiles = np.asarray(norm.ppf((np.arange(num) + 0.5) / num))
    if latent_dim == 1:
        return quantiles[:, None]
    across, up = np.meshgrid(quantiles, quantiles[::-1])
    return np.stack([across, up], axis=-1)


def class_means(latents: ArrayLike, labels: ArrayLike) -> ClassMeans:
    """The mean latent of each class; pictures labelled −1 are left out.

    Args:
        latents: [N, d].
        labels: [N] integers.

    Returns:
        `ClassMeans`, empty where no picture has a label.

    Raises:
        UserError: Latents of the wrong shape, or another number of labels.
    """
    features = as_features(latents).astype(np.float64)
    given = _labels(labels, len(features))
    classes, inverse = np.unique(given[given >= 0], return_inverse=True)
    sums = np.zeros((len(classes), features.shape[1]))
    np.add.at(sums, inverse, features[given >= 0])
    counts = np.bincount(inverse, minlength=len(classes))
    return ClassMeans(classes, sums / np.maximum(counts, 1)[:, None], counts)


def choose_pairs(
    latents: ArrayLike,
    labels: ArrayLike | None,
    eligible: ArrayLike,
    num_pairs: int,
    seed: int = 0,
) -> Integers:
    """Pick pairs of pictures to interpolate between: far apart, of different classes where labels exist.

    Starts are drawn at random, so that the pairs are typical of the set; each goes to the farthest eligible
    picture of another class that is still free. Only when these run out are pairs within a class taken.

    Args:
        latents: [N, d].
        labels: [N] integers, −1 for none; or None.
        eligible: [N] booleans: the pictures to choose from (the unseen ones); of more than 2,000 a random
            2,000 serve.
        num_pairs: Pairs wanted.
        seed: Of the draw.

    Returns:
        [P, 2] indices, no picture twice; P = min(num_pairs, eligible pictures / 2).

    Raises:
        UserError: Latents of the wrong shape, or another number of labels or of eligible flags.
    """
    features = as_features(latents)
    given = np.full(len(features), -1) if labels is None else _labels(labels, len(features))
    mask = np.asarray(eligible, dtype=bool)
    if mask.shape != (len(features),):
        raise UserError(f"eligible has shape {mask.shape}; expected ({len(features)},), one per picture.")
    order = np.random.default_rng(seed).permutation(np.flatnonzero(mask))[:_PAIR_CANDIDATES]
    free = dict.fromkeys(order.tolist())
    pairs: list[tuple[int, int]] = []
    for across_classes in (True, False):
        for start in order.tolist():
            if len(pairs) >= num_pairs or start not in free:
                continue
            others = np.array([index for index in free if index != start], dtype=np.int64)
            if across_classes:
                others = others[(given[others] != given[start]) & (given[others] >= 0) & (given[start] >= 0)]
            if len(others):
                end = int(others[np.argmax(_distances(features[others], features[start]))])
                pairs.append((start, end))
                del free[start], free[end]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def _distances(features: NDArray[np.floating], start: NDArray[np.floating]) -> Floats:
    return np.asarray(np.linalg.norm(features - start, axis=1), dtype=np.float64)


def _labels(labels: ArrayLike, num_pictures: int) -> Integers:
    given = np.asarray(labels)
    if given.shape != (num_pictures,):
        raise UserError(f"labels have shape {given.shape}; expected ({num_pictures},), one per picture.")
    return given.astype(np.int64)


def _ends(z0: ArrayLike, z1: ArrayLike, num: int) -> tuple[Floats, Floats]:
    first, last = np.asarray(z0, dtype=np.float64), np.asarray(z1, dtype=np.float64)
    if first.ndim != 1 or first.shape != last.shape or not np.isfinite([first, last]).all():
        raise UserError(
            f"The ends have shapes {first.shape} and {last.shape}; expected two finite vectors of one length."
        )
    if num < 2:
        raise UserError(f"A path needs at least 2 points, both ends included; got {num}.")
    return first, last


def _with_exact_ends(points: Floats, first: Floats, last: Floats) -> Floats:
    points[0], points[-1] = first, last
    return points
