"""What the page of `predict` shows; see `reports.records`."""

from collections.abc import Sequence
from dataclasses import dataclass

from reports.records import Confusion, Pictures, RunFacts


@dataclass(frozen=True, kw_only=True)
class AccuracyRow:
    """Share of right classes in a group of pictures, with its 95 % interval; `balanced`: mean over classes.

    `baseline`: the share that would be right if every picture were said to be of the most frequent class.
    """

    name: str
    num: int
    accuracy: float
    low: float | None
    high: float | None
    balanced: float
    baseline: float


@dataclass(frozen=True, kw_only=True)
class ReliabilityBin:
    """Pictures whose highest probability is about `confidence`, and the share of them that is right."""

    num: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, kw_only=True)
class PredictedPictures:
    """Pictures to look at, with the likeliest class and its probability; `truths`: "" where unknown."""

    title: str
    pictures: Pictures
    paths: Sequence[str]
    classes: Sequence[str]
    probabilities: Sequence[float]
    truths: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class ClassGrid:
    """Decoded pictures [R, C, H, W, channels], a style in each row and a class in each column; `originals` [R, …]."""

    title: str
    note: str
    pictures: Pictures
    classes: Sequence[str]
    originals: Pictures | None = None


@dataclass(frozen=True, kw_only=True)
class PredictionsRecord:
    """The page of `predict`; `counts`: (what is known of the class, how many pictures)."""

    run: RunFacts
    answer: str
    counts: Sequence[tuple[str, int]]
    accuracies: Sequence[AccuracyRow] = ()
    accuracy_note: str = ""
    calibration: Sequence[str] = ()
    reliability: Sequence[ReliabilityBin] = ()
    confusion: Confusion | None = None
    shown: Sequence[PredictedPictures] = ()
    grids: Sequence[ClassGrid] = ()
    csv: str = ""
