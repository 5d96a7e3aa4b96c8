"""What a pipeline fills in of the page on whether the classes differ."""

from collections.abc import Sequence
from dataclasses import dataclass

from reports.records import Confusion, Pictures, RunFacts


@dataclass(frozen=True, kw_only=True)
class Score:
    """One statistic in one space, against its permutation null.

    `detectable`: the least value with p ≤ 0.05; `least_p`: the smallest p that could have come out; `low` and `high`:
    ends of the 95 % interval.
    """

    statistic: str
    space: str
    value: float
    chance: float | None = None
    p: float | None = None
    least_p: float | None = None
    detectable: float | None = None
    low: float | None = None
    high: float | None = None
    primary: bool = False


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question in plain words, its answer in a sentence or two, and the scores behind it."""

    title: str
    answer: str
    scores: Sequence[Score] = ()


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Pictures and what a rule that never saw their group takes them for; without pictures `paths` are sentences."""

    pictures: Pictures | None
    paths: Sequence[str]
    splits: Sequence[str]
    taken_for: Sequence[str]
    probabilities: Sequence[float]


@dataclass(frozen=True, kw_only=True)
class ClassPictures:
    """The most typical and the most misplaced pictures of one class; `wrong`: how many of `total` are misplaced."""

    name: str
    total: int
    wrong: int
    typical: Judged
    misplaced: Judged


@dataclass(frozen=True, kw_only=True)
class DimensionRow:
    """How far one latent dimension differs between classes; `shift` in standard deviations, of two classes only."""

    dimension: int
    explained: float
    by_chance: float
    p: float
    shift: float | None = None


@dataclass(frozen=True, kw_only=True)
class ClassesRecord:
    """The page on the classes.

    Attributes:
        answer: Whether they can be told apart, how sure that is.
        clustered: Whether they form clusters.
        classes: Pictures of each class; `left_out` says which classes are not shown.
        dimensions: Those that differ most, `dimension_answer` in words.
        power: (true accuracy, probability that it would have been found), `power_answer` in words.
        methods: How it was tested, sentence by sentence.
    """

    run: RunFacts
    answer: str
    clustered: str = ""
    classes: Sequence[ClassPictures] = ()
    left_out: str = ""
    confusion: Confusion | None = None
    questions: Sequence[Question] = ()
    dimensions: Sequence[DimensionRow] = ()
    dimension_answer: str = ""
    dimension_note: str = ""
    power: Sequence[tuple[float, float]] = ()
    power_answer: str = ""
    power_note: str = ""
    methods: Sequence[str] = ()
