"""Two questions about classes, in any feature space: are they readable, and are they clustered?

Classes can be read off latents where a rule learnt on some people works on others; they are clustered where
groups found without looking at the labels are the classes. Expressions of faces are often the first and not
the second.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vae_tf.analysis import agreement, readability
from vae_tf.analysis.clustering import k_means
from vae_tf.analysis.cohort import Cohort, select
from vae_tf.analysis.features import Floats, Integers, as_features, principal_scores, squared_distances
from vae_tf.analysis.permutation import Design, Labellings, judge, labellings, plan
from vae_tf.errors import UserError

Key = Literal["nearest_neighbors", "ridge_probe", "ari", "ami", "silhouette", "variance", "variance_within"]
Asked = Literal["readable", "clustered", "size"]
QUESTIONS: dict[Key, Asked] = {
    "nearest_neighbors": "readable",
    "ridge_probe": "readable",
    "ari": "clustered",
    "ami": "clustered",
    "silhouette": "clustered",
    "variance": "size",
    "variance_within": "size",
}

# Pictures × classes × labellings evaluated at once; bounds memory to a few hundred MB.
_CELLS_AT_ONCE = 2_000_000


@dataclass(frozen=True)
class Statistic:
    """One number about the classes in one space, against its permutation null.

    Attributes:
        space: Name of the feature space.
        key: Which statistic.
        name: The same, fit for printing.
        question: "readable", "clustered", or "size" for the effect's.
        value: Of the observed labels.
        chance: What no relation gives: 1 / C for accuracies, 0 for ARI and AMI, the null mean for the others.
        null_mean: Mean over labellings.
        null_sd: Standard deviation over labellings.
        p_value: Share of labellings with at least this value.
        minimum_p: The smallest p-value that could have come out.
        critical_value: The smallest value with p ≤ 0.05; None where no value has it.
        interval: 95 %, for accuracies only (`readability.accuracy_interval`).
        num_permutations: Labellings compared with.
        exact: Whether these are all that the design allows.
    """

    space: str
    key: Key
    name: str
    question: Asked
    value: float
    chance: float
    null_mean: float
    null_sd: float
    p_value: float
    minimum_p: float
    critical_value: float | None
    interval: tuple[float, float] | None
    num_permutations: int
    exact: bool


@dataclass(frozen=True, eq=False)
class Separation:
    """How the classes separate in each space.

    Attributes:
        statistics: Spaces × statistics, in the order given: two accuracies, three of clusters, the share of variance
            between classes, and where every group holds several classes also that of the variance within groups.
        design: Units, blocks, counts and the number of labellings.
        cohort: Which pictures served, the classes' names and counts, and notes on what was left out and why.
        num_neighbors: k of the nearest-neighbour statistic.
        num_permutations: Labellings compared with.
        exact: Whether these are all that the design allows.
        minimum_p: The smallest p-value that the design allows.
    """

    statistics: tuple[Statistic, ...]
    design: Design
    cohort: Cohort
    num_neighbors: int
    num_permutations: int
    exact: bool
    minimum_p: float

    @property
    def spaces(self) -> tuple[str, ...]:
        """Names of the spaces, in the order given; the headline is about the first."""
        return tuple(dict.fromkeys(statistic.space for statistic in self.statistics))

    def find(self, space: str, key: Key) -> Statistic:
        """The statistic of that space and key.

        Raises:
            KeyError: There is none.
        """
        for statistic in self.statistics:
            if (statistic.space, statistic.key) == (space, key):
                return statistic
        raise KeyError((space, key))


def separate(
    spaces: Mapping[str, ArrayLike],
    labels: ArrayLike,
    groups: ArrayLike | None = None,
    class_names: Sequence[str] | None = None,
    seed: int = 0,
    num_permutations: int = 999,
    max_pictures: int = 2_000,
) -> Separation:
    """Measure how the classes separate, each number against a permutation null that fits the design.

    Args:
        spaces: Name → [N, ...] features of the same N pictures; the first is the one that the headline is
            about.
        labels: [N] class of each picture, negative for none (left out).
        groups: [N] group (person) of each picture, integers or strings; a negative number or an empty string
            is a group of its own. None where pictures are independent.
        class_names: Name of each label; the number itself where None.
        seed: Of subsample, clusters, labellings and intervals.
        num_permutations: Labellings to compare with; all of them where the design has no more than that.
        max_pictures: Of more labelled pictures a random part serves, whole groups where these are small.

    Returns:
        `Separation`.

    Raises:
        UserError: Arrays that do not fit together; fewer than two classes with pictures in two groups each.
    """
    if not spaces:
        raise UserError("No feature space was given.", "Pass at least the latents.")
    if num_permutations < 1:
        raise UserError(
            f"{num_permutations} permutations were asked for.", "At least 1 is needed, 999 is usual."
        )
    cohort = select(labels, groups, class_names, seed, max_pictures)
    features = {name: _chosen(name, array, cohort) for name, array in spaces.items()}
    design = plan(cohort.labels, cohort.groups)
    null = labellings(design, num_permutations, seed)
    statistics: list[Statistic] = []
    for name, array in features.items():
        instruments = Instruments(array, design, seed)
        statistics.extend(_judged(name, instruments, design, null, seed))
    return Separation(
        statistics=tuple(statistics),
        design=design,
        cohort=cohort,
        num_neighbors=instruments.neighbors.num_neighbors,
        num_permutations=len(null.labels),
        exact=null.exact,
        minimum_p=null.minimum_p,
    )


class Instruments:
    """Everything of one space that does not depend on the labels, computed once."""

    def __init__(self, features: NDArray[np.floating], design: Design, seed: int) -> None:
        """Neighbours, hat matrix, clusters and distances.

        Args:
            features: [N, d].
            design: Groups and number of classes; its labels are not looked at.
            seed: Of k-means.
        """
        self.scores = principal_scores(features)
        squared = squared_distances(self.scores)
        self.neighbors = readability.NearestNeighbors(squared, design.groups)
        self.probe = readability.RidgeProbe(self.scores, design.groups)
        self.assignments: Integers = k_means(self.scores, design.num_classes, seed)
        self.distances: Floats = np.sqrt(squared)
        self.within = _without_group_means(self.scores, design) if design.kind == "crossed" else None
        self.num_classes = design.num_classes

    def measure(self, labels: Integers) -> dict[Key, Floats]:
        """All statistics under labellings [B, N], each [B]."""
        num_at_once = max(1, _CELLS_AT_ONCE // (labels.shape[1] * self.num_classes))
        parts = [
            self._measure(labels[start : start + num_at_once]) for start in range(0, len(labels), num_at_once)
        ]
        return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}

    def _measure(self, labels: Integers) -> dict[Key, Floats]:
        num_classes = self.num_classes
        table = agreement.contingency(labels, self.assignments, num_classes)

        def accuracy(credit: Callable[[Integers, int], Floats]) -> Floats:
            return readability.balanced_accuracy(credit(labels, num_classes), labels, num_classes)

        measured: dict[Key, Floats] = {
            "nearest_neighbors": accuracy(self.neighbors.credit),
            "ridge_probe": accuracy(self.probe.credit),
            "ari": agreement.adjusted_rand(table),
            "ami": agreement.adjusted_mutual_information(table),
            "silhouette": agreement.silhouette(self.distances, labels, num_classes),
            "variance": agreement.variance_between(self.scores, labels, num_classes),
        }
        if self.within is not None:
            measured["variance_within"] = agreement.variance_between(self.within, labels, num_classes)
        return measured

    def interval(self, key: Key, design: Design, null_sd: float, seed: int) -> tuple[float, float] | None:
        """95 % interval of an accuracy; None for the other statistics."""
        if QUESTIONS[key] != "readable":
            return None
        rule = self.neighbors if key == "nearest_neighbors" else self.probe
        credit = rule.credit(design.labels[None], design.num_classes)[0]
        return readability.accuracy_interval(
            credit, design.labels, design.groups, design.num_classes, null_sd, seed
        )


def _without_group_means(scores: Floats, design: Design) -> Floats:
    sums = np.zeros((design.num_groups, scores.shape[1]))
    np.add.at(sums, design.groups, scores)
    return np.asarray(scores - (sums / np.bincount(design.groups)[:, None])[design.groups])


def _judged(
    space: str, instruments: Instruments, design: Design, null: Labellings, seed: int
) -> list[Statistic]:
    observed = instruments.measure(design.labels[None])
    statistics = []
    for key, values in instruments.measure(null.labels).items():
        verdict = judge(float(observed[key][0]), values, null.exact, null.minimum_p)
        chance = {"readable": 1 / design.num_classes, "clustered": 0.0, "size": verdict.null_mean}[
            QUESTIONS[key]
        ]
        statistics.append(
            Statistic(
                space=space,
                key=key,
                name=_name(key, instruments.neighbors.num_neighbors),
                question=QUESTIONS[key],
                value=float(observed[key][0]),
                chance=verdict.null_mean if key == "silhouette" else chance,
                null_mean=verdict.null_mean,
                null_sd=verdict.null_sd,
                p_value=verdict.p_value,
                minimum_p=verdict.minimum_p,
                critical_value=verdict.critical_value,
                interval=instruments.interval(key, design, verdict.null_sd, seed),
                num_permutations=len(values),
                exact=null.exact,
            )
        )
    return statistics


def _name(key: Key, num_neighbors: int) -> str:
    names: dict[Key, str] = {
        "nearest_neighbors": f"{num_neighbors}-NN balanced accuracy",
        "ridge_probe": "ridge-probe balanced accuracy",
        "ari": "ARI",
        "ami": "AMI",
        "silhouette": "silhouette",
        "variance": "share of all variance between classes",
        "variance_within": "share of the variance within groups between classes",
    }
    return names[key]


def _chosen(name: str, array: ArrayLike, cohort: Cohort) -> NDArray[np.floating]:
    """The cohort's rows, picked before they become floats: pixels may be a large memory map of bytes."""
    rows = np.asarray(array)
    if rows.ndim == 0 or len(rows) != cohort.num_given:
        raise UserError(f"The features of {name!r} have shape {rows.shape} for {cohort.num_given} labels.")
    return as_features(rows[cohort.kept], f"the features of {name!r}")
