"""Likelihoods and their distributions against SciPy, numerical integration and sums over grey levels."""

import keras
import numpy as np
import pytest
import scipy.integrate
import scipy.stats
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from vae_tf.distributions import ContinuousBernoulli, DiscretisedLogistic
from vae_tf.errors import UserError
from vae_tf.parts import REGISTRY, build_part

SHAPE = (2, 4, 4, 3)
LEVELS = np.arange(256) / 255.0
GREY = np.linspace(0, 255, 48).astype(np.uint8).reshape(1, 4, 4, 3)
# Of pictures; that of sentences has its tests in test_sentence.py.
NAMES = sorted(set(REGISTRY["likelihood"]) - {"categorical"})
# Every way of writing a likelihood that a user has.
VARIANTS = [
    ("gaussian", {"scale": 0.1, "activation": "linear"}),
    ("gaussian", {"scale": "learned"}),
    ("gaussian", {"scale": "pixel"}),
    ("gaussian", {"scale": "output"}),
    ("bernoulli", {}),
    ("continuous_bernoulli", {}),
    ("discretised_logistic", {"scale": "learned"}),
    ("discretised_logistic", {"scale": "pixel"}),
    ("discretised_logistic", {"scale": "output"}),
    ("discretised_logistic", {"scale": 0.02, "activation": "sigmoid"}),
]
variants = pytest.mark.parametrize(("name", "arguments"), VARIANTS)


def array(value):
    return np.asarray(value, dtype=np.float32)


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-np.asarray(x, np.float64)))


def softplus(x):
    return np.log1p(np.exp(np.asarray(x, np.float64)))


def make(name, dtype="float32", **arguments):
    likelihood = build_part("likelihood", name, dtype=dtype, **arguments)
    likelihood.build((None, *SHAPE[1:3], SHAPE[3] * likelihood.outputs_per_channel))
    return likelihood


def random_output(likelihood, seed=0):
    shape = (*SHAPE[:-1], SHAPE[-1] * likelihood.outputs_per_channel)
    return array(np.random.default_rng(seed).normal(size=shape))


def random_picture(seed=1):
    return array(np.random.default_rng(seed).integers(0, 256, SHAPE) / 255.0)


# What every likelihood promises.


def test_variants_hold_every_likelihood():
    assert {name for name, _ in VARIANTS} == set(NAMES)


@variants
def test_shapes_and_range(name, arguments):
    likelihood = make(name, **arguments)
    output, x = random_output(likelihood), random_picture()
    assert output.shape[-1] == SHAPE[-1] * (2 if arguments.get("scale") == "output" else 1)
    several = np.stack([output, output + 1.0, output - 1.0])
    assert likelihood.mean(several).shape == (3, *SHAPE)
    assert likelihood.log_prob(several, x).shape == (3, SHAPE[0])
    assert likelihood.sample(output, np.full(SHAPE, 0.5, np.float32)).shape == SHAPE
    mean = np.asarray(likelihood(100 * output))
    assert mean.min() >= 0 and mean.max() <= 1 and np.ptp(mean) > 0.9
    np.testing.assert_allclose(likelihood.log_prob(several, x)[0], likelihood.log_prob(output, x), rtol=1e-6)


@variants
def test_gradients_are_finite_where_outputs_are_extreme(name, arguments):
    likelihood = make(name, **arguments)
    shape = (*SHAPE[:-1], SHAPE[-1] * likelihood.outputs_per_channel)
    for x in (np.zeros(SHAPE), np.full(SHAPE, 100 / 255), np.ones(SHAPE)):
        for first, second in ((50, 50), (50, -50), (-50, 50), (-50, -50), (0, 0)):
            values = np.full(shape, float(first))
            if likelihood.outputs_per_channel == 2:
                values[..., SHAPE[-1] :] = second
            output = tf.Variable(array(values))
            with tf.GradientTape() as tape:
                log_prob = likelihood.log_prob(output, array(x))
            gradients = tape.gradient(log_prob, [output, *likelihood.trainable_variables])
            assert np.isfinite(log_prob).all()
            assert all(np.isfinite(gradient).all() for gradient in gradients)


