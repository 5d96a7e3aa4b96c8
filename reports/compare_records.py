"""What the page of `compare` shows beside its table; the other records are in `reports.records`."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Overlaid:
    """Curves of runs that may be set side by side; each is (name, steps, values)."""

    title: str
    curves: Sequence[tuple[str, Sequence[int], Sequence[float]]]
