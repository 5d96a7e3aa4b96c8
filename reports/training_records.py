"""What a pipeline fills in of the page of a training; the other pages' records are in `reports.records`."""

from collections.abc import Sequence
from dataclasses import dataclass

from reports.records import CurveSegment, Numbers, RunFacts


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What the choice of weights saw in each epoch: the objective of validation, lower is better.

    Attributes:
        epochs, values: Of this run and of those that it extends.
        is_best: Whether the epoch was the best so far.
        chosen: The epoch whose weights were kept.
    """

    epochs: Sequence[int]
    values: Sequence[float]
    is_best: Sequence[bool]
    chosen: int


@dataclass(frozen=True, kw_only=True)
class TrainingRecord:
    """The page of a training.

    Attributes:
        answer: Whether it had converged, was stopped or over-fits, from numbers.
        notes: What the answer rests on.
        curves: One segment for this run and each that it extends, oldest first.
        choice: None where there was no validation.
        kl_epochs, kl: KL of each dimension in validation at these epochs [epochs, d], nats; None where unknown.
        gradient_epochs, gradient_norm, largest_gradient_norm: Mean and largest norm of each epoch, before clipping.
        rate_epochs, learning_rate: At the end of each epoch.
        clip: The norm to which larger gradients are clipped.
        parents, children: (name, address of the report or "") of runs that this one extends, and that extend it.
        facts: Name and value.
    """

    run: RunFacts
    answer: str
    notes: Sequence[str] = ()
    curves: Sequence[CurveSegment] = ()
    choice: Choice | None = None
    kl_epochs: Sequence[int] = ()
    kl: Numbers | None = None
    gradient_epochs: Sequence[int] = ()
    gradient_norm: Sequence[float] = ()
    largest_gradient_norm: Sequence[float] = ()
    rate_epochs: Sequence[int] = ()
    learning_rate: Sequence[float] = ()
    clip: float = 1.0
    parents: Sequence[tuple[str, str]] = ()
    children: Sequence[tuple[str, str]] = ()
    facts: Sequence[tuple[str, str]] = ()
