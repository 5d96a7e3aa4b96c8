"""FactorVAE and VAE-GAN: the discriminators' losses, what they estimate, and whom each gradient reaches."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from vae_tf import random
from vae_tf.adversarial import discriminator_loss, permute_dimensions
from vae_tf.errors import UserError
from vae_tf.recipes import RECIPES, build
from vae_tf.training.state import variables_of

SMALL = {
    "encoder.name": "mlp", "encoder.widths": (16,), "decoder.name": "mlp", "decoder.widths": (16,),
}  # fmt: skip
NETWORK = {
    "factor": {"model.discriminator_widths": (8, 8)},
    "vae-gan": {"model.discriminator_widths": (4, 8, 8)},
}
NAMES = tuple(NETWORK)


def small(name, **settings):
    chosen = {key.replace("__", "."): value for key, value in settings.items()}
    model = build(name, (16, 16, 3), 4, settings={**SMALL, **NETWORK[name], **chosen})
    model.compile(keras.optimizers.SGD(1e-3))
    return model


def test_discriminator_loss_in_numpy():
    real, first, second = np.random.default_rng(0).normal(size=(3, 7)).astype(np.float32)

    def probability(logits):
        return 1.0 / (1.0 + np.exp(-logits.astype(np.float64)))

    expected = -np.log(probability(real)).mean()
    expected -= np.log(1 - probability(first)).mean() + np.log(1 - probability(second)).mean()
    assert float(discriminator_loss(real, [first, second])) == pytest.approx(expected, rel=1e-6)
    # One that tells nothing apart pays log 2 for each kind.
    assert float(discriminator_loss(np.zeros(3), [np.zeros(5)])) == pytest.approx(2 * np.log(2))


def test_permuted_codes_have_the_marginals_of_the_codes_and_no_correlation():
    generator = np.random.default_rng(0)
    first = generator.normal(size=(4000, 1))
    z = np.concatenate([first, first + 0.1 * generator.normal(size=first.shape), first**3], axis=1)
    z = z.astype(np.float32)
    permuted = np.asarray(permute_dimensions(tf.constant(z), 3, tf.constant(5, tf.int64)))
    np.testing.assert_array_equal(np.sort(permuted, axis=0), np.sort(z, axis=0))
    assert np.corrcoef(z, rowvar=False)[0, 1] > 0.98
    # The standard error of a correlation of independent columns is 1/√4000.
    assert np.abs(np.corrcoef(permuted, rowvar=False) - np.eye(3)).max() < 5 / np.sqrt(4000)
    np.testing.assert_array_equal(permuted, permute_dimensions(tf.constant(z), 3, tf.constant(5, tf.int64)))
    assert not np.array_equal(permuted, permute_dimensions(tf.constant(z), 3, tf.constant(6, tf.int64)))


def test_total_correlation_approaches_that_of_correlated_normals():
    correlation = np.array([[1, 0.8, 0.3, 0], [0.8, 1, 0.4, 0], [0.3, 0.4, 1, 0], [0, 0, 0, 1]])
    truth = -0.5 * np.linalg.slogdet(correlation)[1]
    lower = np.linalg.cholesky(correlation).astype(np.float32)
    model = small("factor", model__discriminator_widths=(64, 64))

    def samples(step, num):
        return random.normal((1, num, 4), 0, step, "test") @ lower.T

    @tf.function
    def learn(step):
        _, (optimizer, gradients, variables) = model.discriminate(samples(step, 1024), step)
        optimizer.apply(gradients, variables)

    def estimate():
        return float(tf.reduce_mean(model.adversary().network(samples(10_000, 50_000)[0])))

    assert model.extra_variables() and estimate() == 0.0
    for step in tf.range(600, dtype=tf.int64):
        learn(step)
    assert estimate() == pytest.approx(truth, abs=0.06)


def test_factor_adds_gamma_times_the_mean_logit_to_the_objective(pictures):
    model = small("factor", model__gamma=7.0)
    network = model.adversary().network
    network.layers[-1].kernel.assign(draws(network))
    weights = [np.asarray(weight, np.float64) for weight in network.get_weights()]
    terms = model.elbo_terms(pictures, random.normal((1, 16, 4), 0, 0, "posterior"))
    hidden = np.asarray(terms.z[0], np.float64)
    for matrix, bias in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        hidden = hidden @ matrix + bias
        hidden = np.where(hidden > 0, hidden, 0.2 * hidden)
    correlation = (hidden @ weights[-2] + weights[-1]).mean()
    logs = model.train_step({"x": tf.constant(pictures)})
    plain = float(tf.reduce_mean(terms.reconstruction + terms.kl))
    assert float(logs["total_correlation"]) == pytest.approx(correlation, rel=1e-4)
    assert float(logs["loss"]) == pytest.approx(plain + 7 * correlation, rel=1e-5)


def draws(network):
    """Weights of the last layer, which are 0 at first, so that the discriminator says something."""
    return np.random.default_rng(0).normal(size=network.layers[-1].kernel.shape)


def changes(model, pictures):
    """Whether each network's trainable weights move in one step."""
    axes = ("encoder", "posterior", "decoder", "likelihood")
    parts = {axis: getattr(model, axis).trainable_variables for axis in axes}
    parts["discriminator"] = model.adversary().network.trainable_variables
    before = {name: [np.array(v) for v in variables] for name, variables in parts.items()}
    model.train_step({"x": tf.constant(pictures)})
    return {name: [np.array(v) - b for v, b in zip(parts[name], before[name], strict=True)] for name in parts}