@variants
@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_computes_in_float32_under_mixed_precision(name, arguments, precision):
    plain, mixed = make(name, **arguments), make(name, dtype=precision, **arguments)
    output, x = random_output(plain), random_picture()
    for ours, theirs in (
        (mixed(output), plain(output)),
        (mixed.log_prob(output, x), plain.log_prob(output, x)),
    ):
        assert keras.backend.standardize_dtype(ours.dtype) == "float32"
        np.testing.assert_array_equal(ours, theirs)
    assert mixed.mean(tf.cast(output, "float16")).dtype == "float32"


@variants
def test_samples_have_the_mean(name, arguments):
    likelihood = make(name, **arguments)
    shape = (*SHAPE[:-1], SHAPE[-1] * likelihood.outputs_per_channel)
    # Away from black and white, so that a mean cut to [0, 1] is still the mean.
    output = array(np.random.default_rng(2).uniform(0.2, 0.8, shape))
    draws, num = np.random.default_rng(3), 20_000
    noise = draws.standard_normal if likelihood.noise == "normal" else draws.random
    samples = np.asarray(likelihood.sample(output, noise((num, *SHAPE), dtype=np.float32)))
    # 5 standard errors for 96 pixels, and half a thousandth for the logistic's mean in closed form.
    allowed = 5 * samples.std(axis=0) / np.sqrt(num) + 5e-4
    np.testing.assert_array_less(np.abs(samples.mean(axis=0) - np.asarray(likelihood.mean(output))), allowed)
    assert (samples.std(axis=0) > 0.015).all()


@variants
def test_configuration_makes_an_equal_likelihood(name, arguments):
    likelihood = make(name, **arguments)
    again = type(likelihood).from_config(likelihood.get_config())
    again.build((None, *SHAPE[1:3], SHAPE[3] * again.outputs_per_channel))
    output, x = random_output(likelihood), random_picture()
    np.testing.assert_array_equal(again.log_prob(output, x), likelihood.log_prob(output, x))


def test_units_tell_densities_from_masses_and_masses_from_each_other():
    parts = {name: make(name) for name in NAMES}
    assert {name: part.is_density for name, part in parts.items()} == {
        "bernoulli": False,
        "continuous_bernoulli": True,
        "discretised_logistic": False,
        "gaussian": True,
    }
    assert parts["gaussian"].unit == parts["continuous_bernoulli"].unit == "nats of density over [0, 1]"
    assert len({parts[name].unit for name in ("gaussian", "bernoulli", "discretised_logistic")}) == 3


@variants
def test_compiled_by_xla_as_eager(name, arguments):
    likelihood = make(name, **arguments)
    output, x = tf.constant(random_output(likelihood)), random_picture()

    def value_and_slope(output):
        with tf.GradientTape() as tape:
            tape.watch(output)
            log_prob = likelihood.log_prob(output, x)
        return log_prob, tape.gradient(log_prob, output)

    compiled = tf.function(value_and_slope, jit_compile=True)
    for ours, theirs in zip(compiled(output), value_and_slope(output), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3)


# Warnings.


@pytest.mark.parametrize("white", [np.uint8(255), np.uint16(65535), np.float32(1)])
def test_bernoulli_warns_of_grey_pixels_only(white):
    likelihood = build_part("likelihood", "bernoulli")
    binary = np.zeros((10, 4, 4, 1), white.dtype)
    binary[:, :2] = white
    assert likelihood.warning_for(binary) is None
    stray = binary.copy()
    stray[0, 0, :3] = white / 2
    assert likelihood.warning_for(stray) is None
    grey = binary.copy()
    grey[:, 0] = white / 2
    assert likelihood.warning_for(grey) == (
        "Grey pixels under a Bernoulli likelihood: its nats are no density; "
        "--likelihood continuous_bernoulli or gaussian"
    )


def test_discretised_logistic_warns_of_more_than_8_bits():
    likelihood = build_part("likelihood", "discretised_logistic")
    assert likelihood.warning_for(GREY) is None
    assert likelihood.warning_for(GREY.astype(np.uint16) * 257) is None
    assert likelihood.warning_for(array(GREY / 255)) is None
    assert "256 grey levels" in likelihood.warning_for(GREY.astype(np.uint16) * 200)
    assert "256 grey levels" in likelihood.warning_for(array(GREY / 300))


