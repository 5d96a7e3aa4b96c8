"""The part that thresholds of anomalies are calibrated on: large enough to promise what people ask for."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae_tf.data.splits import CALIBRATION, TRAIN, Split, join_copies, make_units, split

# 1/0.05 − 1: fewer normal pictures, or groups, cannot promise 5 % of false alarms.
FEWEST_UNITS = 19
LARGEST_SHARE = 33


def split_for_calibration(
    labels: NDArray[np.int64],
    groups: NDArray[np.int64],
    shares: tuple[float, ...],
    seed: int,
    fixed: NDArray[np.int8],
    copies: NDArray[np.int64],
) -> tuple[Split, tuple[float, ...]]:
    """See `split`; where the calibration part would hold fewer than 19 units, it takes from the training part.

    Returns:
        The parts, and the shares by which they were dealt: the given ones where they are enough, or where a third of
        all would not be, either.
    """
    first = split(labels, groups, shares, seed, fixed, copies)
    units = join_copies(groups, copies)
    found = num_calibrating(first, units)
    if found >= FEWEST_UNITS or CALIBRATION in fixed:
        return first, shares
    kind = "groups" if np.any(groups >= 0) else "pictures"
    for larger in larger_shares(shares):
        result = split(labels, groups, larger, seed, fixed, copies)
        if (num := num_calibrating(result, units)) >= FEWEST_UNITS:
            note = (
                f"The calibration part got {num} {kind} ({larger[CALIBRATION]:g} % of what was dealt) instead of "
                f"{found}: {FEWEST_UNITS} are the fewest that can promise 5 % of false alarms."
            )
            return Split(result.part, (*result.notes, note)), larger
    note = (
        f"The calibration part holds {found} {kind}: the smallest rate of false alarms that `anomalies` can promise "
        f"is 1/{found + 1}."
    )
    return Split(first.part, (*first.notes, note)), shares


def num_calibrating(parts: Split, units: NDArray[np.int64]) -> int:
    """Groups, or pictures where there are none, in the calibration part."""
    return len(make_units(units[parts.where("calibration")]))


def larger_shares(shares: tuple[float, ...]) -> list[tuple[float, ...]]:
    """The shares with more and more of the training part's given to calibration."""
    found: list[Any] = []
    for share in range(int(shares[CALIBRATION]) + 1, LARGEST_SHARE + 1):
        changed = list(shares)
        changed[TRAIN] -= share - shares[CALIBRATION]
        changed[CALIBRATION] = float(share)
        found.append(tuple(changed))
    return found
