"""Which of several models is best on the same pictures, where their errors can be told apart at all."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from vae_tf.evaluation.reconstruction import standard_error
from vae_tf.groups import units_of

ALPHA = 0.05


@dataclasses.dataclass(frozen=True)
class Paired:
    """Of R models on the same N pictures; differences are each model's mean error less the best one's.

    Attributes:
        best: The model with the least mean error.
        difference: [R].
        standard_error: Of the difference [R], over groups; NaN for one group.
        beyond_chance: Whether the difference is told from 0 [R]; False for the best itself.
        critical: The t that all comparisons together need; NaN for one group.
    """

    best: int
    difference: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    beyond_chance: NDArray[np.bool_]
    critical: float

    @property
    def is_clear(self) -> bool:
        """Whether the best is told from every other."""
        return bool(np.delete(self.beyond_chance, self.best).all())


def compare_with_best(errors: NDArray[np.float64], groups: NDArray[np.int64], alpha: float = ALPHA) -> Paired:
    """Paired t tests of the best of R models with each other, errors [R, N], lower is better.

    The best was chosen by the same pictures, so that the correction (Bonferroni) is for all R·(R − 1)/2 pairs, any of
    which might have been looked at: if all models are equally good, the chance of calling one the best is `alpha` at
    most.
    """
    from scipy.stats import t

    num_models, num_groups = len(errors), int(units_of(groups).max(initial=-1)) + 1
    best = int(errors.mean(axis=1).argmin())
    between = errors - errors[best]
    difference = between.mean(axis=1)
    error = np.array([standard_error(row, groups) for row in between])
    pairs = max(1, num_models * (num_models - 1) // 2)
    critical = float(t.ppf(1 - alpha / (2 * pairs), num_groups - 1)) if num_groups > 1 else float("nan")
    with np.errstate(invalid="ignore"):
        beyond = difference > critical * error
    beyond[best] = False
    return Paired(best, difference, error, beyond & (difference > 0), critical)
