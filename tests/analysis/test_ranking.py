import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from vae_tf.analysis import ranking
from vae_tf.analysis.ranking import Ranked, auroc, average_precision, separations, times_drawn


@pytest.mark.parametrize("levels", [3, 1000])
def test_figures_are_those_of_scikit_learn_with_ties_and_weights(levels):
    random = np.random.default_rng(levels)
    for _ in range(20):
        scores = random.integers(0, levels, 80).astype(float)
        truth = np.append([True, False], random.uniform(size=78) < 0.3)
        assert auroc(scores, truth) == pytest.approx(roc_auc_score(truth, scores))
        assert average_precision(scores, truth) == pytest.approx(average_precision_score(truth, scores))
        weights = random.integers(0, 4, (2, 80)).astype(float)
        weights[:, :2] = 1.0
        areas, precisions = Ranked(scores, truth).figures(weights)
        for row, area, precision in zip(weights, areas, precisions, strict=True):
            assert area == pytest.approx(roc_auc_score(truth, scores, sample_weight=row))
            assert precision == pytest.approx(average_precision_score(truth, scores, sample_weight=row))
        # Weights count by their ratios alone.
        np.testing.assert_allclose(Ranked(scores, truth).figures(weights / 64), (areas, precisions))


def null_set(seed, num_groups=40, size=5):
    """Groups of normal or abnormal pictures with levels of their own, and no difference between the kinds."""
    random = np.random.default_rng(seed)
    groups = np.repeat(np.arange(num_groups), size)
    scores = random.normal(size=num_groups)[groups] + 0.3 * random.normal(size=len(groups))
    return scores, groups % 2 == 1, groups, random


def test_a_useless_score_is_told_from_chance_as_rarely_as_it_should_and_groups_matter(monkeypatch):
    monkeypatch.setattr(ranking, "NUM_RESAMPLES", 400)
    by_group, by_picture = 0, 0
    for seed in range(60):
        scores, truth, groups, _ = null_set(seed)
        found = separations({"score": scores}, truth, groups, "score", seed)["score"].auroc
        naive = separations({"score": scores}, truth, np.arange(len(scores)), "score", seed)["score"].auroc
        by_group += not found.low <= 0.5 <= found.high
        by_picture += not naive.low <= 0.5 <= naive.high
    # Percentile intervals of 20 groups are a little narrow.
    assert by_group / 60 < 0.15
    assert by_picture / 60 > 0.25


def test_a_score_is_compared_with_its_rival_on_the_same_pictures():
    random = np.random.default_rng(3)
    truth = np.arange(200) % 2 == 0
    good, noise = truth + random.normal(size=200), random.normal(size=200)
    units = np.arange(200)
    found = separations(
        {"good": good, "same": good * 3 + 1, "noise": noise, "pca": good}, truth, units, "pca"
    )
    assert found["pca"].beyond_rival is None
    same, worse = found["same"].beyond_rival, found["noise"].beyond_rival
    assert (same.value, same.low, same.high) == pytest.approx((0.0, 0.0, 0.0))
    assert worse.high < 0 and found["good"].auroc.low > 0.5 > found["noise"].auroc.low


def test_a_perfect_order_of_few_pictures_is_no_certainty():
    scores, truth = np.arange(10.0), np.arange(10) >= 6
    found = separations({"score": scores}, truth, np.arange(10), "score")["score"]
    assert found.auroc.value == 1.0 and found.auroc.low == pytest.approx(0.025 ** (1 / 4))
    assert found.average_precision.value == 1.0 and found.average_precision.low is None
    lone = separations({"score": scores}, truth, np.where(truth, 10, np.arange(10)), "score")["score"]
    assert lone.auroc.low is None
    # Two units of each kind are enough to be resampled.
    pair = separations(
        {"score": scores}, truth, np.where(truth, 10 + np.arange(10) % 2, np.arange(10)), "score"
    )
    assert pair["score"].auroc.low == pytest.approx(0.025 ** (1 / 2))


def test_a_perfectly_reversed_order_is_no_certainty_either():
    scores, truth, units = np.arange(10.0), np.arange(10) < 4, np.arange(10)
    found = separations({"score": scores}, truth, units, "score")["score"].auroc
    assert (found.value, found.low) == (0.0, 0.0) and found.high == pytest.approx(1 - 0.025 ** (1 / 4))


def test_units_are_drawn_among_their_own_kind():
    kinds = np.array([1, 1, 1, 2, 2, 3])
    times = times_drawn(np.random.default_rng(0), kinds, 500)
    for kind, number in ((1, 3), (2, 2), (3, 1)):
        assert (times[:, kinds == kind].sum(axis=1) == number).all()
    assert times[:, 0].std() > 0.5
