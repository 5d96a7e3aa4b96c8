"""The parts of a run: stratified by class, never splitting a group or a set of copies, from the seed."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from vae_tf import random
from vae_tf.errors import UserError

# "other" is neither trained on nor part of any figure, but embedded and shown; no share deals anything to it.
PARTS = ("train", "validation", "test", "calibration", "other")
TRAIN, OTHER = PARTS.index("train"), PARTS.index("other")
TEST, CALIBRATION = PARTS.index("test"), PARTS.index("calibration")
FREE = -1
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
    labels: NDArray[np.int64],
    groups: NDArray[np.int64],
    shares: tuple[float, ...],
    seed: int,
    fixed: NDArray[np.int8] | None = None,
    copies: NDArray[np.int64] | None = None,
) -> Split:
    """Deals whole groups out to the parts so that classes and sizes come as near to the shares as they can.

    Args:
        labels: Class of each picture [N], −1 for none.
        groups: Group of each picture [N], −1 for a picture that is its own group.
        shares: Wanted shares of train, validation, test and, as a fourth, calibration; any scale. Parts that are
            fixed for some pictures get nothing more.
        seed: Key of the dealing.
        fixed: Position in `PARTS` of pictures that are not to be dealt [N], −1 for the others.
        copies: Key that equal pictures share [N], −1 for a picture without a copy; they are dealt together.

    Raises:
        UserError: Too few pictures, fewer groups than parts, or nothing to train on.
    """
    num_pictures = len(labels)
    if num_pictures < SMALLEST_NUM_PICTURES:
        raise UserError(
            f"{num_pictures} usable pictures were found; at least {SMALLEST_NUM_PICTURES} are needed.",
            "Some to train on, one to validate with, one to test with.",
        )
    alone = np.full(num_pictures, -1)
    fixed, copies = alone.astype(np.int8) if fixed is None else fixed, alone if copies is None else copies
    shares = tuple(share * (i == TRAIN or i not in fixed) for i, share in enumerate(shares))
    part, notes = open_training_part(fixed, shares)
    free = np.flatnonzero(part == FREE)
    if len(free):
        units = make_units(join_copies(groups[free], copies[free]))
        check_enough(len(units), len(make_units(groups[free])), sum(share > 0 for share in shares))
        part[free], dealing_notes = deal_units(labels[free], units, shares, seed)
        notes += dealing_notes
    if not np.any(part == TRAIN):
        raise UserError(
            "No picture is left to train on: every one is fixed to another part.",
            "Mark some as train in the --split-column, or leave their cells empty to have them dealt.",
        )
    notes += [*notes_about_few(part), *notes_about_copies(copies), *notes_about_leaks(part, groups, copies)]
    return Split(part, tuple(notes))


def open_training_part(
    fixed: NDArray[np.int8], shares: tuple[float, ...]
) -> tuple[NDArray[np.int8], list[str]]:
    """`fixed` with its training pictures made free, where a part that training needs has to be taken from them.

    Most files know only train and test, but the best epoch is chosen on a validation part.
    """
    lacking = [PARTS[i] for i, share in enumerate(shares) if share > 0 and i != TRAIN]
    marked = fixed == TRAIN
    if not marked.any() or not {"validation", "calibration"} & set(lacking):
        return fixed.copy(), []
    note = (
        f"No picture is marked {' or '.join(lacking)}: the {pictures(int(marked.sum()))} marked train are dealt "
        f"between {' and '.join(['train', *lacking])}."
    )
    return np.where(marked, np.int8(FREE), fixed), [note]


def check_enough(num_units: int, num_groups: int, num_parts: int) -> None:
    """Raises: UserError: Fewer units than parts, because groups are few, or because pictures are equal."""
    if num_units >= num_parts:
        return
    if num_groups < num_parts:
        raise UserError(
            f"{num_groups} groups cannot fill {num_parts} parts without splitting one.",
            "Use a finer --group-by, or leave parts out: --split 80/0/20.",
        )
    raise UserError(
        f"Most pictures are copies: {num_units} different pictures or groups cannot fill {num_parts} parts.",
        "Is this the right folder? Parts may be left out: --split 80/0/20.",
    )


def deal_units(
    labels: NDArray[np.int64], units: list[NDArray[np.int64]], shares: tuple[float, ...], seed: int
) -> tuple[NDArray[np.int8], list[str]]:
    """The part of each picture [N], equal within each unit, and what had to differ from the shares."""
    members, unit_of = np.concatenate(units), np.repeat(np.arange(len(units)), [len(unit) for unit in units])
    counts = np.zeros((len(units), labels.max() + 2), dtype=np.int64)
    np.add.at(counts, (unit_of, labels[members] + 1), 1)
    targets = class_targets(labels, shares)
    unit_part = deal(counts, targets, seed)
    unit_part, moved = fill_small_parts(unit_part, counts, targets, seed)
    unit_part = exchange(unit_part, counts > 0, seed)
    part = np.zeros(len(labels), dtype=np.int8)
    part[members] = unit_part[unit_of]
    return part, notes_about_shares(part, shares, units, moved)


def join_copies(groups: NDArray[np.int64], copies: NDArray[np.int64]) -> NDArray[np.int64]:
    """Keys [N] that pictures share which are linked by a chain of groups and copies; −1 for one that is alone."""
    if not np.any(copies >= 0):
        return groups
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    # A graph with a node for every picture, group and set of copies, and an edge for every membership.
    num_pictures, num_groups = len(groups), int(groups.max()) + 1
    grouped, copied = np.flatnonzero(groups >= 0), np.flatnonzero(copies >= 0)
    members = np.concatenate([grouped, copied])
    owners = num_pictures + np.concatenate([groups[grouped], num_groups + copies[copied]])
    num_nodes = num_pictures + num_groups + int(copies.max()) + 1
    edges = coo_matrix((np.ones(len(members)), (members, owners)), shape=(num_nodes, num_nodes))
    keys = connected_components(edges, directed=False)[1][:num_pictures].astype(np.int64)
    return np.where(np.bincount(keys)[keys] > 1, keys, -1)


def make_units(groups: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Positions of each group's pictures; a picture without a group is a unit of its own."""
    alone = list(np.flatnonzero(groups < 0)[:, None])
    keys, inverse = np.unique(groups[groups >= 0], return_inverse=True)
    members = np.flatnonzero(groups >= 0)
    order = np.argsort(inverse, kind="stable")
    bounds = np.cumsum(np.bincount(inverse, minlength=len(keys)))[:-1]
    return alone + (np.split(members[order], bounds) if len(keys) else [])


