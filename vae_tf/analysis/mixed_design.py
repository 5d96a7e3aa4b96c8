"""Labellings of a mixed design: some groups hold one class, others several.

The label vectors of groups of equal size change places, the labels within a group are shuffled, and the classes of
groups with one class are exchanged whatever their sizes, as in a nested design. Under the null a group's features say
nothing of its labels, so that every such labelling is as likely as the observed one (exchangeable blocks: Winkler et
al. 2015, section "whole-block and within-block exchangeability").
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator

import numpy as np

from vae_tf.analysis.features import Integers

Composition = tuple[int, ...]

# Class names are tried in every order up to here; of more classes the count would not be felt in any p-value.
_MOST_CLASSES_RENAMED = 6


def arrangements(values: Composition) -> Iterator[Composition]:
    """The distinct orders of a multiset, in lexicographic order (Knuth 4A, algorithm 7.2.1.2 L)."""
    current = sorted(values)
    while True:
        yield tuple(current)
        ascents = [i for i in range(len(current) - 1) if current[i] < current[i + 1]]
        if not ascents:
            return
        pivot = ascents[-1]
        partner = max(i for i in range(pivot + 1, len(current)) if current[i] > current[pivot])
        current[pivot], current[partner] = current[partner], current[pivot]
        current[pivot + 1 :] = reversed(current[pivot + 1 :])


def multinomial(counts: list[int]) -> int:
    """Distinct orders of a multiset with these multiplicities."""
    return math.factorial(sum(counts)) // math.prod(math.factorial(count) for count in counts)


class MixedDesign:
    """What changes places with what.

    Attributes:
        num_labellings: Distinct labellings, the observed one included.
        num_renamings: Ways to rename the classes that turn every labelling into another; 1 with more than 6 classes,
            which makes the smallest p-value that is named too small rather than too large.
    """

    def __init__(self, labels: Integers, groups: Integers) -> None:
        """Sort the groups by size.

        Args:
            labels: [N], 0 to C − 1.
            groups: [N], 0 to G − 1.
        """
        self._labels = labels
        sizes = np.bincount(groups)
        # [G', s] pictures of the groups of each size.
        self._members: list[Integers] = []
        for size in np.unique(sizes):
            pictures = np.flatnonzero(sizes[groups] == size)
            order = np.argsort(groups[pictures], kind="stable")
            self._members.append(pictures[order].reshape(-1, int(size)))
        self._kinds: list[list[Composition]] = [
            [tuple(sorted(row)) for row in labels[members].tolist()] for members in self._members
        ]
        self._whole = [kind[0] for kinds in self._kinds for kind in kinds if _is_whole(kind)]
        self.num_labellings = self._count()
        self.num_renamings = self._count_renamings()

    def draw(self, num: int, generator: np.random.Generator) -> Integers:
        """Independent labellings [num, N], each as likely as any other."""
        drawn = np.repeat(self._labels[None], num, axis=0)
        exchanged = generator.permuted(np.tile(self._whole, (num, 1)), axis=1)
        column = 0
        for members, kinds in zip(self._members, self._kinds, strict=True):
            vectors = drawn[:, members]
            for i, kind in enumerate(kinds):
                if _is_whole(kind):
                    vectors[:, i] = exchanged[:, column, None]
                    column += 1
            order = np.argsort(generator.random(vectors.shape[:2]), axis=1)
            vectors = np.take_along_axis(vectors, order[:, :, None], axis=1)
            drawn[:, members] = generator.permuted(vectors, axis=2)
        return drawn

    def enumerate(self) -> Integers:
        """Every distinct labelling, [M, N]."""
        rows = []
        whole = list(arrangements(tuple(self._whole)))
        places = [list(_arrange_kinds(kinds)) for kinds in self._kinds]
        order = np.concatenate([members.ravel() for members in self._members])
        for kinds in itertools.product(*places):
            flat = [kind for of_size in kinds for kind in of_size]
            inner = [list(arrangements(kind)) for kind in flat if not _is_whole(kind)]
            for classes, vectors in itertools.product(whole, itertools.product(*inner)):
                rows.append(_laid_out(flat, classes, vectors))
        every = np.empty((len(rows), len(self._labels)), dtype=np.int64)
        every[:, order] = rows
        return every

    def _count(self) -> int:
        ways = multinomial(list(Counter(self._whole).values()))
        for kinds in self._kinds:
            ways *= multinomial(list(Counter(map(_place, kinds)).values()))
            ways *= math.prod(multinomial(list(Counter(k).values())) for k in kinds if not _is_whole(k))
        return ways

    def _count_renamings(self) -> int:
        num_classes = int(self._labels.max()) + 1
        if num_classes > _MOST_CLASSES_RENAMED:
            return 1

        def invariants(names: tuple[int, ...]) -> tuple[Counter[int], list[Counter[Composition]]]:
            kept = [
                Counter(
                    tuple(sorted(names[label] for label in kind)) for kind in kinds if not _is_whole(kind)
                )
                for kinds in self._kinds
            ]
            return Counter(names[label] for label in self._whole), kept

        observed = invariants(tuple(range(num_classes)))
        return sum(invariants(names) == observed for names in itertools.permutations(range(num_classes)))


def _is_whole(kind: Composition) -> bool:
    return kind[0] == kind[-1]


def _place(kind: Composition) -> Composition:
    """What a group of one class counts as among groups of its size: which class it holds is exchanged apart."""
    return (-1,) * len(kind) if _is_whole(kind) else kind


def _arrange_kinds(kinds: list[Composition]) -> Iterator[list[Composition]]:
    """The distinct ways in which groups of one size can take each other's label vectors."""
    distinct = sorted(set(map(_place, kinds)))
    for order in arrangements(tuple(distinct.index(_place(kind)) for kind in kinds)):
        yield [distinct[i] for i in order]


def _laid_out(kinds: list[Composition], classes: Composition, vectors: tuple[Composition, ...]) -> list[int]:
    """One labelling, group by group: the next class where a group is whole, else the next vector."""
    next_class, next_vector = iter(classes), iter(vectors)
    row: list[int] = []
    for kind in kinds:
        row.extend([next(next_class)] * len(kind) if _is_whole(kind) else next(next_vector))
    return row
