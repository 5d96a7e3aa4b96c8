"""The aggregate posterior where its numbers are known in closed form, and against SciPy."""

import tracemalloc

import numpy as np
import pytest
import scipy.integrate
import scipy.special
import scipy.stats
from numpy.typing import NDArray

from vae_tf.evaluation import aggregate as module
from vae_tf.evaluation.aggregate import aggregate, information_per_dimension, log_mixture, overfitting

Array = NDArray[np.float64]


def closed_form(mean: Array, variance: Array) -> Array:
    return 0.5 * (mean**2 + variance - np.log(variance) - 1)


def normal_aggregate(covariance: Array, variance: float, count: int, seed: int = 0) -> tuple[Array, Array]:
    """Posteriors of one variance whose means are drawn such that the aggregate is N(0, covariance)."""
    generator = np.random.default_rng(seed)
    size = len(covariance)
    means = generator.multivariate_normal(np.zeros(size), covariance - variance * np.eye(size), count)
    return means, np.full_like(means, variance)


def test_one_picture_is_its_own_aggregate() -> None:
    mean, variance = np.array([[1.5, -0.2, 0.0]]), np.array([[0.1, 0.5, 1.0]])
    result = aggregate(mean, variance, num_samples=2000)
    expected = closed_form(mean, variance)[0]
    np.testing.assert_allclose(result.mean, mean[0])
    np.testing.assert_allclose(result.variance, variance[0])
    np.testing.assert_allclose(result.kl, expected, rtol=1e-12)
    np.testing.assert_allclose(result.kl_moments, expected, rtol=1e-12)
    assert (np.abs(result.kl_mixture - expected) <= 4 * result.kl_mixture_error + 1e-12).all()
    assert expected[2] == 0 and result.kl_mixture_error.max() < 0.05
    assert result.information == pytest.approx(0, abs=1e-12)
    assert result.total_correlation == pytest.approx(0, abs=1e-12)


def test_equal_posteriors_tell_nothing_of_the_picture() -> None:
    result = aggregate(np.tile([0.5, -1.0], (300, 1)), np.tile([0.5, 2.0], (300, 1)))
    assert result.information == pytest.approx(0, abs=1e-10) and result.information_error < 1e-10
    assert result.total_correlation == pytest.approx(0, abs=1e-10) and not result.saturated


def test_posteriors_far_apart_tell_which_picture_it_is() -> None:
    # Points of a line far apart: each code belongs to one picture, and one dimension says what the other says.
    line = np.arange(50.0)[:, None] * [10.0, -10.0]
    result = aggregate(line, np.full_like(line, 0.01))
    assert result.information == pytest.approx(np.log(50), abs=1e-9) and result.saturated
    assert result.total_correlation == pytest.approx(np.log(50), abs=1e-9)


def test_two_posteriors_that_overlap_against_quadrature() -> None:
    mean, variance = np.array([[-1.0], [2.0]]), np.array([[0.3], [0.8]])
    density = scipy.stats.norm(mean[:, 0], np.sqrt(variance[:, 0])).pdf

    def integral(function: object) -> float:
        return float(scipy.integrate.quad(function, -8, 10, limit=200)[0])

    def q(z: float) -> float:
        return float(np.mean(density(z)))

    kl = integral(lambda z: q(z) * (np.log(q(z)) - scipy.stats.norm.logpdf(z)))
    information = np.mean(
        [
            integral(lambda z, i=i: density(z)[i] * (np.log(density(z)[i] + 1e-300) - np.log(q(z))))
            for i in (0, 1)
        ]
    )
    result = aggregate(mean, variance, num_samples=20_000)
    assert abs(result.kl_mixture[0] - kl) < 4 * result.kl_mixture_error[0] < 0.05
    assert abs(result.information - information) < 4 * result.information_error < 0.05
    # The normal with its moments is nearer to the prior than the aggregate of two humps.
    moments = closed_form(np.array(0.5), np.array(0.55 + 2.25))
    assert result.kl_moments[0] == pytest.approx(moments, rel=1e-12) and moments < kl - 0.05


