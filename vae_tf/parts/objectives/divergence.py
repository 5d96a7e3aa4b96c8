"""Objectives that weigh the reconstruction against KL(q(z | x) ‖ p(z))."""

from typing import Any

from keras import ops

from vae_tf.errors import UserError
from vae_tf.parts.base import register
from vae_tf.parts.objectives.base import Objective, require_not_negative
from vae_tf.parts.terms import ElboTerms


def risen(step: Any, warmup_steps: int) -> Any:
    """The share of a weight that step `step` has reached, linearly from 0 to 1 over `warmup_steps`; 1 for none."""
    if not warmup_steps:
        return 1.0
    return ops.minimum(1.0, (ops.cast(step, "float32") + 1.0) / warmup_steps)


@register("objective", "elbo")
class BetaElbo(Objective):
    """−E_q log p(x | z) + β·KL(q ‖ p) (Higgins et al. 2017, eq. 4); β = 1 is the negative ELBO.

    Args:
        beta: Weight of the KL, ≥ 0.
        warmup_steps: The weight rises linearly from 0 to β over these steps (Bowman et al. 2016); 0 for none.
    """

    def __init__(self, beta: float = 1.0, warmup_steps: int = 0) -> None:
        require_not_negative(beta=beta, warmup_steps=warmup_steps)
        self.beta = beta
        self.warmup_steps = warmup_steps

    def __call__(self, terms: ElboTerms, step: Any) -> Any:
        return terms.reconstruction + self.beta * risen(step, self.warmup_steps) * terms.divergence

    def final(self, terms: ElboTerms) -> Any:
        return terms.reconstruction + self.beta * terms.divergence


@register("objective", "capacity")
class Capacity(Objective):
    """−E_q log p(x | z) + γ·|KL(q ‖ p) − C|, where C rises from 0 (Burgess et al. 2018).

    The KL is its mean over the batch: pictures may differ in what they need, and where the KL is only estimated from
    samples the modulus of each estimate would be biased. Expect the KL of training to follow C closely, dimensions to
    come into use one after another, and more detail at the end than with a β that separates them as well.

    Args:
        gamma: Weight γ of the distance from the capacity, ≥ 0; large against what one nat buys in reconstruction.
        capacity: C at the end, in nats per picture.
        warmup_steps: Steps over which C rises linearly; 0 for none.
    """

    def __init__(self, gamma: float = 1000.0, capacity: float = 25.0, warmup_steps: int = 1000) -> None:
        require_not_negative(gamma=gamma, capacity=capacity, warmup_steps=warmup_steps)
        self.gamma = gamma
        self.capacity = capacity
        self.warmup_steps = warmup_steps

    def __call__(self, terms: ElboTerms, step: Any) -> Any:
        if not self.warmup_steps:
            return self.final(terms)
        return self.at(terms, ops.minimum(1.0, ops.cast(step, "float32") / self.warmup_steps) * self.capacity)

    def final(self, terms: ElboTerms) -> Any:
        return self.at(terms, self.capacity)

    def at(self, terms: ElboTerms, capacity: Any) -> Any:
        """The loss [B] at a capacity in nats."""
        return terms.reconstruction + self.gamma * ops.abs(ops.mean(terms.divergence) - capacity)


@register("objective", "free_bits")
class FreeBits(Objective):
    """−E_q log p(x | z) + β·Σ_j max(λ, KL_j), KL_j the batch's mean of group j (Kingma et al. 2016).

    A group below λ nats feels no KL at all. Expect no dimension to collapse; λ is what each costs at least.

    Args:
        floor: λ, nats that every group may use for nothing, ≥ 0.
        group_size: Consecutive latent dimensions that share a floor; 1: each has its own.
        beta: Weight of the sum, ≥ 0.
        warmup_steps: The weight rises linearly from 0 to β over these steps; 0 for none.
    """

    def __init__(
        self, floor: float = 0.25, group_size: int = 1, beta: float = 1.0, warmup_steps: int = 0
    ) -> None:
        require_not_negative(floor=floor, beta=beta, warmup_steps=warmup_steps)
        if group_size < 1:
            raise UserError(
                f"objective.group_size is {group_size}.", "Give a number of dimensions of 1 or more."
            )
        self.floor = floor
        self.group_size = group_size
        self.beta = beta
        self.warmup_steps = warmup_steps

    def __call__(self, terms: ElboTerms, step: Any) -> Any:
        return terms.reconstruction + self.beta * risen(step, self.warmup_steps) * self.floored(terms)

    def final(self, terms: ElboTerms) -> Any:
        return terms.reconstruction + self.beta * self.floored(terms)

    def floored(self, terms: ElboTerms) -> Any:
        """Σ_j max(λ, KL_j), in nats."""
        groups = ops.reshape(ops.mean(terms.kl_per_dimension, axis=0), (-1, self.group_size))
        return ops.sum(ops.maximum(self.floor, ops.sum(groups, axis=-1)))

    def refuses(self, posterior: Any, prior: Any) -> str | None:
        known = getattr(posterior, "is_factorised", True) and getattr(prior, "has_closed_form", True)
        refusal = super().refuses(posterior, prior)
        if refusal is None and not known:
            refusal = (
                "objective free_bits needs the KL of each latent dimension in closed form: "
                "choose posterior diagonal or isotropic with prior standard_normal, or objective elbo."
            )
        if refusal is None and getattr(posterior, "latent_dim", 0) % self.group_size:
            refusal = (
                f"objective.group_size {self.group_size} does not divide the number of latent dimensions, "
                f"{posterior.latent_dim}: choose a divisor."
            )
        return refusal
