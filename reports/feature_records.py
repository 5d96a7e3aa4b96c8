"""What the page of features that are on or off shows; see `reports.records`."""

from collections.abc import Sequence
from dataclasses import dataclass

from reports.records import Numbers, Pictures, RunFacts


@dataclass(frozen=True, kw_only=True)
class Switched:
    """One feature: pictures decoded without it and with it (at the amount that each has), and what goes with it.

    `factors` of whether it is on, `moved_by` of its value: (name, share of the variance, corrected p), the strongest
    first, the significant ones alone.
    """

    feature: int
    share_on: float
    off: Pictures
    on: Pictures
    splits: Sequence[str]
    paths: Sequence[str] = ()
    factors: Sequence[tuple[str, float, float]] = ()
    moved_by: Sequence[tuple[str, float, float]] = ()


@dataclass(frozen=True, kw_only=True)
class Associations:
    """Share of each of d features' variance that each of F factors explains [F, d], and p corrected for all pairs."""

    strength: Numbers
    p_values: Numbers


@dataclass(frozen=True, kw_only=True)
class FeaturesRecord:
    """The page of features that are on or off.

    Attributes:
        share_on: Share of pictures that have each feature [d].
        probability: What the prior has learned of it, E π_k [d].
        num_on: Features on in each picture [N].
        factors: Names [F] of what was tested.
        switching: Of the probability that a feature is on.
        moving: Of a feature's value, 0 where it is off.
        features: Those in use, that carry most.
        notes: On the tests.
    """

    run: RunFacts
    answer: str
    share_on: Numbers
    probability: Numbers
    num_on: Numbers
    factors: Sequence[str] = ()
    switching: Associations | None = None
    moving: Associations | None = None
    features: Sequence[Switched] = ()
    notes: Sequence[str] = ()