def test_errors_are_those_of_repetition() -> None:
    means, variances = normal_aggregate(np.array([[1.0, 0.6], [0.6, 1.0]]), 0.2, 300)
    runs = [aggregate(means, variances, seed, num_samples=100) for seed in range(60)]
    for name in ("information", "total_correlation"):
        spread = np.std([getattr(run, name) for run in runs], ddof=1)
        stated = np.mean([getattr(run, name + "_error") for run in runs])
        # Drawing every picture once at most makes the truth somewhat smaller than stated.
        assert 0.5 * stated < spread < 1.3 * stated, name


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
def test_total_correlation_of_a_normal_aggregate(correlation: float) -> None:
    covariance = np.array([[1.0, correlation], [correlation, 1.0]])
    means, variances = normal_aggregate(covariance, 0.1, 3000)
    result = aggregate(means, variances, num_samples=2000)
    expected = -0.5 * np.log(1 - correlation**2)
    bias = 0.01
    assert abs(result.total_correlation - expected) < 4 * result.total_correlation_error + bias
    assert result.total_correlation_error < 0.03
    # Independent of it, each dimension is as the prior wants it, and the information is ½ log det(R / 0.1).
    assert np.abs(result.kl_mixture).max() < 0.02 and result.kl_moments.max() < 0.02
    information = 0.5 * np.linalg.slogdet(covariance / 0.1)[1]
    assert abs(result.information - information) < 4 * result.information_error + 3 * bias
    assert not result.saturated


def test_three_correlated_dimensions() -> None:
    covariance = np.array([[1.0, 0.6, 0.3], [0.6, 1.0, -0.2], [0.3, -0.2, 1.0]])
    means, variances = normal_aggregate(covariance, 0.2, 3000)
    result = aggregate(means, variances, num_samples=2000)
    expected = -0.5 * np.linalg.slogdet(covariance)[1]
    assert (
        expected > 0.3
        and abs(result.total_correlation - expected) < 4 * result.total_correlation_error + 0.02
    )


def test_the_kl_falls_into_three_parts() -> None:
    generator = np.random.default_rng(0)
    means = generator.normal(size=(400, 4)) @ generator.normal(size=(4, 4)) * 0.5
    variances = generator.uniform(0.1, 0.9, (400, 4))
    result = aggregate(means, variances, num_samples=4000)
    parts = result.information + result.total_correlation + result.kl_mixture.sum()
    # Their sum is a Monte Carlo estimate of the exact mean KL, with a standard error of about √d / √S = 0.03.
    assert parts == pytest.approx(result.kl.sum(), abs=0.12)
    assert min(result.information, result.total_correlation, result.kl_mixture.sum()) > 0.2


def test_too_few_pictures_turn_information_into_total_correlation() -> None:
    means, variances = normal_aggregate(np.eye(20), 0.25, 500)
    result = aggregate(means, variances)
    whole = -10 * np.log(0.25)
    assert whole > np.log(500) + 5 and result.saturated
    assert result.information == pytest.approx(np.log(500), abs=0.02)
    # The aggregate of many pictures is the prior, with a total correlation of 0.
    assert result.total_correlation == pytest.approx(whole - np.log(500), abs=1.0)


