"""Do the printed 95 % intervals of accuracies hold the accuracy that such a rule has on average?"""

import numpy as np
import pytest

from vae_tf.analysis.features import principal_scores, squared_distances
from vae_tf.analysis.permutation import labellings, plan
from vae_tf.analysis.readability import NearestNeighbors, RidgeProbe, accuracy_interval, balanced_accuracy

DESIGNS = {
    "20 alone": np.arange(20),
    "200 alone": np.arange(200),
    "crossed 10 × 2": np.repeat(np.arange(10), 2),
    "crossed 100 × 2": np.repeat(np.arange(100), 2),
    "nested 20 × 5": np.repeat(np.arange(20), 5),
}


def drawn(name: str, distance: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two classes so many standard deviations apart in one of ten dimensions; groups differ as much as pictures do."""
    generator, groups = np.random.default_rng([seed, 7]), DESIGNS[name]
    alone = name.endswith("alone")
    labels = groups % 2 if name.startswith("nested") else np.arange(len(groups)) % 2
    features = generator.normal(size=(len(groups), 10))
    if not alone:
        features += generator.normal(size=(groups.max() + 1, 10))[groups]
    features[:, 0] += distance * labels
    return features, labels, groups


def coverage(name: str, distance: float, rule: type, num_sets: int) -> float:
    rows = []
    for seed in range(num_sets):
        features, labels, groups = drawn(name, distance, seed)
        scores = principal_scores(features)
        found = rule(scores if rule is RidgeProbe else squared_distances(scores), groups)
        shuffled = labellings(plan(labels, groups), 49, seed).labels
        null_sd = balanced_accuracy(found.credit(shuffled, 2), shuffled, 2).std()
        credit = found.credit(labels[None], 2)
        interval = accuracy_interval(credit[0], labels, groups, 2, float(null_sd), seed)
        rows.append((balanced_accuracy(credit, labels[None], 2)[0], *interval))
    values, low, high = np.array(rows).T
    true = values.mean()
    return float(np.mean((low - 1e-9 <= true) & (true <= high + 1e-9)))


@pytest.mark.parametrize("name", ["20 alone", "crossed 10 × 2", "nested 20 × 5"])
def test_intervals_cover(name: str) -> None:
    for distance in (0.0, 4.0):
        assert coverage(name, distance, RidgeProbe, 40) >= 0.95 - 2 * np.sqrt(0.95 * 0.05 / 40)


@pytest.mark.slow
@pytest.mark.parametrize("rule", [RidgeProbe, NearestNeighbors])
@pytest.mark.parametrize("name", DESIGNS)
def test_intervals_cover_over_500_data_sets(name: str, rule: type) -> None:
    for distance in (0.0, 1.5, 4.0):
        assert coverage(name, distance, rule, 500) >= 0.9
