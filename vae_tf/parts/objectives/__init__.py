"""Objectives: short functions of `ElboTerms`, to be minimised; per example, in nats."""

from typing import Any

import keras

from vae_tf.parts.objectives.aggregate import (
    BetaTotalCorrelation,
    DisentangledInferredPrior,
    MaximumMeanDiscrepancy,
)
from vae_tf.parts.objectives.autoencoder import Reconstruction, Sparse
from vae_tf.parts.objectives.base import Objective
from vae_tf.parts.objectives.divergence import BetaElbo, Capacity, FreeBits
from vae_tf.parts.objectives.importance import DoublyReparameterised, ImportanceWeighted

__all__ = [
    "BetaElbo",
    "BetaTotalCorrelation",
    "Capacity",
    "DisentangledInferredPrior",
    "DoublyReparameterised",
    "FreeBits",
    "ImportanceWeighted",
    "MaximumMeanDiscrepancy",
    "Objective",
    "Reconstruction",
    "Sparse",
    "deserialize",
    "serialize",
]


def serialize(objective: Objective) -> dict[str, Any]:
    return keras.saving.serialize_keras_object(objective)


def deserialize(config: dict[str, Any]) -> Objective:
    return keras.saving.deserialize_keras_object(config)