def class_targets(labels: NDArray[np.int64], shares: tuple[float, ...]) -> NDArray[np.float64]:
    """Wanted number of pictures [parts, classes]; the unlabelled count as one more class."""
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
    fit = Fit(counts, targets)
    unit_part = np.zeros(len(counts), dtype=np.int64)
    wanted = np.flatnonzero(targets.sum(1) > 0).tolist()
    for unit in order.tolist():
        _, chosen = min((round(fit.added_misfit(unit, part), 9), part) for part in wanted)
        unit_part[unit] = chosen
        fit.move(unit, chosen)
    return unit_part


class Fit:
    """What each part holds beside what it should; plain numbers, as most units are of one picture and arrays are dear.

    Args:
        counts: Pictures of each class in each unit [units, classes].
        targets: Wanted pictures [parts, classes].
    """

    def __init__(self, counts: NDArray[np.int64], targets: NDArray[np.float64]) -> None:
        # The size of a unit and of a part comes last.
        counts = np.column_stack([counts, counts.sum(1)])
        units, columns = np.nonzero(counts)
        self._units: list[list[tuple[int, int]]] = [[] for _ in counts]
        for unit, column, value in zip(
            units.tolist(), columns.tolist(), counts[units, columns].tolist(), strict=True
        ):
            self._units[unit].append((column, value))
        self._want: list[list[float]] = np.column_stack([targets, targets.sum(1)]).tolist()
        self._have = [[0] * len(want) for want in self._want]
        self._weights = [1.0] * targets.shape[1] + [float(np.sqrt(np.count_nonzero(targets.any(0))))]

    def added_misfit(self, unit: int, part: int) -> float:
        """How much one unit more would raise a part's χ² distance from its targets.

        The part's whole size counts as well, √classes times: without it many small classes would each be rounded the
        same way and the parts would miss their shares; with more, single classes would miss theirs.
        """
        have, want, weights = self._have[part], self._want[part], self._weights
        return sum(
            weights[i] * more * (2 * (have[i] - want[i]) + more) / want[i] for i, more in self._units[unit]
        )

    def move(self, unit: int, part: int, times: int = 1) -> None:
        """Puts a unit into a part, or out of it (−1 times)."""
        have = self._have[part]
        for i, more in self._units[unit]:
            have[i] += times * more


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
                fit = Fit(counts, targets)
                for unit, part in enumerate(unit_part.tolist()):
                    fit.move(unit, part)
                costs = [cost_of_moving(fit, i, int(unit_part[i]), index) for i in donors.tolist()]
                unit_part[donors[int(np.argmin(np.round(costs, 9)))]] = index
                moved = True
    return unit_part, moved


