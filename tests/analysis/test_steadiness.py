"""Neighbours, and maps at several settings, against pictures counted by hand."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from vae_tf.analysis.neighbors import nearest_neighbors
from vae_tf.analysis.projection import project
from vae_tf.analysis.steadiness import LARGEST_NUM_MAPPED, shared_neighbors, variants


@pytest.mark.parametrize("num_dimensions", [1, 3, 40])
def test_neighbors_are_those_of_all_distances(num_dimensions: int) -> None:
    latents = np.random.default_rng(0).normal(size=(70, num_dimensions)).astype(np.float32)
    positions, distances = nearest_neighbors(latents, 6)
    far = cdist(latents.astype(np.float64), latents.astype(np.float64))
    np.fill_diagonal(far, np.inf)
    np.testing.assert_array_equal(positions, np.argsort(far, axis=1)[:, :6])
    np.testing.assert_allclose(distances, np.sort(far, axis=1)[:, :6], rtol=1e-4)


def test_no_picture_is_its_own_neighbor_even_among_copies() -> None:
    positions, distances = nearest_neighbors(np.zeros((9, 2)), 4)
    assert (positions != np.arange(9)[:, None]).all() and not distances.any()
    assert nearest_neighbors(np.zeros((3, 2)), 8)[0].shape == (3, 2)
    assert nearest_neighbors(np.zeros((1, 2)), 8)[0].shape == (1, 0)


def test_shared_neighbors_are_counted_as_sets() -> None:
    generator = np.random.default_rng(1)
    one, other = generator.normal(size=(2, 40, 2))
    expected = []
    for i in range(40):
        near = [set(np.argsort(cdist(x[[i]], x)[0])[1:6].tolist()) for x in (one, other)]
        expected.append(len(near[0] & near[1]) / len(near[0] | near[1]))
    assert shared_neighbors(one, other, 5) == pytest.approx(np.mean(expected))
    assert shared_neighbors(one, 3 * one[:, ::-1] + 7, 5) == 1.0


@pytest.mark.slow
def test_every_size_up_to_a_third_is_mapped_and_chance_is_that_of_unrelated_maps() -> None:
    latents = np.random.default_rng(2).normal(size=(60, 4)) * [4, 1, 1, 1]
    chosen, found = variants(latents, seed=0)
    np.testing.assert_array_equal(chosen, np.arange(60))
    assert [(v.method, v.size, v.shapeless) for v in found] == [
        ("tsne", 5, False), ("tsne", 15, False), ("tsne", 15, True),
        ("umap", 5, False), ("umap", 15, False), ("umap", 15, True),
    ]  # fmt: skip
    np.testing.assert_array_equal(found[1].points, project(latents, "tsne", 0, perplexity=15).points)
    assert all(v.chance < v.stability <= 1 and 0.5 < v.trustworthiness <= 1 for v in found)
    generator = np.random.default_rng(3)
    unrelated = [shared_neighbors(*generator.normal(size=(2, 60, 2)), num_neighbors=10) for _ in range(60)]
    assert found[0].num_neighbors == 10
    assert found[0].chance == pytest.approx(np.mean(unrelated), rel=0.06)


def test_few_or_equal_pictures_have_no_variants_and_many_a_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    assert variants(np.random.default_rng(0).normal(size=(15, 3)), 0)[1] == []
    assert variants(np.ones((50, 3)), 0)[1] == []
    assert LARGEST_NUM_MAPPED <= 5000
    monkeypatch.setattr("vae_tf.analysis.steadiness.LARGEST_NUM_MAPPED", 20)
    chosen, found = variants(np.random.default_rng(0).normal(size=(90, 3)), 0)
    assert len(set(chosen.tolist())) == 20 and (np.diff(chosen) > 0).all()
    assert found and all(len(v.points) == 20 for v in found)


def test_a_random_start_owes_nothing_to_the_principal_plane() -> None:
    latents = np.random.default_rng(0).normal(size=(40, 3))
    usual, other = project(latents, "umap"), project(latents, "umap", start="random")
    assert other.settings["initialization"] == "random" != usual.settings["initialization"]
    assert not np.allclose(usual.points, other.points, atol=0.5)
