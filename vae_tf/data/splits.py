"""Train, validation, test and calibration parts: stratified by class, never splitting a group, from the seed."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from vae_tf import random
from vae_tf.errors import UserError

PARTS = ("train", "validation", "test", "calibration")
SMALLEST_NUM_PICTURES = 4


@dataclasses.dataclass(frozen=True)
class Split:
    """`part` [N] holds positions in `PARTS`; `notes` say what had to differ from the request."""

    part: NDArray[np.int8]
    notes: tuple[str, ...] = ()

    def where(self, name: str) -> NDArray[np.int64]:
        """Positions of the pictures in the part called `name`."""
        return np.flatnonzero(self.part == PARTS.index(name))


def split(
    labels: NDArray[np.int64], groups: NDArray[np.int64], shares: tuple[float, ...], seed: int
) -> Split:
    """Deals whole groups out to the parts, each to the part that is furthest behind for the group's classes.

    Args:
        labels: Class of each picture [N], −1 for none.
        groups: Group of each picture [N], −1 for a picture that is its own group.
        shares: Wanted shares of train, validation, test and, as a fourth, calibration; any scale.
        seed: Key of the dealing.

    Raises:
        UserError: Too few pictures, or fewer groups than parts.
    """
    num_pictures = len(labels)
    if num_pictures < SMALLEST_NUM_PICTURES:
        raise UserError(
            f"{num_pictures} usable pictures were found; at least {SMALLEST_NUM_PICTURES} are needed.",
            "Some to train on, one to validate with, one to test with.",
        )
    units = make_units(groups)
    wanted = [index for index, share in enumerate(shares) if share > 0]
    if len(units) < len(wanted):
        raise UserError(
            f"{len(units)} groups cannot fill {len(wanted)} parts without splitting one.",
            "Use a finer --group-by, or leave parts out: --split 80/0/20.",
        )
    targets = class_targets(labels, shares)
    part = deal(units, labels, targets, seed)
    part, moved = fill_empty_parts(part, units, wanted, seed)
    return Split(part, tuple(notes_about(part, shares, units, moved)))


def make_units(groups: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Positions of each group's pictures; a picture without a group is a unit of its own."""
    alone = [np.array([i]) for i in np.flatnonzero(groups < 0)]
    keys, inverse = np.unique(groups[groups >= 0], return_inverse=True)
    members = np.flatnonzero(groups >= 0)
    order = np.argsort(inverse, kind="stable")
    bounds = np.cumsum(np.bincount(inverse, minlength=len(keys)))[:-1]
    return alone + (np.split(members[order], bounds) if len(keys) else [])


def class_targets(labels: NDArray[np.int64], shares: tuple[float, ...]) -> NDArray[np.float64]:
    """Wanted number of pictures [4 parts, classes]; the unlabelled count as one more class."""
    share = np.zeros(len(PARTS))
    share[: len(shares)] = np.asarray(shares) / sum(shares)
    return share[:, None] * np.bincount(labels + 1)[None, :]


def deal(
    units: list[NDArray[np.int64]],
    labels: NDArray[np.int64],
    targets: NDArray[np.float64],
    seed: int,
) -> NDArray[np.int8]:
    """Large groups first, in keyed random order, each to the part with the largest relative shortage."""
    generator = random.generator(seed, "split")
    order = generator.permutation(len(units))
    order = order[np.argsort([-len(units[i]) for i in order], kind="stable")]
    part = np.zeros(len(labels), dtype=np.int8)
    dealt = np.zeros_like(targets)
    for unit in order:
        counts = np.bincount(labels[units[unit]] + 1, minlength=targets.shape[1])
        present = counts > 0
        shortage = (targets - dealt)[:, present] @ counts[present]
        # Relative to the part's own size, so that small parts get their share early enough.
        shortage = np.where(
            targets.sum(1) > 0, shortage / np.maximum(targets[:, present] @ counts[present], 1e-9), -np.inf
        )
        chosen = int(np.argmax(np.round(shortage, 9)))
        part[units[unit]] = chosen
        dealt[chosen] += counts
    return part


def fill_empty_parts(
    part: NDArray[np.int8], units: list[NDArray[np.int64]], wanted: list[int], seed: int
) -> tuple[NDArray[np.int8], list[int]]:
    """Moves the smallest groups of the training part into wanted parts that hold too few pictures.

    A part needs two pictures (one where fewer than ten exist in all), or one group.
    """
    smallest = 2 if len(part) >= 10 else 1
    generator = random.generator(seed, "fill")
    part = part.copy()
    moved = []
    for index in wanted:
        while np.sum(part == index) < smallest:
            donors = [unit for unit in units if part[unit[0]] == 0]
            if index == 0 or len(donors) < 2:
                break
            sizes = np.array([len(unit) for unit in donors])
            unit = donors[int(generator.choice(np.flatnonzero(sizes == sizes.min())))]
            part[unit] = index
            moved.append(index)
    if not np.any(part == 0):
        largest = max(units, key=len)
        part[largest] = 0
    return part, moved


def notes_about(
    part: NDArray[np.int8], shares: tuple[float, ...], units: list[NDArray[np.int64]], moved: list[int]
) -> list[str]:
    """What a reader must know: parts enlarged to their smallest size, and shares missed by whole groups."""
    notes = []
    for index in sorted(set(moved)):
        count = int(np.sum(part == index))
        notes.append(
            f"The {PARTS[index]} part got {count} pictures, more than its share: fewer would say nothing."
        )
    share = np.zeros(len(PARTS))
    share[: len(shares)] = np.asarray(shares) / sum(shares)
    got = np.bincount(part, minlength=len(PARTS)) / len(part)
    if not moved and np.abs(got - share).max() > 0.05 and len(units) < len(part):
        notes.append("Shares differ from the request by more than 5 %, because groups are never split.")
    for index in (1, 2):
        count = int(np.sum(part == index))
        if 0 < count < 10:
            notes.append(f"Only {count} {PARTS[index]} pictures: figures on them are rough.")
    return notes
