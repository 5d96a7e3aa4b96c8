import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from scipy.stats import f_oneway
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score, silhouette_score

from vae_tf.analysis import agreement


@given(st.integers(2, 4), st.integers(1, 5), st.integers(0, 99))
@settings(deadline=None, max_examples=60)
def test_rand_and_mutual_information_agree_with_scikit_learn(
    num_classes: int, num_clusters: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, num_classes, size=(3, 30))
    labels[:, : 2 * num_classes] = np.arange(2 * num_classes) % num_classes
    assignments = generator.integers(0, num_clusters, size=30)
    # One labelling follows the clusters, so that the test is not about noise only.
    labels[0] = np.where(np.arange(30) < 2 * num_classes, labels[0], assignments % num_classes)
    table = agreement.contingency(labels, assignments, num_classes)
    rand, information = agreement.adjusted_rand(table), agreement.adjusted_mutual_information(table)
    for b in range(3):
        assert rand[b] == pytest.approx(adjusted_rand_score(labels[b], assignments), abs=1e-12)
        assert information[b] == pytest.approx(adjusted_mutual_info_score(labels[b], assignments), abs=1e-9)


def test_labellings_of_unequal_sizes_have_their_own_expectation() -> None:
    """Whole groups of unequal size change the classes' sizes, and with them the expected information."""
    labels = np.array([np.arange(20) < 10, np.arange(20) < 3]).astype(int)
    assignments = np.arange(20) % 3
    found = agreement.adjusted_mutual_information(agreement.contingency(labels, assignments, 2))
    expected = [adjusted_mutual_info_score(row, assignments) for row in labels]
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_perfect_and_absent_agreement() -> None:
    labels = np.repeat([0, 1, 2], 5)[None]
    perfect = agreement.contingency(labels, 2 - labels[0], 3)
    absent = agreement.contingency(labels, np.zeros(15, dtype=np.int64), 3)
    for index in (agreement.adjusted_rand, agreement.adjusted_mutual_information):
        assert index(perfect)[0] == pytest.approx(1)
        assert index(absent)[0] == 0


@pytest.mark.parametrize("num_classes", [2, 3, 5])
def test_silhouette_agrees_with_scikit_learn(num_classes: int) -> None:
    generator = np.random.default_rng(num_classes)
    features = generator.normal(size=(40, 3))
    labels = np.sort(generator.integers(0, num_classes, size=(4, 40)), axis=1)
    labels[0, :] = np.arange(40) % num_classes
    features[:, 0] += labels[1]
    # A class of one picture.
    labels[2] = np.where(np.arange(40) == 7, num_classes - 1, labels[2] % (num_classes - 1))
    found = agreement.silhouette(cdist(features, features), labels, num_classes)
    for b in range(4):
        assert found[b] == pytest.approx(silhouette_score(features, labels[b]), abs=1e-9)


def test_silhouette_of_equal_pictures_is_zero() -> None:
    assert agreement.silhouette(np.zeros((6, 6)), np.array([[0, 1, 0, 1, 0, 1]]), 2)[0] == 0


@given(st.integers(2, 4), st.integers(0, 99))
@settings(deadline=None, max_examples=30)
def test_variance_between_is_that_of_an_analysis_of_variance(num_classes: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    labels = np.stack([generator.permutation(np.arange(20) % num_classes) for _ in range(2)])
    column = generator.normal(size=20) + labels[0]
    centred = (column - column.mean())[:, None]
    for row, share in zip(labels, agreement.variance_between(centred, labels, num_classes), strict=True):
        ratio = f_oneway(*(column[row == c] for c in range(num_classes))).statistic * (num_classes - 1)
        assert share == pytest.approx(ratio / (ratio + 20 - num_classes))
    # Of several columns it is the mean, weighted by how much each varies.
    wide = np.concatenate([centred, 3 * centred[::-1]], axis=1)
    each = [agreement.variance_between(part, labels, num_classes) for part in (centred, centred[::-1])]
    np.testing.assert_allclose(
        agreement.variance_between(wide, labels, num_classes), 0.1 * each[0] + 0.9 * each[1]
    )


def test_where_nothing_varies_no_variance_is_between() -> None:
    assert agreement.variance_between(np.zeros((6, 2)), np.array([[0, 1, 0, 1, 0, 1]]), 2).tolist() == [0.0]
