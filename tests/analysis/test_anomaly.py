import numpy as np
import pytest
from scipy.spatial.distance import mahalanobis
from sklearn.covariance import ledoit_wolf

from vae_tf.analysis.anomaly import LatentDistance


def test_distances_are_those_of_scipy():
    random = np.random.default_rng(0)
    codes = random.normal(size=(60, 5)) @ random.normal(size=(5, 5)) + 3.0
    distance = LatentDistance.fit(codes)
    covariance, shrinkage = ledoit_wolf(codes)
    inverse = np.linalg.inv(covariance)
    new = random.normal(size=(7, 5)) * 4
    expected = [mahalanobis(row, codes.mean(axis=0), inverse) for row in new]
    np.testing.assert_allclose(distance(new), expected, rtol=1e-8)
    assert distance.shrinkage == pytest.approx(shrinkage)


def test_more_latents_than_pictures_and_unused_ones_still_have_distances():
    random = np.random.default_rng(1)
    codes = random.normal(size=(10, 30)) * np.where(np.arange(30) < 4, 1.0, 1e-4)
    distance = LatentDistance.fit(codes)
    far = codes[:1] + 5.0 * (np.arange(30) == 0)
    assert np.isfinite(distance(codes)).all() and distance(far)[0] > 1.5 * distance(codes).max()
