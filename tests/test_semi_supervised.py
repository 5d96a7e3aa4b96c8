"""M2 and M1+M2 against the paper's equations, written in NumPy; and that hidden labels never reach training."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from vae_tf import recipes
from vae_tf.config import TrainingConfig
from vae_tf.data import batches
from vae_tf.data.augmentation import Augmentation
from vae_tf.data.dataset import Index
from vae_tf.errors import UserError
from vae_tf.parts import ElboTerms
from vae_tf.semi_supervised import classification_loss, marginal
from vae_tf.training import loop
from vae_tf.training.plan import make_plan

SHAPE, LATENT, CLASSES, NUM = (8, 8, 1), 3, 4, 6
LABELS = np.array([0, 3, -1, 1, -1, 2])
SMALL = {
    "model.alpha": 0.1,
    "encoder.name": "mlp",
    "encoder.widths": (8,),
    "decoder.name": "mlp",
    "decoder.widths": (8,),
}


def model(name="m2", seed=0, **changes):
    return recipes.build(name, SHAPE, LATENT, settings=SMALL | changes, num_classes=CLASSES, seed=seed)


def moved(name="m2"):
    """A model whose weights are no longer special: heads begin at zero."""
    made = model(name)
    generator = np.random.default_rng(1)
    made.set_weights([w + generator.normal(0, 0.2, w.shape).astype(w.dtype) for w in made.get_weights()])
    return made


@pytest.fixture
def pictures():
    return np.random.default_rng(0).integers(0, 256, (NUM, *SHAPE), dtype=np.uint8)


@pytest.fixture
def draws():
    """Random terms of every class, and log q(y | x)."""
    generator = np.random.default_rng(2)
    logits = generator.normal(size=(NUM, CLASSES)).astype(np.float32)
    log_q = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    values = generator.normal(size=(4, CLASSES, NUM)).astype(np.float32)
    return values, log_q


def terms_of(values, closed_form):
    log_px, log_qz, log_pz, kl = values
    return ElboTerms(
        np.zeros((CLASSES, NUM, LATENT)), {}, log_px, log_qz, log_pz, kl if closed_form else None
    )


@pytest.mark.parametrize("closed_form", [True, False])
def test_bounds_are_equations_6_and_7(draws, closed_form):
    values, log_q = draws
    log_px, log_qz, log_pz, kl = values.astype(np.float64)
    divergence = kl if closed_form else log_qz - log_pz
    # L(x, y) as the paper has it, −L as a loss: the class costs −log p(y) = log C.
    loss_of_class = -(log_px + np.log(1 / CLASSES) - divergence)
    q = np.exp(log_q.astype(np.float64))
    entropy = -np.sum(q * np.log(q), axis=-1)
    unlabelled = np.sum(q * loss_of_class.T, axis=-1) - entropy
    expected = [unlabelled[i] if y < 0 else loss_of_class[y, i] for i, y in enumerate(LABELS)]

    found = marginal(terms_of(values, closed_form), log_q, LABELS)
    np.testing.assert_allclose(-np.asarray(found.elbo), expected, rtol=1e-5, atol=1e-5)
    without = marginal(terms_of(values, closed_form), log_q)
    np.testing.assert_allclose(-np.asarray(without.elbo), unlabelled, rtol=1e-5, atol=1e-5)


def test_a_certain_classifier_makes_the_marginal_the_labelled_bound(draws):
    values, _ = draws
    labels = np.array([0, 1, 2, 3, 0, 1])
    certain = np.full((NUM, CLASSES), -80.0, np.float32)
    certain[np.arange(NUM), labels] = 0.0
    terms = terms_of(values, True)
    np.testing.assert_allclose(
        marginal(terms, certain).elbo, marginal(terms, certain, labels).elbo, rtol=1e-5
    )


def test_loss_is_equation_9(pictures):
    made = moved()
    x = made.pixels(pictures)
    _, loss = made.training_loss({"x": x, "label": ops.convert_to_tensor(LABELS)}, 5)
    noise = made.noise_for(x, 5, "posterior")
    # −L(x, y) by the ordinary VAE's terms with the class as a condition, one class at a time.
    per_class = []
    for label in range(CLASSES):
        condition = np.tile(np.eye(CLASSES, dtype=np.float32)[label], (NUM, 1))
        terms = made.elbo_terms(x, noise, condition=condition)
        per_class.append(-np.asarray(terms.elbo) + np.log(CLASSES))
    q = np.asarray(made.classify(x), np.float64)
    unlabelled = np.sum(q * np.stack(per_class, -1), -1) + np.sum(q * np.log(q), -1)
    known = np.flatnonzero(LABELS >= 0)
    rows = [unlabelled[i] if y < 0 else per_class[y][i] for i, y in enumerate(LABELS)]
    expected = np.mean(rows) + 0.1 * np.mean(-np.log(q[known, LABELS[known]]))
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_classification_loss_is_the_mean_over_the_labelled(draws):
    _, log_q = draws
    known = np.flatnonzero(LABELS >= 0)
    expected = -np.mean([log_q[i, LABELS[i]] for i in known])
    assert float(classification_loss(log_q, LABELS)) == pytest.approx(expected, rel=1e-6)
    assert float(classification_loss(log_q, np.full(NUM, -1))) == 0.0


def test_the_posterior_depends_on_picture_and_class_jointly(pictures):
    made = moved()

    def means(i, label):
        return np.asarray(
            made.encode(pictures[i : i + 1], np.eye(CLASSES, dtype=np.float32)[[label]])["mean"]
        )

    change_of_first, change_of_second = (means(i, 1) - means(i, 0) for i in (0, 1))
    assert np.abs(change_of_first - change_of_second).max() > 1e-3


def test_without_a_class_the_decoder_averages_and_the_likelihood_sums(pictures):
    made = moved()
    z = np.random.default_rng(3).normal(size=(NUM, LATENT)).astype(np.float32)
    conditions = [np.tile(row, (NUM, 1)) for row in np.eye(CLASSES, dtype=np.float32)]
    each = [np.asarray(made.decode(z, condition)) for condition in conditions]
    np.testing.assert_allclose(made.decode(z), np.mean(each, axis=0), atol=1e-6)
    x = made.pixels(pictures)
    logs = [
        np.asarray(made.likelihood.log_prob(made.decoder_output(z[None], condition=c), x), np.float64)[0]
        for c in conditions
    ]
    expected = np.logaddexp.reduce(logs, axis=0) - np.log(CLASSES)
    np.testing.assert_allclose(made.log_likelihood(z[None], pictures)[0], expected, rtol=1e-5)
    predicted = np.asarray(made.classify(pictures)).argmax(-1)
    chosen = made.encode(pictures, np.eye(CLASSES, dtype=np.float32)[predicted])["mean"]
    np.testing.assert_allclose(made.encode(pictures)["mean"], chosen, atol=1e-6)


def test_labels_do_not_shape_m1(pictures):
    made = moved("m1-m2")
    top = {id(v) for v in made.top.trainable_variables}
    m1 = [v for v in made.trainable_variables if id(v) not in top]
    gradients = []
    for labels in (LABELS, np.roll(LABELS, 1)):
        with tf.GradientTape() as tape:
            _, loss = made.training_loss({"x": made.pixels(pictures), "label": tf.constant(labels)}, 0)
        gradients.append(tape.gradient(loss, m1))
    assert len(m1) and len(m1) + len(top) == len(made.trainable_variables)
    for first, second in zip(*gradients, strict=True):
        np.testing.assert_array_equal(first, second)
    plain = keras.ops.mean(-made.elbo_terms(pictures, made.noise_for(pictures, 0, "posterior")).elbo)
    assert float(loss) != pytest.approx(float(plain))


def test_m1_does_not_learn_from_pictures_added_for_their_label(pictures):
    made = moved("m1-m2")
    m1 = [*made.encoder.trainable_variables, *made.decoder.trainable_variables]
    found = []
    for added in (pictures[4:], 255 - pictures[4:]):
        batch = {"x": made.pixels(np.concatenate([pictures[:4], added])), "label": tf.constant(LABELS)}
        batch["added"] = np.arange(NUM) >= 4
        with tf.GradientTape() as tape:
            terms, loss = made.training_loss(batch, 0)
            of_m1 = loss - made.top_loss(terms, batch["label"], 0, "top posterior")
        found.append(tape.gradient(of_m1, m1))
    for first, second in zip(*found, strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(of_m1, -np.mean(terms.elbo[:4]), rtol=1e-3)


def test_augmentation_and_noise_end_with_m1(pictures):
    made = model("m1-m2", **{"model.m1_steps": 3, "model.corruption": 0.5})
    made.augmentation = Augmentation(mirror=False, shift=2, brightness=0.0)
    plain = np.asarray(made.pixels(pictures))
    for step, changes in ((0, True), (2, True), (3, False), (9, False)):
        x = np.asarray(made.training_pixels(pictures, step))
        seen = np.asarray(made._corrupted(x, step))
        assert np.array_equal(x, plain) != changes and np.array_equal(seen, x) != changes


def test_m1_learns_first_and_is_then_frozen(pictures):
    made = model("m1-m2", **{"model.m1_steps": 1})
    made.compile(keras.optimizers.Adam(1e-2), run_eagerly=True)
    top = {id(v) for v in made.top.trainable_variables}
    for learns_top in (False, True, True):
        before = [np.array(v) for v in made.trainable_variables]
        made.train_on_batch({"x": pictures, "label": LABELS})
        moved_at_all = {learns_top: False, not learns_top: False}
        for old, variable in zip(before, made.trainable_variables, strict=True):
            moved_at_all[id(variable) in top] |= not np.array_equal(old, variable)
        assert moved_at_all == {learns_top: True, not learns_top: False}


def train(name, index, images, folder, epochs=2):
    made = model(name, **({"model.m1_steps": 4} if name == "m1-m2" else {}))
    plan = make_plan(TrainingConfig(epochs=epochs, batch_size=4, augment="none"), len(images), SHAPE, 0, True)
    assert plan.num_labelled == 1

    def make(step):
        return batches.training_batches(
            images, index.visible_labels, index.where("train"), 4, 0, step, plan.num_labelled
        )

    loop.fit(made, plan, make, None, folder)
    return made.get_weights()


def index_of(labels, hidden):
    count = len(labels)
    return Index(
        paths=[f"{i}.png" for i in range(count)],
        labels=labels,
        class_names=list("abcd"),
        groups=np.full(count, -1),
        group_names=[],
        parts=np.zeros(count, np.int8),
        hidden=hidden,
    )


def twelve():
    images = np.random.default_rng(4).integers(0, 256, (12, *SHAPE), dtype=np.uint8)
    return images, np.arange(12) % CLASSES, np.arange(12) >= 4


def test_hidden_labels_cannot_influence_training(tmp_path):
    images, labels, hidden = twelve()
    permuted = np.concatenate([labels[:4], labels[4:][::-1]])
    assert not np.array_equal(labels, permuted)
    weights = train("m2", index_of(labels, hidden), images, tmp_path / "a", epochs=1)
    same = train("m2", index_of(permuted, hidden), images, tmp_path / "b", epochs=1)
    for a, b in zip(weights, same, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_a_stop_changes_nothing(tmp_path):
    images, labels, hidden = twelve()
    index = index_of(labels, hidden)
    weights = train("m1-m2", index, images, tmp_path / "a")
    train("m1-m2", index, images, tmp_path / "b", epochs=1)
    resumed = train("m1-m2", index, images, tmp_path / "b")
    for a, b in zip(weights, resumed, strict=True):
        np.testing.assert_array_equal(a, b)


def test_labelled_pictures_are_added_to_each_batch():
    images = np.arange(20, dtype=np.uint8)[:, None, None, None]
    labels = np.full(20, -1)
    labels[[3, 8]] = 1
    found = [
        b
        for _, b in zip(
            range(4), batches.training_batches(images, labels, np.arange(20), 5, 0, 0, 2), strict=False
        )
    ]
    rows = np.stack([batch["index"] for batch in found])
    assert sorted(rows[:, :5].ravel()) == list(range(20))
    assert all(set(row[5:]) == {3, 8} for row in rows)
    np.testing.assert_array_equal(found[0]["added"], [False] * 5 + [True] * 2)
    later = next(iter(batches.training_batches(images, labels, np.arange(20), 5, 0, 2, 2)))
    np.testing.assert_array_equal(later["index"], rows[2])
    whole = next(iter(batches.training_batches(images, np.zeros(20, int), np.arange(20), 5, 0, 0, 2)))
    assert len(whole["index"]) == 5 and "added" not in whole


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"objective.name": "iwae"}, "elbo, capacity"),
        ({"prior.name": "vamp"}, "standard_normal, normal or mixture"),
        ({"model.alpa": 1}, "alpha"),
    ],
)
def test_parts_that_cannot_be_summed_over_classes_are_refused(changes, words):
    with pytest.raises(UserError) as caught:
        model(**changes)
    assert words in str(caught.value)


@pytest.mark.parametrize("learned", [[], ["a"], ["a", "b"]])
def test_data_without_enough_labels_is_refused_in_one_line(learned):
    with pytest.raises(UserError) as caught:
        recipes.check_data("m2", learned, ["a", "b", "c"])
    assert "\n" not in caught.value.message and caught.value.hint
    recipes.check_data("conv", learned, ["a", "b", "c"])
    recipes.check_data("m1-m2", ["a", "b"], ["a", "b"])
