"""Which factor goes with which feature: known answers, and no more false pairs than promised."""

import numpy as np
import pytest

from vae_tf.analysis.association import SMALLEST_LEVEL, associate, explained, levels_of, p_of_largest
from vae_tf.analysis.permutation import Labellings


def table(seed, num=120, num_groups=30):
    """Six features; 0 follows the expression, 1 follows the person, the rest nothing."""
    draws = np.random.default_rng(seed)
    groups = np.arange(num) % num_groups
    expression = np.where(np.arange(num) // num_groups % 2 == 0, "happy", "angry")
    height = draws.normal(size=num_groups)[groups]
    columns = draws.random((num, 6))
    columns[:, 0] = 0.8 * (expression == "happy") + 0.2 * columns[:, 0]
    columns[:, 1] = (height > 0) * 0.7 + 0.3 * columns[:, 1]
    factors = {
        "expression": list(expression),
        "height": height.tolist(),
        "chance": draws.normal(size=num).tolist(),
    }
    return columns, factors, groups


def test_each_factor_is_found_where_it_is_and_nowhere_else():
    columns, factors, groups = table(0)
    found = associate(columns, factors, groups, num_permutations=499)
    assert found.factors == ["expression", "height", "chance"]
    significant = found.p_values <= 0.05
    assert significant[0].tolist() == [True, False, False, False, False, False]
    assert significant[1].tolist() == [False, True, False, False, False, False]
    assert not significant[2].any()
    assert found.strength[0, 0] > 0.9 and 0.5 < found.strength[1, 1] < 1


def test_the_strength_of_two_levels_is_the_adjusted_squared_correlation():
    columns, factors, _ = table(1)
    found = associate(columns, {"expression": factors["expression"]}, num_permutations=99)
    happy = np.array(factors["expression"]) == "happy"
    squared = np.array([np.corrcoef(column, happy)[0, 1] ** 2 for column in columns.T])
    chance = 1 / (len(columns) - 1)
    np.testing.assert_allclose(found.strength[0], np.maximum(0, (squared - chance) / (1 - chance)), atol=1e-9)


@pytest.mark.parametrize("by_group", [False, True])
def test_no_more_false_pairs_than_promised(by_group):
    """Features that follow the person, factors that have nothing to do with them."""
    false = 0
    for seed in range(60):
        draws = np.random.default_rng(seed)
        groups = np.arange(60) // 5
        columns = draws.random((12, 4))[groups] + 0.05 * draws.random((60, 4))
        of_picture, of_person = draws.integers(0, 2, 60), draws.integers(0, 2, 12)[groups]
        other = draws.random(12)[groups] if by_group else draws.random(60)
        factors = {"a": of_person if by_group else of_picture, "b": other}
        found = associate(
            columns, {k: v.tolist() for k, v in factors.items()}, groups, seed, num_permutations=199
        )
        false += bool((found.p_values <= 0.05).any())
    assert false <= 8  # of a binomial of 60 and 0.05 with probability 0.997


def test_shuffling_freely_would_have_found_what_is_not_there():
    """The same features and factors of persons without their groups: nearly always a false pair."""
    false = 0
    for seed in range(10):
        draws = np.random.default_rng(seed)
        groups = np.arange(60) // 5
        columns = draws.random((12, 4))[groups]
        values = draws.random(12)[groups].tolist()
        false += bool((associate(columns, {"a": values}, None, seed, 199).p_values <= 0.05).any())
    assert false >= 8


def test_a_factor_with_one_value_or_too_many_is_left_out_and_said():
    columns, factors, _ = table(2)
    named = {"same": ["x"] * 120, "name": [f"p{i}" for i in range(120)], **factors}
    found = associate(columns, named, num_permutations=49)
    assert found.factors == list(factors) and [note.split()[0] for note in found.notes] == ["same", "name"]


def test_a_feature_that_never_changes_goes_with_nothing():
    columns, factors, _ = table(3)
    columns[:, 5] = 0.25
    found = associate(columns, factors, num_permutations=99)
    assert not found.strength[:, 5].any() and (found.p_values[:, 5] == 1).all()


def test_numbers_become_levels_of_equally_many_and_unknown_ones_none():
    rows, levels = levels_of([None, *np.arange(80.0), float("nan")])
    assert rows.tolist() == list(range(1, 81)) and np.bincount(levels).tolist() == [10] * 8
    assert levels_of([2, 0, 2, 5])[1].tolist() == [1, 0, 1, 2]


def test_many_pictures_are_thinned_out():
    columns, factors, _ = table(4, num=1200)
    assert associate(columns, factors, num_permutations=19).num_pictures == 1000


def test_share_of_labellings_that_reach_a_value_counts_the_observed_one_among_random_ones():
    """(1 + #{≥})/(1 + P) of P random labellings, #{≥}/P of all of them; signs do not count."""
    labels = np.array([[1, 0], [-2, 1], [3, 0]])
    for exact, expected in ((False, [3 / 4, 1.0, 2 / 4, 1 / 4]), (True, [2 / 3, 1.0, 1 / 3, 0.0])):
        null = Labellings(labels, exact, 0.0)
        found = p_of_largest(null, np.array([-2.0, 1.0, 3.0, 3.5]), lambda rows: rows.astype(float))
        assert found == pytest.approx(expected)


def test_variance_between_levels_of_any_size_is_the_textbooks():
    random = np.random.default_rng(6)
    columns = random.normal(size=(10, 2))
    standard = (columns - columns.mean(axis=0)) / columns.std(axis=0)
    levels = np.array([0, 1, 1, 1, 1, 2, 2, 2, 2, 2])
    between = sum(
        (levels == k).sum() * np.square(columns[levels == k].mean(axis=0) - columns.mean(axis=0))
        for k in range(3)
    )
    assert explained(standard, levels[None])[0] == pytest.approx(between / (10 * columns.var(axis=0)))


def test_levels_need_enough_pictures():
    columns = np.random.default_rng(7).normal(size=(3 * SMALLEST_LEVEL, 1))
    names = np.repeat(["a", "b", "c"], SMALLEST_LEVEL).tolist()
    assert associate(columns, {"kind": names}, num_permutations=19).factors == ["kind"]
    assert associate(columns, {"kind": [None, *names[1:]]}, num_permutations=19).factors == []
