"""Classifiers from a few labels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.neighbors import KNeighborsClassifier

from vae_tf.analysis.features import as_features, principal_scores
from vae_tf.evaluation.probe import (
    balanced_accuracy,
    draw_labelled,
    linear_predictions,
    neighbor_predictions,
    probe,
)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-1, 3), min_size=4, max_size=60), st.integers(1, 6), st.integers(0, 3))
def test_so_many_of_each_class_are_drawn_and_none_without_a_label(values, per_class, draw):
    labels = np.array([*values, 0, 1])
    chosen = draw_labelled(labels, per_class, 0, draw)
    assert len(set(chosen.tolist())) == len(chosen) and (labels[chosen] >= 0).all()
    for label in set(labels.tolist()) - {-1}:
        assert np.sum(labels[chosen] == label) == min(per_class, np.sum(labels == label))
    np.testing.assert_array_equal(chosen, draw_labelled(labels, per_class, 0, draw))
    assert len(draw_labelled(labels, None, 0, draw)) == np.sum(labels >= 0)


@pytest.mark.parametrize("num_columns", [3, 200])
def test_classifiers_predict_what_scikit_learn_predicts_on_all_columns(num_columns):
    generator = np.random.default_rng(1)
    labels = np.arange(30) % 3
    train = generator.normal(size=(30, num_columns)) + labels[:, None]
    test = generator.normal(size=(50, num_columns)) + generator.integers(0, 3, 50)[:, None]
    centre = train.mean(axis=0)
    scale = np.sqrt(np.mean(np.sum((train - centre) ** 2, axis=1)) / min(30, num_columns))
    linear = LogisticRegression(max_iter=5000, tol=1e-8).fit((train - centre) / scale, labels)
    agree = linear_predictions(train, labels, test) == linear.predict((test - centre) / scale)
    # The optimiser stops within its tolerance: a picture on a border may fall to either side.
    assert np.mean(agree) >= 0.96
    nearest = KNeighborsClassifier(5).fit(train, labels)
    np.testing.assert_array_equal(neighbor_predictions(train, labels, test), nearest.predict(test))


def test_balanced_accuracy_is_that_of_scikit_learn():
    generator = np.random.default_rng(2)
    labels, predicted = generator.integers(0, 4, 200), generator.integers(0, 4, 200)
    assert balanced_accuracy(predicted, labels) == pytest.approx(balanced_accuracy_score(labels, predicted))


def test_informative_features_are_read_and_others_stay_at_chance():
    generator = np.random.default_rng(3)
    labels = generator.integers(0, 2, 400)
    features = {
        "good": labels[:, None] * 4 + generator.normal(size=(400, 2)),
        "useless": generator.normal(size=(400, 2)),
    }
    scores = probe(features, labels, np.arange(200), np.arange(200, 400), (2, None), num_draws=20)
    means = {(score.method, score.per_class): np.mean(score.values) for score in scores}
    assert [len(score.values) for score in scores] == [20] * 4 + [1] * 4
    assert means["good, linear", None] > 0.95 and means["good, 5-NN", None] > 0.95
    for method in ("useless, linear", "useless, 5-NN"):
        # 20 draws share 200 judged pictures, whose share has a standard deviation of 0.035.
        assert abs(means[method, 2] - 0.5) < 0.11


def test_stored_pictures_give_what_classifiers_make_of_all_their_pixels():
    """Neither the unit of the pixels nor the axes they are turned onto are seen."""
    generator = np.random.default_rng(4)
    labels = np.arange(90) % 3
    kinds = generator.integers(0, 120, (3, 20, 20, 1))
    pictures = (kinds[labels] + generator.integers(0, 120, (90, 20, 20, 1))).astype(np.uint8)
    train, test = np.arange(60), np.arange(60, 90)
    turned = principal_scores(as_features(pictures))
    found = probe({"pixels": turned}, labels, train, test, (2, None), num_draws=3)
    rows = pictures.reshape(90, -1) / 255
    for score in found:
        classify = linear_predictions if "linear" in score.method else neighbor_predictions
        draws = [draw_labelled(labels[train], score.per_class, 0, draw) for draw in range(len(score.values))]
        expected = [
            balanced_accuracy(classify(rows[chosen], labels[chosen], rows[test]), labels[test])
            for chosen in draws
        ]
        assert score.values == pytest.approx(expected, abs=0.04)
        assert np.mean(expected) > 0.4
