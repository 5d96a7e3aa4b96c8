"""Objectives: short functions of `ElboTerms`, to be minimised; per example, in nats."""

from typing import Any

import keras
from keras import ops

from vae_tf.errors import UserError
from vae_tf.parts.base import argument_names, register
from vae_tf.parts.terms import ElboTerms


class Objective:
    """`objective(terms, step)` gives the loss of each example [B]; `final(terms)` the same with warm-up done."""

    def get_config(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in argument_names(type(self))}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Objective":
        return cls(**config)

    def __call__(self, terms: ElboTerms, step: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define __call__(terms, step).")

    def final(self, terms: ElboTerms) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define final(terms).")


@register("objective", "elbo")
class BetaElbo(Objective):
    """−E_q log p(x | z) + β·KL(q ‖ p) (Higgins et al. 2017, eq. 4); β = 1 is the negative ELBO.

    Args:
        beta: Weight of the KL, ≥ 0.
        warmup_steps: The weight rises linearly from 0 to β over these steps (Bowman et al. 2016); 0 for none.
    """

    def __init__(self, beta: float = 1.0, warmup_steps: int = 0) -> None:
        if beta < 0:
            raise UserError(f"objective.beta is {beta}.", "Give a number of 0 or more; 1 is the plain ELBO.")
        if warmup_steps < 0:
            raise UserError(
                f"objective.warmup_steps is {warmup_steps}.", "Give a number of steps of 0 or more."
            )
        self.beta = beta
        self.warmup_steps = warmup_steps

    def __call__(self, terms: ElboTerms, step: Any) -> Any:
        weight = self.beta
        if self.warmup_steps:
            risen = (ops.cast(step, "float32") + 1.0) / self.warmup_steps
            weight = self.beta * ops.minimum(1.0, risen)
        return terms.reconstruction + weight * terms.divergence

    def final(self, terms: ElboTerms) -> Any:
        return terms.reconstruction + self.beta * terms.divergence


def serialize(objective: Objective) -> dict[str, Any]:
    return keras.saving.serialize_keras_object(objective)


def deserialize(config: dict[str, Any]) -> Objective:
    return keras.saving.deserialize_keras_object(config)
