"""What a pipeline fills in of the page of traversals; the other pages' records are in `reports.records`."""

from collections.abc import Sequence
from dataclasses import dataclass

from reports.records import Numbers, Pictures, RunFacts


@dataclass(frozen=True, kw_only=True)
class Link:
    """How a known factor goes with a dimension: Spearman's ρ ("spearman") or η ("eta"); p for all pairs together."""

    factor: str
    kind: str
    strength: float
    p: float


@dataclass(frozen=True, kw_only=True)
class Walk:
    """One latent dimension walked from its lowest to its highest value.

    Attributes:
        dimension: Its number.
        frames: Decoded pictures [B, steps, H, W, C], one row for each starting point.
        values: The latent at each step.
        changed: Mean absolute change of each pixel [H, W] from one end to the other, of the pixel range.
        information, kl: What it tells and costs, nats; None where there is none.
        links: Known factors, the strongest first.
    """

    dimension: int
    frames: Pictures
    values: Sequence[float]
    changed: Numbers
    information: float | None = None
    kl: float | None = None
    links: Sequence[Link] = ()


@dataclass(frozen=True, kw_only=True)
class ClassMove:
    """The step from class a to class b, applied to unseen pictures of a.

    Attributes:
        originals: [N, H, W, C].
        moved: Decoded at each of `amounts` of the step [N, amounts, H, W, C]; amount 0 is the reconstruction.
        num: Pictures of a that were moved in all.
        read_as_b: How many of them a probe reads as b, at each amount.
        controls_read_as_b: The same after an equally long step in a random direction.
        originals_read_as_b: The same before anything is decoded.
        bs_read_as_b, num_b: Unseen pictures of b that the probe reads as b, of how many.
        num_trained: Pictures of a and of b that step and probe were computed from.
    """

    a: str
    b: str
    amounts: Sequence[float]
    originals: Pictures
    moved: Pictures
    splits: Sequence[str]
    num: int
    read_as_b: Sequence[int]
    controls_read_as_b: int
    originals_read_as_b: int
    bs_read_as_b: int
    num_b: int
    num_trained: tuple[int, int]
    paths: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class TraversalsRecord:
    """The page of `traverse`.

    Attributes:
        answer: In one sentence what the strongest dimension goes with.
        order_note: What the dimensions are ordered by.
        range_note: What the walks' ends are.
        bases: Names of the starting points [B].
        base_splits: Their splits, "" for the mean.
        walks: Those dimensions that tell most.
        left_out: How many dimensions are in use and not shown.
        link_note: On the correlations and how many comparisons were made.
        moves: Class arithmetic.
        move_note: Why there is none, or how it was done.
    """

    run: RunFacts
    answer: str
    order_note: str
    range_note: str
    bases: Sequence[str] = ()
    base_splits: Sequence[str] = ()
    walks: Sequence[Walk] = ()
    left_out: int = 0
    link_note: str = ""
    moves: Sequence[ClassMove] = ()
    move_note: str = ""
