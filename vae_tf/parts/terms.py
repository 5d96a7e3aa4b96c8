"""The one record that every objective and every evaluation reads."""

import dataclasses
from typing import Any

from keras import ops


@dataclasses.dataclass(frozen=True)
class ElboTerms:
    """The terms of the evidence lower bound, per example, in nats, in float32 (Kingma & Welling 2014, eq. 3).

    K samples of the posterior for each of B pictures, d latent dimensions.

    Args:
        z: Latent samples [K, B, d].
        posterior: The posterior's parameters, a dictionary of tensors [B, …].
        log_px: log p(x | z), summed over pixels [K, B].
        log_qz: log q(z | x), summed over latent dimensions [K, B].
        log_pz: log p(z) [K, B].
        kl: KL(q(z | x) ‖ p(z)) in closed form [B], or None where there is none.
        kl_per_dimension: The same per latent dimension [B, d], or None.
        prior_sample: Fresh samples of the prior [B, d], where the objective needs them.
        stopped_log_qz: log_qz with the posterior's parameters held constant [K, B], where the objective needs it.
        output: What the decoder gave for z [K, B, …], of which the likelihood makes the picture.
    """

    z: Any
    posterior: dict[str, Any]
    log_px: Any
    log_qz: Any
    log_pz: Any
    kl: Any = None
    kl_per_dimension: Any = None
    prior_sample: Any = None
    stopped_log_qz: Any = None
    output: Any = None

    @property
    def reconstruction(self) -> Any:
        """−E_q log p(x | z), estimated by the mean over the K samples [B]."""
        return -ops.mean(self.log_px, axis=0)

    @property
    def divergence(self) -> Any:
        """KL(q ‖ p) in closed form where there is one, else its Monte Carlo estimate [B]."""
        if self.kl is not None:
            return self.kl
        return ops.mean(self.log_qz - self.log_pz, axis=0)

    @property
    def elbo(self) -> Any:
        """The plain evidence lower bound [B]: β and warm-up do not enter."""
        return -self.reconstruction - self.divergence
