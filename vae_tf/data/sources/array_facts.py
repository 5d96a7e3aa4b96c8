"""Classes, groups and facts from the arrays that stand beside pictures."""

import dataclasses
import itertools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae_tf.data.sources.base import Entry
from vae_tf.data.sources.folder import groups_from_paths

LABELS = ("y", "label", "labels", "target", "targets", "class", "classes")
GROUPS = ("group", "groups")
CLASS_NAMES = ("class_names", "label_names", "target_names")
MOST_COLUMNS = 20
MOST_FACTS = 200

Arrays = dict[str, NDArray[Any]]


@dataclasses.dataclass
class Facts:
    """What is known about each of N pictures: label, group and further columns, None where unknown."""

    labels: list[str | None]
    groups: list[str | None]
    columns: dict[str, list[Any]]
    notes: list[str]


def facts_of(
    parts: list[tuple[int, Arrays]], class_names: list[str] | None = None, label: str | None = None
) -> Facts:
    """Sorts the arrays of all parts into classes, groups and facts.

    Args:
        parts: Number of pictures of each part, and its arrays by name, each as long as that.
        class_names: Names of the classes 0, 1, …; where there are some, labels are classes however many.
        label: The name of the labels, where that is known; else one of `LABELS`.

    A part without an array of some name has None there.
    """
    total = sum(count for count, _ in parts)
    names = list(dict.fromkeys(name for _, arrays in parts for name in arrays))
    facts = Facts([None] * total, [None] * total, {}, [])
    candidates = [label] if label is not None else sorted(filter(label_rank, names), key=label_rank)
    chosen = next((name for name in candidates if take_labels(facts, name, parts, bool(class_names))), None)
    facts.notes += name_classes(facts, class_names)
    group = next((name for name in names if name.lower() in GROUPS), None)
    if group is not None:
        facts.groups = [None if key is None else str(key) for key in joined(group, parts)]
    left = []
    for name in names:
        if name in (chosen, group):
            continue
        columns = spread(name, parts)
        if not columns or len(facts.columns) + len(columns) > MOST_FACTS:
            left.append(name)
        else:
            facts.columns |= columns
    if left:
        facts.notes.append(f"Not used: {', '.join(left[:20])}{' …' if len(left) > 20 else ''}.")
    return facts


def label_rank(name: str) -> int:
    """1 for the name that most surely means labels, 0 for one that does not."""
    return LABELS.index(name.lower()) + 1 if name.lower() in LABELS else 0


def take_labels(facts: Facts, name: str, parts: list[tuple[int, Arrays]], sure: bool) -> bool:
    """Whether the arrays called `name` are classes; then they become the labels. `sure`: even if all differ."""
    numbers = [(count, class_values(arrays[name]) if name in arrays else None) for count, arrays in parts]
    if any(
        name in arrays and values is None for (_, arrays), (_, values) in zip(parts, numbers, strict=True)
    ):
        return False
    labels = [
        label
        for count, values in numbers
        for label in ([None] * count if values is None else [None if v is None else str(v) for v in values])
    ]
    distinct = len(set(labels) - {None})
    if not distinct:
        return False
    if distinct > len(labels) / 2 and not sure:
        facts.notes.append(
            f"{name} has {distinct:,} different values: a fact of each picture, not its class."
        )
        return False
    facts.labels = labels
    return True


def class_values(values: NDArray[Any]) -> list[Any] | None:
    """Whole numbers or text of each row of [N], [N, 1] or one-hot [N, K]; None where these are no classes."""
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim == 2 and values.dtype.kind in "buif" and values.shape[1] > 1:
        one_hot = bool(np.isin(values, (0, 1)).all() and (values.sum(axis=1) == 1).all())
        return values.argmax(axis=1).tolist() if one_hot else None
    if values.ndim != 1:
        return None
    if values.dtype.kind == "f":
        known = values[np.isfinite(values)]
        if not (known == np.rint(known)).all():
            return None
        return [int(value) if math.isfinite(value) else None for value in values.tolist()]
    return [int(v) for v in values.tolist()] if values.dtype.kind in "bui" else plain(values)


