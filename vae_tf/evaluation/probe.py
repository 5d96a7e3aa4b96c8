"""What a few labels are worth on each kind of features: classifiers fitted on some pictures, judged on others."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae_tf import random

NUM_NEIGHBORS = 5


@dataclasses.dataclass(frozen=True)
class Score:
    """Balanced accuracies of one method at one number of labels.

    Args:
        method: Features and classifier, such as "latents, linear".
        per_class: Labels of each class, at most; None: all there are.
        num_labels: Labels in all.
        values: One balanced accuracy per draw of the labelled pictures, 0 to 1.
    """

    method: str
    per_class: int | None
    num_labels: int
    values: list[float]


def draw_labelled(
    labels: NDArray[np.int64], per_class: int | None, seed: int, draw: int
) -> NDArray[np.int64]:
    """Positions of at most `per_class` pictures of every class among labels [N], a keyed choice; −1 is no label."""
    generator = random.generator(seed, "labelled", draw)
    chosen = []
    for label in np.unique(labels[labels >= 0]):
        members = generator.permutation(np.flatnonzero(labels == label))
        chosen.append(members if per_class is None else members[:per_class])
    return np.sort(np.concatenate(chosen))


def linear_predictions(
    train: NDArray[Any], labels: NDArray[np.int64], test: NDArray[Any]
) -> NDArray[np.int64]:
    """Logistic regression with a unit L2 penalty on features scaled by one number; classes [M] of test [M, d].

    One number, not one for each feature: unused latents and constant corners of pictures stay as small as they are.
    """
    from sklearn.linear_model import LogisticRegression

    train, test = onto_the_span(train, test)
    scale = np.sqrt(np.mean(np.sum(train**2, axis=1)) / min(train.shape)) or 1.0
    model = LogisticRegression(C=1.0, max_iter=2000).fit(train / scale, labels)
    return np.asarray(model.predict(test / scale), dtype=np.int64)


def neighbor_predictions(
    train: NDArray[Any], labels: NDArray[np.int64], test: NDArray[Any]
) -> NDArray[np.int64]:
    """The class of most of the five nearest labelled pictures, fewer where a class has fewer; [M] of test [M, d]."""
    from sklearn.neighbors import KNeighborsClassifier

    num = min(NUM_NEIGHBORS, int(np.bincount(labels)[np.unique(labels)].min()))
    train, test = onto_the_span(train, test)
    model = KNeighborsClassifier(num).fit(train, labels)
    return np.asarray(model.predict(test), dtype=np.int64)


def onto_the_span(train: NDArray[Any], test: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Centred features in the coordinates of the affine span of train [N, d], where d exceeds N.

    Neither classifier loses anything: the best weights lie in the span, and what sticks out of it adds the same to
    every squared distance from a test picture.
    """
    centre = train.mean(axis=0, dtype=np.float64)
    train, test = train - centre, test - centre
    if train.shape[1] <= len(train):
        return train, test
    _, _, axes = np.linalg.svd(train, full_matrices=False)
    return train @ axes.T, test @ axes.T


def balanced_accuracy(predicted: NDArray[np.int64], labels: NDArray[np.int64]) -> float:
    """Mean over the classes in labels [M] of the share that is predicted [M] rightly."""
    return float(np.mean([np.mean(predicted[labels == label] == label) for label in np.unique(labels)]))


CLASSIFIERS = {"linear": linear_predictions, f"{NUM_NEIGHBORS}-NN": neighbor_predictions}


def probe(
    features: Mapping[str, NDArray[Any]],
    labels: NDArray[np.int64],
    train: NDArray[np.int64],
    test: NDArray[np.int64],
    numbers: Sequence[int | None],
    num_draws: int = 5,
    seed: int = 0,
) -> list[Score]:
    """Every classifier on every kind of features at every number of labels.

    Args:
        features: {name: [N, d]}.
        labels: Class of each picture [N], −1 for none.
        train: Positions that labels are drawn from.
        test: Positions that are judged, each of them labelled; none of `train`.
        numbers: Labels of each class; None for all.
        num_draws: Draws of the labelled pictures; one where all are taken.
        seed: Key of the draws.
    """
    scores = []
    for per_class in numbers:
        draws = draws_of(labels, train, per_class, num_draws, seed)
        for name, values in features.items():
            for kind, classify in CLASSIFIERS.items():
                found = [
                    balanced_accuracy(classify(values[chosen], labels[chosen], values[test]), labels[test])
                    for chosen in draws
                ]
                scores.append(Score(f"{name}, {kind}", per_class, len(draws[0]), found))
    return scores


def draws_of(
    labels: NDArray[np.int64], train: NDArray[np.int64], per_class: int | None, num_draws: int, seed: int
) -> list[NDArray[np.int64]]:
    """The labelled positions of each draw; all methods see the same ones."""
    count = 1 if per_class is None else num_draws
    return [train[draw_labelled(labels[train], per_class, seed, draw)] for draw in range(count)]
