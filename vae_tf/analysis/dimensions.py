"""Which dimensions of the latent space carry the difference between the classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from vae_tf.analysis.association import explained
from vae_tf.analysis.features import Floats, as_features
from vae_tf.analysis.permutation import Design, Labellings

_AT_ONCE = 200


@dataclass(frozen=True, eq=False)
class Dimensions:
    """Of d dimensions.

    Attributes:
        explained: η² [d]: the share of each dimension's variance that lies between the classes; of the variance
            within groups, where every group holds several classes.
        by_chance: [d] its mean under shuffled labels.
        shifts: [d] mean of the second class less that of the first, in standard deviations within classes (Cohen's d),
            groups' means left in; None for more than two classes.
        p_values: [d], corrected for all d dimensions.
        minimum_p: The smallest that could have come out.
        within_groups: Whether the groups' means were taken off first.
    """

    explained: Floats
    by_chance: Floats
    shifts: Floats | None
    p_values: Floats
    minimum_p: float
    within_groups: bool


def judge_dimensions(latents: ArrayLike, design: Design, null: Labellings) -> Dimensions:
    """Tests each dimension against the largest of all dimensions under the design's own labellings.

    The chance of even one false dimension is held (Westfall & Young 1993, single-step max-T), and nothing is assumed of
    the latents' distribution or of how dimensions hang together. With few groups the smallest p stays large.

    Args:
        latents: [N, d], not rotated.
        design: How the labels may be exchanged.
        null: Labellings to compare with, from `labellings(design, …)`.

    Returns:
        `Dimensions`.
    """
    columns = np.asarray(as_features(latents), dtype=np.float64)
    within = design.kind == "crossed"
    if within:
        # Labels move within groups only, so that what differs between groups is nothing but noise here.
        columns = columns - _group_means(columns, design)[design.groups]
    spread = columns.std(axis=0)
    standard = (columns - columns.mean(axis=0)) / np.where(spread > 1e-9, spread, np.inf)
    observed = explained(standard, design.labels[None])[0]
    largest, total = np.empty(len(null.labels)), np.zeros(columns.shape[1])
    for start in range(0, len(null.labels), _AT_ONCE):
        values = explained(standard, null.labels[start : start + _AT_ONCE])
        largest[start : start + _AT_ONCE] = values.max(axis=1)
        total += values.sum(axis=0)
    extra = 0 if null.exact else 1
    # Equal in exact arithmetic must count as reached.
    reached = (largest[:, None] >= observed - 1e-10).sum(axis=0)
    return Dimensions(
        explained=observed,
        by_chance=total / len(null.labels),
        shifts=_shifts(as_features(latents).astype(np.float64), design) if design.num_classes == 2 else None,
        p_values=(reached + extra) / (len(largest) + extra),
        minimum_p=null.minimum_p,
        within_groups=within,
    )


def _group_means(columns: Floats, design: Design) -> Floats:
    sums = np.zeros((design.num_groups, columns.shape[1]))
    np.add.at(sums, design.groups, columns)
    return np.asarray(sums / np.bincount(design.groups)[:, None])


def _shifts(columns: Floats, design: Design) -> Floats:
    """Cohen's d of each column, pooled standard deviation."""
    first, second = (columns[design.labels == label] for label in (0, 1))
    squares = ((first - first.mean(axis=0)) ** 2).sum(axis=0) + ((second - second.mean(axis=0)) ** 2).sum(
        axis=0
    )
    pooled = np.sqrt(squares / max(len(columns) - 2, 1))
    return np.asarray((second.mean(axis=0) - first.mean(axis=0)) / np.where(pooled > 1e-9, pooled, np.inf))
