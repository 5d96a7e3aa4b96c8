"""Which pictures or sentences a run is scored on, and what is scored of both alike."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.run_data import Examples
from vae_tf import random
from vae_tf.data.dataset import Index

LARGEST_NUM_SCORED = 2000
NO_USE = {"kl_per_dimension": None, "information_per_dimension": None}


def choose(index: Index, part: str, limit: int) -> NDArray[np.int64]:
    """Positions of the part's pictures, a keyed random choice of them where there are more than `limit`."""
    positions = index.where(part)
    if len(positions) <= limit:
        return positions
    return np.sort(random.generator(0, "scored", part).choice(positions, limit, replace=False))


def elbo_of_each(model: Any, pictures: Examples, positions: NDArray[np.int64]) -> NDArray[np.float64]:
    """The ELBO of each picture (or sentence) [N] in nats, β and warm-up left out."""
    from vae_tf.data.batches import ordered_batches
    from vae_tf.evaluation.likelihood import single_sample_elbo

    return single_sample_elbo(model, ordered_batches(pictures.examples, pictures.index.labels, positions, 64))


def use_of_dimensions(model: Any, pictures: Examples) -> dict[str, list[float] | None]:
    """Mean KL of each latent dimension and what it tells, nats, of unseen examples, or all where none are unseen."""
    from vae_tf.data.batches import ordered_batches
    from vae_tf.evaluation.latents import embed

    positions = choose(pictures.index, "test", LARGEST_NUM_SCORED)
    if not len(positions):
        positions = choose(pictures.index, "train", LARGEST_NUM_SCORED)
    batches = ordered_batches(pictures.examples, pictures.index.labels, positions, 128)
    found = embed(model, batches)
    return {
        "kl_per_dimension": found.kl_per_dimension.tolist(),
        "information_per_dimension": None if found.information is None else found.information.tolist(),
    }
