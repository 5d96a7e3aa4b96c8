"""Walks and steps against what they are by definition."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from vae_tf.analysis.traversal import (
    aggregate_moments,
    change,
    class_step,
    fit_probe,
    random_step,
    walk,
)
from vae_tf.errors import UserError


def test_moments_of_the_aggregate_are_those_of_its_samples():
    random = np.random.default_rng(0)
    means, deviations = random.normal(size=(50, 3)) * [1, 2, 0], random.uniform(0.2, 1, (50, 3))
    samples = means + deviations * random.normal(size=(20_000, 50, 3))
    centre, spread = aggregate_moments(means, deviations)
    flat = samples.reshape(-1, 3)
    np.testing.assert_allclose(centre, flat.mean(axis=0), atol=0.01)
    np.testing.assert_allclose(spread, flat.std(axis=0), rtol=0.01)


def test_a_walk_moves_one_number_only():
    start = np.array([1.0, 2.0, 3.0])
    codes = walk(start, 1, [-1.0, 0.0, 5.0])
    assert codes.tolist() == [[1, -1, 3], [1, 0, 3], [1, 5, 3]]
    assert start.tolist() == [1, 2, 3]
    with pytest.raises(UserError, match="0 to 2"):
        walk(start, 3, [0.0])


def test_change_is_the_mean_over_pictures_and_channels():
    low, high = np.zeros((2, 1, 2, 3)), np.zeros((2, 1, 2, 3))
    high[0, 0, 1], high[1, 0, 1, 0] = -0.6, 0.6
    assert change(low, high) == pytest.approx(np.array([[0.0, (3 * 0.6 + 0.6) / 6]]))


def test_the_class_step_leads_from_mean_to_mean():
    random = np.random.default_rng(1)
    latents, labels = random.normal(size=(30, 4)), np.repeat([0, 1, 2], 10)
    step = class_step(latents, labels, 0, 2)
    np.testing.assert_allclose(latents[:10].mean(axis=0) + step, latents[20:].mean(axis=0))
    np.testing.assert_allclose(step, -class_step(latents, labels, 2, 0))
    with pytest.raises(UserError, match="fewer than 3"):
        class_step(latents, np.repeat([0, 1], [28, 2]), 0, 1)


def test_the_control_is_as_long_as_the_step_and_goes_elsewhere():
    spread = np.array([1.0, 10.0, 0.0, 2.0])
    step = np.array([1.0, 5.0, 0.0, -2.0])
    control = random_step(step, spread, seed=3)
    with np.errstate(invalid="ignore"):
        lengths = [np.linalg.norm(np.nan_to_num(v / spread)) for v in (step, control)]
    # The dimension without spread takes its share of the noise and moves nothing.
    assert 0 < lengths[1] <= lengths[0] + 1e-12 and control[2] == 0.0
    full = random_step(step[[0, 1, 3]], spread[[0, 1, 3]], seed=3) / spread[[0, 1, 3]]
    assert np.linalg.norm(full) == pytest.approx(np.linalg.norm(step[[0, 1, 3]] / spread[[0, 1, 3]]))


def test_the_probe_is_a_logistic_regression_on_standardised_codes():
    random = np.random.default_rng(2)
    codes = random.normal(size=(60, 3)) * [1, 50, 0.01]
    is_b = codes[:, 0] + random.normal(size=60) > 0
    other = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced")).fit(codes, is_b)
    fresh = random.normal(size=(200, 3)) * [1, 50, 0.01]
    assert (fit_probe(codes, is_b).reads_b(fresh) == other.predict(fresh)).mean() > 0.99