def by_hand(model, x, name):
    """One term of algorithm 1 alone, in plain TensorFlow, with the noise of step 0."""
    network, z_noise = model.adversary().network, random.normal((1, 16, 4), 0, 0, "posterior")
    drawn_noise = random.normal((16, 4), 0, 0, "drawn pictures")
    q = model.encode(x)
    rebuilt = model.decode(q["mean"] + tf.exp(0.5 * q["log_variance"]) * z_noise[0])
    drawn = model.decode(drawn_noise)
    (real, real_logit), (near, near_logit), (_, drawn_logit) = network(x), network(rebuilt), network(drawn)
    if name == "prior":
        return tf.reduce_mean(
            tf.reduce_sum(0.5 * (q["mean"] ** 2 + tf.exp(q["log_variance"]) - 1 - q["log_variance"]), 1)
        )
    if name == "pixels":
        deviation = model.likelihood.standard_deviation
        error = 0.5 * ((x - tf.stop_gradient(rebuilt)) / deviation) ** 2 + tf.math.log(deviation)
        return tf.reduce_mean(tf.reduce_sum(error, (1, 2, 3)))
    if name == "features":
        return tf.reduce_mean(tf.reduce_sum(0.5 * (real - near) ** 2, (1, 2, 3)))
    fool = -tf.math.log_sigmoid(near_logit) - tf.math.log_sigmoid(drawn_logit)
    told = (
        -tf.math.log_sigmoid(real_logit)
        - tf.math.log_sigmoid(-near_logit)
        - tf.math.log_sigmoid(-drawn_logit)
    )
    return tf.reduce_mean(fool if name == "fool" else told)


@pytest.mark.parametrize(
    ("network", "terms"),
    [
        ("encoder", {"prior": 1, "features": 1}),
        ("posterior", {"prior": 1, "features": 1}),
        ("decoder", {"features": 1, "fool": 30}),
        ("likelihood", {"pixels": 1}),
        ("discriminator", {"told": 1}),
    ],
)
def test_each_network_of_a_vae_gan_takes_its_own_gradient_only(pictures, network, terms):
    model = small("vae-gan", model__gan_weight=30.0, model__penalty=0.0)
    adversary = model.adversary()
    adversary.network.layers[-1].kernel.assign(draws(adversary.network) / 10)
    adversary.optimizer = keras.optimizers.SGD(1e-3)
    adversary.optimizer.build(adversary.network.trainable_variables)
    part = adversary.network if network == "discriminator" else getattr(model, network)
    x = tf.constant(pictures / 255.0, tf.float32)
    with tf.GradientTape() as tape:
        loss = sum(weight * by_hand(model, x, name) for name, weight in terms.items())
    variables = part.trainable_variables
    expected = [-1e-3 * np.array(g) for g in tape.gradient(loss, variables, unconnected_gradients="zero")]
    for moved, hand in zip(changes(model, pictures)[network], expected, strict=True):
        np.testing.assert_allclose(moved, hand, rtol=2e-3, atol=1e-3 * np.abs(hand).max() + 1e-7)


