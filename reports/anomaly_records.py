"""What a pipeline fills in of the page of anomalies; the other pages' are in `reports.records`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reports.records import Estimate, Numbers, Pictures, RunFacts


@dataclass(frozen=True, kw_only=True)
class Count:
    """`count` of `num` independent pictures, or groups, with the 95 % interval of their share."""

    count: int
    num: int
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class AnomalyScore:
    """One way to say how odd a picture is.

    Attributes:
        meaning: What it measures, in a clause.
        verdict: How it did, in a few words; "" where nothing is known of the pictures.
        auroc, precision: None where no abnormal or no normal picture is known.
        false_alarms: Normal pictures above the threshold.
        naive: The same with a threshold that trained-on pictures set.
        found: Abnormal pictures above the threshold.
        is_main: Whether it ranks the pictures of the page.
    """

    name: str
    meaning: str
    verdict: str = ""
    auroc: Estimate | None = None
    precision: Estimate | None = None
    false_alarms: Count | None = None
    naive: Count | None = None
    found: Count | None = None
    is_main: bool = False


@dataclass(frozen=True, kw_only=True)
class OddPictures:
    """Pictures beside what is rebuilt of them and a map of the difference (grey [N, H, W, 1], mid-grey for none).

    `truths`: "normal", "abnormal" or "" each; `classes`: "" where unknown.
    """

    title: str
    note: str
    originals: Pictures
    rebuilt: Pictures
    differences: Pictures
    ranks: Sequence[int]
    p_values: Sequence[float]
    classes: Sequence[str]
    truths: Sequence[str]
    paths: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class ScoreSpread:
    """Scores of the kinds of pictures, such as "unseen, normal", and the threshold; `name` has the unit."""

    name: str
    values: Mapping[str, Numbers]
    threshold: float


@dataclass(frozen=True, kw_only=True)
class AnomaliesRecord:
    """The page of `anomalies`.

    Attributes:
        facts: (name, sentence): what is normal, the threshold, what it promises, what was measured.
        scores: All of them, the rival last.
        chance_precision: Average precision of a useless score; None where nothing is known.
        score_note: How the figures of the table came about.
        map_note: What grey means on the maps, with their scale.
        methods: For a paper, one sentence each.
    """

    run: RunFacts
    answer: str
    facts: Sequence[tuple[str, str]]
    scores: Sequence[AnomalyScore]
    spread: ScoreSpread
    chance_precision: float | None = None
    score_note: str = ""
    shown: Sequence[OddPictures] = ()
    map_note: str = ""
    notes: Sequence[str] = ()
    methods: Sequence[str] = ()
    csv: str = ""
