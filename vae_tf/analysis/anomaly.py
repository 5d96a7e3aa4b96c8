"""How far a code lies from those of normal pictures."""

import dataclasses

import numpy as np
from numpy.typing import NDArray


@dataclasses.dataclass(frozen=True)
class LatentDistance:
    """Mahalanobis distance from the codes of normal pictures (Mahalanobis 1936).

    The covariance is shrunk towards a multiple of the identity (Ledoit & Wolf 2004), so that it can be inverted where
    latents are more than pictures, or where some are not used.

    Attributes:
        mean: Of the normal codes [d].
        precision: Inverse of their shrunk covariance [d, d].
        shrinkage: Share of the identity, from 0 to 1.
    """

    mean: NDArray[np.float64]
    precision: NDArray[np.float64]
    shrinkage: float

    @classmethod
    def fit(cls, codes: NDArray[np.floating]) -> "LatentDistance":
        """From the codes [N, d] of normal pictures that were trained on."""
        from sklearn.covariance import LedoitWolf

        fitted = LedoitWolf().fit(codes.astype(np.float64))
        return cls(fitted.location_, fitted.precision_, float(fitted.shrinkage_))

    def __call__(self, codes: NDArray[np.floating]) -> NDArray[np.float64]:
        """√((z − μ)ᵀ Σ⁻¹ (z − μ)) [N] of codes [N, d]: 1 is as far as one standard deviation."""
        centred = codes.astype(np.float64) - self.mean
        return np.asarray(
            np.sqrt(np.maximum(np.einsum("nd,de,ne->n", centred, self.precision, centred), 0.0))
        )
