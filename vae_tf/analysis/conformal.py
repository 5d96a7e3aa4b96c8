"""How odd is too odd: a threshold with a promised rate of false alarms, by split-conformal prediction.

Scores of n calibration units, exchangeable with a new normal one, promise without any assumption on the scores that the
new one lies above their k-th largest, k = ⌊(n + 1)α⌋, with a probability of k/(n + 1) (Vovk et al. 2005; Laxhammar &
Falkman 2010); at most that where scores tie. A unit is what is exchangeable: where people have several pictures each,
the person. Of each one picture is drawn, so that the promise is about a picture drawn from a new person (Dunn et al.
2022, "Distribution-free prediction sets for two-layer hierarchical models", section 2.3, subsampling once).
"""

import dataclasses
import math
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from vae_tf.errors import UserError

CONFIDENCE = 0.95


@dataclasses.dataclass(frozen=True)
class Promise:
    """What n calibration units promise at a level.

    Attributes:
        num_units: n.
        allowed: k = ⌊(n + 1)α⌋: the k-th largest calibration score is the threshold.
        rate: k/(n + 1), the probability of a false alarm over calibration sets and new normal pictures.
        low, high: 95 % of all calibration sets of this size give a threshold whose own rate lies between; it is
            Beta(k, n + 1 − k) distributed (Vovk 2012, proposition 2a).
    """

    num_units: int
    allowed: int
    rate: float
    low: float
    high: float

    def expected_alarms(self, num: int) -> tuple[int, int]:
        """Between how many false alarms among `num` new normal units 95 % of all measurements lie."""
        from scipy.stats import betabinom

        low, high = betabinom.interval(CONFIDENCE, num, self.allowed, self.num_units + 1 - self.allowed)
        return int(low), int(high)


@dataclasses.dataclass(frozen=True)
class Share:
    """`count` of `num`, with the 95 % interval of Clopper & Pearson (1934); it is nothing where `num` is 0."""

    count: int
    num: int
    low: float
    high: float

    @property
    def value(self) -> float:
        return self.count / self.num if self.num else float("nan")


def promise(num_units: int, alpha: float) -> Promise:
    """The rate of false alarms that `num_units` normal units can promise at the level `alpha`.

    Raises:
        UserError: A level that is none, or smaller than 1/(n + 1).
    """
    from scipy.stats import beta

    if not 0.0 < alpha < 1.0:
        raise UserError(f"--alpha {alpha:g}: a rate of false alarms lies between 0 and 1.", "Such as 0.05.")
    # A fraction, since (n + 1)·α in floats can fall just below a whole number.
    allowed = math.floor((num_units + 1) * Fraction(repr(float(alpha))))
    if allowed < 1:
        raise UserError(
            f"--alpha {alpha:g} needs {math.ceil(1 / Fraction(repr(float(alpha)))) - 1:,} normal pictures or groups "
            f"for calibration, and there are {num_units:,}.",
            f"The smallest rate that {num_units:,} can promise is {smallest_alpha(num_units)}; for smaller ones "
            "train with more pictures, or with a larger calibration part: --split 50/10/15/25.",
        )
    low, high = beta.interval(CONFIDENCE, allowed, num_units + 1 - allowed)
    return Promise(num_units, allowed, allowed / (num_units + 1), float(low), float(high))


def smallest_alpha(num_units: int) -> str:
    """1/(n + 1), rounded up so that it can be asked for as it is printed."""
    return f"{math.ceil(1e4 / (num_units + 1)) / 1e4:g}"


def threshold(calibration: NDArray[np.floating], allowed: int) -> float:
    """The `allowed`-th largest of the calibration scores [n]; what is larger is an alarm."""
    return float(np.sort(calibration)[-allowed])


def p_values(scores: NDArray[np.floating], calibration: NDArray[np.floating]) -> NDArray[np.float64]:
    """(1 + #{calibration ≥ score})/(n + 1) of each score [N]: a normal picture has p ≤ α with at most that chance.

    p ≤ α is the same as a score above the threshold; ties count against an alarm.
    """
    ordered = np.sort(calibration)
    at_least = len(ordered) - np.searchsorted(ordered, scores, side="left")
    return np.asarray((1.0 + at_least) / (len(ordered) + 1.0))


def one_of_each(units: NDArray[np.int64], seed: int = 0) -> NDArray[np.int64]:
    """The position of one element of each unit, drawn at random, ascending."""
    order = np.random.default_rng([seed, len(units)]).permutation(len(units))
    return np.sort(order[np.unique(units[order], return_index=True)[1]])


def share(is_counted: NDArray[np.bool_]) -> Share:
    """How many of independent units [m] are counted, with its interval."""
    from scipy.stats import binomtest

    count, num = int(np.sum(is_counted)), len(is_counted)
    if not num:
        return Share(0, 0, 0.0, 1.0)
    interval = binomtest(count, num).proportion_ci(CONFIDENCE, method="exact")
    return Share(count, num, float(interval.low), float(interval.high))
