"""What a test of so many pictures could have shown at all: its power against a rule that is right so often.

The accuracy's spread is taken from the permutation null of the same design (which holds the groups, and that the rule
was learnt anew from each labelling), scaled as a binomial's: σ(π) = σ₀ √(π(1 − π) / (c(1 − c))) with c = 1/C. Around
the true accuracy π it is taken as normal. tests/analysis/test_power.py compares this with simulations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vae_tf.analysis.separation import Statistic

POWER = 0.8
_SHOWN = (0.03, 0.04, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.9, 0.95)


@dataclass(frozen=True)
class Power:
    """Of one accuracy's permutation test at p ≤ 0.05.

    Attributes:
        detectable: The true accuracy that is found with probability 0.8; None where none is.
        separation: The distance of two classes, in standard deviations along the best direction, at which the best
            rule is right so often (2 Φ⁻¹(accuracy)); None for more than two classes.
        curve: (true accuracy, probability that p ≤ 0.05).
    """

    detectable: float | None
    separation: float | None
    curve: tuple[tuple[float, float], ...]


def power_of(statistic: Statistic, num_classes: int) -> Power:
    """What the test of a balanced accuracy could have found.

    Args:
        statistic: A balanced accuracy of `separate`.
        num_classes: C.
    """
    from scipy.stats import norm

    grid = np.arange(statistic.chance, 1.0, 0.001)
    found = np.array([probability(float(accuracy), statistic) for accuracy in grid])
    enough = np.flatnonzero(found >= POWER)
    detectable = float(grid[enough[0]]) if len(enough) else None
    shown = [accuracy for accuracy in _SHOWN if accuracy > statistic.chance]
    return Power(
        detectable=detectable,
        separation=2 * float(norm.ppf(detectable)) if detectable and num_classes == 2 else None,
        curve=tuple((accuracy, probability(accuracy, statistic)) for accuracy in shown),
    )


def probability(accuracy: float, statistic: Statistic) -> float:
    """That a rule which is right with probability `accuracy` gives p ≤ 0.05."""
    from scipy.stats import norm

    if statistic.critical_value is None:
        return 0.0
    chance = statistic.chance
    spread = statistic.null_sd * np.sqrt(accuracy * (1 - accuracy) / (chance * (1 - chance)))
    return float(norm.sf(statistic.critical_value, accuracy, max(spread, 1e-9)))
