"""The sentence VAE against NumPy, its own padding, and a corpus of known entropy."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import logsumexp

from vae_tf import random
from vae_tf.beam import beam_search, search
from vae_tf.errors import UserError
from vae_tf.recipes import build, check, check_kind
from vae_tf.vocabulary import END, PAD, UNKNOWN

NUM_TOKENS, POSITIONS, LATENT = 9, 6, 3
SMALL = {f"{axis}.{name}": 12 for axis in ("encoder", "decoder") for name in ("width", "embedding")}


def sentences(num=12, positions=POSITIONS, seed=0):
    generator = np.random.default_rng(seed)
    rows = np.full((num, positions), PAD, np.int32)
    for row, length in zip(rows, generator.integers(0, positions, num), strict=True):
        row[:length], row[length] = generator.integers(UNKNOWN, NUM_TOKENS, length), END
    return rows


def model_of(positions=POSITIONS, **settings):
    named = {key.replace("__", "."): value for key, value in settings.items()}
    return build("sentence", (positions,), LATENT, num_tokens=NUM_TOKENS, settings=SMALL | named)


@pytest.fixture(scope="module")
def trained():
    """A model whose greedy and best sentences differ: a few steps on random sentences."""
    model = model_of()
    model.compile(keras.optimizers.Adam(1e-2))
    model.fit(sentences(64), batch_size=16, epochs=6, verbose=0)
    return model


def codes(num, seed=1):
    return np.random.default_rng(seed).normal(size=(num, LATENT)).astype(np.float32)


def test_log_prob_is_the_masked_sum_of_log_softmax():
    likelihood, x = model_of().likelihood, sentences()
    logits = np.random.default_rng(0).normal(size=(2, *x.shape, NUM_TOKENS)).astype(np.float32)
    log_probs = logits - logsumexp(logits, axis=-1, keepdims=True)
    expected = np.zeros((2, len(x)))
    for k, i, t in np.ndindex(2, *x.shape):
        if t <= list(x[i]).index(END):
            expected[k, i] += log_probs[k, i, t, x[i, t]]
    np.testing.assert_allclose(likelihood.log_prob(logits, x), expected, rtol=1e-5)
    np.testing.assert_allclose(np.asarray(likelihood.mean(logits)), np.exp(log_probs), rtol=1e-5)


def test_padding_changes_neither_encoding_nor_loss():
    short, long = model_of(), model_of(POSITIONS + 5)
    long.set_weights(short.get_weights())
    x = sentences()
    padded = np.pad(x, ((0, 0), (0, 5)))
    np.testing.assert_allclose(short.encode(x)["mean"], long.encode(padded)["mean"], rtol=1e-5, atol=1e-6)
    noise = codes(len(x))[None]
    ours, theirs = short.elbo_terms(x, noise), long.elbo_terms(padded, noise)
    np.testing.assert_allclose(ours.log_px, theirs.log_px, rtol=1e-5)
    # The gradient, too: it is the loss that trains.
    assert np.isfinite(ours.elbo).all()


def test_a_position_is_told_only_what_came_before():
    model, x = model_of(), sentences()
    other = x.copy()
    other[:, 3:] = 5
    z = codes(len(x))[None]
    ours, theirs = np.asarray(model.decoder_output(z, x)), np.asarray(model.decoder_output(z, other))
    np.testing.assert_array_equal(ours[:, :, :4], theirs[:, :, :4])
    assert not np.allclose(ours[:, :, 4], theirs[:, :, 4])


def test_word_dropout_has_its_rate_and_is_a_function_of_the_step():
    model = model_of(model__word_dropout=0.3)
    x = np.full((400, POSITIONS), 5, np.int32)
    x[:, -2:] = END, PAD
    told = np.asarray(model._teacher(tf.constant(x), 3))
    assert set(np.unique(told)) == {PAD, END, UNKNOWN, 5} and not told[:, -1].any()
    rate = np.mean(told[:, :-1] == UNKNOWN)
    # 2,000 draws: a standard error of 0.01.
    assert abs(rate - 0.3) < 0.05
    np.testing.assert_array_equal(told, model._teacher(tf.constant(x), 3))
    assert not np.array_equal(told, model._teacher(tf.constant(x), 4))
    assert model_of(model__word_dropout=0.0)._teacher(tf.constant(x), 3) is None


def test_dropout_is_of_training_alone(trained):
    x = sentences()
    evaluated = []
    for _ in range(2):
        trained.reset_metrics()
        evaluated.append(trained.test_on_batch({"x": x, "index": np.arange(len(x))}, return_dict=True))
    noise = trained.noise_for(x, 0, "validation")
    trained.reset_metrics()
    elbo = trained.test_on_batch({"x": x, "index": np.arange(len(x))}, return_dict=True)["elbo"]
    np.testing.assert_allclose(elbo, np.mean(trained.elbo_terms(x, noise).elbo), rtol=1e-5)
    assert evaluated[0]["loss"] == evaluated[1]["loss"]


def test_greedy_sentences_take_the_most_probable_token_at_every_position(trained):
    z = codes(20)
    tokens = np.asarray(trained.decode(z))
    logits = np.array(trained.decoder_output(z[None], tokens))[0]
    logits[..., :2] = -np.inf
    for row, scores in zip(tokens, logits, strict=True):
        end = list(row).index(END)
        np.testing.assert_array_equal(row[:end], scores[:end].argmax(axis=-1))
        assert not row[end + 1 :].any()
        assert end == POSITIONS - 1 or scores[end].argmax() == END


def test_a_beam_is_at_least_as_probable_as_the_greedy_sentence(trained):
    z = codes(40)
    greedy, alone = search(trained, z, 1)
    np.testing.assert_array_equal(greedy, trained.decode(z))
    found, log_probs = beam_search(trained, z, 5)
    assert np.all(log_probs >= alone) and np.any(log_probs > alone + 0.01)
    # Its own sums are those of the likelihood.
    told = trained.likelihood.log_prob(trained.decoder_output(z[None], found), found)[0]
    np.testing.assert_allclose(told, log_probs, rtol=1e-4, atol=1e-4)


def test_a_beam_as_wide_as_all_sentences_finds_the_best():
    model = model_of(positions=3)
    z = codes(4)
    every = [[a, b, END] for a in range(UNKNOWN, NUM_TOKENS) for b in range(UNKNOWN, NUM_TOKENS)]
    every += [[a, END, PAD] for a in range(UNKNOWN, NUM_TOKENS)] + [[END, PAD, PAD]]
    rows = np.array(every, np.int32)
    for code in z:
        output = model.decoder_output(np.broadcast_to(code, (1, len(rows), LATENT)), rows)
        best = float(np.max(model.likelihood.log_prob(output, rows)[0]))
        assert beam_search(model, code[None], NUM_TOKENS**2)[1][0] == pytest.approx(best, abs=1e-4)


@pytest.mark.slow
def test_entropy_of_independent_words_is_reached():
    """Lengths uniform on 1 … 4, words on five: −log p is log 4 + length·log 5, and no model can do better."""
    generator = np.random.default_rng(0)

    def draw(num):
        rows = np.full((num, 5), PAD, np.int32)
        for row, length in zip(rows, generator.integers(1, 5, num), strict=True):
            row[:length], row[length] = generator.integers(4, 9, length), END
        return rows

    train, held_out = draw(2048), draw(512)
    # Free bits would have to be paid for: nothing is to be said of independent words by a code.
    model = model_of(positions=5, objective__name="elbo", model__word_dropout=0.0)
    model.compile(keras.optimizers.Adam(2e-2))
    model.fit(train, batch_size=128, epochs=8, verbose=0)
    cost = -model.evaluate(held_out, batch_size=128, verbose=0, return_dict=True)["elbo"]
    lengths = (held_out != PAD).sum(axis=1)
    entropy = math.log(4) + np.mean(lengths - 1) * math.log(5)
    assert -0.02 < (cost - entropy) / lengths.mean() < 0.05


@pytest.mark.slow
def test_exact_repetition(tmp_path):
    weights = []
    for _ in range(2):
        model = model_of(model__word_dropout=0.4)
        model.compile(keras.optimizers.Adam(1e-2))
        model.fit(sentences(32), batch_size=8, epochs=2, shuffle=False, verbose=0)
        weights.append(model.get_weights())
    for a, b in zip(*weights, strict=True):
        np.testing.assert_array_equal(a, b)
    model.save(tmp_path / "vae.keras")
    again = keras.models.load_model(tmp_path / "vae.keras")
    assert again.word_dropout == 0.4 and again.image_shape == (POSITIONS,)
    np.testing.assert_array_equal(model.sample(5, seed=2), again.sample(5, seed=2))


def test_temperature_scales_the_latents(trained):
    cold = np.asarray(trained.sample(8, seed=1, temperature=0.0))
    assert (cold == cold[0]).all()
    noise = np.asarray(random.normal((8, LATENT), 1, 0, "prior"))
    np.testing.assert_array_equal(trained.sample(8, seed=1, temperature=0.5), trained.decode(0.5 * noise))


@pytest.mark.parametrize(
    ("recipe", "arguments", "message"),
    [
        ("sentence", {"settings": {"encoder.name": "conv"}}, "encoder 'conv' is not for sentences"),
        ("sentence", {"likelihood": "gaussian"}, "likelihood 'gaussian' is not for sentences"),
        ("sentence", {"settings": {"prior.name": "vamp"}}, "prior 'vamp' learns pictures"),
        ("sentence", {"settings": {"model.word_dropout": 1.5}}, "word_dropout is 1.5"),
        ("sentence", {"settings": {"model.corruption": 0.1}}, "'sentence' takes no argument 'corruption'"),
        ("conv", {"likelihood": "categorical"}, "likelihood 'categorical' is not for pictures"),
        ("mlp", {"settings": {"decoder.name": "lstm"}}, "decoder 'lstm' is not for pictures"),
    ],
)
def test_what_does_not_go_together_is_refused(recipe, arguments, message):
    with pytest.raises(UserError, match=message):
        check(recipe, **arguments)


def test_recipe_and_source_must_be_of_one_kind():
    with pytest.raises(UserError, match=r"sentence is for sentences, and faces/ holds pictures") as refused:
        check_kind("sentence", "pictures", "faces/")
    assert "conv" in refused.value.hint and "sentence," not in refused.value.hint
    with pytest.raises(UserError, match=r"conv is for pictures, and a.txt holds sentences") as refused:
        check_kind("conv", "sentences", "a.txt")
    assert refused.value.hint == "For sentences choose: sentence."
    check_kind("sentence", "sentences", "a.txt")