def exchange(unit_part: NDArray[np.int64], classes: NDArray[np.bool_], seed: int) -> NDArray[np.int64]:
    """Deals the units of the calibration and the test part among these two anew, by chance alone.

    Dealing by fit looks at sizes, so that the one part could get the larger groups; what a calibration promises holds
    for unseen groups that might as well have been its own. Units trade places with those of the same classes
    (`classes` [units, classes]) only, so that each part keeps its number of units of each.
    """
    unit_part = unit_part.copy()
    if CALIBRATION not in unit_part:
        return unit_part
    generator = random.generator(seed, "exchange")
    held_out = np.flatnonzero(np.isin(unit_part, (TEST, CALIBRATION)))
    _, kinds = np.unique(classes[held_out], axis=0, return_inverse=True)
    for kind in range(int(kinds.max()) + 1):
        members = held_out[kinds.ravel() == kind]
        unit_part[members] = generator.permutation(unit_part[members])
    return unit_part


def cost_of_moving(fit: Fit, unit: int, origin: int, index: int) -> float:
    """By how much the χ² distance from the targets rises when a unit goes from `origin` to `index`."""
    fit.move(unit, origin, -1)
    cost = fit.added_misfit(unit, index) - fit.added_misfit(unit, origin)
    fit.move(unit, origin)
    return cost


def notes_about_shares(
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
    return notes


def notes_about_few(part: NDArray[np.int8]) -> list[str]:
    counts = {name: int(np.sum(part == PARTS.index(name))) for name in ("validation", "test")}
    return [
        f"Only {pictures(count, name)}: figures on so few are rough."
        for name, count in counts.items()
        if 0 < count < 10
    ]


def notes_about_copies(copies: NDArray[np.int64]) -> list[str]:
    count = int(np.sum(copies >= 0)) - len(np.unique(copies[copies >= 0]))
    if not count:
        return []
    are = "1 picture is an exact copy" if count == 1 else f"{count:,} pictures are exact copies"
    return [f"{are} of others; copies are dealt to the same part."]


def notes_about_leaks(
    part: NDArray[np.int8], groups: NDArray[np.int64], copies: NDArray[np.int64]
) -> list[str]:
    """Unseen pictures that are not wholly unseen, because their part was fixed; files are said, not corrected."""
    notes = []
    kinds = ((groups, "of a group that was trained on"), (copies, "equal to one that was trained on"))
    for keys, what in kinds:
        leaking = (part != TRAIN) & (keys >= 0) & np.isin(keys, keys[part == TRAIN])
        if unseen := int(np.sum(leaking & (part != OTHER))):
            notes.append(f"{pictures(unseen, 'unseen')} {what}: figures on the unseen flatter.")
        if aside := int(np.sum(leaking & (part == OTHER))):
            notes.append(f"{pictures(aside)} {what} among those put aside.")
    return notes


def pictures(count: int, kind: str = "") -> str:
    return " ".join(filter(None, [str(count), kind, "picture" if count == 1 else "pictures"]))
