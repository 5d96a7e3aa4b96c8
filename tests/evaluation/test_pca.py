"""PCA as the yardstick: the best linear reconstruction, by the singular value decomposition."""

import numpy as np
import pytest
from numpy.typing import NDArray

from vae_tf.data.augmentation import Augmentation
from vae_tf.evaluation import pca as pca_module
from vae_tf.evaluation.pca import PCA


def low_rank_pictures(count: int, noise: float = 0.01) -> NDArray[np.uint8]:
    random = np.random.default_rng(0)
    factors = random.normal(size=(count, 5)) * [0.2, 0.1, 0.08, 0.05, 0.03]
    directions = np.linalg.qr(random.normal(size=(360, 5)))[0] * 10
    values = 0.5 + factors @ directions.T + noise * random.normal(size=(count, len(directions)))
    return np.rint(255 * values.clip(0, 1)).astype(np.uint8).reshape(count, 10, 12, 3)


def by_svd(fitted: NDArray[np.uint8], pictures: NDArray[np.uint8], rank: int) -> NDArray[np.float64]:
    rows = fitted.reshape(len(fitted), -1) / 255.0
    centre = rows.mean(0)
    directions = np.linalg.svd(rows - centre, full_matrices=False)[2][:rank]
    values = centre + (pictures.reshape(len(pictures), -1) / 255.0 - centre) @ directions.T @ directions
    return values.clip(0, 1).reshape(pictures.shape)


@pytest.mark.parametrize("rank", [1, 3, 5])
def test_equals_the_svds_reconstruction(rank: int) -> None:
    pictures = low_rank_pictures(120)
    fitted, unseen = pictures[:90], pictures[90:]
    pca = PCA(rank).fit(fitted, None)
    for some in (fitted, unseen):
        result = pca.reconstruct(some)
        assert result.shape == some.shape and result.dtype == np.float32
        np.testing.assert_allclose(result, by_svd(fitted, some, rank), atol=2e-4)
    assert pca.encode(unseen).shape == (30, rank)


def test_scores_are_distances_along_orthonormal_directions() -> None:
    pictures = low_rank_pictures(120, noise=0.0)
    scores = PCA(5).fit(pictures, None).encode(pictures)
    rows = pictures.reshape(120, -1) / 255.0
    distance = np.linalg.norm(scores[:60] - scores[60:], axis=1)
    # What five components leave out is the rounding to 8 bits and the clipping.
    np.testing.assert_allclose(distance, np.linalg.norm(rows[:60] - rows[60:], axis=1), rtol=0.05)


def test_a_flat_spectrum_is_hardly_worse_than_the_best() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (300, 16, 16, 1), dtype=np.uint8)
    exact = pictures / 255.0
    ours = np.mean((PCA(30).fit(pictures, None).reconstruct(pictures) - exact) ** 2)
    best = np.mean((by_svd(pictures, pictures, 30) - exact) ** 2)
    assert best * (1 - 1e-6) <= ours <= best * 1.02


def test_augmented_copies_are_fitted_too() -> None:
    # A picture of one bright column each; unseen ones have it elsewhere.
    pictures = np.zeros((6, 8, 16, 1), np.uint8)
    for i in range(6):
        pictures[i, :, 5 + i] = 200
    shifted = np.roll(pictures, 3, axis=2)
    moves = Augmentation(mirror=False, shift=3)
    plain = PCA(10).fit(pictures, None).reconstruct(shifted)
    augmented = PCA(10).fit(pictures, moves).reconstruct(shifted)
    errors = [np.mean((result - shifted / 255.0) ** 2) for result in (plain, augmented)]
    assert errors[1] < 0.5 * errors[0]


def test_the_rows_are_the_pictures_and_their_augmented_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = low_rank_pictures(20)
    moves = Augmentation()
    monkeypatch.setattr(pca_module, "LARGEST_NUM_ROWS", 70)
    rows = PCA(2, seed=4)._rows(pictures, moves, copies=3)
    assert rows.shape == (60, 360)
    pixels = (pictures / np.float32(255)).astype(np.float32)
    np.testing.assert_allclose(rows[:20], pixels.reshape(20, -1), atol=1e-7)
    for copy in (0, 1):
        expected = moves(pixels, 4, copy).numpy().reshape(20, -1)
        np.testing.assert_allclose(rows[20 * (copy + 1) : 20 * (copy + 2)], expected, atol=1e-6)

    seen: list[int] = []
    monkeypatch.setattr("sklearn.decomposition.PCA.fit", lambda self, rows: seen.append(len(rows)))
    PCA(2).fit(pictures, moves)
    PCA(2).fit(np.repeat(pictures, 5, 0), moves)
    PCA(2).fit(pictures, None)
    assert seen == [60, 70, 20]


@pytest.mark.parametrize("moves", [None, Augmentation()])
def test_what_is_fitted_on_stays_as_it_was(moves: Augmentation | None) -> None:
    pictures = np.random.default_rng(0).random((20, 8, 8, 1), np.float32)
    before = pictures.copy()
    PCA(3).fit(pictures, moves)
    np.testing.assert_array_equal(pictures, before)


def test_no_more_components_than_the_pictures_allow() -> None:
    pictures = low_rank_pictures(6)
    pca = PCA(30).fit(pictures, None)
    assert pca.encode(pictures).shape == (6, 5)
    # Six pictures lie in five dimensions around their mean.
    np.testing.assert_allclose(pca.reconstruct(pictures), pictures / 255.0, atol=1e-4)
    tiny = np.random.default_rng(0).integers(0, 256, (40, 2, 2, 1), dtype=np.uint8)
    assert PCA(30).fit(tiny, None).encode(tiny).shape == (40, 4)


def test_the_seed_decides() -> None:
    pictures = low_rank_pictures(40)
    results = [PCA(4, seed).fit(pictures, Augmentation()).reconstruct(pictures) for seed in (0, 0, 1)]
    assert np.array_equal(results[0], results[1]) and not np.array_equal(results[0], results[2])
    assert min(result.min() for result in results) >= 0 and max(result.max() for result in results) <= 1
