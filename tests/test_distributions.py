"""Distributions against SciPy, closed forms against Monte Carlo."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from vae_tf.distributions import Bernoulli, Normal

means = st.floats(-3, 3)
log_variances = st.floats(-3, 2)


def array(value):
    return np.asarray(value, dtype=np.float32)


@given(means, log_variances, st.floats(-5, 5))
def test_normal_log_prob_equals_scipy(mean, log_variance, x):
    ours = float(Normal(array(mean), array(log_variance)).log_prob(array(x)))
    theirs = scipy.stats.norm(mean, np.exp(0.5 * log_variance)).logpdf(x)
    assert ours == pytest.approx(theirs, rel=1e-4, abs=1e-4)


@given(means, log_variances, means, log_variances)
def test_normal_kl_is_nonnegative_and_equals_the_textbook_formula(m0, v0, m1, v1):
    ours = float(Normal(array(m0), array(v0)).kl(Normal(array(m1), array(v1))))
    s0, s1 = np.exp(0.5 * v0), np.exp(0.5 * v1)
    textbook = np.log(s1 / s0) + (s0**2 + (m0 - m1) ** 2) / (2 * s1**2) - 0.5
    assert ours == pytest.approx(textbook, rel=1e-3, abs=1e-4)
    assert ours >= -1e-5


def test_normal_kl_equals_monte_carlo():
    q, p = Normal(array([0.7, -1.2]), array([-1.0, 0.4])), Normal(array([0.0, 0.3]), array([0.0, 0.5]))
    noise = np.random.default_rng(1).standard_normal((400_000, 2)).astype(np.float32)
    z = np.asarray(q.sample(noise))
    differences = np.asarray(q.log_prob(z)) - np.asarray(p.log_prob(z))
    error = differences.std(axis=0) / np.sqrt(len(noise))
    np.testing.assert_array_less(np.abs(differences.mean(axis=0) - np.asarray(q.kl(p))), 4 * error)


def test_normal_samples_have_its_moments():
    noise = np.random.default_rng(2).standard_normal(200_000).astype(np.float32)
    samples = np.asarray(Normal(array(1.5), array(np.log(4.0))).sample(noise))
    assert samples.mean() == pytest.approx(1.5, abs=0.02)
    assert samples.std() == pytest.approx(2.0, abs=0.02)


@given(st.floats(-6, 6), st.sampled_from([0, 1]))
def test_bernoulli_log_prob_equals_scipy(logit, x):
    ours = float(Bernoulli(array(logit)).log_prob(array(x)))
    theirs = scipy.stats.bernoulli(1 / (1 + np.exp(-logit))).logpmf(x)
    assert ours == pytest.approx(theirs, rel=1e-4, abs=1e-5)


def test_bernoulli_log_prob_stays_finite_where_probabilities_round_to_one():
    assert float(Bernoulli(array(200.0)).log_prob(array(0.0))) == pytest.approx(-200.0)


@given(st.floats(-4, 4), st.floats(-4, 4))
def test_bernoulli_kl_equals_the_sum_over_both_outcomes(a, b):
    p, q = 1 / (1 + np.exp(-a)), 1 / (1 + np.exp(-b))
    brute = p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))
    assert float(Bernoulli(array(a)).kl(Bernoulli(array(b)))) == pytest.approx(brute, abs=1e-4)


def test_bernoulli_samples_have_its_mean():
    noise = np.random.default_rng(3).uniform(size=100_000).astype(np.float32)
    assert np.asarray(Bernoulli(array(0.8)).sample(noise)).mean() == pytest.approx(0.69, abs=0.01)
