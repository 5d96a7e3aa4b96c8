"""Posterior means and standard deviations of many pictures, and which latent dimensions are in use."""

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from vae_tf.distributions import Normal

# Below this a dimension tells next to nothing about the picture. The variance of the mean is no such test:
# it calls collapsed dimensions active.
ACTIVE_KL = 0.1


@dataclasses.dataclass(frozen=True)
class Embedding:
    """Of N pictures and d latent dimensions.

    Args:
        mean: Posterior mean [N, d].
        standard_deviation: Posterior standard deviation [N, d].
        kl: KL(q(z_i | x) ‖ N(0, 1)) of each picture and dimension [N, d], nats.
    """

    mean: NDArray[np.float32]
    standard_deviation: NDArray[np.float32]
    kl: NDArray[np.float32]

    @property
    def kl_per_dimension(self) -> NDArray[np.float64]:
        """Mean KL of each dimension [d], nats."""
        return self.kl.mean(axis=0, dtype=np.float64)

    @property
    def active(self) -> NDArray[np.bool_]:
        """Which dimensions are in use: mean KL above 0.1 nat [d]."""
        return self.kl_per_dimension > ACTIVE_KL


def embed(model: Any, batches: Any) -> Embedding:
    """Encodes every batch of a dataset, in order.

    Args:
        model: A `VAE` whose posterior is a factorised normal.
        batches: Dataset of batch dictionaries.
    """

    @tf.function(input_signature=[batches.element_spec["x"]])
    def step(x: Any) -> tuple[Any, Any, Any]:
        parameters = model.encode(x)
        posterior: Normal = model.posterior.distribution(parameters)
        return parameters["mean"], posterior.standard_deviation, model.prior.kl_per_dimension(posterior)

    columns: list[list[NDArray[np.float32]]] = [[], [], []]
    for batch in batches:
        for column, value in zip(columns, step(batch["x"]), strict=True):
            column.append(value.numpy())
    return Embedding(*[np.concatenate(column) for column in columns])
