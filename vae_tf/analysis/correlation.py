"""How a known factor and each latent dimension go together: Spearman's ρ, or η of categories, with honest p-values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from vae_tf.analysis.association import (
    explained,
    known_values,
    p_of_largest,
    pictures_that_serve,
)
from vae_tf.analysis.features import Floats, Integers
from vae_tf.analysis.permutation import labellings, plan
from vae_tf.groups import units_of

# Fewer pictures with a known value say nothing.
SMALLEST_NUM = 8


@dataclass(frozen=True, eq=False)
class Correlation:
    """Of F factors and d columns.

    Attributes:
        factors: Names [F] of those that could be tested.
        kinds: "spearman" or "eta" [F].
        strength: [F, d]; ρ from −1 to 1, η from 0 to 1.
        p_values: [F, d], corrected for all F·d comparisons.
        num_comparisons: F·d.
        num_pictures: How many pictures served.
        notes: On factors that were left out.
    """

    factors: list[str]
    kinds: list[str]
    strength: Floats
    p_values: Floats
    num_comparisons: int
    num_pictures: int
    notes: list[str] = field(default_factory=list)


def correlate(
    columns: Floats,
    factors: Mapping[str, Sequence[Any]],
    groups: Integers | None = None,
    seed: int = 0,
    num_permutations: int = 1999,
) -> Correlation:
    """Spearman's ρ of each column with each factor of numbers, and η (√η², Fisher's correlation ratio) with categories.

    Under the null a factor's values fell on pictures as the design lets them (`permutation.plan`): freely, within
    groups, or whole groups at once. A pair's p-value is the share of labellings whose largest value over all columns
    reaches it (Westfall & Young 1993, single step), times the number of factors (Bonferroni).

    Args:
        columns: [N, d], such as posterior means.
        factors: Name and N values, None where unknown; words are categories, whatever they look like.
        groups: [N] group of each picture, −1 for none; or None.
        seed: Of pictures, where there are more than 1,000, and of labellings.
        num_permutations: Labellings of each factor.
    """
    chosen = pictures_that_serve(len(columns), seed)
    names, kinds, strength, p_values, notes = [], [], [], [], []
    for name, values in factors.items():
        rows, kind, levels, scores = coded([values[i] for i in chosen.tolist()])
        if len(rows) < SMALLEST_NUM or len(scores) < 2 or (kind == "eta" and 2 * len(scores) > len(rows)):
            notes.append(f"{name} has one value, or too many for so few pictures, and is left out.")
            continue
        units = None if groups is None else units_of(groups[chosen][rows])
        null = labellings(plan(levels, units), num_permutations, seed)
        standard = standardised(ranks(columns[chosen][rows]) if kind == "spearman" else columns[chosen][rows])
        observed = statistic(standard, scores, kind, levels[None])[0]
        names.append(name)
        kinds.append(kind)
        strength.append(observed)
        p_values.append(p_of_largest(null, observed, partial(statistic, standard, scores, kind)))
    shape = (len(names), columns.shape[1])
    return Correlation(
        names,
        kinds,
        np.reshape(strength, shape),
        np.minimum(1.0, len(names) * np.reshape(p_values, shape)),
        len(names) * columns.shape[1],
        len(chosen),
        notes,
    )


def coded(values: Sequence[Any]) -> tuple[Integers, str, Integers, Floats]:
    """Rows whose value is known, "spearman" or "eta", the codes of their values from 0, and the score of each code.

    The scores of numbers are their average ranks, standardised; those of categories mean nothing.
    """
    rows, column, is_number = known_values(values)
    _, codes, counts = np.unique(column, return_inverse=True, return_counts=True)
    if not is_number or len(counts) < 2:
        return rows, "eta", codes.astype(np.int64), np.zeros(len(counts))
    average = np.cumsum(counts) - (counts - 1) / 2
    return (
        rows,
        "spearman",
        codes.astype(np.int64),
        standardised(average[codes, None], average[:, None])[:, 0],
    )


def ranks(columns: Floats) -> Floats:
    """Average ranks [N, d] down each column."""
    found = np.empty(columns.shape)
    for j, column in enumerate(columns.T):
        _, codes, counts = np.unique(column, return_inverse=True, return_counts=True)
        found[:, j] = (np.cumsum(counts) - (counts - 1) / 2)[codes]
    return found


def standardised(columns: Floats, what: Floats | None = None) -> Floats:
    """`what` (or the columns themselves) less the columns' mean, by their standard deviation; 0 where that is 0."""
    spread = columns.std(axis=0)
    given = columns if what is None else what
    return np.asarray((given - columns.mean(axis=0)) / np.where(spread > 1e-9, spread, np.inf))


def statistic(standard: Floats, scores: Floats, kind: str, labels: Integers) -> Floats:
    """ρ or η [P, d] of columns [n, d] of variance 1 under each labelling [P, n]."""
    if kind == "eta":
        return np.sqrt(np.clip(explained(standard, labels), 0.0, 1.0))
    return np.asarray(scores[labels] @ standard / len(standard))
