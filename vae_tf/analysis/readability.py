"""Can the class of a held-out picture be read off its neighbours, or by a straight line?

Both classifiers leave out the picture's whole group. What depends on the features alone (neighbours, hat
matrix) is computed once, so that thousands of labellings cost a few matrix products, and no fold depends on
the labels.
"""

from __future__ import annotations

import numpy as np

from vae_tf.analysis.features import Floats, Integers

NUM_NEIGHBORS = 5


class NearestNeighbors:
    """k-nearest-neighbour votes from other groups, weighted by inverse class frequency; tied classes share.

    The weights keep chance near 1 / C however unequal the classes are. The frequencies are those of all
    pictures, not of the candidates alone: among the candidates the held-out class is the rarer one, so that
    it would win every near-tie (with 10 classes of 20, shuffled labels would reach 0.23 instead of 0.10). The
    price is a value slightly below 1 / C under shuffled labels, more so with few groups; the null mean tells
    how much.

    Attributes:
        num_neighbors: k; 5, or fewer where a group leaves fewer candidates.
    """

    def __init__(self, squared_distances: Floats, groups: Integers) -> None:
        """Find the neighbours.

        Args:
            squared_distances: [N, N].
            groups: [N], 0 to G − 1, at least two of them.
        """
        same_group = groups[:, None] == groups[None, :]
        self.num_neighbors = int(min(NUM_NEIGHBORS, len(groups) - same_group.sum(axis=1).max()))
        candidates = np.where(same_group, np.inf, squared_distances)
        self._neighbors = np.argpartition(candidates, self.num_neighbors - 1, axis=1)[:, : self.num_neighbors]

    def credit(self, labels: Integers, num_classes: int) -> Floats:
        """Share of each picture's prediction that is right.

        Args:
            labels: [B, N] labellings.
            num_classes: C.

        Returns:
            [B, N]: 1 right, 0 wrong, 1/m where the true class is among m tied ones.
        """
        voted = labels[:, self._neighbors]
        votes = (voted[..., :, None] == voted[..., None, :]).sum(axis=-1)
        per_class = class_counts(labels, num_classes)
        # One division of two integers: equal ratios give equal floats, so that ties are exact.
        score = votes / per_class[np.arange(len(labels))[:, None, None], voted]
        winning = score == score.max(axis=-1, keepdims=True)
        num_winners = np.rint((winning / votes).sum(axis=-1))
        right = (winning & (voted == labels[..., None])).any(axis=-1)
        return np.asarray(right / num_winners)