def name_classes(facts: Facts, class_names: list[str] | None) -> list[str]:
    """Puts the classes' names for their numbers where every number has one of its own; else says why not."""
    if not class_names or all(label is None for label in facts.labels):
        return []
    names = {str(number): name for number, name in enumerate(class_names)}
    unnamed = set(facts.labels) - {None} - set(names)
    if set(facts.labels) <= {*class_names, None}:
        return []
    if unnamed or len(set(class_names)) < len(class_names) or not all(class_names):
        why = f"class {min(map(str, unnamed))} has none" if unnamed else "they are not distinct"
        return [f"The {len(class_names)} names of classes were not used: {why}."]
    facts.labels = [None if label is None else names[label] for label in facts.labels]
    return []


def joined(name: str, parts: list[tuple[int, Arrays]]) -> list[Any]:
    """One value per picture of a one-dimensional array over all parts."""
    return list(
        itertools.chain.from_iterable(
            plain(arrays[name].reshape(count, -1)[:, 0]) if name in arrays else [None] * count
            for count, arrays in parts
        )
    )


def spread(name: str, parts: list[tuple[int, Arrays]]) -> dict[str, list[Any]]:
    """A column of one-dimensional values, several of narrow two-dimensional ones; none of anything else."""
    shapes = {arrays[name].shape[1:] for _, arrays in parts if name in arrays}
    kinds = {arrays[name].dtype.kind for _, arrays in parts if name in arrays}
    if len(shapes) > 1 or not kinds <= set("buifUSTMmO"):
        return {}
    (inner,) = shapes
    if inner in ((), (1,)):
        return {name: joined(name, parts)}
    if len(inner) > 1 or inner[0] > MOST_COLUMNS:
        return {}
    return {
        f"{name}_{i}": joined(name, [(n, {name: a[name][:, i]} if name in a else {}) for n, a in parts])
        for i in range(inner[0])
    }


def plain(values: NDArray[Any]) -> list[Any]:
    """[N] as numbers, truths and text that JSON can hold; what is no finite number becomes None."""
    if values.dtype.kind in "OS":
        return [text(value) for value in values.tolist()]
    if values.dtype.kind == "f":
        return [value if math.isfinite(value) else None for value in values.astype(np.float64).tolist()]
    if values.dtype.kind in "Mm":
        return [str(value) for value in values]
    return list(values.tolist())


def text(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def factorial_columns(
    count: int, sizes: NDArray[Any], names: NDArray[Any] | None
) -> dict[str, list[int]] | None:
    """A column of levels 0, 1, … for every factor where `count` pictures are all combinations in C order.

    Args:
        count: Number of pictures.
        sizes: Number of levels of each factor, the last varying fastest.
        names: Of the factors; without them they are numbered.
    """
    if sizes.ndim != 1 or sizes.dtype.kind not in "ui" or not 1 <= len(sizes) <= MOST_COLUMNS:
        return None
    levels = [int(size) for size in sizes]
    if min(levels) < 1 or math.prod(levels) != count:
        return None
    named = [str(name) for name in plain(names)] if names is not None and names.ndim == 1 else []
    if len(set(named)) != len(levels):
        named = [f"factor_{i}" for i in range(len(levels))]
    columns = np.unravel_index(np.arange(count), levels)
    return {name: column.tolist() for name, column in zip(named, columns, strict=True)}


def entries_of(
    rows: list[tuple[str, str]], facts: Facts, group_by: str | None
) -> tuple[list[Entry], list[str]]:
    """Entries of pictures in parts, and what to say of their groups.

    Args:
        rows: (part, path) of each picture; part is "test", "validation", or another for those to be dealt.
        facts: Labels and groups.
        group_by: Expression on the paths that overrides the groups.
    """
    notes: list[str] = []
    groups = facts.groups
    if group_by is not None:
        groups, notes = groups_from_paths([path for _, path in rows], group_by)
    # A source of nothing but test pictures is what the user wants to work with.
    kept = {"test", "validation"} if {part for part, _ in rows} - {"test", "validation"} else set()
    parts = [part if part in kept else None for part, _ in rows]
    paths = [path for _, path in rows]
    return [Entry(*row) for row in zip(paths, facts.labels, groups, parts, strict=True)], notes
