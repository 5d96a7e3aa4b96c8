"""Correlations with known factors against SciPy's own, and p-values that hold under the null."""

import numpy as np
import pytest
from scipy.stats import f_oneway, spearmanr

from vae_tf.analysis.correlation import SMALLEST_NUM, correlate


def test_rho_and_eta_are_the_textbooks():
    random = np.random.default_rng(0)
    columns = random.normal(size=(40, 3))
    age = np.rint(columns[:, 0] * 2 + random.normal(size=40)).tolist()
    kind = [str(i % 3) for i in range(40)]
    found = correlate(columns, {"age": age, "kind": kind}, num_permutations=99)
    assert found.factors == ["age", "kind"] and found.kinds == ["spearman", "eta"]
    assert found.num_comparisons == 6
    for j in range(3):
        assert found.strength[0, j] == pytest.approx(spearmanr(columns[:, j], age).statistic, abs=1e-12)
        # η² = F·(k − 1) / (F·(k − 1) + n − k).
        f = f_oneway(*(columns[np.array(kind) == level, j] for level in "012")).statistic
        assert found.strength[1, j] ** 2 == pytest.approx(2 * f / (2 * f + 37), abs=1e-12)
    assert found.p_values[0, 0] <= 0.02 and found.p_values[1].min() > 0.05


def test_unknown_values_are_left_out_and_words_that_name_each_picture_too():
    columns = np.random.default_rng(1).normal(size=(20, 2))
    values = [None if i < 5 else float(i) for i in range(20)]
    found = correlate(columns, {"some": values, "name": [f"n{i}" for i in range(20)]}, num_permutations=99)
    assert found.factors == ["some"] and "name" in found.notes[0]
    assert found.strength[0, 1] == pytest.approx(spearmanr(columns[5:, 1], values[5:]).statistic, abs=1e-12)


def test_ties_share_their_ranks_in_columns_and_in_factors():
    random = np.random.default_rng(3)
    columns = random.integers(0, 4, (30, 2)).astype(float)
    age = (columns[:, 0] + random.integers(0, 3, 30)).tolist()
    found = correlate(columns, {"age": age}, num_permutations=19)
    for j in range(2):
        assert found.strength[0, j] == pytest.approx(spearmanr(columns[:, j], age).statistic, abs=1e-12)


def test_two_numbers_have_an_order_and_two_words_have_none():
    columns = np.random.default_rng(6).normal(size=(40, 1))
    older = (columns[:, 0] < 0).astype(int).tolist()
    found = correlate(columns, {"older": older, "word": [f"{i}s" for i in older]}, num_permutations=19)
    assert found.kinds == ["spearman", "eta"]
    assert found.strength[0, 0] == pytest.approx(spearmanr(columns[:, 0], older).statistic, abs=1e-12)
    assert found.strength[0, 0] < -0.5 < 0.5 < found.strength[1, 0]


def test_corrected_p_is_a_probability_and_few_or_equal_values_are_left_out():
    columns = np.random.default_rng(4).normal(size=(40, 1))
    random = np.random.default_rng(5)
    factors = {f"f{i}": random.normal(size=40).tolist() for i in range(4)}
    assert correlate(columns, factors, num_permutations=19).p_values.max() <= 1.0
    known = {"enough": SMALLEST_NUM, "few": SMALLEST_NUM - 1}
    factors = {name: [float(i) if i < num else None for i in range(40)] for name, num in known.items()}
    found = correlate(columns, {**factors, "same": [1.0] * 40}, num_permutations=19)
    assert found.factors == ["enough"] and [note.split()[0] for note in found.notes] == ["few", "same"]


def test_each_p_is_corrected_for_the_number_of_factors_tested():
    random = np.random.default_rng(6)
    columns = random.normal(size=(40, 2))
    factors = {f"f{i}": (columns[:, 0] + i * random.normal(size=40)).tolist() for i in range(1, 4)}
    together = correlate(columns, {**factors, "same": [1.0] * 40}, num_permutations=199)
    alone = [
        correlate(columns, {name: values}, num_permutations=199).p_values[0]
        for name, values in factors.items()
    ]
    assert (np.array(alone)[:, 0] >= 0.005).all() and np.max(alone) > 1 / 3
    np.testing.assert_allclose(together.p_values, np.minimum(1.0, 3 * np.array(alone)))


def null_p(seed, groups):
    """The least corrected p of two factors of groups with four columns of groups, which have nothing in common."""
    random = np.random.default_rng(seed)
    own = random.normal(size=(10, 4))
    columns = own[GROUPS] + 0.3 * random.normal(size=(30, 4))
    age = random.permutation(10)[GROUPS].tolist()
    kind = [str(k) for k in (random.permutation(10) % 2)[GROUPS]]
    return correlate(columns, {"age": age, "kind": kind}, groups, seed, 99).p_values.min()


GROUPS = np.repeat(np.arange(10), 3)


def test_a_false_link_has_a_chance_of_5_percent_where_groups_are_known_and_not_where_they_are_ignored():
    num = 120
    told = np.mean([null_p(seed, GROUPS) <= 0.05 for seed in range(num)])
    naive = np.mean([null_p(seed, None) <= 0.05 for seed in range(num)])
    assert told <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / num)
    assert naive > 0.3
