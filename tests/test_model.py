"""The model as a Keras user meets it."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from vae_tf import random, recipes
from vae_tf.errors import UserError

SMALL = {"encoder.widths": (16,), "decoder.widths": (16,)}


def small(**arguments):
    return recipes.build("mlp", (16, 16, 3), 4, settings=SMALL, **arguments)


def test_elbo_terms_equal_a_recomputation_in_numpy(pictures):
    model = small()
    noise = np.random.default_rng(0).standard_normal((3, 16, 4)).astype(np.float32)
    terms = model.elbo_terms(pictures, noise)
    x = pictures / 255.0
    parameters = {name: np.asarray(value, np.float64) for name, value in model.encode(pictures).items()}
    mean, log_variance = parameters["mean"], parameters["log_variance"]
    z = mean + np.exp(0.5 * log_variance) * noise
    np.testing.assert_allclose(terms.z, z, rtol=1e-4, atol=1e-5)
    kl = 0.5 * (np.exp(log_variance) + mean**2 - 1 - log_variance)
    np.testing.assert_allclose(terms.kl, kl.sum(axis=1), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(terms.kl_per_dimension, kl, rtol=1e-3, atol=1e-5)
    decoded = np.asarray(model.decode(z.reshape(-1, 4).astype(np.float32)), np.float64).reshape(
        3, 16, 16, 16, 3
    )
    sigma = 0.2
    log_px = (-0.5 * ((x - decoded) / sigma) ** 2 - np.log(sigma) - 0.5 * np.log(2 * np.pi)).sum(
        axis=(2, 3, 4)
    )
    np.testing.assert_allclose(terms.log_px, log_px, rtol=1e-4)
    log_pz = (-0.5 * z**2 - 0.5 * np.log(2 * np.pi)).sum(axis=2)
    np.testing.assert_allclose(terms.log_pz, log_pz, rtol=1e-4)
    log_qz = (-0.5 * noise**2 - 0.5 * log_variance - 0.5 * np.log(2 * np.pi)).sum(axis=2)
    np.testing.assert_allclose(terms.log_qz, log_qz, rtol=1e-3, atol=1e-4)


def test_train_step_moves_weights_by_the_gradient_of_the_negative_elbo(pictures):
    model, rate = small(beta=3.0), 1e-4
    model.compile(keras.optimizers.SGD(rate))
    kernel = model.decoder.network.layers[0].kernel
    before = np.array(kernel)
    noise = random.normal((1, 16, 4), 0, 0, "posterior")
    with tf.GradientTape() as tape:
        terms = model.elbo_terms(pictures, noise)
        loss = tf.reduce_mean(terms.reconstruction + 3.0 * terms.kl)
    gradient = np.array(tape.gradient(loss, kernel.value))
    logs = model.train_step({"x": tf.constant(pictures)})
    np.testing.assert_allclose(before - np.array(kernel), rate * gradient, rtol=1e-3, atol=3e-8)
    assert float(logs["loss"]) == pytest.approx(float(loss), rel=1e-5)
    assert float(logs["loss"]) == pytest.approx(float(logs["reconstruction"] + 3.0 * logs["kl"]), rel=1e-5)
    assert float(logs["elbo"]) == pytest.approx(-float(logs["reconstruction"] + logs["kl"]), rel=1e-5)


def test_compile_fit_evaluate_predict_as_any_keras_model(pictures):
    model = small()
    model.compile(optimizer="adam")
    history = model.fit(pictures, epochs=3, batch_size=8, validation_data=pictures, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    scores = model.evaluate(pictures, verbose=0, return_dict=True)
    assert scores["elbo"] == pytest.approx(-scores["reconstruction"] - scores["kl"], rel=1e-5)
    assert model.predict(pictures, verbose=0).shape == pictures.shape


def test_evaluation_uses_the_same_noise_every_time(pictures):
    model = small()
    model.compile()
    batches = tf.data.Dataset.from_tensor_slices({"x": pictures, "index": np.arange(16)}).batch(8)
    assert model.evaluate(batches, verbose=0) == model.evaluate(batches, verbose=0)


def test_saved_model_loads_without_custom_objects_in_a_fresh_process(pictures, tmp_path):
    model = recipes.build("conv", (16, 16, 3), 4)
    model.save(tmp_path / "vae.keras")
    np.save(tmp_path / "x.npy", pictures)
    code = (
        "import sys, numpy as np, keras, vae_tf.model\n"
        "model = keras.models.load_model(sys.argv[1] + '/vae.keras')\n"
        "np.save(sys.argv[1] + '/y.npy', model.reconstruct(np.load(sys.argv[1] + '/x.npy')))\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, capture_output=True)
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), model.reconstruct(pictures))


def test_pictures_of_another_shape_are_refused_by_name(pictures):
    with pytest.raises(UserError, match=r"\(16, 16, 1\).*\(16, 16, 3\)"):
        small().encode(pictures[..., :1])


def test_floats_and_bytes_give_the_same_latents(pictures):
    model = small()
    floats = pictures.astype(np.float32) / 255.0
    np.testing.assert_allclose(model.encode(floats)["mean"], model.encode(pictures)["mean"], rtol=1e-6)


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_non_finite_loss_skips_the_update_and_remembers_the_first_step(pictures, precision):
    model = small(precision=precision)
    model.compile(keras.optimizers.Adam(1e-3), steps_per_execution=4)
    good = pictures.astype(np.float32) / 255.0
    bad = good.copy()
    bad[3, 2, 2, 0] = np.nan
    batches = tf.data.Dataset.from_tensor_slices(np.stack([good, good, bad, good]))
    model.fit(batches.map(lambda x: {"x": x}), verbose=0)
    assert model.health.failure() == (2, "reconstruction")
    assert all(np.isfinite(weight).all() for weight in model.get_weights())
    assert int(model.steps_taken.value) == 4
    assert int(model.optimizer.iterations) == 3


def test_overflow_under_loss_scaling_is_no_failure(pictures):
    model = small(precision="mixed_float16")
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(1e-3), initial_scale=2.0**60)
    model.compile(optimizer)
    model.fit(pictures, batch_size=16, epochs=3, verbose=0)
    assert model.health.failure() is None
    assert float(optimizer.dynamic_scale) == 2.0**57
    assert int(optimizer.iterations) == 0


def test_mixed_float16_wraps_the_optimizer_and_trains(pictures):
    model = small(precision="mixed_float16")
    model.compile(keras.optimizers.Adam(1e-2))
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    history = model.fit(pictures, batch_size=16, epochs=40, verbose=0).history["loss"]
    assert history[-1] < history[0] - 100


def test_randomness_is_a_function_of_seed_step_and_purpose():
    def draw(*key):
        return np.asarray(random.normal((2000,), *key))

    same, other_seed, other_step, other_purpose = (
        draw(1, 5, "a"),
        draw(2, 5, "a"),
        draw(1, 6, "a"),
        draw(1, 5, "b"),
    )
    np.testing.assert_array_equal(same, draw(1, 5, "a"))
    for other in (other_seed, other_step, other_purpose):
        assert abs(np.corrcoef(same, other)[0, 1]) < 0.1
    assert abs(same.mean()) < 0.1 and abs(same.std() - 1) < 0.1


def test_samples_depend_on_the_seed_and_temperature_zero_is_the_centre():
    model = small()
    np.testing.assert_array_equal(model.sample(3, seed=1), model.sample(3, seed=1))
    assert not np.allclose(model.sample(3, seed=1), model.sample(3, seed=2))
    centre = model.decode(np.zeros((1, 4), np.float32))
    np.testing.assert_allclose(model.sample(2, temperature=0.0), np.repeat(centre, 2, axis=0), rtol=1e-6)


def test_binarised_pictures_are_black_or_white_with_their_grey_level_as_the_probability():
    model = recipes.build("binarised", (16, 16, 1), 4, settings=SMALL)
    grey = np.random.default_rng(0).uniform(size=(1, 16, 16, 1)).astype(np.float32)
    draws = np.concatenate([model.target(grey, step, "binarise") for step in range(400)])
    assert set(np.unique(draws)) == {0.0, 1.0}
    # Five standard errors of a mean of 400 draws, for each of 256 pixels.
    assert np.abs(draws.mean(axis=0) - grey[0]).max() < 5 * 0.5 / 20
    np.testing.assert_array_equal(model.target(grey, 7, "binarise"), draws[7:8])
    assert (draws[0] != draws[1]).any()
    plain = recipes.build(
        "bernoulli", (16, 16, 1), 4, settings={"encoder.name": "mlp", "decoder.name": "mlp"}
    )
    np.testing.assert_array_equal(plain.target(grey, 0, "binarise"), grey)


def test_a_binarised_model_trains_and_validates_on_what_it_drew():
    model = recipes.build("binarised", (16, 16, 1), 4, settings=SMALL)
    half = tf.fill((8, 16, 16, 1), 0.5)
    model.compile(keras.optimizers.SGD(0.0))
    drawn = model.target(half, 0, "binarise")
    noise = random.normal((1, 8, 4), 0, 0, "posterior")
    expected = float(np.mean(model.elbo_terms(drawn, noise).elbo))
    assert float(model.train_step({"x": half})["elbo"]) == pytest.approx(expected, rel=1e-5)
    assert (np.asarray(drawn) != 0.5).all()
    model.reset_metrics()
    first = float(model.test_step({"x": half})["elbo"])
    model.reset_metrics()
    assert float(model.test_step({"x": half})["elbo"]) == first
