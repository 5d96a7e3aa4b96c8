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
    """Deals whole groups out to the parts so that classes and sizes come as near to the shares as they can.

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
    counts = np.stack([np.bincount(labels[unit] + 1, minlength=labels.max() + 2) for unit in units])
    targets = class_targets(labels, shares)
    unit_part = deal(counts, targets, seed)
    unit_part, moved = fill_small_parts(unit_part, counts, targets, seed)
    part = np.zeros(num_pictures, dtype=np.int8)
    for unit, chosen in zip(units, unit_part, strict=True):
        part[unit] = chosen
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


def deal(counts: NDArray[np.int64], targets: NDArray[np.float64], seed: int) -> NDArray[np.int64]:
    """The part of each unit: large units first, in keyed random order, each to where it fits best.

    Args:
        counts: Pictures of each class in each unit [units, classes].
        targets: Wanted pictures [parts, classes].
        seed: Key of the order.
    """
    order = random.generator(seed, "split").permutation(len(counts))
    order = order[np.argsort(-counts[order].sum(1), kind="stable")]
    unit_part = np.zeros(len(counts), dtype=np.int64)
    dealt = np.zeros_like(targets)
    for unit in order:
        chosen = int(np.argmin(np.round(added_misfit(dealt, counts[unit], targets), 9)))
        unit_part[unit] = chosen
        dealt[chosen] += counts[unit]
    return unit_part


def added_misfit(
    dealt: NDArray[np.float64], counts: NDArray[np.int64], targets: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How much `counts` more pictures would raise each part's χ² distance from its targets [parts].

    The part's whole size counts as well, √classes times: without it many small classes would each be rounded the
    same way and the parts would miss their shares; with more, single classes would miss theirs.
    """
    present = np.flatnonzero(counts)
    more = np.append(counts[present], counts.sum())
    have = np.column_stack([dealt[:, present], dealt.sum(1)])
    want = np.column_stack([targets[:, present], targets.sum(1)])
    weight = np.append(np.ones(len(present)), np.sqrt(np.count_nonzero(targets.any(0))))
    used = want[:, -1] > 0
    misfit = np.full(len(targets), np.inf)
    misfit[used] = (more * (2 * (have[used] - want[used]) + more) / want[used]) @ weight
    return misfit


def fill_small_parts(
    unit_part: NDArray[np.int64], counts: NDArray[np.int64], targets: NDArray[np.float64], seed: int
) -> tuple[NDArray[np.int64], bool]:
    """Moves units into wanted parts that hold too few pictures, those first that fit best; and whether any moved.

    No wanted part stays empty, and none of one picture where there are ten pictures or more and another part can
    spare one.
    """
    sizes = counts.sum(1)
    generator = random.generator(seed, "fill")
    unit_part, moved = unit_part.copy(), False
    for least in (1, 2) if sizes.sum() >= 10 else (1,):
        for index in np.flatnonzero(targets.sum(1) > 0).tolist():
            while (held := np.bincount(unit_part, sizes, len(targets)))[index] < least:
                spare = (unit_part != index) & (held[unit_part] - sizes >= least)
                if not spare.any():
                    break
                donors = generator.permutation(np.flatnonzero(spare))
                dealt = np.zeros_like(targets)
                np.add.at(dealt, unit_part, counts)
                costs = [cost_of_moving(counts[i], unit_part[i], index, dealt, targets) for i in donors]
                unit_part[donors[int(np.argmin(np.round(costs, 9)))]] = index
                moved = True
    return unit_part, moved


def cost_of_moving(
    counts: NDArray[np.int64],
    origin: int,
    index: int,
    dealt: NDArray[np.float64],
    targets: NDArray[np.float64],
) -> float:
    """By how much the χ² distance from the targets rises when `counts` pictures go from `origin` to `index`."""
    dealt = dealt.copy()
    dealt[origin] -= counts
    misfit = added_misfit(dealt, counts, targets)
    return float(misfit[index] - misfit[origin])


def notes_about(
    part: NDArray[np.int8], shares: tuple[float, ...], units: list[NDArray[np.int64]], moved: bool
) -> list[str]:
    """What a reader must know: parts enlarged to their smallest size, and shares missed by whole groups."""
    notes = []
    share = np.zeros(len(PARTS))
    share[: len(shares)] = np.asarray(shares) / sum(shares)
    got = np.bincount(part, minlength=len(PARTS)) / len(part)
    for index in np.flatnonzero(got > 1.25 * share).tolist() if moved else ():
        count = int(np.sum(part == index))
        notes.append(
            f"The {PARTS[index]} part got {pictures(count)}, more than its share: fewer would say nothing."
        )
    if not moved and np.abs(got - share).max() > 0.05 and len(units) < len(part):
        notes.append("Shares differ from the request by more than 5 %, because groups are never split.")
    for index in (1, 2):
        count = int(np.sum(part == index))
        if 0 < count < 10:
            notes.append(f"Only {pictures(count, PARTS[index])}: figures on so few are rough.")
    return notes


def pictures(count: int, kind: str = "") -> str:
    return " ".join(filter(None, [str(count), kind, "picture" if count == 1 else "pictures"]))
