"""Which factor goes with which feature: shares of variance that factors explain, tested by permutation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vae_tf.analysis.features import Floats, Integers
from vae_tf.analysis.permutation import Labellings, labellings, plan
from vae_tf.groups import units_of

# Numbers with more different values are cut into this many levels of equally many pictures.
NUM_LEVELS = 8
# Of each level, on average: fewer say nothing.
SMALLEST_LEVEL = 2
LARGEST_NUM_PICTURES = 1000
# Labellings whose statistics are computed at once; more only need more memory.
NUM_AT_ONCE = 200


@dataclass(frozen=True, eq=False)
class Association:
    """Of F factors and d features.

    Attributes:
        factors: Names [F].
        strength: ε² [F, d]: the share of a feature's variance between a factor's levels, less what chance gives;
            0 to 1.
        p_values: [F, d], corrected for all F·d pairs.
        num_pictures: How many pictures served.
        notes: On factors that were left out.
    """

    factors: list[str]
    strength: Floats
    p_values: Floats
    num_pictures: int
    notes: list[str] = field(default_factory=list)


def associate(
    columns: Floats,
    factors: Mapping[str, Sequence[Any]],
    groups: Integers | None = None,
    seed: int = 0,
    num_permutations: int = 1999,
) -> Association:
    """Tests every pair of feature and factor at once.

    Under the null a factor's values fell on pictures as the design lets them (`permutation.plan`): freely, within
    groups, or whole groups at once. Each labelling gives the largest η² of any feature, and a pair's p-value is the
    share of labellings whose largest reaches it (Westfall & Young 1993, single step), times the number of factors
    (Bonferroni): the chance of even one false pair among all is held.

    Args:
        columns: [N, d], such as the probability that a feature is on.
        factors: Name and N values, None where unknown.
        groups: [N] group of each picture, −1 for none; or None.
        seed: Of pictures, where there are more than 1,000, and of labellings.
        num_permutations: Labellings of each factor.
    """
    chosen = pictures_that_serve(len(columns), seed)
    strength, p_values, names, notes = [], [], [], []
    for name, values in factors.items():
        rows, levels = levels_of([values[i] for i in chosen.tolist()])
        if len(rows) < SMALLEST_LEVEL * (levels.max(initial=0) + 1) or levels.max(initial=0) < 1:
            notes.append(f"{name} has one value, or too many for so few pictures, and is left out.")
            continue
        units = None if groups is None else units_of(groups[chosen][rows])
        found = judge_factor(columns[chosen][rows], levels, units, seed, num_permutations)
        names.append(name)
        strength.append(found[0])
        p_values.append(found[1])
    shape = (len(names), columns.shape[1])
    corrected = np.minimum(1.0, len(names) * np.reshape(p_values, shape))
    return Association(names, np.reshape(strength, shape), corrected, len(chosen), notes)


def pictures_that_serve(count: int, seed: int) -> Integers:
    """Positions of all pictures, or of 1,000 drawn from them."""
    if count <= LARGEST_NUM_PICTURES:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).permutation(count)[:LARGEST_NUM_PICTURES])


def known_values(values: Sequence[Any]) -> tuple[Integers, Any, bool]:
    """Rows whose value is known, those values as an array of numbers or of words, and whether they are numbers."""
    rows = np.array([i for i, v in enumerate(values) if v is not None and v == v], dtype=np.int64)
    known = [values[i] for i in rows]
    is_number = all(isinstance(v, int | float) and not isinstance(v, bool) for v in known)
    return (
        rows,
        np.array(known, dtype=np.float64) if is_number else np.array([str(v) for v in known]),
        is_number,
    )


def levels_of(values: Sequence[Any]) -> tuple[Integers, Integers]:
    """Rows whose value is known, and their levels from 0: words as they are, many numbers by equal counts."""
    rows, column, is_number = known_values(values)
    if is_number and len(np.unique(column)) > NUM_LEVELS:
        edges = np.quantile(column, np.linspace(0, 1, NUM_LEVELS + 1)[1:-1])
        column = np.searchsorted(edges, column, side="right")
    return rows, distinct(column)


def distinct(values: Any) -> Integers:
    return np.asarray(np.unique(values, return_inverse=True)[1], dtype=np.int64)


def judge_factor(
    columns: Floats, levels: Integers, groups: Integers | None, seed: int, num_permutations: int
) -> tuple[Floats, Floats]:
    """ε² [d] of one factor's levels [n], and p-values [d] corrected for the d features."""
    spread = columns.std(axis=0)
    standard = (columns - columns.mean(axis=0)) / np.where(spread > 1e-9, spread, np.inf)
    observed = explained(standard, levels[None])[0]
    null = labellings(plan(levels, groups), num_permutations, seed)
    p_values = p_of_largest(null, observed, lambda labels: explained(standard, labels))
    by_chance = levels.max() / max(len(levels) - 1, 1)
    strength = np.maximum(0.0, (observed - by_chance) / max(1.0 - by_chance, 1e-9))
    return strength, p_values


def p_of_largest(null: Labellings, observed: Floats, statistic: Callable[[Integers], Floats]) -> Floats:
    """Shares [d] of labellings whose largest |statistic| [P, d] over all columns reaches each of `observed` [d]."""
    pieces = [null.labels[i : i + NUM_AT_ONCE] for i in range(0, len(null.labels), NUM_AT_ONCE)]
    largest = np.concatenate([np.abs(statistic(piece)).max(axis=1) for piece in pieces])
    extra = 0 if null.exact else 1
    # Equal in exact arithmetic must count as reached.
    reached = (largest[:, None] >= np.abs(observed) - 1e-10).sum(axis=0)
    return np.asarray((reached + extra) / (len(largest) + extra))


def explained(standard: Floats, labels: Integers) -> Floats:
    """η² [P, d]: the share of variance between the levels of each labelling [P, n], of columns [n, d] of variance 1."""
    total = np.zeros((len(labels), standard.shape[1]))
    for level in range(int(labels.max()) + 1):
        is_level = (labels == level).astype(np.float64)
        total += (is_level @ standard) ** 2 / np.maximum(is_level.sum(axis=1, keepdims=True), 1.0)
    return np.asarray(total / len(standard))