@pytest.mark.parametrize("name", ["gaussian", "continuous_bernoulli"])
def test_densities_of_grey_pixels_need_no_warning(name):
    assert build_part("likelihood", name).warning_for(GREY) is None


# Gaussian: σ of a picture's pixels.


def test_gaussian_with_one_scale_per_pixel_equals_scipy():
    likelihood = make("gaussian", scale="pixel", activation="linear")
    raw = np.random.default_rng(4).normal(size=SHAPE[1:])
    likelihood.raw_scale.assign(raw)
    sigma = 0.01 + softplus(raw)
    output, x = random_output(likelihood), random_picture()
    expected = scipy.stats.norm(output, sigma).logpdf(x).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(likelihood.log_prob(output, x), expected, rtol=1e-5)
    assert float(likelihood.standard_deviation) == pytest.approx(np.sqrt(np.mean(sigma**2)), rel=1e-5)


def test_gaussian_with_scales_from_the_decoder_equals_scipy():
    likelihood = make("gaussian", scale="output", initial=0.3)
    output, x = random_output(likelihood), random_picture()
    mean = sigmoid(output[..., :3])
    sigma = 0.01 + softplus(output[..., 3:] + np.log(np.expm1(0.29)))
    expected = scipy.stats.norm(mean, sigma).logpdf(x).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(likelihood.log_prob(output, x), expected, rtol=1e-5)
    np.testing.assert_allclose(likelihood.mean(output), mean, rtol=1e-5)


@pytest.mark.parametrize("scale", ["pixel", "output"])
@pytest.mark.parametrize("name", ["gaussian", "discretised_logistic"])
def test_scales_begin_at_the_initial_one_and_never_pass_the_floor(name, scale):
    likelihood = make(name, scale=scale, floor=0.05, initial=0.4)
    output = np.zeros((*SHAPE[:-1], SHAPE[-1] * likelihood.outputs_per_channel), np.float32)
    np.testing.assert_allclose(likelihood.location_and_deviation(output)[1], 0.4, rtol=1e-5)
    if scale == "pixel":
        likelihood.raw_scale.assign(np.full(SHAPE[1:], -100.0))
    else:
        output[..., 3:] = -100.0
    np.testing.assert_allclose(likelihood.location_and_deviation(output)[1], 0.05, rtol=1e-5)


def test_likelihood_without_a_scale_of_its_own_shows_none():
    for name in ("gaussian", "discretised_logistic"):
        assert not hasattr(make(name, scale="output"), "standard_deviation")
        assert float(make(name, scale="pixel").standard_deviation) == pytest.approx(0.2, rel=1e-5)
        assert float(make(name, scale=0.25).standard_deviation) == pytest.approx(0.25)
    assert not hasattr(make("continuous_bernoulli"), "standard_deviation")


@pytest.mark.parametrize("name", ["gaussian", "discretised_logistic"])
def test_unknown_scales_are_refused_with_the_choices(name):
    with pytest.raises(UserError, match="'wide'") as refusal:
        build_part("likelihood", name, scale="wide")
    assert "learned, pixel, output" in str(refusal.value.__dict__)


def test_bernoulli_equals_scipy_on_black_and_white():
    likelihood = make("bernoulli")
    output, x = random_output(likelihood), np.round(random_picture())
    expected = scipy.stats.bernoulli(sigmoid(output)).logpmf(x).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(likelihood.log_prob(output, x), expected, rtol=1e-5)


# Continuous Bernoulli.

# Both sides of ½ and of the border between series and closed form (η = ±1), and far out.
LOGITS = [-50.0, -5.0, -1.001, -0.999, -1e-2, -1e-4, 0.0, 1e-6, 1e-3, 0.3, 0.999, 1.001, 2.0, 50.0]


def unnormalised(logit):
    """λˣ (1 − λ)¹⁻ˣ with its integral and its first moment over [0, 1], by quadrature in double precision."""
    on, off = -softplus(-logit), -softplus(logit)

    def density(x):
        return np.exp(x * on + (1 - x) * off)

    points = [0.01, 0.1, 0.9, 0.99]
    integral = scipy.integrate.quad(density, 0, 1, points=points, epsabs=0, epsrel=1e-11)[0]
    moment = scipy.integrate.quad(lambda x: x * density(x), 0, 1, points=points, epsabs=0, epsrel=1e-11)[0]
    return density, integral, moment / integral


