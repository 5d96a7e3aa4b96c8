from collections.abc import Callable

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from vae_tf.analysis.clustering import (
    Clustering,
    candidates_for,
    cluster_by_gaussian_mixture,
    cluster_by_k_means,
    k_means,
)
from vae_tf.errors import UserError

Method = Callable[..., Clustering]
both = pytest.mark.parametrize("method", [cluster_by_k_means, cluster_by_gaussian_mixture])


def clouds(sizes: list[int], num_dimensions: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    truth = np.repeat(np.arange(len(sizes)), sizes)
    centres = 10 * np.eye(max(len(sizes), num_dimensions))[: len(sizes), :num_dimensions]
    return generator.normal(size=(len(truth), num_dimensions)) + centres[truth], truth


@both
def test_the_number_of_clear_clusters_is_found(method: Method) -> None:
    latents, truth = clouds([50, 30, 20])
    result = method(latents, seed=1)
    assert result.num_clusters == 3
    assert adjusted_rand_score(truth, result.assignments) == 1
    np.testing.assert_array_equal(np.bincount(result.assignments), [50, 30, 20])
    np.testing.assert_array_equal(result.candidates, np.arange(1, len(result.bic) + 1))
    assert "3 clusters" in result.facts[0]


@both
@pytest.mark.parametrize("seed", range(5))
def test_one_cloud_is_called_one_cloud(method: Method, seed: int) -> None:
    latents = np.random.default_rng(seed).normal(size=(160, 10))
    result = method(latents, seed=0)
    assert result.num_clusters == 1
    assert not result.assignments.any()
    assert result.facts[0].startswith("One cloud")


def test_k_means_bic_is_that_of_its_spherical_model() -> None:
    """The log-likelihood of hard assignments, added up picture by picture from SciPy's normal density."""
    from scipy.stats import multivariate_normal

    latents, truth = clouds([12, 9], num_dimensions=3)
    result = cluster_by_k_means(latents, k_max=2)
    centres = np.stack([latents[truth == k].mean(axis=0) for k in (0, 1)])
    num, dimensions = latents.shape
    variance = ((latents - centres[truth]) ** 2).sum() / (dimensions * (num - 2))
    share = np.bincount(truth) / num
    log_likelihood = sum(
        np.log(share[k]) + multivariate_normal(centres[k], variance * np.eye(dimensions)).logpdf(point)
        for point, k in zip(latents, truth, strict=True)
    )
    num_parameters = 2 * dimensions + 1 + 1
    assert result.bic[1] == pytest.approx(-2 * log_likelihood + num_parameters * np.log(num))


def test_correlated_clusters_need_a_full_covariance_and_enough_pictures() -> None:
    generator = np.random.default_rng(0)
    latents = generator.normal(size=(300, 2)) @ np.array([[4.0, 3.9], [0, 0.3]])
    result = cluster_by_gaussian_mixture(latents)
    assert result.settings["covariance"] == "full" and result.num_clusters == 1
    few = cluster_by_gaussian_mixture(generator.normal(size=(39, 2)))
    assert few.settings["covariance"] == "diagonal"


@both
def test_equal_latents_are_one_cluster(method: Method) -> None:
    result = method(np.full((30, 3), 0.3))
    assert result.num_clusters == 1
    assert np.isfinite(result.bic).all()


@both
@pytest.mark.parametrize("num_pictures", [2, 5])
def test_few_pictures(method: Method, num_pictures: int) -> None:
    result = method(np.arange(num_pictures * 2.0).reshape(-1, 2))
    assert result.num_clusters == 1
    assert result.facts == ("Too few pictures to try more than one cluster.",)


@both
def test_the_largest_k_tried_is_flagged(method: Method) -> None:
    latents, _ = clouds([40, 40, 40])
    assert "largest number tried" in method(latents, k_max=2).facts[-1]


def test_more_than_twenty_clear_clusters_are_found() -> None:
    generator, truth = np.random.default_rng(0), np.repeat(np.arange(30), 12)
    latents = 10 * generator.normal(size=(30, 10))[truth] + generator.normal(size=(360, 10))
    result = cluster_by_k_means(latents)
    assert result.num_clusters == 30 and adjusted_rand_score(truth, result.assignments) == 1
    assert "every fifth" in result.facts[0] and len(result.facts) == 2


@pytest.mark.parametrize("num_pictures", [1, 7, 8, 100, 161, 199, 400, 1_000, 1_001, 5_000])
def test_as_many_clusters_are_tried_as_pictures_and_time_allow(num_pictures: int) -> None:
    most = max(1, num_pictures // 8)
    expected = [k for k in (*range(1, 21), 25, 30, 35, 40, 45, 50, 55, 60) if k <= most]
    if num_pictures > 1_000:
        expected = list(range(1, 21))
    assert candidates_for(num_pictures).tolist() == expected


def test_many_pictures_are_fitted_on_a_part_and_all_assigned() -> None:
    latents, truth = clouds([3_000, 2_500], num_dimensions=2)
    result = cluster_by_k_means(latents, k_max=3)
    assert result.settings["fitted_on"] == 5_000
    assert adjusted_rand_score(truth, result.assignments) > 0.99


def test_scale_does_not_matter() -> None:
    latents, _ = clouds([30, 30])
    for method in (cluster_by_k_means, cluster_by_gaussian_mixture):
        np.testing.assert_array_equal(method(latents).assignments, method(1e-4 * latents).assignments)


def test_k_means_is_repeatable_and_checks_k() -> None:
    latents = np.random.default_rng(0).normal(size=(30, 2))
    np.testing.assert_array_equal(k_means(latents, 4, seed=5), k_means(latents, 4, seed=5))
    assert set(k_means(latents, 4)) == {0, 1, 2, 3}
    with pytest.raises(UserError, match="31 clusters"):
        k_means(latents, 31)
    with pytest.raises(UserError, match="One picture"):
        cluster_by_gaussian_mixture([[1.0, 2.0]])
    with pytest.raises(UserError, match="k_max is 0"):
        cluster_by_k_means(latents, k_max=0)
