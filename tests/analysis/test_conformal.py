"""The promise of a conformal threshold, on thousands of null data sets."""

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import binom

from vae_tf.analysis.conformal import one_of_each, p_values, promise, share, smallest_alpha, threshold
from vae_tf.errors import UserError

NUM_SETS = 20_000


def alarms(calibration, new, allowed):
    """Whether each new score [R] lies above the threshold of its own calibration scores [R, n]."""
    return new > np.sort(calibration, axis=1)[:, -allowed]


def within_error(found, rate, errors=4.0):
    return abs(found.mean() - rate) < errors * np.sqrt(rate * (1 - rate) / len(found))


@pytest.mark.parametrize(("n", "alpha", "k"), [(19, 0.05, 1), (30, 0.05, 1), (39, 0.1, 4), (99, 0.29, 29)])
def test_the_rate_is_exactly_the_one_that_is_stated(n, alpha, k):
    found = promise(n, alpha)
    assert (found.allowed, found.rate) == (k, k / (n + 1))
    # Any distribution: the ranks alone matter.
    scores = np.random.default_rng(n).lognormal(sigma=3, size=(NUM_SETS, n + 1))
    assert within_error(alarms(scores[:, :-1], scores[:, -1], k), k / (n + 1))


def test_ties_give_no_more_alarms_than_promised():
    scores = np.random.default_rng(0).integers(0, 4, (NUM_SETS, 40)).astype(float)
    found = promise(39, 0.1)
    rate = alarms(scores[:, :-1], scores[:, -1], found.allowed).mean()
    assert rate <= found.rate + 3 * np.sqrt(found.rate / NUM_SETS)
    p = np.array([p_values(row[-1:], row[:-1])[0] for row in scores[:4000]])
    for alpha in (0.05, 0.1, 0.25, 0.5):
        assert np.mean(p <= alpha) <= alpha + 3 * np.sqrt(alpha / 4000)


def test_p_is_at_most_alpha_exactly_above_the_threshold():
    random = np.random.default_rng(1)
    for n, alpha in ((19, 0.05), (57, 0.1), (40, 0.3)):
        calibration = random.integers(0, 30, n).astype(float)
        new = np.arange(-1.0, 32.0)
        limit = threshold(calibration, promise(n, alpha).allowed)
        p = p_values(new, calibration)
        np.testing.assert_array_equal(p <= alpha + 1e-12, new > limit)
        assert p.tolist() == [(1 + sum(calibration >= value)) / (n + 1) for value in new]


def grouped(random, num_groups):
    """Scores of groups of 1 to 12 pictures, where large groups are less odd: (scores, groups)."""
    sizes = random.integers(1, 13, num_groups)
    groups = np.repeat(np.arange(num_groups), sizes)
    level = random.normal(size=num_groups) - 0.3 * sizes
    return level[groups] + 0.3 * random.normal(size=len(groups)), groups


def test_one_picture_of_each_group_keeps_the_promise_and_all_pictures_do_not():
    by_group, by_picture, seen = [], [], []
    for seed in range(4000):
        random = np.random.default_rng(seed)
        scores, groups = grouped(random, 41)
        # A picture drawn from the last group, which is as good as any.
        new = random.choice(scores[groups == 40])
        rest, keys = scores[groups < 40], groups[groups < 40]
        chosen = one_of_each(keys, seed)
        assert np.array_equal(keys[chosen], np.arange(40))
        by_group.append(new > threshold(rest[chosen], promise(40, 0.1).allowed))
        by_picture.append(new > threshold(rest, promise(len(rest), 0.1).allowed))
        seen.append(promise(len(rest), 0.1).rate)
    assert within_error(np.array(by_group), promise(40, 0.1).rate)
    assert np.mean(by_picture) > 1.5 * np.mean(seen)


def test_a_threshold_by_trained_on_pictures_gives_too_many_alarms():
    """What a model has learned from looks less odd to it: here what a few principal components leave over."""
    naive, conformal = [], []
    allowed = promise(39, 0.05).allowed
    for seed in range(400):
        random = np.random.default_rng(seed)
        train, calibration, new = (random.normal(size=(num, 40)) for num in (50, 39, 20))
        components = np.linalg.svd(train, full_matrices=False)[2][:20]

        def left_over(rows, components=components):
            return np.square(rows - rows @ components.T @ components).sum(axis=1)

        odd = left_over(new)
        naive.append(np.mean(odd > np.quantile(left_over(train), 0.95)))
        conformal.append(np.mean(odd > threshold(left_over(calibration), allowed)))
    assert np.mean(naive) > 0.5
    assert abs(np.mean(conformal) - promise(39, 0.05).rate) < 0.01


def test_the_rate_of_one_calibration_and_the_alarms_to_expect():
    found = promise(39, 0.1)
    random = np.random.default_rng(2)
    scores = random.uniform(size=(NUM_SETS, 39))
    # The rate of each threshold, known because scores are uniform.
    rates = 1.0 - np.sort(scores, axis=1)[:, -found.allowed]
    assert abs(np.mean((rates >= found.low) & (rates <= found.high)) - 0.95) < 0.006
    low, high = found.expected_alarms(60)
    counts = random.binomial(60, rates)
    assert np.mean((counts >= low) & (counts <= high)) >= 0.945
    assert np.mean((counts > low) & (counts < high)) < 0.95


@pytest.mark.parametrize(("n", "alpha"), [(19, 0.05), (39, 0.1), (12, 0.25)])
def test_intervals_are_those_of_binomial_counts(n, alpha):
    """Beta(k, n + 1 − k) lies below x as often as at least k of n uniform numbers do; alarms are then binomial."""
    found = promise(n, alpha)
    assert binom.sf(found.allowed - 1, n, found.low) == pytest.approx(0.025)
    assert binom.sf(found.allowed - 1, n, found.high) == pytest.approx(0.975)
    middles = (np.arange(4000) + 0.5) / 4000
    rates = np.array([brentq(lambda x, q=q: binom.sf(found.allowed - 1, n, x) - q, 0, 1) for q in middles])
    low, high = found.expected_alarms(60)
    at_most = [binom.cdf(count, 60, rates).mean() for count in (low - 1, low, high - 1, high)]
    assert at_most[0] < 0.025 <= at_most[1] and at_most[2] < 0.975 <= at_most[3]


def test_a_level_that_cannot_be_promised_is_refused_with_the_smallest_that_can():
    with pytest.raises(
        UserError, match=r"0\.05 needs 19 normal pictures or groups for calibration, and there are 18"
    ):
        promise(18, 0.05)
    for n in (1, 6, 18, 57, 226, 4321):
        assert promise(n, float(smallest_alpha(n))).allowed == 1
    with pytest.raises(UserError) as caught:
        promise(18, 0.01)
    assert smallest_alpha(18) == "0.0527" and "0.0527" in caught.value.hint
    for alpha in (0.0, 1.0, -0.1, float("nan")):
        with pytest.raises(UserError, match="--alpha"):
            promise(100, alpha)


def test_shares_have_the_intervals_of_clopper_and_pearson():
    """Values from their closed forms: (α/2)^(1/n) for none or all."""
    nothing, everything = share(np.zeros(20, bool)), share(np.ones(20, bool))
    assert (nothing.low, nothing.high) == pytest.approx((0.0, 1 - 0.025 ** (1 / 20)))
    assert (everything.low, everything.high) == pytest.approx((0.025 ** (1 / 20), 1.0))
    none = share(np.zeros(0, bool))
    assert np.isnan(none.value) and (none.low, none.high) == (0.0, 1.0)
