"""Temperature, calibration and accuracy of predicted classes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix

from vae_tf.analysis.predictions import (
    confusion,
    expected_calibration_error,
    fit_temperature,
    log_softmax,
    negative_log_likelihood,
    reliability,
    share_of_class,
    wilson_interval,
)


@given(st.integers(0, 10**6), st.integers(2, 6), st.floats(0.1, 20.0))
def test_a_temperature_raises_the_likelihood_and_keeps_the_class(seed, num_classes, scale):
    generator = np.random.default_rng(seed)
    logits = scale * generator.normal(size=(40, num_classes))
    labels = generator.integers(0, num_classes, 40)
    temperature = fit_temperature(logits, labels)
    before, after = log_softmax(logits), log_softmax(logits / temperature)
    assert negative_log_likelihood(after, labels) <= negative_log_likelihood(before, labels) + 1e-12
    np.testing.assert_array_equal(after.argmax(-1), before.argmax(-1))
    np.testing.assert_allclose(np.exp(after).sum(-1), 1.0)


@pytest.mark.parametrize("truth", [0.4, 1.0, 3.0])
def test_the_temperature_that_made_the_labels_is_found(truth):
    generator = np.random.default_rng(0)
    logits = 3 * generator.normal(size=(20_000, 3))
    gumbel = generator.gumbel(size=logits.shape)
    labels = (logits / truth + gumbel).argmax(-1)
    assert fit_temperature(logits, labels) == pytest.approx(truth, rel=0.05)


def test_calibration_error_is_the_weighted_distance():
    # 4 pictures at 0.6, of which 1 is right; 2 at 0.95, both right.
    probabilities = np.array([[0.6, 0.4]] * 4 + [[0.05, 0.95]] * 2)
    bins = reliability(probabilities, np.array([0, 1, 1, 1, 1, 1]))
    assert [(b.num, b.accuracy) for b in bins] == [(4, 0.25), (2, 1.0)]
    assert expected_calibration_error(bins) == pytest.approx((4 * 0.35 + 2 * 0.05) / 6)
    assert np.isnan(expected_calibration_error([]))


def test_every_picture_is_in_one_bin():
    probabilities = np.array([[1.0, 0.0], [0.5, 0.5], [0.7, 0.3], [0.3, 0.7]])
    assert sum(b.num for b in reliability(probabilities, np.zeros(4, int))) == 4


def test_wilson_interval_is_the_published_one():
    # Newcombe 1998, table I: 81 of 263 and 0 of 20.
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


def test_confusion_has_the_truth_in_its_rows():
    generator = np.random.default_rng(1)
    truth, predicted = generator.integers(0, 4, (2, 50))
    expected = confusion_matrix(truth, predicted, labels=range(4))
    np.testing.assert_array_equal(confusion(truth, predicted, 4), expected)


@pytest.mark.parametrize("of_class", [0.0, 0.5, 3.0])
def test_the_share_of_the_class_is_that_of_the_two_way_table(of_class):
    generator = np.random.default_rng(3)
    style, label = generator.normal(size=(6, 1, 4, 4, 1)), generator.normal(size=(1, 5, 4, 4, 1))
    pictures = style + of_class * label
    # Populations of the two factors; each pixel's variance over the cells of its own factor.
    expected = of_class**2 * label.var(axis=1).sum()
    expected /= expected + style.var(axis=0).sum()
    assert share_of_class(pictures) == pytest.approx(expected, abs=1e-12)


def test_pictures_that_are_all_equal_have_no_share_of_the_class():
    assert share_of_class(np.full((3, 2, 4, 4, 1), 7, np.uint8)) == 0.0