class RidgeProbe:
    """A linear classifier: ridge regression on one-hot classes, refitted without each group in closed form.

    The features are centred and scaled by one number to a mean squared length of 1, and the penalty is 1:
    a direction that holds the fraction f of the variance keeps N f / (N f + 1) of its slope. That depends
    neither on the labels nor on units, and unlike scaling each feature alone it does not blow up unused
    latents or the constant corners of pictures. Left-out predictions are y − (I − H_gg)⁻¹ (y − H y) with the
    hat matrix H (Cook & Weisberg 1982). Each is taken relative to the class frequencies in its training fold,
    which removes the bias of leaving out (the picture's own class is the rarer one there), and the classes
    are compared at the balanced mean of the other groups' left-out predictions, without which a rare class
    would draw half of the frequent one.
    """

    def __init__(self, scores: Floats, groups: Integers) -> None:
        """Compute the hat matrix and the inverses of its folds.

        Args:
            scores: [N, r] centred features with orthogonal columns (`principal_scores`).
            groups: [N], 0 to G − 1, at least two of them.
        """
        eigenvalues = (scores**2).sum(axis=0)
        # Any penalty will do where there is no variance at all.
        penalty = float(eigenvalues.sum()) / len(scores) or 1.0
        self.hat = 1 / len(scores) + (scores / (eigenvalues + penalty)) @ scores.T
        self.penalty = penalty
        self._groups = groups
        self._folds: list[tuple[Integers, Floats]] = []
        sizes = np.bincount(groups)
        for size in np.unique(sizes):
            # [G', s]: the groups of one size are solved as a batch.
            pictures = np.flatnonzero(sizes[groups] == size)
            members = pictures[np.argsort(groups[pictures], kind="stable")].reshape(-1, int(size))
            own = self.hat[members[:, :, None], members[:, None, :]]
            self._folds.append((members, np.linalg.inv(np.eye(size) - own)))

    def left_out(self, labels: Integers, num_classes: int) -> Floats:
        """Predictions for each picture without its group, less the class frequencies in the training fold.

        Args:
            labels: [B, N] labellings.
            num_classes: C.

        Returns:
            [N, B, C].
        """
        targets = one_hot(labels, num_classes)
        residual = targets - (self.hat @ targets.reshape(len(targets), -1)).reshape(targets.shape)
        predicted = np.empty_like(targets)
        total = targets.sum(axis=0)
        for members, inverse in self._folds:
            own = targets[members]
            flat = residual[members].reshape(*members.shape, -1)
            prior = (total - own.sum(axis=1)) / (len(targets) - members.shape[1])
            predicted[members] = own - (inverse @ flat).reshape(own.shape) - prior[:, None]
        return predicted

    def margins(self, labels: Integers, num_classes: int) -> Floats:
        """How far each class's left-out prediction lies above the balanced mean of the other groups' predictions.

        Args:
            labels: [B, N] labellings.
            num_classes: C.

        Returns:
            [B, N, C]; the class with the highest margin is the predicted one.
        """
        predicted = self.left_out(labels, num_classes).transpose(1, 0, 2)
        is_class = labels[..., None] == np.arange(num_classes)
        per_class = class_counts(labels, num_classes)
        per_group = class_counts_in_groups(labels, self._groups, num_classes)
        weight = 1 / (num_classes * np.maximum(per_class[:, None] - per_group, 1))
        class_sums = is_class.transpose(0, 2, 1).astype(np.float64) @ predicted
        own_weight = np.take_along_axis(weight[:, self._groups], labels[..., None], axis=2)
        own = np.zeros((per_group.shape[1], len(labels), num_classes))
        np.add.at(own, self._groups, (own_weight * predicted).transpose(1, 0, 2))
        centre = weight @ class_sums - own.transpose(1, 0, 2)
        return np.asarray(predicted - centre[:, self._groups])

    def credit(self, labels: Integers, num_classes: int) -> Floats:
        """Share of each picture's prediction that is right, as for `NearestNeighbors.credit`; [B, N]."""
        margin = self.margins(labels, num_classes)
        winning = margin >= margin.max(axis=-1, keepdims=True) - 1e-9
        right = np.take_along_axis(winning, labels[..., None], axis=2)[..., 0]
        return np.asarray(right / winning.sum(axis=-1))


def balanced_accuracy(credit: Floats, labels: Integers, num_classes: int) -> Floats:
    """Mean over classes of the mean credit within the class.

    Args:
        credit: [B, N].
        labels: [B, N] labellings; every class occurs in each.
        num_classes: C.

    Returns:
        [B], 0 to 1.
    """
    weight = 1 / (num_classes * class_counts(labels, num_classes))
    return np.asarray((credit * np.take_along_axis(weight, labels, axis=1)).sum(axis=1))


