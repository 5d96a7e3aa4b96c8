"""The best of several models on the same pictures: against SciPy's paired t test, and silent under the null."""

import itertools

import numpy as np
import pytest
from scipy.stats import t, ttest_rel

from vae_tf.evaluation.paired import compare_with_best

ALONE = np.full(25, -1)


def test_two_models_without_groups_are_a_paired_t_test():
    random = np.random.default_rng(0)
    for shift in (0.0, 0.3, 0.6, 1.0):
        errors = random.normal(size=(2, 25)) + np.array([[0.0], [shift]])
        found = compare_with_best(errors, ALONE)
        test = ttest_rel(errors[1 - found.best], errors[found.best])
        assert found.difference[1 - found.best] / found.standard_error[1 - found.best] == pytest.approx(
            test.statistic
        )
        assert found.is_clear == (test.pvalue < 0.05)


@pytest.mark.parametrize(("models", "groups"), [(2, 25), (4, 12), (3, 2)])
def test_critical_value_shares_the_level_among_all_pairs(models, groups):
    errors = np.random.default_rng(0).normal(size=(models, 3 * groups))
    found = compare_with_best(errors, np.repeat(np.arange(groups), 3))
    num_pairs = len(list(itertools.combinations(range(models), 2)))
    assert 2 * t.sf(found.critical, groups - 1) * num_pairs == pytest.approx(0.05)


def test_pairing_sees_what_single_intervals_hide():
    random = np.random.default_rng(1)
    hard = random.normal(size=25) * 10
    errors = np.stack([hard, hard + 0.5 + 0.1 * random.normal(size=25)])
    found = compare_with_best(errors, ALONE)
    assert found.best == 0 and found.is_clear
    assert (
        errors.std(axis=1).min() / 5 > 1.0 > 0.5
    )  # each mean alone is uncertain by more than the difference


def clear_share(groups, num, noise, seed=0):
    """How often one of four equally good models is called the best; errors of one group go together."""
    random = np.random.default_rng(seed)
    _, units = np.unique(groups, return_inverse=True)
    clear = 0
    for _ in range(num):
        shared = random.normal(size=(4, units.max() + 1))[:, units]
        clear += compare_with_best(shared + noise * random.normal(size=(4, len(units))), groups).is_clear
    return clear / num


def test_none_is_called_best_where_all_are_equal():
    num = 1500
    limit = 0.05 + 2 * np.sqrt(0.05 * 0.95 / num)
    groups = np.repeat(np.arange(12), 4)
    assert clear_share(groups, num, 0.3) <= limit
    # A naive test takes four pictures of a person for four witnesses.
    random = np.random.default_rng(0)
    shared = random.normal(size=(300, 2, 12)).repeat(4, axis=2)
    naive = [compare_with_best(errors, np.full(48, -1)).is_clear for errors in shared]
    assert np.mean(naive) > 0.2


def test_one_group_and_equal_models_tell_nothing():
    random = np.random.default_rng(2)
    errors = random.normal(size=(2, 10)) + np.array([[0.0], [9.0]])
    assert not compare_with_best(errors, np.zeros(10, np.int64)).is_clear
    assert not compare_with_best(np.stack([errors[0], errors[0]]), np.full(10, -1)).is_clear
