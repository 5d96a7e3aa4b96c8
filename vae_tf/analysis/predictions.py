"""How far predicted classes and their probabilities can be trusted: temperature, calibration, accuracy."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

# Fewer pictures cannot tell a temperature of 1 from one of 2.
FEWEST_TO_CALIBRATE = 30
TEMPERATURES = (0.05, 20.0)
NUM_BINS = 10


@dataclasses.dataclass(frozen=True)
class Bin:
    """Pictures whose highest probability lies between `low` and `high`: its mean, and the share that is right."""

    low: float
    high: float
    num: int
    confidence: float
    accuracy: float


def log_softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Logarithms of the probabilities [N, C] of logits [N, C]."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def negative_log_likelihood(log_probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Mean of −log p(label) in nats, of log p [N, C] and labels [N]."""
    return float(-np.mean(log_probabilities[np.arange(len(labels)), labels]))


def fit_temperature(logits: NDArray[np.floating], labels: NDArray[np.int64]) -> float:
    """T at which softmax(logits / T) gives the labels the highest likelihood (Guo et al. 2017, section 4.2).

    One number for all classes, so that the likeliest class stays the likeliest.

    Args:
        logits: [N, C], of pictures that were not trained on.
        labels: Their classes [N].
    """
    from scipy.optimize import minimize_scalar

    def loss(log_temperature: float) -> float:
        return negative_log_likelihood(log_softmax(logits / np.exp(log_temperature)), labels)

    found = minimize_scalar(loss, bounds=tuple(np.log(TEMPERATURES)), method="bounded")
    return float(np.exp(found.x)) if found.fun < loss(0.0) else 1.0


def reliability(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> list[Bin]:
    """The pictures by their highest probability, in ten bins of equal width; empty bins are left out."""
    confidence, right = probabilities.max(axis=-1), probabilities.argmax(axis=-1) == labels
    edges = np.linspace(0.0, 1.0, NUM_BINS + 1)
    position = np.clip(np.digitize(confidence, edges[1:-1], right=True), 0, NUM_BINS - 1)
    return [
        Bin(float(edges[i]), float(edges[i + 1]), int(inside.sum()), float(confidence[inside].mean()),
            float(right[inside].mean()))
        for i in range(NUM_BINS)
        if (inside := position == i).any()
    ]  # fmt: skip


def expected_calibration_error(bins: list[Bin]) -> float:
    """Mean distance of probability and accuracy over the bins, weighted by their pictures (Guo et al. 2017, eq. 3)."""
    total = sum(b.num for b in bins)
    return sum(b.num * abs(b.accuracy - b.confidence) for b in bins) / total if total else float("nan")


def wilson_interval(num_right: int, num: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927), which keeps a width where all are right; pictures as independent."""
    z = 1.959963984540054
    share, spread = num_right / num, z * z / num
    middle = (share + spread / 2) / (1 + spread)
    half = z * np.sqrt(share * (1 - share) / num + spread / (4 * num)) / (1 + spread)
    return float(max(0.0, middle - half)), float(min(1.0, middle + half))


def confusion(labels: NDArray[np.int64], predicted: NDArray[np.int64], num_classes: int) -> NDArray[np.int64]:
    """Counts [C, C] of true class (rows) and predicted class (columns)."""
    counts = np.zeros((num_classes, num_classes), dtype=np.int64)
    np.add.at(counts, (labels, predicted), 1)
    return counts


def share_of_class(pictures: NDArray[np.generic]) -> float:
    """How much of what differs between decoded pictures the class explains, from 0 (the decoder ignores it) to 1.

    The share of the class in the sum of squares of a table of styles and classes (two-way analysis of variance
    without interaction), summed over pixels; what style and class make together counts as neither.

    Args:
        pictures: [R, C, ...], a style in each row and a class in each column.
    """
    x = pictures.astype(np.float64)
    total = x.mean(axis=(0, 1), keepdims=True)
    rows, columns = x.mean(axis=1, keepdims=True), x.mean(axis=0, keepdims=True)
    of_class = float(np.sum((columns - total) ** 2)) * x.shape[0]
    of_style = float(np.sum((rows - total) ** 2)) * x.shape[1]
    together = of_class + of_style
    return of_class / together if together else 0.0
