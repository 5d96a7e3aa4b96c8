"""The aggregate posterior, q(z) = mean over the pictures of q(z | x), against the prior N(0, I).

What samples from the prior miss, and where the KL goes (Hoffman & Johnson 2016; Chen et al. 2018, eq. 2):

    mean KL(q(z | x) ‖ p(z)) = I(x; z) + total correlation + Σ_j KL(q(z_j) ‖ p(z_j))
"""

import dataclasses
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vae_tf import random

Floats = NDArray[np.float64]

# Nats of information, or of KL.
USED = 0.1
# Numbers in the largest block, so that memory does not grow with the number of pictures (32 MB).
BLOCK_SIZE = 4_000_000
MOST_FOR_INFORMATION = 2_000


@dataclasses.dataclass(frozen=True)
class Aggregate:
    """Of N pictures and d dimensions; all but means and variances in nats.

    Args:
        mean, variance: Of q(z_j) [d], exact. Under the prior 0 and 1.
        kl: Mean KL(q(z_j | x) ‖ N(0, 1)) [d], exact.
        kl_moments: KL of the normal with q(z_j)'s mean and variance from N(0, 1) [d]. Exact, and a lower bound of
            KL(q(z_j) ‖ N(0, 1)), since of all densities with these moments the normal has the largest entropy.
        kl_mixture: KL(q(z_j) ‖ N(0, 1)) [d] itself, by Monte Carlo, and its standard error.
        information: I(x; z) between a picture's number and its code, by Monte Carlo; 0 to log N.
        information_per_dimension: I(x; z_j) [d], see the function of that name.
        total_correlation: KL(q(z) ‖ Π_j q(z_j)), by Monte Carlo; 0 where dimensions are independent. Too large, by up
            to what the information lacks, where that is `saturated`.
        num_pictures: N.
    """

    mean: Floats
    variance: Floats
    kl: Floats
    kl_moments: Floats
    kl_mixture: Floats
    kl_mixture_error: Floats
    information: float
    information_error: float
    information_per_dimension: Floats
    total_correlation: float
    total_correlation_error: float
    num_pictures: int

    @property
    def saturated(self) -> bool:
        """Whether the information is within log 10 of its ceiling log N: about ten or fewer posteriors overlap.

        Then q(z) is seen as separate spikes rather than as the cloud that more pictures would fill: the
        information says no more than log N, and the total correlation is too large.
        """
        return self.information > np.log(self.num_pictures) - np.log(10)

    @property
    def sentence(self) -> str:
        """A plain verdict on collapse."""
        return sentence_on_use(self.information_per_dimension, self.kl)


def sentence_on_use(information: Floats, kl: Floats) -> str:
    """A plain verdict on collapse, from what each dimension tells and costs [d], nats."""
    used = information > USED
    num_dimensions, num_used, num_idle = len(kl), int(used.sum()), int((~used & (kl > USED)).sum())
    if not num_used:
        said = f"Collapsed: none of {num_dimensions} latent dimensions tells as much as {USED} nat of the picture."
    else:
        are_used = "is used: it tells" if num_used == 1 else "are used: each tells"
        said = f"{num_used} of {num_dimensions} latent dimensions {are_used} more than {USED} nat of the picture."
    if num_idle:
        costs = "1 of the others costs" if num_idle == 1 else f"{num_idle} of the others cost"
        said += f" {costs} as much (KL above {USED} nat) and tells nothing: it is away from N(0, 1) for every picture."
    return said


