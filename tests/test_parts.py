"""Parts against NumPy: what the numbers mean."""

import keras
import numpy as np
import pytest
import scipy.stats

from vae_tf import recipes
from vae_tf.errors import UserError
from vae_tf.parts import ElboTerms, build_part
from vae_tf.parts.layers import CentreCrop, DepthToSpace, ResidualBlock
from vae_tf.parts.posteriors import LOG_VARIANCE_RANGE


def terms(log_px, log_qz, log_pz, kl=None):
    arrays = [np.asarray(a, np.float32) for a in (log_px, log_qz, log_pz)]
    return ElboTerms(None, {}, *arrays, None if kl is None else np.asarray(kl, np.float32))


def test_elbo_is_reconstruction_minus_divergence_over_samples():
    record = terms([[-3.0, -5.0], [-1.0, -7.0]], [[0.5, 1.0], [1.5, 2.0]], [[0.0, 0.0], [0.0, 1.0]])
    np.testing.assert_allclose(record.reconstruction, [2.0, 6.0])
    np.testing.assert_allclose(record.divergence, [1.0, 1.0])
    np.testing.assert_allclose(record.elbo, [-3.0, -7.0])


def test_closed_form_kl_wins_over_its_estimate():
    np.testing.assert_allclose(terms([[0.0]], [[9.0]], [[0.0]], kl=[2.0]).elbo, [-2.0])


@pytest.mark.parametrize(("step", "weight"), [(0, 0.4), (4, 2.0), (9, 4.0), (500, 4.0)])
def test_kl_weight_rises_linearly_to_beta(step, weight):
    objective = build_part("objective", "elbo", beta=4.0, warmup_steps=10)
    record = terms([[-10.0]], [[0.0]], [[0.0]], kl=[3.0])
    np.testing.assert_allclose(objective(record, step), [10.0 + weight * 3.0], rtol=1e-6)
    np.testing.assert_allclose(objective.final(record), [22.0])


@pytest.mark.parametrize(
    ("arguments", "word"), [({"beta": -1.0}, "beta"), ({"warmup_steps": -2}, "warmup_steps")]
)
def test_objective_refuses_negative_numbers(arguments, word):
    with pytest.raises(UserError, match=word):
        build_part("objective", "elbo", **arguments)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("encoder.widths", "abc"),
        ("encoder.activation", "loud"),
        ("encoder.widths", 500),
        ("encoder.widths", [64, 0]),
        ("decoder.widths", [1.5]),
        ("objective.beta", "abc"),
        ("objective.warmup_steps", 0.5),
        ("model.corruption", "abc"),
        ("model.binarised", "maybe"),
    ],
)
def test_a_setting_of_another_type_is_refused_by_its_name(key, value):
    with pytest.raises(UserError, match=rf"{key}: .* does not fit"):
        recipes.build("mlp", (16, 16, 1), 2, settings={key: value})


def test_dense_networks_may_be_linear_and_convolutions_may_not_be_none():
    linear = recipes.build("mlp", (16, 16, 1), 2, settings={"encoder.widths": [], "decoder.widths": []})
    assert len(linear.encoder.trainable_variables) == 0
    with pytest.raises(UserError, match=r"encoder\.widths: .* does not fit"):
        recipes.build("conv", (16, 16, 1), 2, settings={"encoder.widths": []})


@pytest.mark.parametrize("scale", [0.1, "learned"])
def test_gaussian_likelihood_keeps_its_normaliser(scale):
    likelihood = build_part("likelihood", "gaussian", scale=scale, activation="linear")
    likelihood.build()
    draws = np.random.default_rng(0)
    mean, x = draws.uniform(size=(2, 5, 4, 4, 3)).astype(np.float32)
    sigma = float(likelihood.standard_deviation)
    assert sigma == pytest.approx(0.1 if scale == 0.1 else 0.2, rel=1e-5)
    expected = scipy.stats.norm(mean, sigma).logpdf(x).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(likelihood.log_prob(mean, x), expected, rtol=1e-4)