@pytest.mark.parametrize("logit", LOGITS)
def test_continuous_bernoulli_equals_quadrature(logit):
    density, integral, mean = unnormalised(logit)
    ours = ContinuousBernoulli(array(logit))
    assert float(ours.mean) == pytest.approx(mean, abs=2e-7)
    for x in (0.0, 0.2, 0.5, 1.0):
        expected = np.log(density(x) / integral)
        assert float(ours.log_prob(array(x))) == pytest.approx(expected, rel=1e-6, abs=1e-6)


@given(st.floats(1e-4, 1 - 1e-4).filter(lambda p: abs(p - 0.5) > 1e-3), st.floats(0, 1))
def test_continuous_bernoulli_has_the_papers_normaliser(p, x):
    normaliser = 2 * np.arctanh(1 - 2 * p) / (1 - 2 * p)
    expected = np.log(normaliser * p**x * (1 - p) ** (1 - x))
    ours = float(ContinuousBernoulli(array(np.log(p / (1 - p)))).log_prob(array(x)))
    assert ours == pytest.approx(expected, rel=1e-5, abs=3e-6)


@given(st.floats(-8, 8))
def test_continuous_bernoulli_mean_is_the_slope_of_its_log_partition(logit):
    logits = tf.Variable(array(logit))
    with tf.GradientTape() as tape:
        log_partition = ContinuousBernoulli(logits).log_partition
    slope = float(tape.gradient(log_partition, logits))
    assert slope == pytest.approx(float(ContinuousBernoulli(logits).mean), abs=2e-6)


def test_continuous_bernoulli_mean_has_the_uniforms_variance_as_its_slope_at_one_half():
    logits = tf.Variable(0.0)
    with tf.GradientTape() as tape:
        mean = ContinuousBernoulli(logits).mean
    assert float(tape.gradient(mean, logits)) == pytest.approx(1 / 12, rel=1e-6)


@given(st.floats(-6, 6), st.floats(-6, 6))
def test_continuous_bernoulli_kl_equals_quadrature(a, b):
    (p, p_integral, _), (q, q_integral, _) = unnormalised(a), unnormalised(b)
    expected = scipy.integrate.quad(
        lambda x: p(x) / p_integral * np.log(p(x) / p_integral * q_integral / q(x)), 0, 1
    )[0]
    ours = float(ContinuousBernoulli(array(a)).kl(ContinuousBernoulli(array(b))))
    assert ours == pytest.approx(expected, abs=5e-6)


@pytest.mark.parametrize("logit", [-30.0, -2.0, -1e-5, 0.0, 1e-3, 2.0, 30.0])
def test_continuous_bernoulli_samples_invert_its_distribution_function(logit):
    noise = array(np.linspace(0, 0.999, 50))
    x = np.asarray(ContinuousBernoulli(array(logit)).sample(noise), np.float64)
    distribution = np.expm1(logit * x) / np.expm1(logit) if logit else x
    np.testing.assert_allclose(distribution, noise, atol=3e-6)


def test_cross_entropy_of_grey_pixels_is_the_density_without_its_normaliser():
    plain, normalised = make("bernoulli"), make("continuous_bernoulli")
    output, x = random_output(plain), random_picture()
    p = sigmoid(output)
    normaliser = np.log(2 * np.arctanh(1 - 2 * p) / (1 - 2 * p)).sum(axis=(1, 2, 3))
    difference = np.asarray(normalised.log_prob(output, x)) - np.asarray(plain.log_prob(output, x))
    np.testing.assert_allclose(difference, normaliser, rtol=1e-4)
    assert (normaliser > 20).all()


# Discretised logistic.

locations, scales = st.floats(-1, 2), st.floats(-6, 3).map(np.exp)


def exact_masses(location, scale):
    """Masses of the 256 levels in double precision, tails by the survival function."""
    logistic = scipy.stats.logistic(location, scale)
    edges = np.concatenate([[-np.inf], (np.arange(255) + 0.5) / 255, [np.inf]])
    # A difference of distribution functions left of the middle, of survival functions right of it.
    left, right = np.diff(logistic.cdf(edges)), -np.diff(logistic.sf(edges))
    return np.where(location > LEVELS, left, right)


