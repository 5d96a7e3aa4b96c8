"""Objectives of several samples: importance-weighted bounds."""

import dataclasses
import math
from typing import Any

from keras import ops

from vae_tf.errors import UserError
from vae_tf.parts.base import register
from vae_tf.parts.objectives.base import Objective, no_gradient_along_switches
from vae_tf.parts.terms import ElboTerms


@register("objective", "iwae")
class ImportanceWeighted(Objective):
    """−log 1/K Σ_k w_k with w = p(x | z) p(z) / q(z | x) (Burda et al. 2016, eq. 8).

    A bound on log p(x) that tightens with K; K = 1 is the ELBO from samples. It has no β: with one it bounds nothing.
    Expect a higher likelihood, a broader posterior, and K times the decoder's work; the encoder's gradient drowns in
    noise as K grows (Rainforth et al. 2018), which `dreg` mends.

    Args:
        num_samples: K, samples of each picture.
    """

    def __init__(self, num_samples: int = 5) -> None:
        if num_samples < 1:
            raise UserError(
                f"objective.num_samples is {num_samples}.", "Give a number of samples of 1 or more."
            )
        self.num_samples = num_samples

    def log_weights(self, terms: ElboTerms) -> Any:
        """log w [K, B], in nats."""
        return terms.log_px + terms.log_pz - terms.log_qz

    def refuses(self, posterior: Any, prior: Any) -> str | None:
        return super().refuses(posterior, prior) or no_gradient_along_switches(self.name, posterior)

    def final(self, terms: ElboTerms) -> Any:
        return math.log(terms.log_px.shape[0]) - ops.logsumexp(self.log_weights(terms), axis=0)


@register("objective", "dreg")
class DoublyReparameterised(ImportanceWeighted):
    """The bound of `iwae` with another, unbiased gradient for the encoder (Tucker et al. 2019).

    The encoder gets Σ_k w̃_k² ∂log w_k/∂z_k ∂z_k/∂φ, w̃ the normalised weights: log q(z | x) is taken with its
    parameters held constant, which leaves w̃, and the model weights the gradient along z by w̃ once more. Decoder and
    prior get that of `iwae`. Expect the values of `iwae` with less noise in the encoder's gradient.

    Args:
        num_samples: K, samples of each picture.
    """

    needs = frozenset({"stopped_log_qz", "scaled_z"})

    def __call__(self, terms: ElboTerms, step: Any) -> Any:
        return self.final(dataclasses.replace(terms, log_qz=terms.stopped_log_qz))

    def z_gradient_weight(self, terms: ElboTerms) -> Any:
        """w̃ [K, B], summing to 1 over the K samples; a constant of the gradient."""
        return ops.stop_gradient(ops.softmax(self.log_weights(terms), axis=0))

    def refuses(self, posterior: Any, prior: Any) -> str | None:
        refusal = super().refuses(posterior, prior)
        if refusal is None and not getattr(posterior, "has_log_prob", True):
            refusal = (
                "objective dreg needs log q(z | x) at any z, and this posterior knows it of its own samples alone: "
                "choose posterior diagonal, or objective iwae."
            )
        return refusal
