"""The permutation tests keep their level where nothing is there, and find what is there.

Groups differ strongly (by twice the spread within them), so that a test which takes pictures for independent
finds differences between classes that are differences between groups.
"""

from collections import defaultdict
from functools import cache

import numpy as np
import pytest

from vae_tf.analysis.separation import separate

NUM_SETS = 250
LEVELS = np.array([0.01, 0.05, 0.1, 0.2])
BOUND = LEVELS + 2 * np.sqrt(LEVELS * (1 - LEVELS) / NUM_SETS)
KINDS = ("no groups", "crossed", "nested", "nested, enumerated", "mixed")

DataSet = tuple[np.ndarray, np.ndarray, np.ndarray | None]


def null_set(kind: str, seed: int) -> DataSet:
    """Features [N, 3] that know nothing of the labels, labels, groups."""
    generator = np.random.default_rng([seed, 1])
    if kind == "no groups":
        return generator.normal(size=(40, 3)), generator.permutation(np.arange(40) % 2), None
    num_groups = 8 if kind == "nested, enumerated" else 10
    groups = np.repeat(np.arange(num_groups), 4)
    features = generator.normal(size=(len(groups), 3)) + 2 * generator.normal(size=(num_groups, 3))[groups]
    whole = generator.permutation(np.arange(num_groups) % 2)
    # Unequal shares in crossed groups: there, too, groups and classes are related.
    within = [generator.permutation([0, 1, 1, 1] if k % 2 else [0, 0, 1, 1]) for k in range(num_groups)]
    if kind == "crossed":
        return features, np.concatenate(within), groups
    if kind == "mixed":
        parts = [np.full(4, whole[k]) if k < 6 else within[k] for k in range(num_groups)]
        return features, np.concatenate(parts), groups
    return features, whole[groups], groups


@cache
def rejection_rates(
    kind: str, ignore_groups: bool = False, num_sets: int = NUM_SETS
) -> dict[str, np.ndarray]:
    """Share of null data sets with p ≤ each level, for every statistic."""
    p_values = defaultdict(list)
    for seed in range(num_sets):
        features, labels, groups = null_set(kind, seed)
        result = separate(
            {"latents": features}, labels, None if ignore_groups else groups, seed=seed, num_permutations=99
        )
        assert result.design.kind == ("no groups" if ignore_groups else kind.split(",")[0])
        for statistic in result.statistics:
            p_values[statistic.key].append(statistic.p_value)
    return {key: (np.array(values)[:, None] <= LEVELS).mean(axis=0) for key, values in p_values.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_null_data_sets_are_rejected_no_more_often_than_the_level(kind: str) -> None:
    for key, rates in rejection_rates(kind).items():
        assert (rates <= BOUND).all(), (kind, key, rates, BOUND)


@pytest.mark.parametrize("kind", KINDS)
def test_the_level_is_used_and_not_wasted(kind: str) -> None:
    """A test that never rejects would pass the one above."""
    rates = rejection_rates(kind)
    assert rates["ridge_probe"][3] > 0.1
    assert rates["nearest_neighbors"][3] > 0.1


def test_ignoring_nested_groups_would_find_differences_that_are_not_there() -> None:
    rates = rejection_rates("nested", ignore_groups=True, num_sets=40)
    assert rates["nearest_neighbors"][1] > 0.5
    assert rates["ridge_probe"][1] > 0.2


@pytest.mark.parametrize(
    ("kind", "key", "effect"),
    [
        ("no groups", "nearest_neighbors", 2.0),
        ("no groups", "ari", 3.0),
        ("crossed", "ridge_probe", 5.0),
        ("crossed", "nearest_neighbors", 6.0),
        ("nested", "nearest_neighbors", 8.0),
        ("nested", "ari", 8.0),
        ("mixed", "ridge_probe", 6.0),
    ],
)
def test_real_differences_are_found(kind: str, key: str, effect: float) -> None:
    found = 0
    for seed in range(20):
        features, labels, groups = null_set(kind, seed)
        shifted = features + effect * labels[:, None] * [1, 0, 0]
        result = separate({"latents": shifted}, labels, groups, seed=seed, num_permutations=99)
        found += result.find("latents", key).p_value <= 0.05  # type: ignore[arg-type]
    assert found >= 16


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_level_holds_over_eight_times_as_many_data_sets(kind: str) -> None:
    bound = LEVELS + 3 * np.sqrt(LEVELS * (1 - LEVELS) / 2_000)
    for key, rates in rejection_rates(kind, num_sets=2_000).items():
        assert (rates <= bound).all(), (kind, key, rates, bound)