@given(locations, scales)
def test_discretised_logistic_masses_sum_to_one_and_equal_scipy(location, scale):
    ours = np.asarray(DiscretisedLogistic(array(location), array(scale)).log_prob(array(LEVELS)), np.float64)
    assert (ours <= 0).all()
    assert np.exp(ours).sum() == pytest.approx(1.0, abs=1e-4)
    masses = exact_masses(location, scale)
    seen = masses > 1e-290
    np.testing.assert_allclose(ours[seen], np.log(masses[seen]), rtol=1e-4, atol=1e-4)


def test_discretised_logistic_keeps_its_slope_where_masses_underflow():
    location = tf.Variable(0.0)
    with tf.GradientTape() as tape:
        log_mass = DiscretisedLogistic(location, array(0.002)).log_prob(array(200 / 255))
    # Far out the mass falls as exp(−distance/s).
    assert float(log_mass) < -380
    assert float(tape.gradient(log_mass, location)) == pytest.approx(1 / 0.002, rel=1e-4)


@pytest.mark.parametrize(("level", "location"), [(0, -0.3), (255, 1.3)])
def test_black_and_white_take_the_whole_tail(level, location):
    log_mass = float(DiscretisedLogistic(array(location), array(0.02)).log_prob(array(level / 255)))
    assert -1e-4 < log_mass <= 0


def test_discretised_logistic_likelihood_adds_up_log_masses_of_its_standard_deviation():
    likelihood = make("discretised_logistic", scale=0.1, activation="sigmoid")
    output, x = random_output(likelihood), random_picture()
    scale = 0.1 * np.sqrt(3) / np.pi
    assert scipy.stats.logistic(scale=scale).std() == pytest.approx(0.1)
    expected = [
        sum(
            np.log(exact_masses(sigmoid(o), scale)[round(255 * v)])
            for o, v in zip(output[i].ravel(), x[i].ravel(), strict=True)
        )
        for i in range(len(x))
    ]
    np.testing.assert_allclose(likelihood.log_prob(output, x), expected, rtol=1e-5)


@given(st.floats(-0.2, 1.2), st.floats(np.log(1 / 255), 0).map(np.exp))
def test_discretised_logistic_mean_equals_the_sum_over_levels(location, scale):
    expected = (exact_masses(location, scale) * LEVELS).sum()
    assert float(DiscretisedLogistic(array(location), array(scale)).mean) == pytest.approx(expected, abs=1e-4)


@given(st.floats(0, 1), st.floats(-12, -6).map(np.exp))
def test_discretised_logistic_mean_errs_by_half_a_level_at_most(location, scale):
    expected = (exact_masses(location, scale) * LEVELS).sum()
    assert abs(float(DiscretisedLogistic(array(location), array(scale)).mean) - expected) < 0.501 / 255


def test_discretised_logistic_samples_are_levels_with_its_masses():
    draws = np.random.default_rng(5)
    noise = array(np.concatenate([[0.0], draws.uniform(size=200_000)]))
    noise = np.minimum(noise, np.float32(1 - 1e-7))
    samples = np.asarray(DiscretisedLogistic(array(0.3), array(0.15)).sample(noise))
    levels = np.rint(255 * samples)
    np.testing.assert_allclose(255 * samples, levels, atol=1e-4)
    counts = np.bincount(levels.astype(int), minlength=256)
    expected = exact_masses(0.3, 0.15) * len(noise)
    assert scipy.stats.chisquare(counts, expected * counts.sum() / expected.sum()).pvalue > 1e-3


def test_other_depths_are_rounded_to_the_nearest_level():
    distribution = DiscretisedLogistic(array(0.4), array(0.1))
    near = np.asarray(distribution.log_prob(array((LEVELS * 255 + 0.4) / 255)))
    np.testing.assert_array_equal(near, np.asarray(distribution.log_prob(array(LEVELS))))


def test_fine_masses_are_densities_times_the_width_of_a_level():
    logistic = scipy.stats.logistic(0.5, 0.2)
    ours = np.asarray(DiscretisedLogistic(array(0.5), array(0.2)).log_prob(array(LEVELS[1:-1])))
    np.testing.assert_allclose(ours, logistic.logpdf(LEVELS[1:-1]) - np.log(255), atol=1e-4)
