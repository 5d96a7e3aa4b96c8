"""Objectives that shape the aggregate posterior q(z) = mean over pictures of q(z | x), seen through a batch."""

from typing import Any

from keras import ops

from vae_tf.distributions import Normal
from vae_tf.errors import UserError
from vae_tf.parts.base import register
from vae_tf.parts.objectives.base import Objective, no_gradient_along_switches, require_not_negative
from vae_tf.parts.terms import ElboTerms

# Widths of the kernels in units of 2·d, the mean squared distance of two standard normal z (Tolstikhin et al. 2018).
KERNEL_SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


@register("objective", "beta_tc")
class BetaTotalCorrelation(Objective):
    """−E_q log p(x | z) + α·I + β·TC + γ·D, the KL taken apart (Chen et al. 2018).

    I = E log q(z | x) / q(z), the mutual information with the picture; TC = E log q(z) / Π_j q(z_j), the total
    correlation; D = E log Π_j q(z_j) / p(z). At α = β = γ = 1 they sum to the KL, estimated from the samples. Expect
    dimensions as separate as those of a β-VAE at less cost in detail, since β does not weigh on the information.

    Args:
        alpha: Weight of I, ≥ 0.
        beta: Weight of TC, ≥ 0.
        gamma: Weight of D, ≥ 0.
        num_examples: Number N of training pictures; training sets it where it is None.
        sampling: How q(z) is estimated from the M pictures of a batch. "stratified" (their appendix, averaged over
            the order of the batch): the picture that z came from counts 1/N, the others share the rest; unbiased,
            and exact where the batch is the data set. "weighted" (their main text): each counts 1/(N·M), so that
            TC lies about (d − 1)·log N too high and N moves no gradient.
    """

    def __init__(
        self,
        alpha: float = 1.0,
        beta: float = 6.0,
        gamma: float = 1.0,
        num_examples: int | None = None,
        sampling: str = "stratified",
    ) -> None:
        require_not_negative(alpha=alpha, beta=beta, gamma=gamma)
        if num_examples is not None and num_examples < 1:
            raise UserError(
                f"objective.num_examples is {num_examples}.", "Give the number of training pictures."
            )
        if sampling not in ("stratified", "weighted"):
            raise UserError(f"objective.sampling is {sampling!r}.", "Choose one of: stratified, weighted.")
        self.alpha, self.beta, self.gamma = alpha, beta, gamma
        self.num_examples = num_examples
        self.sampling = sampling

    def final(self, terms: ElboTerms) -> Any:
        log_joint, log_product = self.log_aggregate(terms)
        information = terms.log_qz - log_joint
        correlation = log_joint - log_product
        dimensions = log_product - terms.log_pz
        weighted = self.alpha * information + self.beta * correlation + self.gamma * dimensions
        return terms.reconstruction + ops.mean(weighted, axis=0)

    def log_aggregate(self, terms: ElboTerms) -> tuple[Any, Any]:
        """log q(z) and log Π_j q(z_j) [K, B] of the samples, estimated from the batch."""
        posterior = Normal(terms.posterior["mean"], terms.posterior["log_variance"])
        # Every sample under every picture's posterior: [K, B, B, d].
        pairs = posterior.log_prob(terms.z[:, :, None, :])
        log_weights = self.log_weights(ops.shape(terms.log_px)[1])
        log_joint = ops.logsumexp(ops.sum(pairs, axis=-1) + log_weights, axis=2)
        log_marginals = ops.logsumexp(pairs + log_weights[..., None], axis=2)
        return log_joint, ops.sum(log_marginals, axis=-1)

    def log_weights(self, batch_size: Any) -> Any:
        """Logarithm of what picture j counts in the mixture at a sample from picture i [B, B]."""
        if self.num_examples is None:
            raise UserError(
                "objective beta_tc does not know the number of training pictures.",
                "Give objective.num_examples.",
            )
        num, index = float(self.num_examples), ops.arange(batch_size)
        size = ops.cast(batch_size, "float32")
        own, other = 1.0 / num, (1.0 - 1.0 / num) / ops.maximum(size - 1.0, 1.0)
        if self.sampling == "weighted":
            own = other = 1.0 / (num * size)
        return ops.log(ops.where(index[:, None] == index[None, :], own, other))

    def refuses(self, posterior: Any, prior: Any) -> str | None:
        refusal = super().refuses(posterior, prior) or no_gradient_along_switches(self.name, posterior)
        if refusal is None and not getattr(posterior, "is_factorised", True):
            refusal = (
                "objective beta_tc needs a posterior whose density is a product over latent dimensions: "
                "choose posterior diagonal or isotropic, or objective mmd."
            )
        return refusal


