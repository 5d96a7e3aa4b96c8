"""The tests keep their level where nothing is there, and find what is there: every p-value that a page prints.

Groups differ strongly (by twice the spread within them), so that a test which takes pictures for independent
finds differences between classes that are differences between groups. The full run of 500 null data sets for each
design is marked slow; seeds are fixed, so that what passes once passes always.
"""

from collections import defaultdict
from functools import cache

import numpy as np
import pytest
from scipy.stats import binom, kstest

from vae_tf.analysis.association import associate
from vae_tf.analysis.cluster_meaning import meanings_of
from vae_tf.analysis.dimensions import judge_dimensions
from vae_tf.analysis.permutation import judge, labellings, plan
from vae_tf.analysis.separation import Instruments, separate

FEW, MANY = 60, 500
LEVELS = np.array([0.01, 0.05, 0.1])
KINDS = ("no groups", "crossed", "nested", "nested, enumerated", "mixed", "mixed, unequal")

DataSet = tuple[np.ndarray, np.ndarray, np.ndarray | None]


def null_set(kind: str, seed: int) -> DataSet:
    """Features [N, 3] that know nothing of the labels, labels, groups."""
    generator = np.random.default_rng([seed, 1])
    if kind == "no groups":
        return generator.normal(size=(40, 3)), generator.permutation(np.arange(40) % 2), None
    if kind == "mixed, unequal":
        return unequal_set(generator)
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


def unequal_set(generator: np.random.Generator) -> DataSet:
    """Groups of two to five pictures; every third holds both classes."""
    sizes = generator.permutation([2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5, 5])
    groups = np.repeat(np.arange(12), sizes)
    features = generator.normal(size=(len(groups), 3)) + 2 * generator.normal(size=(12, 3))[groups]
    whole = generator.permutation(np.arange(12) % 2)
    parts = [
        generator.permutation(np.arange(size) % 2) if k % 3 == 0 else np.full(size, whole[k])
        for k, size in enumerate(sizes)
    ]
    return features, np.concatenate(parts), groups


@cache
def p_values(kind: str, num_sets: int, first: int = 0) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """For each printed statistic its p-values over null data sets, and the same with ties broken by a coin."""
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for seed in range(first, first + num_sets):
        features, labels, groups = null_set(kind, seed)
        design = plan(labels, groups)
        assert design.kind == kind.split(",")[0]
        null = labellings(design, 99, seed)
        instruments = Instruments(features, design, seed)
        observed, under_null = instruments.measure(labels[None]), instruments.measure(null.labels)
        coin = np.random.default_rng([seed, 2]).random()
        for key, values in under_null.items():
            p = judge(float(observed[key][0]), values, null.exact, null.minimum_p).p_value
            found[key].append((p, tie_randomised(float(observed[key][0]), values, null.exact, coin)))
        # The smallest corrected p-value tells whether even one dimension, or pair, is found falsely.
        smallest = judge_dimensions(features, design, null).p_values.min()
        found["dimensions"].append((float(smallest), np.nan))
        if seed % 4 == 0:
            pairs = associate(features, {"class": labels.tolist()}, groups, seed, num_permutations=99)
            found["features"].append((float(pairs.p_values.min()), np.nan))
    return {key: tuple(np.array(values).T) for key, values in found.items()}  # type: ignore[misc]


def tie_randomised(observed: float, null: np.ndarray, exact: bool, coin: float) -> float:
    """Uniform under the null whatever the ties: the place that the observed value takes among its equals by lot."""
    null, observed = np.round(null, 10), np.round(observed, 10)
    above, equal = int((null > observed).sum()), int((null == observed).sum())
    if exact:
        return (above + coin * equal) / len(null)
    return (above + coin * (equal + 1)) / (len(null) + 1)


