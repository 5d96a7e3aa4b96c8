import numpy as np
import pytest
from scipy.spatial.distance import cdist

from vae_tf.analysis import projection
from vae_tf.analysis.projection import Method, project
from vae_tf.errors import UserError


def two_clouds(num_each: int, num_dimensions: int = 5) -> np.ndarray:
    generator = np.random.default_rng(0)
    latents = generator.normal(size=(2 * num_each, num_dimensions))
    latents[num_each:] += 12
    return latents


def trustworthiness_by_hand(latents: np.ndarray, points: np.ndarray, k: int) -> float:
    """Venna & Kaski 2001, equation 2, picture by picture."""
    num = len(latents)
    far, near = cdist(latents, latents), cdist(points, points)
    penalty = 0
    for i in range(num):
        others = [j for j in range(num) if j != i]
        by_latent = sorted(others, key=lambda j: far[i, j])
        by_map = sorted(others, key=lambda j: near[i, j])
        penalty += sum(max(by_latent.index(j) + 1 - k, 0) for j in by_map[:k])
    return 1 - 2 / (num * k * (2 * num - 3 * k - 1)) * penalty


@pytest.mark.parametrize("method", ["tsne", "umap", "pca"])
def test_two_clouds_stay_apart_and_the_map_is_repeatable(method: Method) -> None:
    latents = two_clouds(25)
    first, again = project(latents, method, seed=3), project(latents, method, seed=3)
    np.testing.assert_array_equal(first.points, again.points)
    assert first.method == method
    assert first.points.shape == (50, 2) and first.points.dtype == np.float32
    distances = cdist(first.points, first.points)
    np.fill_diagonal(distances, np.inf)
    nearest = distances.argmin(axis=1)
    assert (nearest // 25 == np.arange(50) // 25).all()
    assert first.settings["seed"] == 3
    expected = trustworthiness_by_hand(latents, first.points, 5)
    assert first.trustworthiness == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("method", ["tsne", "umap", "pca"])
@pytest.mark.parametrize(("num_pictures", "num_dimensions"), [(4, 1), (4, 2), (5, 30), (9, 1)])
def test_few_pictures_and_few_dimensions(method: Method, num_pictures: int, num_dimensions: int) -> None:
    latents = np.random.default_rng(1).normal(size=(num_pictures, num_dimensions))
    result = project(latents, method, seed=0)
    assert result.method == method
    assert np.isfinite(result.points).all()
    assert len(np.unique(result.points, axis=0)) == num_pictures
    assert 0 <= result.trustworthiness <= 1


@pytest.mark.parametrize("method", ["tsne", "umap", "pca"])
@pytest.mark.parametrize("num_pictures", [1, 2, 3])
def test_fewer_than_four_pictures_fall_back_to_pca_and_say_so(method: Method, num_pictures: int) -> None:
    latents = np.arange(num_pictures * 3.0).reshape(num_pictures, 3)
    result = project(latents, method)
    assert result.method == "pca"
    assert ("too few" in result.settings.get("fallback", "")) == (method != "pca")
    np.testing.assert_allclose(cdist(result.points, result.points), cdist(latents, latents), atol=1e-5)


@pytest.mark.parametrize("method", ["tsne", "umap", "pca"])
def test_equal_latents_give_equal_points(method: Method) -> None:
    result = project(np.full((20, 3), 0.7), method)
    np.testing.assert_array_equal(result.points, np.zeros((20, 2)))
    assert np.isfinite(result.trustworthiness)
    assert ("all latents are equal" in result.settings.get("fallback", "")) == (method != "pca")


def test_duplicated_latents_give_finite_points() -> None:
    latents = np.repeat(np.random.default_rng(2).normal(size=(4, 3)), 5, axis=0)
    for method in ("tsne", "umap"):
        assert np.isfinite(project(latents, method).points).all()


def test_perplexity_and_neighbours_are_clipped_and_the_reason_is_given() -> None:
    latents = two_clouds(8)
    settings = project(latents, "tsne").settings
    assert settings["perplexity"] == 5
    assert settings["perplexity_reason"] == "the default (30), clipped to (N − 1)/3 for N = 16"
    settings = project(latents, "tsne", perplexity=3).settings
    assert (settings["perplexity"], settings["perplexity_reason"]) == (3, "as asked")
    settings = project(latents, "umap", num_neighbors=40).settings
    assert settings["num_neighbors"] == 15
    assert settings["num_neighbors_reason"] == "as asked (40), clipped to N − 1 for N = 16"


def test_pca_states_the_variance_it_shows() -> None:
    latents = np.random.default_rng(3).normal(size=(400, 3)) * [3, 2, 1]
    variances = np.linalg.eigvalsh(np.cov(latents.T))
    settings = project(latents, "pca").settings
    assert settings["variance_explained"] == pytest.approx(variances[1:].sum() / variances.sum())


def test_trustworthiness_of_many_pictures_is_measured_on_a_part() -> None:
    latents = np.random.default_rng(4).normal(size=(2_100, 2))
    result = project(latents, "pca")
    assert result.settings["trustworthiness_pictures"] == 2_000
    assert result.trustworthiness == pytest.approx(1)


def test_mistakes_are_explained() -> None:
    with pytest.raises(UserError, match="Unknown projection 'mds'"):
        project(np.zeros((5, 2)), "mds")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="perplexity is 0"):
        project(two_clouds(5), "tsne", perplexity=0)
    with pytest.raises(UserError, match="num_neighbors is -2"):
        project(two_clouds(5), "umap", num_neighbors=-2)


@pytest.mark.parametrize("method", ["tsne", "umap"])
def test_of_very_many_pictures_the_others_lie_among_mapped_ones(
    method: Method, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two clouds stay apart for pictures that were only placed, and the settings say how it was done."""
    monkeypatch.setattr(projection, "LARGEST_MAPPED_WHOLE", 150)
    monkeypatch.setattr(projection, "NUM_LANDMARKS", 100)
    monkeypatch.setattr(projection, "_PLACED_AT_ONCE", 70)
    latents, of_cloud = two_clouds(150), np.arange(300) // 150
    found = project(latents, method)
    assert found.points.shape == (300, 2)
    assert found.settings["landmarks"] == 100
    assert "median of their 5 nearest landmarks" in found.settings["placing"]
    middles = np.stack([found.points[of_cloud == i].mean(axis=0) for i in (0, 1)])
    np.testing.assert_array_equal(cdist(found.points, middles).argmin(axis=1), of_cloud)


def test_umap_is_given_the_neighbours_that_it_would_find() -> None:
    """Of few pictures UMAP compares every pair: told their neighbours, it must weigh them alike."""
    import umap

    latents = np.random.default_rng(0).normal(size=(120, 6))
    known = projection._known_neighbors(latents, 15)
    graphs = [
        umap.UMAP(n_neighbors=15, random_state=0, n_jobs=1, precomputed_knn=given).fit(latents).graph_
        for given in (known, (None, None, None))
    ]
    assert abs(graphs[0] - graphs[1]).max() < 1e-4
    assert graphs[0].nnz == graphs[1].nnz


def test_a_map_of_thousands_is_drawn_from_known_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projection, "_UMAP_SEARCHES_FROM", 100)
    latents = two_clouds(60)
    first, again = project(latents, "umap"), project(latents, "umap")
    np.testing.assert_array_equal(first.points, again.points)
    middles = np.stack([first.points[part].mean(axis=0) for part in (slice(60), slice(60, None))])
    np.testing.assert_array_equal(cdist(first.points, middles).argmin(axis=1), np.arange(120) // 60)