def aggregate(mean: ArrayLike, variance: ArrayLike, seed: int = 0, num_samples: int = 500) -> Aggregate:
    """Describes the aggregate of N normal posteriors.

    Samples are drawn from q(z), picture by picture in shuffled order, and judged under the mixture of all N
    posteriors: exact for these pictures but for Monte Carlo noise. As an estimate for pictures without end, it
    understates the information (at most log N) and overstates the total correlation; both fade as N grows far
    beyond exp I(x; z). Time grows with `num_samples`·N·d: 500 · 15,000 · 30 take some seconds.

    Args:
        mean: Posterior means [N, d].
        variance: Posterior variances [N, d], positive.
        seed: Of the samples.
        num_samples: S; errors fall as 1 / √S.
    """
    means, variances = np.asarray(mean, np.float64), np.asarray(variance, np.float64)
    if means.ndim != 2 or means.shape != variances.shape or not means.size or not (variances > 0).all():
        raise ValueError(
            f"Means {means.shape} and variances {variances.shape} must be [N, d], variances positive."
        )
    generator = random.generator(seed, "aggregate")
    rounds = -(-num_samples // len(means))
    chosen = np.concatenate([generator.permutation(len(means)) for _ in range(rounds)])[:num_samples]
    noise = generator.standard_normal((num_samples, means.shape[1]))
    samples = means[chosen] + np.sqrt(variances[chosen]) * noise
    joint, marginal = log_mixture(samples, means, variances)
    own = _log_normal(samples, means[chosen], variances[chosen])
    kl_samples = marginal - _log_normal(samples, np.zeros(1), np.ones(1))
    information, information_error = _mean_and_error(own.sum(axis=1) - joint)
    correlation, correlation_error = _mean_and_error(joint - marginal.sum(axis=1))
    kl_mixture, kl_mixture_error = _mean_and_error(kl_samples)
    centre, spread = means.mean(axis=0), variances.mean(axis=0) + means.var(axis=0)
    return Aggregate(
        mean=centre,
        variance=spread,
        kl=normal_kl(means, variances).mean(axis=0),
        kl_moments=normal_kl(centre, spread),
        kl_mixture=kl_mixture,
        kl_mixture_error=kl_mixture_error,
        information=float(information),
        information_error=float(information_error),
        information_per_dimension=(own - marginal).mean(axis=0),
        total_correlation=float(correlation),
        total_correlation_error=float(correlation_error),
        num_pictures=len(means),
    )


def normal_kl(mean: Floats, variance: Floats) -> Floats:
    """KL(N(mean, variance) ‖ N(0, 1)) elementwise, nats."""
    return np.asarray(0.5 * (mean**2 + variance - 1 - np.log(variance)))


def log_mixture(samples: Floats, mean: Floats, variance: Floats) -> tuple[Floats, Floats]:
    """log q(z) [S] and log q(z_j) [S, d] of samples [S, d] under the equal mixture of N normals [N, d].

    A streaming log-sum-exp over blocks of the mixture: no array is larger than a block.
    """
    num_samples, num_dimensions = samples.shape
    joint, marginal = np.full(num_samples, -np.inf), np.full(samples.shape, -np.inf)
    num_rows = max(1, min(num_samples, BLOCK_SIZE // num_dimensions))
    num_parts = max(1, BLOCK_SIZE // (num_rows * num_dimensions))
    for row in range(0, num_samples, num_rows):
        rows = slice(row, row + num_rows)
        for part in range(0, len(mean), num_parts):
            parts = slice(part, part + num_parts)
            block = _log_normal(samples[rows, None], mean[None, parts], variance[None, parts])
            joint[rows] = np.logaddexp(joint[rows], _log_sum_exp(block.sum(axis=2)))
            marginal[rows] = np.logaddexp(marginal[rows], _log_sum_exp(block))
    return joint - np.log(len(mean)), marginal - np.log(len(mean))


def information_per_dimension(
    mean: ArrayLike, deviation: ArrayLike, seed: int = 0, num_samples: int = 1000
) -> tuple[Floats, Floats]:
    """I(x; z_j) [d] between a picture's number and each dimension of its code, and standard errors, nats.

    E log q(z_j | x) − log q(z_j), by Monte Carlo over the mixture of the N posteriors (2,000 pictures at most): from 0
    to log N. The mean KL is this and KL(q(z_j) ‖ p(z_j)), which tells nothing of a picture (Hoffman & Johnson 2016).

    Args:
        mean: Posterior means [N, d].
        deviation: Posterior standard deviations [N, d].
        seed: Of the samples.
        num_samples: S; errors fall as 1 / √S.
    """
    chosen = np.unique(np.linspace(0, len(np.asarray(mean)) - 1, MOST_FOR_INFORMATION).astype(int))
    means = np.asarray(mean, np.float64)[chosen]
    variances = np.maximum(np.asarray(deviation, np.float64)[chosen] ** 2, 1e-20)
    generator = random.generator(seed, "information")
    rounds = -(-num_samples // len(means))
    drawn = np.concatenate([generator.permutation(len(means)) for _ in range(rounds)])[:num_samples]
    samples = means[drawn] + np.sqrt(variances[drawn]) * generator.standard_normal(means[drawn].shape)
    _, marginal = log_mixture(samples, means, variances)
    information, error = _mean_and_error(_log_normal(samples, means[drawn], variances[drawn]) - marginal)
    return np.maximum(information, 0.0), error


class Overfitting(NamedTuple):
    """Mean ELBO of the training pictures less that of unseen ones, nats per picture, and what it means."""

    difference: float
    standard_error: float
    sentence: str


def overfitting(train_elbo: ArrayLike, unseen_elbo: ArrayLike) -> Overfitting:
    """Is the ELBO of the pictures trained on [N] better than that of unseen ones [M] by more than chance? Nats.

    The standard error is that of two independent means with unequal variances (Welch 1947). It takes values to be
    independent: of several pictures of one person or scene give their mean.
    """
    train, unseen = np.asarray(train_elbo, np.float64), np.asarray(unseen_elbo, np.float64)
    if min(len(train), len(unseen)) < 2:
        return Overfitting(
            float("nan"), float("nan"), "Too few pictures to tell whether the model over-fits."
        )
    difference = float(train.mean() - unseen.mean())
    error = float(np.sqrt(train.var(ddof=1) / len(train) + unseen.var(ddof=1) / len(unseen)))
    # The error's first digits are all that the difference can be told to.
    decimals = 2 if error < 1 else 1 if error < 10 else 0
    size = f"{abs(difference):,.{decimals}f} ± {error:,.{decimals}f} nats per picture"
    if abs(difference) <= 2 * error:
        sentence = (
            "No over-fitting to be seen: the model finds unseen pictures as probable as those trained on (their ELBOs "
            f"differ by {size}, within chance)."
        )
    elif difference > 0:
        sentence = (
            "Over-fitting: the model finds pictures trained on more probable than unseen ones (their ELBO is higher "
            f"by {size})."
        )
    else:
        sentence = (
            "Unseen pictures happen to be easier: the model finds them more probable than those trained on (their "
            f"ELBO is higher by {size})."
        )
    return Overfitting(difference, error, sentence)


def _log_normal(x: Floats, mean: Floats, variance: Floats) -> Floats:
    """Elementwise log density, with broadcasting."""
    result = x - mean
    result *= result
    result /= -2 * variance
    result -= 0.5 * np.log(2 * np.pi * variance)
    return result


def _log_sum_exp(block: Floats) -> Floats:
    """Over axis 1; changes `block`."""
    largest = block.max(axis=1, keepdims=True)
    block -= largest
    np.exp(block, out=block)
    return np.asarray(np.log(block.sum(axis=1)) + largest[:, 0])


def _mean_and_error(values: Floats) -> tuple[Any, Any]:
    """Mean over samples (axis 0) and its standard error; the error of one sample is unknown."""
    num_samples = len(values)
    error = values.std(axis=0, ddof=1) / np.sqrt(num_samples) if num_samples > 1 else values[0] * np.nan
    return values.mean(axis=0), error
