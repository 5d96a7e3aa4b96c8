"""How a known factor and each latent dimension go together: Spearman's ρ, or η of categories, with honest p-values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vae_tf.analysis.association import explained
from vae_tf.analysis.features import Floats, Integers
from vae_tf.analysis.permutation import labellings, plan

# Fewer pictures with a known value say nothing.
SMALLEST_NUM = 8
LARGEST_NUM_PICTURES = 1000
NUM_AT_ONCE = 200


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
    chosen = np.arange(len(columns))
    if len(chosen) > LARGEST_NUM_PICTURES:
        chosen = np.sort(np.random.default_rng(seed).permutation(len(chosen))[:LARGEST_NUM_PICTURES])
    names, kinds, strength, p_values, notes = [], [], [], [], []
    for name, values in factors.items():
        rows, kind, levels, scores = coded([values[i] for i in chosen.tolist()])
        if len(rows) < SMALLEST_NUM or len(scores) < 2 or (kind == "eta" and 2 * len(scores) > len(rows)):
            notes.append(f"{name} has one value, or too many for so few pictures, and is left out.")
            continue
        units = None if groups is None else units_of(groups[chosen][rows])
        null = labellings(plan(levels, units), num_permutations, seed)
        standard = standardised(ranks(columns[chosen][rows]) if kind == "spearman" else columns[chosen][rows])
        observed = statistic(standard, levels[None], scores, kind)[0]
        pieces = [null.labels[i : i + NUM_AT_ONCE] for i in range(0, len(null.labels), NUM_AT_ONCE)]
        largest = np.concatenate([np.abs(statistic(standard, p, scores, kind)).max(axis=1) for p in pieces])
        extra = 0 if null.exact else 1
        # Equal in exact arithmetic must count as reached.
        reached = (largest[:, None] >= np.abs(observed) - 1e-10).sum(axis=0)
        names.append(name)
        kinds.append(kind)
        strength.append(observed)
        p_values.append((reached + extra) / (len(largest) + extra))
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
    rows = np.array([i for i, v in enumerate(values) if v is not None and v == v], dtype=np.int64)
    known = [values[i] for i in rows]
    is_number = all(isinstance(v, int | float) and not isinstance(v, bool) for v in known)
    column = np.array(known, dtype=np.float64) if is_number else np.array([str(v) for v in known])
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


def statistic(standard: Floats, labels: Integers, scores: Floats, kind: str) -> Floats:
    """ρ or η [P, d] of columns [n, d] of variance 1 under each labelling [P, n]."""
    if kind == "eta":
        return np.sqrt(np.clip(explained(standard, labels), 0.0, 1.0))
    return np.asarray(scores[labels] @ standard / len(standard))


def units_of(groups: Integers) -> Integers:
    """Groups coded from 0, −1 being a group of its own for each picture."""
    keys = np.where(groups < 0, groups.max(initial=0) + 1 + np.arange(len(groups)), groups)
    return np.asarray(np.unique(keys, return_inverse=True)[1], dtype=np.int64)
