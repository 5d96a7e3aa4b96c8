"""Sticks and switches against SciPy, quadrature and their own definitions."""

import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from vae_tf.distributions import Normal, standard_normal_cdf
from vae_tf.stick_breaking import Beta, Kumaraswamy, RelaxedBernoulli, SpikeAndSlab, log_one_minus_exp

shapes = st.floats(0.3, 8.0)
inside = st.floats(0.02, 0.98)


def array(value):
    return np.asarray(value, dtype=np.float32)


def kumaraswamy(a, b):
    return Kumaraswamy(array(a), array(b))


def exact_density(x, a, b):
    """Kumaraswamy's as a change of variables of SciPy's Beta(1, b): x = y^(1/a)."""
    return scipy.stats.beta(1, b).pdf(x**a) * a * x ** (a - 1)


def expectation(function, a, b):
    """E function(log x, log(1 − x), log(1 − x^a)) in double precision, by midpoints over the inverse CDF."""
    log_v = np.log((np.arange(200_000) + 0.5) / 200_000)
    log_x = np.log1p(-np.exp(log_v / b)) / a
    return float(np.mean(function(log_x, np.log(-np.expm1(log_x)), log_v / b)))


@given(shapes, shapes, inside)
def test_beta_is_that_of_scipy(a, b, x):
    ours = Beta(array(a), array(b))
    assert float(ours.log_prob(array(x))) == pytest.approx(
        scipy.stats.beta(a, b).logpdf(x), rel=1e-3, abs=1e-3
    )
    assert float(ours.mean) == pytest.approx(scipy.stats.beta(a, b).mean(), rel=1e-4)


@given(shapes, shapes, inside)
def test_kumaraswamy_density_is_a_transformed_beta(a, b, x):
    ours = float(kumaraswamy(a, b).log_prob(array(x)))
    assert ours == pytest.approx(np.log(exact_density(x, a, b)), rel=1e-3, abs=2e-3)


@given(shapes, shapes, inside)
def test_kumaraswamy_sample_inverts_its_distribution_function(a, b, u):
    x = float(kumaraswamy(a, b).sample(array(u)))
    assert 1 - (1 - x**a) ** b == pytest.approx(u, abs=1e-4)


@pytest.mark.parametrize(("a", "b"), [(0.5, 0.7), (1.0, 1.0), (5.0, 1.0), (3.0, 4.0), (200.0, 1.5)])
def test_kumaraswamy_means_are_those_of_quadrature(a, b):
    ours = kumaraswamy(a, b)
    assert float(ours.mean) == pytest.approx(expectation(lambda log_x, *_: np.exp(log_x), a, b), rel=1e-4)
    assert float(ours.mean_log) == pytest.approx(expectation(lambda log_x, *_: log_x, a, b), rel=1e-3)
    if a <= 10:
        exact = expectation(lambda _, log_rest, __: log_rest, a, b)
        assert float(ours.mean_log_complement) == pytest.approx(exact, rel=1e-3)


@settings(max_examples=30)
@given(st.floats(0.3, 10), st.floats(0.4, 8), shapes, shapes)
def test_divergence_from_a_beta_is_that_of_quadrature(a, b, alpha, beta):
    """The series is cut after 100 terms, its rest integrated: within (β − 1)·1e-3 of E log(1 − x)."""
    ours = float(kumaraswamy(a, b).kl(Beta(array(alpha), array(beta))))
    constant = np.log(a * b) + scipy.special.betaln(alpha, beta)
    exact = constant + expectation(
        lambda log_x, log_rest, log_tail: (a - alpha) * log_x + (b - 1) * log_tail - (beta - 1) * log_rest,
        a,
        b,
    )
    slack = 1e-3 * abs(beta - 1) * abs(expectation(lambda _, log_rest, __: log_rest, a, b))
    assert ours == pytest.approx(exact, rel=1e-3, abs=2e-3 + slack)
    assert ours > -2e-3 - slack


def test_without_the_rest_the_series_of_the_paper_would_be_far_off():
    # b = 1: the m-th term falls as 1/m² only, ten of them leave a / 10.
    cut = -sum(float(kumaraswamy(5.0, 1.0).moment(m)) / m for m in range(1, 11))
    exact = expectation(lambda _, log_rest, __: log_rest, 5.0, 1.0)
    assert abs(cut - exact) > 0.3 > 1e-2 > abs(float(kumaraswamy(5.0, 1.0).mean_log_complement) - exact)


def test_divergence_is_nought_where_the_two_are_one():
    np.testing.assert_allclose(
        kumaraswamy([0.5, 3, 9], 1.0).kl(Beta(array([0.5, 3, 9]), array(1.0))), 0, atol=1e-5
    )


