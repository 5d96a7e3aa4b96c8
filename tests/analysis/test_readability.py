from collections.abc import Callable

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import balanced_accuracy_score

from vae_tf.analysis.features import principal_scores, squared_distances
from vae_tf.analysis.permutation import labellings, plan
from vae_tf.analysis.readability import (
    NearestNeighbors,
    RidgeProbe,
    accuracy_interval,
    balanced_accuracy,
    resampled_accuracy,
)

GROUPS = {
    "each picture alone": np.arange(24),
    "groups of four": np.repeat(np.arange(6), 4),
    "unequal groups": np.repeat(np.arange(7), [1, 5, 2, 2, 7, 4, 3]),
    "scattered groups": np.arange(24) % 5,
}
any_groups = pytest.mark.parametrize("groups", GROUPS.values(), ids=GROUPS.keys())


def random_set(num_dimensions: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Features and three labellings of three unequal classes."""
    generator = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [12, 7, 5])
    return generator.normal(size=(24, num_dimensions)), np.stack(
        [generator.permutation(labels) for _ in range(3)]
    )


def shares_of_winners(score: np.ndarray, truth: int) -> float:
    winners = np.flatnonzero(score >= score.max() - 1e-9)
    return (truth in winners) / len(winners)


@any_groups
def test_nearest_neighbours_agree_with_a_plain_loop(groups: np.ndarray) -> None:
    features, labellings_ = random_set()
    found = NearestNeighbors(squared_distances(features), groups).credit(labellings_, 3)
    for labels, credit in zip(labellings_, found, strict=True):
        counts = np.bincount(labels)
        for i in range(24):
            others = [j for j in range(24) if groups[j] != groups[i]]
            nearest = sorted(others, key=lambda j: np.linalg.norm(features[i] - features[j]))[:5]
            votes = sum(np.eye(3)[labels[j]] / counts[labels[j]] for j in nearest)
            assert credit[i] == pytest.approx(shares_of_winners(votes, labels[i]))


@any_groups
@pytest.mark.parametrize("num_dimensions", [1, 4, 60])
def test_ridge_predictions_agree_with_refitting_each_fold(groups: np.ndarray, num_dimensions: int) -> None:
    features, labellings_ = random_set(num_dimensions)
    found = RidgeProbe(principal_scores(features), groups).left_out(labellings_, 3)
    # The definition in the docstring, without centring by hand, rotation or hat matrix.
    scaled = features / np.sqrt((features - features.mean(axis=0)).var(axis=0).sum())
    for b, labels in enumerate(labellings_):
        targets = np.eye(3)[labels]
        for group in np.unique(groups):
            test = groups == group
            fitted = Ridge(alpha=1.0).fit(scaled[~test], targets[~test])
            expected = fitted.predict(scaled[test]) - targets[~test].mean(axis=0)
            np.testing.assert_allclose(found[test, b], expected, atol=1e-9)


@any_groups
def test_ridge_classes_are_compared_at_the_balanced_mean_of_the_other_groups(groups: np.ndarray) -> None:
    features, labellings_ = random_set()
    probe = RidgeProbe(principal_scores(features), groups)
    predicted, found = probe.left_out(labellings_, 3), probe.credit(labellings_, 3)
    for b, labels in enumerate(labellings_):
        for i in range(24):
            others = groups != groups[i]
            means = [predicted[others & (labels == c), b].mean(axis=0) for c in range(3)]
            margin = predicted[i, b] - np.mean(means, axis=0)
            assert found[b, i] == pytest.approx(shares_of_winners(margin, labels[i]))


def test_a_rare_class_does_not_draw_half_of_the_frequent_one() -> None:
    """The reason for the balanced mean: at the frequencies alone the boundary lies in the larger class."""
    generator = np.random.default_rng(0)
    labels = (np.arange(400) < 40).astype(int)
    features = generator.normal(size=(400, 3)) + 3 * labels[:, None] * [1, 0, 0]
    probe = RidgeProbe(principal_scores(features), np.arange(400))
    at_frequencies = balanced_accuracy_score(labels, probe.left_out(labels[None], 2)[:, 0].argmax(axis=1))
    balanced = balanced_accuracy(probe.credit(labels[None], 2), labels[None], 2)[0]
    # The best possible is Φ(3/2) = 0.933.
    assert balanced > 0.9
    assert at_frequencies < 0.85


Rule = Callable[..., NearestNeighbors | RidgeProbe]


def null_mean(rule: Rule, labels: np.ndarray, groups: np.ndarray) -> float:
    """Mean balanced accuracy over shuffled labels, five sets of features."""
    means = []
    for seed in range(5):
        scores = principal_scores(np.random.default_rng(seed).normal(size=(len(labels), 6)))
        design = plan(labels, groups)
        shuffled = labellings(design, 100, seed).labels
        first = squared_distances(scores) if rule is NearestNeighbors else scores
        credit = rule(first, design.groups).credit(shuffled, design.num_classes)
        means.append(balanced_accuracy(credit, shuffled, design.num_classes).mean())
    return float(np.mean(means))


@pytest.mark.parametrize("rule", [NearestNeighbors, RidgeProbe])
@pytest.mark.parametrize(
    ("labels", "groups"),
    [
        (np.arange(200) % 2, np.arange(200)),
        ((np.arange(200) < 20).astype(int), np.arange(200)),
        (np.arange(200) % 10, np.arange(200)),
        (np.arange(80) % 2, np.arange(80) // 4),
        (np.arange(160) // 80, np.arange(160) // 4),
    ],
    ids=["halves", "one in ten", "ten classes", "crossed", "nested"],
)
def test_shuffled_labels_score_near_one_over_the_number_of_classes(
    rule: Rule, labels: np.ndarray, groups: np.ndarray
) -> None:
    chance = 1 / (labels.max() + 1)
    # Leaving out makes the own class rarer: slightly below, never flattering.
    assert chance - 0.04 < null_mean(rule, labels, groups) < chance + 0.01


def test_fewer_candidates_than_five() -> None:
    groups = np.array([0, 0, 0, 1, 1, 1])
    rule = NearestNeighbors(squared_distances(np.arange(6.0)[:, None]), groups)
    assert rule.num_neighbors == 3
    assert np.isfinite(rule.credit(np.array([[0, 1, 0, 0, 1, 1]]), 2)).all()


def test_equal_pictures_leave_the_ridge_probe_at_chance() -> None:
    probe = RidgeProbe(np.zeros((12, 1)), np.arange(12))
    np.testing.assert_allclose(probe.credit((np.arange(12) % 3)[None], 3), 1 / 3)


def test_balanced_accuracy_agrees_with_scikit_learn() -> None:
    generator = np.random.default_rng(1)
    labels, predicted = generator.integers(0, 3, size=(2, 50))
    found = balanced_accuracy((labels == predicted)[None].astype(float), labels[None], 3)
    assert found[0] == pytest.approx(balanced_accuracy_score(labels, predicted))


def test_interval_of_independent_pictures_is_wilsons() -> None:
    """100 of 200 right in each class, no more spread under shuffled labels than a binomial's."""
    from scipy.stats import binomtest

    labels = np.arange(400) % 2
    credit = (np.arange(400) % 4 < 2).astype(float)
    found = accuracy_interval(credit, labels, np.arange(400), 2, null_sd=0.025, seed=0)
    expected = binomtest(200, 400).proportion_ci(method="wilson")
    np.testing.assert_allclose(found, [expected.low, expected.high], atol=0.004)


def test_interval_widens_when_groups_answer_as_one() -> None:
    labels, groups = np.arange(400) % 2, np.arange(400) // 40
    credit = (groups % 2).astype(float)
    resampled = resampled_accuracy(credit, labels, groups, 2, seed=0)
    # Ten groups, all right or all wrong: standard error √(¼/10) = 0.158.
    assert resampled.std() == pytest.approx(0.158, abs=0.01)
    low, high = accuracy_interval(credit, labels, groups, 2, null_sd=0.025, seed=0)
    assert low < 0.5 - 1.5 * 0.158 and high > 0.5 + 1.5 * 0.158
    # All right: as many answers as groups, since nothing shows that pictures of one answered apart.
    low, high = accuracy_interval(np.ones(400), labels, groups, 2, null_sd=0.025, seed=0)
    assert high == pytest.approx(1) and 0.6 < low < 0.75
    # The rule learnt anew from each labelling may spread more than its answers do.
    wider = accuracy_interval(credit, labels, groups, 2, null_sd=0.2, seed=0)
    assert wider[1] - wider[0] > high - low