def test_penalty_is_the_squared_gradient_at_real_pictures(pictures):
    model = small("vae-gan")
    network = model.adversary().network
    network.layers[-1].kernel.assign(draws(network))
    x = tf.constant(pictures[:2] / 255.0, tf.float32)
    direction = np.random.default_rng(1).normal(size=x.shape).astype(np.float32)
    direction /= np.sqrt((direction**2).sum(axis=(1, 2, 3), keepdims=True))
    step = 1e-3
    with tf.GradientTape() as tape:
        tape.watch(x)
        logits = network(x)[1]
    gradient = np.asarray(tape.gradient(logits, x))
    rise = (network(x + step * direction)[1] - network(x - step * direction)[1]) / (2 * step)
    np.testing.assert_allclose((gradient * direction).sum(axis=(1, 2, 3)), rise[:, 0], rtol=0.05, atol=0.02)
    assert float(model.slope(x)) == pytest.approx((gradient**2).sum(axis=(1, 2, 3)).mean(), rel=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_discriminators_are_in_the_state_and_not_in_the_model(pictures, name, tmp_path):
    model = small(name)
    names = [weight.path for weight in model.weights]
    model.fit(pictures, batch_size=8, verbose=0)
    assert [weight.path for weight in model.weights] == names
    assert not any("discriminator" in path for path in names)
    state = {id(variable) for variable in variables_of(model).values()}
    adversary = model.adversary()
    assert state >= {id(v) for v in [*adversary.network.variables, *adversary.optimizer.variables]}
    assert (
        len(model.optimizer.trainable_variables if hasattr(model.optimizer, "trainable_variables") else [])
        < 99
    )
    model.save(tmp_path / "vae.keras")
    assert keras.models.load_model(tmp_path / "vae.keras")._adversary is None


@pytest.mark.parametrize("name", NAMES)
def test_initial_discriminator_follows_the_seed_alone(name):
    built = []

    def weights(seed):
        model = build(name, (16, 16, 3), 4, settings={**SMALL, **NETWORK[name]}, seed=seed)
        keras.utils.set_random_seed(len(built))
        built.append(model)
        return model.adversary().network.get_weights()

    first, same, other = weights(1), weights(1), weights(2)
    assert all(np.array_equal(a, b) for a, b in zip(first, same, strict=True))
    assert not np.array_equal(first[0], other[0])


@pytest.mark.parametrize("name", NAMES)
def test_a_step_that_is_not_finite_moves_no_network(pictures, name):
    model = small(name)
    before = [np.array(v) for v in [*model.trainable_variables, *model.adversary().variables]]
    bad = pictures.astype(np.float32) / 255.0
    bad[3, 2, 2, 0] = np.nan
    model.train_step({"x": tf.constant(bad)})
    assert model.health.failure() == (0, "reconstruction")
    after = [np.array(v) for v in [*model.trainable_variables, *model.adversary().variables]]
    for a, b in zip(before, after, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", NAMES)
def test_one_picture_a_step_is_enough(pictures, name):
    model = small(name)
    logs = model.train_on_batch(pictures[:1], return_dict=True)
    assert np.isfinite(list(logs.values())).all()


@pytest.mark.parametrize("name", NAMES)
def test_validation_compares_what_no_discriminator_changes(pictures, name):
    model = small(name)
    before = model.evaluate(pictures, verbose=0, return_dict=True)
    for variable in model.adversary().network.trainable_variables:
        variable.assign(variable + 1.0)
    assert model.evaluate(pictures, verbose=0, return_dict=True) == before
    np.testing.assert_allclose(before["loss"], before["reconstruction"] + before["kl"], rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("factor", {"model.gamma": -1.0}, "0 or more"),
        ("factor", {"posterior.name": "deterministic", "objective.name": "reconstruction"}, "--recipe ae"),
        ("vae-gan", {"posterior.name": "deterministic", "objective.name": "reconstruction"}, "--recipe ae"),
        ("vae-gan", {"model.gan_weight": -1.0}, "0 or more"),
        ("vae-gan", {"model.feature_layer": 4}, "1 to 3"),
        ("vae-gan", {"likelihood.scale": "output"}, "learned or pixel"),
        ("vae-gan", {"model.gamma": 3.0}, "gan_weight"),
    ],
)
def test_mistakes_are_refused_with_what_works(name, settings, words):
    with pytest.raises(UserError) as caught:
        build(name, (16, 16, 3), 4, settings={**SMALL, **NETWORK[name], **settings})
    assert words in str(caught.value)


def test_pages_show_no_elbo_of_a_vae_gan():
    from vae_tf.evaluation.likelihood import importance_weighted

    model = small("vae-gan")
    assert model.has_kl and not model.has_elbo and small("factor").has_elbo
    with pytest.raises(UserError, match="discriminator"):
        importance_weighted(model, np.zeros((2, 16, 16, 3), np.uint8), 2)
    assert RECIPES["vae-gan"].model == "vae-gan"
