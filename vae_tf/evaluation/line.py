"""A latent space of one dimension, decoded from end to end: where codes lie, and what lies between them."""

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

NUM_STEPS = 24


@dataclasses.dataclass(frozen=True)
class Line:
    """Equal steps from the lowest code to the highest.

    Args:
        values: The latent in the middle of each step [n].
        counts: Codes of pictures in each step [n].
        pictures: Decoded from `values` [n, H, W, C], float32 in [0, 1].
    """

    values: NDArray[np.float32]
    counts: NDArray[np.int64]
    pictures: NDArray[np.float32]


def decode_line(model: Any, codes: NDArray[np.float32], num_steps: int = NUM_STEPS) -> Line:
    """The line through the codes [N, 1] of a model with one latent.

    The step with no code shows what the decoder makes of latents that it was never asked to decode: for a plain
    autoencoder nothing keeps codes together, so that holes are usual, while the noise of a VAE's posterior and its
    KL fill them.
    """
    counts, edges = np.histogram(codes[:, 0], bins=num_steps)
    values = ((edges[:-1] + edges[1:]) / 2).astype(np.float32)
    return Line(values, counts.astype(np.int64), np.asarray(model.decode(values[:, None])))
