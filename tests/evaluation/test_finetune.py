"""An encoder as the beginning of a classifier."""

import numpy as np
import pytest

from vae_tf import recipes
from vae_tf.evaluation.finetune import classify, fit_classifier


def halves(count):
    """Pictures that are bright on the left or on the right."""
    labels = np.arange(count) % 2
    pictures = np.random.default_rng(0).integers(0, 60, (count, 8, 8, 1))
    pictures[labels == 0, :, :4] += 150
    pictures[labels == 1, :, 4:] += 150
    return pictures.astype(np.uint8), labels.astype(np.int64)


def small(seed=0):
    return recipes.build(
        "mlp", (8, 8, 1), 3, seed=seed, settings={"encoder.widths": (16,), "decoder.widths": (16,)}
    )


def test_learns_what_can_be_learned_and_leaves_the_decoder_alone():
    pictures, labels = halves(40)
    vae = small()
    before = [weight.copy() for weight in vae.decoder.get_weights()]
    encoder = [weight.copy() for weight in vae.encoder.get_weights()]
    model = fit_classifier(vae, pictures[:20], labels[:20], 2, num_steps=60)
    np.testing.assert_array_equal(classify(model, pictures[20:]), labels[20:])
    for ours, theirs in zip(before, vae.decoder.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert any((a != b).any() for a, b in zip(encoder, vae.encoder.get_weights(), strict=True))


def test_the_same_seed_gives_the_same_classifier():
    pictures, labels = halves(16)
    logits = [
        np.asarray(fit_classifier(small(), pictures, labels, 2, seed=seed, num_steps=5)(pictures))
        for seed in (1, 1, 2)
    ]
    np.testing.assert_array_equal(logits[0], logits[1])
    assert np.abs(logits[0] - logits[2]).max() > 0


def test_first_logits_favour_no_class():
    pictures, labels = halves(8)
    model = fit_classifier(small(), pictures, labels, 2, num_steps=0)
    assert float(np.abs(model(pictures)).max()) == pytest.approx(0.0)