def above_level(
    found: dict[str, tuple[np.ndarray, np.ndarray]], num_errors: int
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Rates and bounds of the statistics that are rejected more often than α plus so many standard errors."""
    rates = {key: (p[:, None] <= LEVELS).mean(axis=0) for key, (p, _) in found.items()}
    bounds = {
        key: LEVELS + num_errors * np.sqrt(LEVELS * (1 - LEVELS) / len(p)) for key, (p, _) in found.items()
    }
    return {key: (rates[key], bounds[key]) for key in found if (rates[key] > bounds[key]).any()}


def check_uniform(kind: str, num_sets: int) -> None:
    for key, (_, randomised) in p_values(kind, num_sets).items():
        if not np.isnan(randomised).any():
            assert kstest(randomised, "uniform").pvalue > 0.001, (kind, key)


@pytest.mark.parametrize("kind", KINDS)
def test_null_data_sets_are_rejected_no_more_often_than_the_level(kind: str) -> None:
    """Statistics share their data sets, so that a bad draw shows in several: what looks wrong is looked at again."""
    suspects = far_above_level(p_values(kind, FEW))
    assert not suspects or not suspects & far_above_level(p_values(kind, 4 * FEW, first=FEW))


def far_above_level(found: dict[str, tuple[np.ndarray, np.ndarray]]) -> set[str]:
    """Statistics that are rejected so often as a test at its level is once in a thousand times."""
    rejected = {key: (p[:, None] <= LEVELS).sum(axis=0) for key, (p, _) in found.items()}
    return {key for key in found if (binom.sf(rejected[key] - 1, len(found[key][0]), LEVELS) < 0.001).any()}


@pytest.mark.parametrize("kind", KINDS)
def test_tie_randomised_p_values_are_uniform(kind: str) -> None:
    """Neither too small nor, as a test that never rejects would have them, too large."""
    check_uniform(kind, FEW)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_levels_and_uniformity_hold_over_500_data_sets(kind: str) -> None:
    """Of 144 comparisons about three exceed two standard errors by chance: those have to hold over 2,000 fresh sets."""
    check_uniform(kind, MANY)
    suspects = above_level(p_values(kind, MANY), num_errors=2)
    if suspects:
        again = above_level(p_values(kind, 4 * MANY, first=MANY), num_errors=2)
        assert not set(suspects) & set(again), (suspects, again)


def test_what_is_calibrated_here_is_what_separate_prints() -> None:
    for kind in KINDS:
        features, labels, groups = null_set(kind, 0)
        result = separate({"x": features}, labels, groups, seed=0, num_permutations=99)
        for statistic in result.statistics:
            assert statistic.p_value == p_values(kind, FEW)[statistic.key][0][0]


def naive_rates(kind: str, num_sets: int) -> dict[str, np.ndarray]:
    """Share of null data sets with p ≤ each level for a test that takes every picture for independent."""
    found = defaultdict(list)
    for seed in range(num_sets):
        features, labels, _ = null_set(kind, seed)
        for statistic in separate({"x": features}, labels, None, seed=seed, num_permutations=99).statistics:
            found[statistic.key].append(statistic.p_value)
    return {key: (np.array(values)[:, None] <= LEVELS).mean(axis=0) for key, values in found.items()}


@pytest.mark.parametrize("kind", ["nested", "mixed"])
def test_ignoring_groups_would_find_differences_that_are_not_there(kind: str) -> None:
    rates = naive_rates(kind, 40)
    assert rates["nearest_neighbors"][1] > 0.4
    assert rates["ridge_probe"][1] > 0.15
    assert rates["variance"][1] > 0.3


def false_claims(num_sets: int, num_groups: int) -> tuple[float, float]:
    """How often clusters that know of nothing are said to follow groups more than classes, or to go with classes."""
    groups, claims = np.repeat(np.arange(num_groups), 4), []
    for seed in range(num_sets):
        generator = np.random.default_rng([seed, 3])
        labels = np.tile([0, 1], 2 * num_groups)
        found = meanings_of(generator.integers(0, 3, len(groups)), labels, groups, seed)
        assert found.classes is not None and found.classes.interval is not None
        claims.append((found.clusters_are_groups, found.classes.interval[0] > 0))
    rates = np.mean(claims, axis=0)
    return float(rates[0]), float(rates[1])


@pytest.mark.parametrize(
    ("num_sets", "num_groups"),
    [
        (40, 12),
        pytest.param(MANY, 12, marks=pytest.mark.slow),
        pytest.param(MANY, 40, marks=pytest.mark.slow),
    ],
)
def test_clusters_are_seldom_said_to_follow_what_they_do_not(num_sets: int, num_groups: int) -> None:
    """One end of a 95 % interval: 2.5 %, and two standard errors."""
    assert max(false_claims(num_sets, num_groups)) <= 0.025 + 2 * np.sqrt(0.025 * 0.975 / num_sets)


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
        ("mixed, unequal", "ridge_probe", 6.0),
        ("crossed", "variance_within", 1.5),
        ("nested", "variance", 8.0),
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
