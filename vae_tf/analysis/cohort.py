"""Which labelled pictures can answer how their classes separate, and what has to be left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from vae_tf.analysis.features import Integers
from vae_tf.errors import UserError

# With fewer groups than this in a subsample, all groups are thinned instead of some being kept whole.
_FEWEST_WHOLE_GROUPS = 20


@dataclass(frozen=True, eq=False)
class Cohort:
    """The pictures that serve.

    Attributes:
        num_given: N of the caller's arrays.
        kept: [M] indices of the pictures that serve, ascending.
        labels: [M] their classes, coded 0 to C − 1.
        groups: [M] their groups, coded 0 to G − 1; None where pictures are taken as independent.
        class_names: [C].
        class_counts: [C] pictures per class.
        class_groups: [C] groups per class (pictures, where there are no groups).
        notes: Plain sentences on what was left out, dropped or subsampled, and why.
    """

    num_given: int
    kept: Integers
    labels: Integers
    groups: Integers | None
    class_names: tuple[str, ...]
    class_counts: tuple[int, ...]
    class_groups: tuple[int, ...]
    notes: tuple[str, ...]


def select(
    labels: ArrayLike,
    groups: ArrayLike | None,
    class_names: Sequence[str] | None,
    seed: int,
    max_pictures: int,
) -> Cohort:
    """Leave out what cannot be judged; drop a grouping that is the same as the classes.

    Args:
        labels: [N] integers, negative for none.
        groups: [N] integers or strings, a negative number or an empty string being a group of its own; or
            None.
        class_names: Name of each label; the number itself where None.
        seed: Of the subsample.
        max_pictures: Of more labelled pictures a random part serves.

    Returns:
        `Cohort`.

    Raises:
        UserError: Arrays that do not fit together; fewer than two classes that can be judged.
    """
    given = np.asarray(labels)
    if given.ndim != 1 or not np.issubdtype(given.dtype, np.integer):
        raise UserError(f"labels have shape {given.shape} and type {given.dtype}; expected [N] integers.")
    notes: list[str] = []
    kept = np.flatnonzero(given >= 0)
    if 0 < len(kept) < len(given):
        notes.append(f"{len(given) - len(kept)} pictures without a label are left out.")
    keys = None if groups is None else _group_keys(groups, len(given))
    if keys is not None and len(kept):
        keys = _useful_groups(given, keys, kept, notes)
    if len(kept) > max_pictures:
        kept = _subsample(kept, keys, max_pictures, np.random.default_rng(seed), notes)
    kept = _without_lone_classes(given, keys, kept, class_names, notes)
    classes, codes = np.unique(given[kept], return_inverse=True)
    units = kept if keys is None else keys[kept]
    return Cohort(
        num_given=len(given),
        kept=kept,
        labels=codes,
        groups=None if keys is None else np.unique(keys[kept], return_inverse=True)[1],
        class_names=_named(classes.tolist(), class_names),
        class_counts=tuple(np.bincount(codes).tolist()),
        class_groups=tuple(len(np.unique(units[codes == code])) for code in range(len(classes))),
        notes=tuple(notes),
    )


def _named(labels: list[int], names: Sequence[str] | None) -> tuple[str, ...]:
    if names is None:
        return tuple(str(label) for label in labels)
    if max(labels) >= len(names):
        raise UserError(f"Label {max(labels)} has no name: {len(names)} class names were given.")
    return tuple(names[label] for label in labels)


def _group_keys(groups: ArrayLike, num_pictures: int) -> Integers:
    """Groups as integers; pictures without one get a key of their own."""
    given = np.asarray(groups)
    if given.shape != (num_pictures,):
        raise UserError(f"groups have shape {given.shape}; expected ({num_pictures},), one per picture.")
    alone = given < 0 if np.issubdtype(given.dtype, np.number) else given.astype(str) == ""
    keys = np.unique(given, return_inverse=True)[1]
    return np.asarray(np.where(alone, keys.max() + 1 + np.arange(num_pictures), keys))


def _useful_groups(labels: Integers, keys: Integers, kept: Integers, notes: list[str]) -> Integers | None:
    """The groups, or None where they cannot be held out: one group, or each class its own group."""
    pairs = np.unique(np.stack([labels[kept], keys[kept]]), axis=1)
    num_classes, num_groups = len(np.unique(pairs[0])), len(np.unique(pairs[1]))
    if num_groups == 1:
        notes.append("All pictures are of one group, so each picture is held out alone.")
        return None
    if pairs.shape[1] == num_classes == num_groups:
        notes.append(
            "Each class is one group, so the question is whether these groups separate; "
            "each picture is held out alone."
        )
        return None
    return keys


def _subsample(
    kept: Integers, keys: Integers | None, max_pictures: int, generator: np.random.Generator, notes: list[str]
) -> Integers:
    """A random part, drawn without looking at the labels."""
    order = generator.permutation(kept)
    how = "drawn at random"
    if keys is not None:
        # Whole groups in random order, as many as fit.
        found, group, sizes = np.unique(keys[kept], return_inverse=True, return_counts=True)
        shuffled = generator.permutation(len(found))
        whole = shuffled[np.cumsum(sizes[shuffled]) <= max_pictures]
        if len(whole) >= min(_FEWEST_WHOLE_GROUPS, len(found)):
            order, how = (
                kept[np.isin(group, whole)],
                f"the {len(whole)} groups they come from drawn at random",
            )
    chosen = np.sort(order[:max_pictures])
    notes.append(f"{len(chosen)} of {len(kept)} labelled pictures serve, {how}.")
    return chosen


def _without_lone_classes(
    labels: Integers, keys: Integers | None, kept: Integers, names: Sequence[str] | None, notes: list[str]
) -> Integers:
    """Leave out classes that vanish when one group is held out; at least two must remain."""
    units = kept if keys is None else keys[kept]
    classes = np.unique(labels[kept]).tolist()
    lone = [label for label in classes if len(np.unique(units[labels[kept] == label])) < 2]
    unit = "picture" if keys is None else "group"
    if len(classes) - len(lone) < 2:
        raise UserError(
            f"{len(classes)} classes, of which {len(classes) - len(lone)} have pictures in at least two "
            f"{unit}s: nothing can be said about how classes separate.",
            f"Two classes with two {unit}s each are needed; put the pictures into one subfolder per class"
            + ("." if keys is None else ", or leave the groups out."),
        )
    if lone:
        listed = ", ".join(_named(lone, names))
        notes.append(
            f"Left out, for having one {unit} only, which cannot be judged when it is held out: {listed}."
        )
    return kept[~np.isin(labels[kept], lone)]