def accuracy_interval(
    credit: Floats, labels: Integers, groups: Integers, num_classes: int, null_sd: float, seed: int
) -> tuple[float, float]:
    """95 % interval of a balanced accuracy: Wilson's, with as many independent answers as the data are worth.

    How many these are is told twice, and the smaller number counts: by resampling whole groups of the left-out
    predictions (the design effect of Kish 1965, as in Korn & Graubard 1998), and by the spread under shuffled
    labels, in which the rule was learnt anew each time (counted the less, the seldomer the rule is wrong).
    Percentiles of the resampling alone would cover 53 to 93 % where they should cover 95, and have no width where all
    are right; these cover 90 to 99 % (tests/analysis/test_coverage.py).

    Args:
        credit: [N] share of each left-out prediction that is right.
        labels: [N].
        groups: [N].
        num_classes: C.
        null_sd: Standard deviation of the balanced accuracy under shuffled labels.
        seed: Of the resampling.

    Returns:
        Lower and upper end.
    """
    from scipy.stats import t as student

    num_pictures, num_groups = len(labels), int(groups.max()) + 1
    # A sum of equal weights may miss 1 by its last bit.
    accuracy = round(float(balanced_accuracy(credit[None], labels[None], num_classes)[0]), 12)
    chance = 1 / num_classes
    # A rule that is never wrong would not have been so by having been learnt from others.
    unsteady = (1 - max(accuracy, chance)) / (1 - chance)
    effect = 1 + unsteady * (null_sd**2 * num_pictures / (chance * (1 - chance)) - 1)
    if 0 < accuracy < 1:
        variance = resampled_accuracy(credit, labels, groups, num_classes, seed).var()
        variance *= num_groups / (num_groups - 1)
        effect = max(effect, variance * num_pictures / (accuracy * (1 - accuracy)))
    else:
        # Nothing tells how alike a group's answers are: it may have given one only.
        effect = max(effect, num_pictures / num_groups)
    num_answers = num_pictures / max(effect, 1.0)
    z = float(student.ppf(0.975, max(num_groups - num_classes, 1)))
    middle = (accuracy + z * z / 2 / num_answers) / (1 + z * z / num_answers)
    half = z * np.sqrt(accuracy * (1 - accuracy) / num_answers + (z / 2 / num_answers) ** 2)
    half /= 1 + z * z / num_answers
    return float(max(0.0, middle - half)), float(min(1.0, middle + half))


def resampled_accuracy(
    credit: Floats,
    labels: Integers,
    groups: Integers,
    num_classes: int,
    seed: int,
    num_resamples: int = 1_000,
) -> Floats:
    """Balanced accuracies [num_resamples] of whole groups drawn with replacement (Efron & Tibshirani 1993).

    The classifier is not fitted again. A class that a resample lacks does not count in it.
    """
    num_groups = int(groups.max()) + 1
    counts, right = np.zeros((2, num_groups, num_classes))
    np.add.at(counts, (groups, labels), 1)
    np.add.at(right, (groups, labels), credit)
    generator = np.random.default_rng(seed)
    times = generator.multinomial(num_groups, np.full(num_groups, 1 / num_groups), size=num_resamples)
    present = times @ counts
    accuracy = (times @ right) / np.maximum(present, 1)
    return np.asarray(accuracy.sum(axis=1) / (present > 0).sum(axis=1))


def one_hot(labels: Integers, num_classes: int) -> Floats:
    """[B, N] labels as indicators, [N, B, C]."""
    return np.asarray(labels.T[:, :, None] == np.arange(num_classes), dtype=np.float64)


def class_counts(labels: Integers, num_classes: int) -> Integers:
    """Pictures per class under each labelling [B, N]; [B, C]."""
    return class_counts_in_groups(labels, np.zeros(labels.shape[1], dtype=np.int64), num_classes)[:, 0]


def class_counts_in_groups(labels: Integers, groups: Integers, num_classes: int) -> Integers:
    """Pictures per group [N] and class under each labelling [B, N]; [B, G, C]."""
    num_groups = int(groups.max()) + 1
    cell = (np.arange(len(labels))[:, None] * num_groups + groups) * num_classes + labels
    counts = np.bincount(cell.ravel(), minlength=len(labels) * num_groups * num_classes)
    return np.asarray(counts.reshape(len(labels), num_groups, num_classes))
