"""Objectives of plain autoencoders, whose code is a point: no prior enters, and no bound comes out."""

from typing import Any

from keras import ops

from vae_tf.parts.base import register
from vae_tf.parts.objectives.base import Objective, require_not_negative
from vae_tf.parts.terms import ElboTerms


@register("objective", "reconstruction")
class Reconstruction(Objective):
    """−log p(x | z) alone (Hinton & Salakhutdinov 2006).

    Expect the least error that the networks allow, and codes with holes between them: samples mean nothing.
    """

    is_bound = False

    def final(self, terms: ElboTerms) -> Any:
        return terms.reconstruction

    def refuses(self, posterior: Any, prior: Any) -> str | None:
        if getattr(posterior, "is_deterministic", False):
            return None
        return (
            f"objective {self.name} is that of a plain autoencoder, without a KL to keep a random code random: "
            "choose posterior deterministic, or objective elbo."
        )


@register("objective", "sparse")
class Sparse(Reconstruction):
    """−log p(x | z) + λ·Σ_j |z_j|: an L1 penalty on the code (Ng 2011, lecture notes on sparse autoencoders).

    Up to a constant −log p(x, z) under a Laplace prior of scale 1/λ. Expect codes with few entries far from 0; a
    decoder with large weights can make all of them small, which the penalty does not forbid.

    Args:
        weight: λ, nats per unit of |z|, ≥ 0.
    """

    def __init__(self, weight: float = 1.0) -> None:
        require_not_negative(weight=weight)
        self.weight = weight

    def final(self, terms: ElboTerms) -> Any:
        return terms.reconstruction + self.weight * ops.mean(ops.sum(ops.abs(terms.z), axis=-1), axis=0)