@given(st.floats(-4, 4), st.floats(0.2, 2.0), inside)
def test_relaxed_density_is_the_slope_of_its_distribution_function(logit, temperature, x):
    ours = RelaxedBernoulli(np.float64(logit), temperature)
    step = 1e-5
    slope = (float(ours.cdf(np.float64(x + step))) - float(ours.cdf(np.float64(x - step)))) / (2 * step)
    assert float(ours.log_prob(np.float64(x))) == pytest.approx(np.log(slope), abs=2e-3)


@given(st.floats(-4, 4), st.floats(0.2, 2.0), inside)
def test_relaxed_sample_inverts_its_distribution_function(logit, temperature, u):
    ours = RelaxedBernoulli(np.float64(logit), temperature)
    x = float(ours.sample(np.float64(u)))
    assume(1e-6 < x < 1 - 1e-4)  # nearer to the ends float32 has too few numbers
    assert float(ours.cdf(np.float64(x))) == pytest.approx(u, abs=1e-3)


@given(st.floats(-4, 4))
def test_relaxed_lies_above_a_half_as_often_as_the_switch_is_on(logit):
    assert 1 - float(RelaxedBernoulli(array(logit), 0.5).cdf(array(0.5))) == pytest.approx(
        1 / (1 + np.exp(-logit)), abs=1e-5
    )


def spike_and_slab(logit=0.4, mean=0.7, log_variance=-0.8):
    return SpikeAndSlab(array(logit), Normal(array(mean), array(log_variance)))


def draws(q, num=400_000, seed=0, temperature=0.5):
    generator = np.random.default_rng(seed)
    noise = generator.standard_normal(num).astype(np.float32)
    return np.asarray(q.sample(noise, generator.uniform(1e-6, 1 - 1e-6, num).astype(np.float32), temperature))


def test_spike_and_slab_has_the_moments_that_it_states():
    q = spike_and_slab()
    z = draws(q)
    assert np.mean(z != 0) == pytest.approx(float(q.on), abs=3e-3)
    assert z.mean() == pytest.approx(float(q.mean), abs=5e-3)
    assert z.var() == pytest.approx(float(np.exp(q.log_variance)), rel=1e-2)


def test_spike_and_slab_density_sums_to_one():
    q = spike_and_slab()
    slab = (
        quad(lambda z: float(np.exp(q.log_prob(array(z)))), -8, -1e-9)[0]
        + quad(lambda z: float(np.exp(q.log_prob(array(z)))), 1e-9, 8)[0]
    )
    assert slab + float(np.exp(q.log_prob(array(0.0)))) == pytest.approx(1.0, abs=1e-4)


def test_divergence_of_spikes_and_slabs_equals_monte_carlo():
    q, p = spike_and_slab(), spike_and_slab(-1.0, 0.0, 0.0)
    z = draws(q)
    ratio = np.asarray(q.log_prob(z)) - np.asarray(p.log_prob(z))
    assert abs(ratio.mean() - float(q.kl(p))) < 4 * ratio.std() / np.sqrt(len(z))
    assert float(q.kl(q)) == pytest.approx(0.0, abs=1e-6) and float(q.kl(p)) > 0.1


def test_straight_through_gradient_is_that_of_the_relaxation():
    logits, noise = tf.Variable([0.3, -1.0]), np.array([0.6, 0.2], np.float32)
    slab = Normal(tf.constant([1.5, 1.5]), tf.constant([-1.0, -1.0]))
    with tf.GradientTape(persistent=True) as tape:
        z = tf.reduce_sum(SpikeAndSlab(logits, slab).sample(array([0.2, 0.2]), noise, 0.5))
        soft = tf.reduce_sum(RelaxedBernoulli(logits, 0.5).sample(noise) * slab.sample(array([0.2, 0.2])))
    np.testing.assert_allclose(tape.gradient(z, logits), tape.gradient(soft, logits), rtol=1e-6)
    assert np.asarray(tape.gradient(z, logits)).all()


def test_what_is_off_is_exactly_off():
    z = draws(spike_and_slab(-2.0), num=10_000, temperature=1.7)
    assert set(np.unique(z == 0)) == {False, True} and np.abs(z[z != 0]).min() > 0


@given(st.floats(-50, -1e-4))
def test_log_one_minus_exp_is_that_of_double_precision(x):
    assert float(log_one_minus_exp(array(x))) == pytest.approx(
        np.log(-np.expm1(np.float64(x))), rel=1e-4, abs=1e-7
    )


@given(st.floats(-4, 4))
def test_standard_normal_cdf_is_that_of_scipy(x):
    assert float(standard_normal_cdf(array(x))) == pytest.approx(scipy.stats.norm.cdf(x), abs=1e-6)