@register("objective", "dip")
class DisentangledInferredPrior(Objective):
    """−ELBO + λ_o·Σ_{i≠j} Cov_ij² + λ_d·Σ_i (Cov_ii − 1)², the codes' covariance in the batch (Kumar et al. 2018).

    Cov is that of the posterior means in version 1 and of z itself, so with the mean of the posteriors'
    variances added, in version 2. Expect uncorrelated dimensions; version 1 spreads the means of every
    dimension, also of those that the pictures do not need, so that it suits few latent dimensions.

    Args:
        version: 1 or 2.
        off_diagonal: λ_o, ≥ 0, in nats.
        diagonal: λ_d, ≥ 0, in nats; the paper takes 10·λ_o for version 1 and λ_o for version 2.
        beta: Weight of the KL, ≥ 0.
    """

    def __init__(
        self, version: int = 2, off_diagonal: float = 10.0, diagonal: float = 10.0, beta: float = 1.0
    ) -> None:
        require_not_negative(off_diagonal=off_diagonal, diagonal=diagonal, beta=beta)
        if version not in (1, 2):
            raise UserError(f"objective.version is {version}.", "Choose one of: 1, 2.")
        self.version = version
        self.off_diagonal = off_diagonal
        self.diagonal = diagonal
        self.beta = beta

    def final(self, terms: ElboTerms) -> Any:
        distance = ops.square(self.covariance(terms.posterior) - ops.eye(terms.z.shape[-1]))
        weights = self.off_diagonal + (self.diagonal - self.off_diagonal) * ops.eye(terms.z.shape[-1])
        return terms.reconstruction + self.beta * terms.divergence + ops.sum(weights * distance)

    def covariance(self, posterior: dict[str, Any]) -> Any:
        """Cov [d, d] over the batch."""
        centred = posterior["mean"] - ops.mean(posterior["mean"], axis=0)
        of_means = ops.mean(centred[:, :, None] * centred[:, None, :], axis=0)
        if self.version == 1:
            return of_means
        return of_means + ops.diag(ops.mean(ops.exp(posterior["log_variance"]), axis=0))

    def refuses(self, posterior: Any, prior: Any) -> str | None:
        refusal = super().refuses(posterior, prior)
        if refusal is None and not getattr(posterior, "is_factorised", True):
            refusal = (
                "objective dip needs the posterior's mean and diagonal covariance in closed form: "
                "choose posterior diagonal or isotropic, or objective mmd."
            )
        return refusal


@register("objective", "mmd")
class MaximumMeanDiscrepancy(Objective):
    """−E_q log p(x | z) + β·KL(q ‖ p) + w·MMD²(q(z), p(z)): InfoVAE (Zhao et al. 2019), WAE (Tolstikhin et al. 2018).

    In InfoVAE's letters β = 1 − α and w = α + λ − 1; β = 0 is MMD-VAE, and WAE-MMD with a random encoder. MMD² is
    the unbiased estimate (Gretton et al. 2012, lemma 6), which may fall below 0; a kernel is 1 at distance 0, so that
    MMD² is at most 2. Expect codes that say more of the picture than the ELBO's; at β = 0 posteriors become points
    and their ELBO means little.

    Args:
        weight: w, ≥ 0, in nats.
        beta: Weight of the KL, ≥ 0.
        kernel: "imq", the mean of s / (s + r²), or "rbf", the mean of exp(−r² / s), over seven scales s.
    """

    needs = frozenset({"prior_sample"})

    def __init__(self, weight: float = 1000.0, beta: float = 0.0, kernel: str = "imq") -> None:
        require_not_negative(weight=weight, beta=beta)
        if kernel not in ("imq", "rbf"):
            raise UserError(f"objective.kernel is {kernel!r}.", "Choose one of: imq, rbf.")
        self.weight = weight
        self.beta = beta
        self.kernel = kernel

    def final(self, terms: ElboTerms) -> Any:
        penalty = self.weight * ops.mean(self.discrepancy(terms.z, terms.prior_sample))
        return terms.reconstruction + self.beta * terms.divergence + penalty

    def discrepancy(self, z: Any, prior_sample: Any) -> Any:
        """MMD² [K] of samples z [K, B, d] and prior_sample [B, d]."""
        across = ops.mean(self.similarity(z, prior_sample), axis=(-2, -1))
        within = off_diagonal_mean(self.similarity(z, z))
        return within + off_diagonal_mean(self.similarity(prior_sample, prior_sample)) - 2.0 * across

    def similarity(self, a: Any, b: Any) -> Any:
        """The kernel of every pair [..., N, M] of a [..., N, d] and b [..., M, d]."""
        squared = ops.sum(ops.square(a[..., :, None, :] - b[..., None, :, :]), axis=-1)
        ratios = [squared / (2.0 * a.shape[-1] * scale) for scale in KERNEL_SCALES]
        values = [1.0 / (1.0 + ratio) if self.kernel == "imq" else ops.exp(-ratio) for ratio in ratios]
        return sum(values) / len(values)


def off_diagonal_mean(similarity: Any) -> Any:
    """Mean [...] of [..., N, N] over pairs of different samples, for a kernel that is 1 on the diagonal."""
    size = ops.cast(ops.shape(similarity)[-1], "float32")
    return (ops.sum(similarity, axis=(-2, -1)) - size) / ops.maximum(size * (size - 1.0), 1.0)
