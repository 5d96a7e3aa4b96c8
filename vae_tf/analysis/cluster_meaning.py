"""Do clusters follow the classes, or the groups? The classic trap: clusters of faces are people, not expressions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vae_tf.analysis.agreement import adjusted_mutual_information, contingency
from vae_tf.analysis.features import Integers

NUM_HALVES = 100
# Of more pictures a random part serves, whole groups at once.
LARGEST_NUM_PICTURES = 2_000
# Half of fewer groups cannot tell how the other half differs.
FEWEST_GROUPS = 10
_Z = 1.959963984540054


@dataclass(frozen=True)
class Meaning:
    """Adjusted mutual information of clusters with something else that is known of the pictures.

    Attributes:
        value: 0 by chance; 1 where clusters never split what is known, or know it exactly.
        interval: 95 %; None with fewer than 10 groups.
    """

    value: float
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Meanings:
    """Of one clustering.

    Attributes:
        classes: None where pictures have no classes.
        groups: None where pictures have no groups of several pictures.
        difference: Groups less classes; None where one is missing.
        num_pictures: How many pictures served: those with a class and a group, where both are known.
        num_groups: Groups with several pictures; 0 where there are none.
    """

    classes: Meaning | None
    groups: Meaning | None
    difference: Meaning | None
    num_pictures: int
    num_groups: int

    @property
    def clusters_are_groups(self) -> bool:
        """Whether clusters follow groups more than classes, beyond the uncertainty of both."""
        found = self.difference
        return found is not None and found.interval is not None and found.interval[0] > 0


def meanings_of(
    assignments: Integers, labels: Integers | None, groups: Integers | None, seed: int = 0
) -> Meanings:
    """AMI of clusters with classes and with groups, both normalised by the smaller entropy.

    Vinh et al. 2010's AMI with max(H) or the mean in the denominator sinks with the number of groups, even where every
    person is whole within one cluster. With the smaller entropy it is 1 there, and the two values can be compared. The
    intervals are those of half-sampling: groups (or pictures) are halved 100 times without replacement, and the
    standard deviation over halves estimates that of the whole (the delete-half jackknife of Shao & Wu 1989).

    Args:
        assignments: [N] clusters.
        labels: [N] classes, −1 for none; or None.
        groups: [N], −1 for none; or None.
        seed: Of the halves.

    Returns:
        `Meanings`.
    """
    labels = None if labels is None or len(np.unique(labels[labels >= 0])) < 2 else labels
    groups = None if groups is None or np.bincount(groups[groups >= 0], minlength=1).max() < 2 else groups
    kept = np.ones(len(assignments), dtype=bool)
    for known in (labels, groups):
        if known is not None:
            kept &= known >= 0
    rows = np.flatnonzero(kept)
    if not len(rows) or (labels is None and groups is None):
        return Meanings(None, None, None, len(rows), 0)
    generator = np.random.default_rng(seed)
    rows = _part(rows, groups, generator)
    units = np.arange(len(rows)) if groups is None else np.unique(groups[rows], return_inverse=True)[1]
    num_units = int(units.max()) + 1
    columns = [None if known is None else known[rows] for known in (labels, groups)]

    def measure(inside: Integers) -> list[float]:
        return [
            np.nan if known is None else nested_agreement(assignments[rows][inside], known[inside])
            for known in columns
        ]

    whole = np.array(measure(np.arange(len(rows))))
    halves = []
    for _ in range(NUM_HALVES if num_units >= FEWEST_GROUPS else 0):
        drawn = generator.permutation(num_units)[: num_units // 2]
        halves.append(measure(np.flatnonzero(np.isin(units, drawn))))
    spread = np.std(halves, axis=0) if halves else None
    difference = None
    if labels is not None and groups is not None:
        sd = None if spread is None else float(np.std(np.diff(halves, axis=1)))
        difference = _meaning(float(whole[1] - whole[0]), sd)
    classes, of_groups = (
        None if known is None else _meaning(float(whole[i]), None if spread is None else float(spread[i]))
        for i, known in enumerate(columns)
    )
    return Meanings(classes, of_groups, difference, len(rows), 0 if groups is None else num_units)


def _part(rows: Integers, groups: Integers | None, generator: np.random.Generator) -> Integers:
    """At most 2,000 of the pictures, of as many whole groups as fit."""
    if len(rows) <= LARGEST_NUM_PICTURES:
        return rows
    keys = rows if groups is None else groups[rows]
    found, unit, sizes = np.unique(keys, return_inverse=True, return_counts=True)
    order = generator.permutation(len(found))
    fitting = np.cumsum(sizes[order]) <= LARGEST_NUM_PICTURES
    return rows[np.isin(unit, order[fitting | (np.arange(len(order)) == 0)])]


def nested_agreement(one: Integers, other: Integers) -> float:
    """AMI over the smaller entropy [≤ 1]; 0 where either side is one cluster only."""
    first, second = (np.unique(side, return_inverse=True)[1] for side in (one, other))
    num = int(second.max(initial=0)) + 1
    if num < 2 or not first.any():
        return 0.0
    return float(adjusted_mutual_information(contingency(second[None], first, num), over="smaller")[0])


def _meaning(value: float, sd: float | None) -> Meaning:
    return Meaning(value, None if sd is None else (value - _Z * sd, value + _Z * sd))
