"""What a pipeline fills in of the pages that only sentences have; the others are in `reports.records`."""

from collections.abc import Sequence
from dataclasses import dataclass

from reports.records import CurveSegment, Numbers, RunFacts, SplitCount


@dataclass(frozen=True, kw_only=True)
class Rebuilt:
    """A sentence and what is decoded from its posterior mean; `original` is "" for a sample of the prior."""

    original: str
    greedy: str
    beam: str


@dataclass(frozen=True, kw_only=True)
class TextScore:
    """Means per sentence of one split, in nats; None of what a plain autoencoder does not have."""

    split: str
    num: int
    reconstruction: float
    kl: float | None = None
    elbo: float | None = None
    perplexity: float | None = None


@dataclass(frozen=True, kw_only=True)
class TextOverviewRecord:
    """The first page of a run on text; see `OverviewRecord`."""

    run: RunFacts
    answer: str
    trained_on: str
    next_command: str
    headline: str = ""
    elsewhere: Sequence[tuple[str, str]] = ()
    warnings: Sequence[str] = ()
    rebuilt: Sequence[tuple[str, Sequence[Rebuilt]]] = ()
    scores: Sequence[TextScore] = ()
    samples: Sequence[Rebuilt] = ()
    kl_per_dimension: Numbers | None = None
    information_per_dimension: Numbers | None = None
    curves: Sequence[CurveSegment] = ()
    best_epoch: int | None = None
    counts: Sequence[SplitCount] = ()
    facts: Sequence[tuple[str, str]] = ()
    skipped: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, kw_only=True)
class Homotopy:
    """Sentences decoded from A to B, straight and along the sphere; splits are "" for the mean of a class.

    `unknown`: words of typed ends that the model does not know.
    """

    a: str
    b: str
    linear: Sequence[str]
    spherical: Sequence[str]
    split_a: str = ""
    split_b: str = ""
    unknown: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class HomotopiesRecord:
    """The page of `interpolation-grid` of a run on text."""

    run: RunFacts
    answer: str
    pairs: Sequence[Homotopy] = ()
    class_means: Sequence[Homotopy] = ()
