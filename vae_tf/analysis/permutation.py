"""Permutation tests that fit the design of groups and classes.

A p-value is only right if the labels are shuffled the way they could have fallen. Where several pictures come
from one person, shuffling picture by picture would call every difference between persons a difference between
classes. So the labels of *units* (pictures, or whole groups) are shuffled within *blocks* (one, or the
groups), see `plan`; designs that need more are in `mixed_design`.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from dataclasses import dataclass
from typing import Literal

import numpy as np

from vae_tf.analysis.features import Floats, Integers
from vae_tf.analysis.mixed_design import MixedDesign, arrangements, multinomial

Kind = Literal["no groups", "crossed", "nested", "mixed"]

ALPHA = 0.05


@dataclass(frozen=True, eq=False)
class Design:
    """Which labels may be exchanged with which.

    Attributes:
        kind: "no groups", "crossed" (every group holds several classes), "nested" (each group holds one
            class) or "mixed".
        labels: [N] class of each picture, 0 to C − 1.
        groups: [N] group of each picture, 0 to G − 1; one per picture where there are no groups.
        num_classes: C.
        num_groups: G.
        unit_of_picture: [N] the unit whose label a picture carries; not used by mixed designs.
        block_of_unit: [U] the block within which the unit's label is exchanged.
        label_of_unit: [U].
        mixed: What changes places in a mixed design; None for the others.
        num_labellings: Distinct labellings that the exchange can produce, the observed one included.
        num_renamings: Ways to rename the classes that turn every such labelling into another such labelling.
            A statistic that does not care for names takes each of its values at least this often.
    """

    kind: Kind
    labels: Integers
    groups: Integers
    num_classes: int
    num_groups: int
    unit_of_picture: Integers
    block_of_unit: Integers
    label_of_unit: Integers
    mixed: MixedDesign | None
    num_labellings: int
    num_renamings: int


@dataclass(frozen=True, eq=False)
class Labellings:
    """What a null distribution is computed from.

    Attributes:
        labels: [P, N]; every distinct labelling where exact, else independent random ones.
        exact: Whether all labellings are there.
        minimum_p: The smallest p-value that the design can give to a statistic blind to the classes' names.
    """

    labels: Integers
    exact: bool
    minimum_p: float


@dataclass(frozen=True, eq=False)
class Verdict:
    """One observed value against its null distribution.

    Attributes:
        p_value: Share of labellings with at least the observed value: exact, or (1 + #{≥}) / (1 + P) for P
            random ones (Phipson & Smyth 2010).
        minimum_p: The smallest p-value that could have come out.
        critical_value: The smallest value with p ≤ 0.05; None where no value has it.
        null_mean: Mean of the null distribution.
        null_sd: Its standard deviation.
    """

    p_value: float
    minimum_p: float
    critical_value: float | None
    null_mean: float
    null_sd: float


def plan(labels: Integers, groups: Integers | None = None) -> Design:
    """Choose units and blocks from how classes and groups meet.

    - No groups: the units are pictures, in one block.
    - A group with several classes is a block of its own, its pictures are units: labels move within it.
    - Groups with one class each are units as a whole, together in one block: labels move between such groups.
    - Where there are both, label vectors also move between groups of equal size (`mixed_design.MixedDesign`).

    Args:
        labels: [N] classes, coded 0 to C − 1, all of them present.
        groups: [N] groups, coded 0 to G − 1; or None.

    Returns:
        `Design`.
    """
    num_pictures, num_classes = len(labels), int(labels.max()) + 1
    folds = np.arange(num_pictures) if groups is None else groups
    num_groups = int(folds.max()) + 1
    table = np.zeros((num_groups, num_classes), dtype=np.int64)
    np.add.at(table, (folds, labels), 1)
    several = (table > 0).sum(axis=1) > 1
    key = np.where(several[folds], num_groups + np.arange(num_pictures), folds)
    _, first, unit_of_picture = np.unique(key, return_index=True, return_inverse=True)
    block_key = np.where(several[folds[first]], folds[first], -1)
    block_of_unit = np.unique(block_key, return_inverse=True)[1]
    label_of_unit = labels[first]
    counts = np.zeros((block_of_unit.max() + 1, num_classes), dtype=np.int64)
    np.add.at(counts, (block_of_unit, label_of_unit), 1)
    kind = _kind(several, table.sum(axis=1))
    mixed = MixedDesign(labels, folds) if kind == "mixed" else None
    renamings = math.prod(math.factorial(n) for n in Counter(map(tuple, counts.T.tolist())).values())
    return Design(
        kind=kind,
        labels=labels,
        groups=folds,
        num_classes=num_classes,
        num_groups=num_groups,
        unit_of_picture=unit_of_picture,
        block_of_unit=block_of_unit,
        label_of_unit=label_of_unit,
        mixed=mixed,
        num_labellings=mixed.num_labellings if mixed else math.prod(map(multinomial, counts.tolist())),
        num_renamings=mixed.num_renamings if mixed else renamings,
    )


def labellings(design: Design, num_permutations: int, seed: int) -> Labellings:
    """All labellings that the design allows, or random ones where there are more than `num_permutations`.

    Args:
        design: Units and blocks.
        num_permutations: The most labellings wanted.
        seed: Of the random ones.

    Returns:
        `Labellings`.
    """
    smallest = design.num_renamings / design.num_labellings
    if design.num_labellings <= num_permutations:
        return Labellings(_enumerate(design), True, smallest)
    drawn = _draw(design, num_permutations, np.random.default_rng(seed))
    return Labellings(drawn, False, max(smallest, 1 / (num_permutations + 1)))


def judge(observed: float, null: Floats, exact: bool, minimum_p: float) -> Verdict:
    """Place an observed value in its null distribution; large values speak against the null.

    Args:
        observed: The statistic of the observed labels.
        null: [P] the statistic of each labelling.
        exact: Whether these are all labellings.
        minimum_p: The design's smallest p-value.

    Returns:
        `Verdict`.
    """
    # Equal in exact arithmetic must be equal here, or ties would be decided by rounding.
    value, ordered = np.round(observed, 10), np.sort(np.round(null, 10))
    extra = 0 if exact else 1

    def p_values(values: Floats) -> Floats:
        num_at_least = len(ordered) - np.searchsorted(ordered, values, side="left")
        return np.asarray((num_at_least + extra) / (len(ordered) + extra))

    candidates = np.unique(np.append(ordered, value))
    visible = candidates[p_values(candidates) <= ALPHA]
    return Verdict(
        p_value=float(p_values(value)),
        minimum_p=max(minimum_p, float(p_values(ordered[-1]))) if exact else minimum_p,
        critical_value=float(visible[0]) if len(visible) else None,
        null_mean=float(null.mean()),
        null_sd=float(null.std()),
    )


def _kind(several: np.ndarray[tuple[int], np.dtype[np.bool_]], sizes: Integers) -> Kind:
    if several.all():
        return "crossed"
    if several.any():
        return "mixed"
    return "nested" if (sizes > 1).any() else "no groups"


def _draw(design: Design, num_permutations: int, generator: np.random.Generator) -> Integers:
    """Random labels [P, N]: sorting random keys shuffles the units, adding the block keeps them within."""
    if design.mixed is not None:
        return design.mixed.draw(num_permutations, generator)
    block = design.block_of_unit
    keys = block + generator.random((num_permutations, len(block)))
    drawn = np.empty(keys.shape, dtype=np.int64)
    drawn[:, np.argsort(block, kind="stable")] = design.label_of_unit[np.argsort(keys, axis=1)]
    return drawn[:, design.unit_of_picture]


def _enumerate(design: Design) -> Integers:
    """Every distinct labelling, [M, N]."""
    if design.mixed is not None:
        return design.mixed.enumerate()
    blocks = range(design.block_of_unit.max() + 1)
    members = [np.flatnonzero(design.block_of_unit == block) for block in blocks]
    every = np.empty((design.num_labellings, len(design.block_of_unit)), dtype=np.int64)
    order = np.concatenate(members)
    ways = [list(arrangements(tuple(design.label_of_unit[units].tolist()))) for units in members]
    for row, parts in zip(every, itertools.product(*ways), strict=True):
        row[order] = list(itertools.chain.from_iterable(parts))
    return every[:, design.unit_of_picture]
