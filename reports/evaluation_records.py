"""What the page of `evaluate` shows; see `reports.records`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from reports.records import Numbers, Pictures, Quality, RunFacts


@dataclass(frozen=True, kw_only=True)
class BoundRow:
    """One estimate of log p(x): mean in nats, its standard error over groups, median effective sample size."""

    name: str
    num_samples: int
    mean: float
    standard_error: float | None
    effective: float | None = None


@dataclass(frozen=True, kw_only=True)
class BoundsOfPart:
    """The estimates for `num` pictures of one split."""

    split: str
    num: int
    rows: Sequence[BoundRow]


@dataclass(frozen=True, kw_only=True)
class Sampler:
    """How far samples lie from pictures (`floor`: pictures from pictures), and their share of fine detail."""

    name: str
    distance: float
    floor: float
    detail: float


@dataclass(frozen=True, kw_only=True)
class EvaluationRecord:
    """The page of `evaluate`; `drawn`: samples by their sampler; `factor_scores`: (name, value, meaning).

    Of sentences `text_figures`: (split, number, tokens of one, perplexity of a token), and the KL of each dimension.
    """

    run: RunFacts
    answer: str
    quality: Sequence[Quality] = ()
    quality_note: str = ""
    unit: str = "nats"
    bounds: Sequence[BoundsOfPart] = ()
    sentences: Sequence[str] = ()
    samplers: Sequence[Sampler] = ()
    sample_note: str = ""
    drawn: Mapping[str, Pictures] = field(default_factory=dict)
    factor_scores: Sequence[tuple[str, float, str]] = ()
    factor_notes: Sequence[str] = ()
    text_figures: Sequence[tuple[str, int, float, float]] = ()
    kl_per_dimension: Numbers | None = None
