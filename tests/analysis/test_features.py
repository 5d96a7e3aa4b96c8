import numpy as np
import pytest
from scipy.spatial.distance import cdist

from vae_tf.analysis.features import as_features, principal_scores, squared_distances
from vae_tf.errors import UserError


@pytest.mark.parametrize(("num_rows", "num_columns"), [(30, 4), (12, 12), (20, 9000), (5, 1)])
def test_scores_keep_distances_and_have_orthogonal_columns(num_rows: int, num_columns: int) -> None:
    generator = np.random.default_rng(0)
    features = generator.normal(5, 2, size=(num_rows, num_columns)).astype(np.float32)
    scores = principal_scores(features)
    assert scores.shape[1] <= min(num_rows - 1, num_columns)
    np.testing.assert_allclose(cdist(scores, scores), cdist(features, features), rtol=1e-6, atol=1e-5)
    gram = scores.T @ scores
    np.testing.assert_allclose(gram, np.diag(np.diag(gram)), atol=1e-8 * gram.max())
    assert (np.diff(np.diag(gram)) <= 1e-9).all()


def test_scores_agree_with_scikit_learn_up_to_sign() -> None:
    from sklearn.decomposition import PCA

    features = np.random.default_rng(1).normal(size=(40, 6)) * [5, 4, 3, 2, 1, 0.5]
    expected = PCA().fit_transform(features)
    np.testing.assert_allclose(np.abs(principal_scores(features)), np.abs(expected), atol=1e-9)


@pytest.mark.parametrize("num_columns", [3, 50])
def test_equal_rows_have_no_variation(num_columns: int) -> None:
    features = np.full((10, num_columns), 0.1) * np.linspace(1, 3, num_columns)
    np.testing.assert_array_equal(principal_scores(features), np.zeros((10, 1)))


def test_squared_distances_agree_with_scipy() -> None:
    scores = np.random.default_rng(2).normal(size=(15, 4))
    np.testing.assert_allclose(squared_distances(scores), cdist(scores, scores) ** 2, atol=1e-12)


def test_pictures_are_flattened_and_kept_small() -> None:
    pictures = np.ones((3, 4, 5, 1), dtype=np.float32)
    assert as_features(pictures).shape == (3, 20)
    assert as_features(pictures).dtype == np.float32
    assert as_features(pictures.astype(np.uint8)).dtype == np.float32
    assert as_features(pictures.astype(np.int64)).dtype == np.float64


@pytest.mark.parametrize("bad", [np.zeros(3), np.zeros((0, 4)), np.zeros((4, 0))])
def test_wrong_shapes_are_refused(bad: np.ndarray) -> None:
    with pytest.raises(UserError, match=r"expected \[N, d\]"):
        as_features(bad)


def test_rows_that_are_not_finite_are_counted() -> None:
    latents = np.zeros((4, 2))
    latents[1, 0], latents[1, 1], latents[3, 0] = np.nan, np.inf, -np.inf
    with pytest.raises(UserError, match="2 of 4 rows"):
        as_features(latents)