@pytest.mark.parametrize("block", [4_000_000, 7, 50, 333])
def test_the_streaming_mixture_equals_scipys(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK_SIZE", block)
    generator = np.random.default_rng(1)
    # Densities down to exp(−10⁶), where a plain sum would underflow.
    samples = generator.normal(size=(70, 3)) * [1.0, 10.0, 100.0]
    means, variances = generator.normal(size=(23, 3)), generator.uniform(0.005, 2.0, (23, 3))
    joint, marginal = log_mixture(samples, means, variances)
    each = scipy.stats.norm.logpdf(samples[:, None], means, np.sqrt(variances))
    np.testing.assert_allclose(joint, scipy.special.logsumexp(each.sum(2), axis=1) - np.log(23), rtol=1e-12)
    np.testing.assert_allclose(marginal, scipy.special.logsumexp(each, axis=1) - np.log(23), rtol=1e-12)
    assert joint.min() < -1e4 and np.isfinite(joint).all()


def test_memory_is_that_of_a_few_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK_SIZE", 100_000)
    samples, means = np.zeros((64, 20)), np.zeros((4000, 20))
    variances = np.ones_like(means)
    tracemalloc.start()
    log_mixture(samples, means, variances)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # The whole would be 64 · 4000 · 20 · 8 = 41 MB; a block is 0.8 MB.
    assert peak < 5e6


def test_the_verdict_on_collapse() -> None:
    # KL of N(m, 1) is m² / 2: 0.005, 0.045, 2 and 8 nats; the fourth has one mean for all pictures.
    signs = np.where(np.arange(10) % 2, 1, -1)[:, None] * [1, 1, 1, 0] + [0, 0, 0, 1]
    result = aggregate(np.array([0.1, 0.3, 2.0, 4.0]) * signs, np.ones((10, 4)))
    np.testing.assert_allclose(result.kl, [0.005, 0.045, 2.0, 8.0])
    # Two clouds two standard deviations from their middle: the entropy of the mixture less that of a cloud.
    z = np.linspace(-12, 12, 200_001)
    density = 0.5 * (scipy.stats.norm(-2).pdf(z) + scipy.stats.norm(2).pdf(z))
    entropy = -(density * np.log(density)).sum() * (z[1] - z[0])
    expected = entropy - scipy.stats.norm.entropy()
    assert result.information_per_dimension[2] == pytest.approx(expected, abs=0.05)
    np.testing.assert_allclose(result.information_per_dimension[[0, 3]], 0, atol=0.03)
    assert result.sentence == (
        "1 of 4 latent dimensions is used: it tells more than 0.1 nat of the picture. 1 of the others costs as much "
        "(KL above 0.1 nat) and tells nothing: it is away from N(0, 1) for every picture."
    )
    nothing = aggregate(np.zeros((10, 4)), np.ones((10, 4)))
    assert (
        nothing.sentence == "Collapsed: none of 4 latent dimensions tells as much as 0.1 nat of the picture."
    )


def test_a_pure_function_of_the_seed() -> None:
    means, variances = normal_aggregate(np.eye(2), 0.3, 100)
    first, again, other = (aggregate(means, variances, seed) for seed in (0, 0, 1))
    assert first.information == again.information != other.information
    assert np.array_equal(first.kl_mixture, again.kl_mixture)


@pytest.mark.parametrize("variance", [np.ones((5, 3)), np.zeros((5, 2)), np.full((5, 2), np.nan)])
def test_impossible_posteriors_are_refused(variance: Array) -> None:
    with pytest.raises(ValueError, match="variances positive"):
        aggregate(np.zeros((5, 2)), variance)


def test_overfitting_is_judged_by_welchs_error() -> None:
    generator = np.random.default_rng(0)
    train, unseen = generator.normal(-100, 5, 200), generator.normal(-103, 9, 60)
    difference, error, sentence = overfitting(train, unseen)
    assert difference == pytest.approx(train.mean() - unseen.mean())
    expected = scipy.stats.ttest_ind(train, unseen, equal_var=False).statistic
    assert difference / error == pytest.approx(expected)
    assert (
        difference > 2 * error
        and sentence.startswith("Over-fitting")
        and f"{difference:.1f} ± {error:.1f}" in sentence
    )
    back = overfitting(unseen, train)
    assert back.difference == -difference and back.sentence.startswith("Unseen pictures happen to be easier")


def test_equal_pictures_are_called_over_fitted_as_often_as_two_errors_allow() -> None:
    generator = np.random.default_rng(1)
    verdicts = [overfitting(*generator.normal(0, 3, (2, 100))).sentence for _ in range(1000)]
    share = np.mean([not sentence.startswith("No over-fitting") for sentence in verdicts])
    # 4.6 % lie beyond two standard errors; the share's own error is 0.7 %.
    assert 0.025 < share < 0.07


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_pictures_to_tell(count: int) -> None:
    difference, error, sentence = overfitting(np.zeros(count), np.zeros(10))
    assert np.isnan(difference) and np.isnan(error) and sentence.startswith("Too few")


def test_information_of_a_dimension_is_that_of_a_gaussian_channel() -> None:
    random = np.random.default_rng(0)
    means = random.normal(size=(2000, 3)) * [2.0, 0.5, 0.0] + [0.0, 0.0, 5.0]
    found, error = information_per_dimension(means, np.ones_like(means), num_samples=4000)
    # I = ½ log(1 + signal / noise); the last dimension costs 12.5 nats of KL and tells nothing.
    expected = 0.5 * np.log1p(means.var(axis=0))
    assert np.all(np.abs(found - expected) <= 4 * error + 0.01)
    assert found[2] == pytest.approx(0.0, abs=1e-9)


def test_information_is_at_most_the_logarithm_of_the_number_of_pictures() -> None:
    means = np.arange(16.0)[:, None] * 100
    found, _ = information_per_dimension(means, np.full((16, 1), 0.01))
    assert found[0] == pytest.approx(np.log(16), abs=1e-9)