def test_learned_scale_never_passes_its_floor():
    likelihood = build_part("likelihood", "gaussian", floor=0.05)
    likelihood.build()
    likelihood.raw_scale.assign(-100.0)
    assert float(likelihood.standard_deviation) == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"scale": -1}, "scale"),
        ({"scale": "wide"}, "scale"),
        ({"activation": "tanh"}, "activation"),
        ({"floor": 0.5}, "floor"),
    ],
)
def test_gaussian_refuses_what_makes_no_density(arguments, word):
    with pytest.raises(UserError, match=word):
        build_part("likelihood", "gaussian", **arguments)


@pytest.mark.parametrize("name", ["gaussian", "bernoulli"])
def test_mean_is_a_picture(name):
    likelihood = build_part("likelihood", name)
    likelihood.build()
    mean = np.asarray(likelihood(np.linspace(-9, 9, 48, dtype=np.float32).reshape(1, 4, 4, 3)))
    assert mean.min() >= 0 and mean.max() <= 1 and np.ptp(mean) > 0.9


def test_bernoulli_log_prob_is_minus_the_cross_entropy():
    likelihood = build_part("likelihood", "bernoulli")
    draws = np.random.default_rng(0)
    logits = draws.normal(size=(2, 4, 4, 1)).astype(np.float32)
    x = draws.uniform(size=(2, 4, 4, 1)).astype(np.float32)
    p = 1 / (1 + np.exp(-logits.astype(np.float64)))
    expected = (x * np.log(p) + (1 - x) * np.log(1 - p)).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(likelihood.log_prob(logits, x), expected, rtol=1e-5)


def test_posterior_bounds_its_log_variance_and_stays_in_float32():
    posterior = build_part("posterior", "diagonal", latent_dim=3, dtype="mixed_float16")
    posterior.build((None, 2))
    posterior.log_variance_head.kernel.assign(np.full((2, 3), 1e3))
    parameters = posterior(np.array([[1.0, 1.0], [-1.0, -1.0]], np.float16))
    assert parameters["mean"].dtype == "float32" and parameters["log_variance"].dtype == "float32"
    np.testing.assert_allclose(
        parameters["log_variance"], [[LOG_VARIANCE_RANGE[1]] * 3, [LOG_VARIANCE_RANGE[0]] * 3]
    )


def test_depth_to_space_equals_tensorflows():
    import tensorflow as tf

    x = np.random.default_rng(0).normal(size=(2, 3, 5, 12)).astype(np.float32)
    np.testing.assert_array_equal(DepthToSpace(2)(x), tf.nn.depth_to_space(x, 2))


def test_residual_block_begins_as_the_identity_but_learns():
    block = ResidualBlock(4)
    x = np.random.default_rng(0).normal(size=(1, 5, 5, 4)).astype(np.float32)
    np.testing.assert_array_equal(block(x), x)
    block.second.kernel.assign(np.ones(block.second.kernel.shape))
    assert not np.allclose(block(x), x)


def test_centre_crop_takes_the_middle():
    x = np.arange(7 * 6, dtype=np.float32).reshape(1, 7, 6, 1)
    np.testing.assert_array_equal(CentreCrop(3, 4)(x), x[:, 2:5, 1:5])


def test_unknown_names_list_the_choices():
    with pytest.raises(
        UserError, match=r"bernoulli, categorical, continuous_bernoulli, discretised_logistic, gaussian"
    ):
        build_part("likelihood", "poisson")
    with pytest.raises(UserError, match="takes no argument 'temperature'"):
        build_part("likelihood", "gaussian", temperature=1)
    with pytest.raises(UserError, match="no axis 'flavour'"):
        build_part("flavour", "vanilla")


def test_parts_are_keras_layers_with_the_precision_they_are_given():
    encoder = build_part("encoder", "conv", widths=(4,), features=8, dtype="mixed_bfloat16")
    features = encoder(np.zeros((1, 8, 8, 1), np.float32))
    assert features.dtype == "bfloat16"
    assert all(isinstance(weight, keras.Variable) and weight.dtype == "float32" for weight in encoder.weights)
