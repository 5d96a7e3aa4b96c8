"""What the page of `compare` shows; see `reports.records`."""

from collections.abc import Sequence
from dataclasses import dataclass

from reports.records import Pictures, RunFacts


@dataclass(frozen=True, kw_only=True)
class Overlaid:
    """Curves of runs that may be set side by side; each is (name, steps, values)."""

    title: str
    curves: Sequence[tuple[str, Sequence[int], Sequence[float]]]


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One run of a comparison: some scored pictures and what it makes of them, with the address of its report.

    `rebuilt`: of sentences (original, what is decoded from its posterior mean) in their place.
    """

    name: str
    address: str
    originals: Pictures | None = None
    reconstructions: Pictures | None = None
    rebuilt: Sequence[tuple[str, str]] = ()
    headline: str = ""


@dataclass(frozen=True, kw_only=True)
class CompareRecord:
    """The page of `compare`: texts under `columns`, one row of `cells` for each of `runs`."""

    run: RunFacts
    answer: str
    columns: Sequence[str]
    cells: Sequence[Sequence[str]]
    runs: Sequence[Compared]
    notes: Sequence[str] = ()
    curves: Sequence[Overlaid] = ()
