"""Pictures of one group (a person, a plate) are no independent witnesses."""

import numpy as np
from numpy.typing import NDArray


def units_of(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """What may vary independently: the position [N] of each picture's group, −1 counting as a group of its own."""
    keys = np.where(groups < 0, groups.max(initial=0) + 1 + np.arange(len(groups)), groups)
    return np.asarray(np.unique(keys, return_inverse=True)[1], dtype=np.int64)
