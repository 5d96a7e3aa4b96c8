"""Walks along one latent dimension, and steps from one class to another. Decoding them is the caller's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from vae_tf.analysis.features import Floats, Integers, as_features
from vae_tf.errors import UserError

SMALLEST_CLASS = 3


def aggregate_moments(mean: ArrayLike, standard_deviation: ArrayLike) -> tuple[Floats, Floats]:
    """Mean and standard deviation [d] of the aggregate posterior q(z) of N posteriors, exact.

    The variance is that of the means and the mean of the variances together.
    """
    means, deviations = np.asarray(mean, np.float64), np.asarray(standard_deviation, np.float64)
    return means.mean(axis=0), np.sqrt(means.var(axis=0) + (deviations**2).mean(axis=0))


def walk(start: ArrayLike, dimension: int, values: ArrayLike) -> Floats:
    """Codes [n, d]: `start` [d] with one dimension set to each of n values.

    Raises:
        UserError: There is no such dimension.
    """
    code = np.asarray(start, np.float64)
    if not 0 <= dimension < len(code):
        raise UserError(f"There is no dimension {dimension}.", f"They are 0 to {len(code) - 1}.")
    codes = np.repeat(code[None], len(np.asarray(values)), axis=0)
    codes[:, dimension] = values
    return codes


def change(lowest: ArrayLike, highest: ArrayLike) -> Floats:
    """Mean absolute change of each pixel [H, W] from pictures [B, H, W, C] to others, over pictures and channels."""
    difference = np.asarray(highest, np.float64) - np.asarray(lowest, np.float64)
    return np.asarray(np.abs(difference).mean(axis=(0, 3)))


@dataclass(frozen=True, eq=False)
class Probe:
    """A linear classifier of codes: positive `score` reads class b, negative class a."""

    centre: Floats
    scale: Floats
    weights: Floats
    intercept: float

    def reads_b(self, codes: ArrayLike) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Whether codes [N, d] are read as class b [N]."""
        standard = (np.asarray(codes, np.float64) - self.centre) / self.scale
        return np.asarray(standard @ self.weights + self.intercept > 0.0)


def fit_probe(codes: ArrayLike, is_b: ArrayLike) -> Probe:
    """Logistic regression (L2, C = 1, classes weighted equally) on standardised codes [N, d]; is_b [N]."""
    from sklearn.linear_model import LogisticRegression

    given, target = np.asarray(codes, np.float64), np.asarray(is_b, bool)
    centre, spread = given.mean(axis=0), given.std(axis=0)
    scale = np.where(spread > 1e-9, spread, 1.0)
    fitted = LogisticRegression(class_weight="balanced", max_iter=2000).fit((given - centre) / scale, target)
    return Probe(centre, scale, fitted.coef_[0].astype(np.float64), float(fitted.intercept_[0]))


def class_step(latents: ArrayLike, labels: Integers, a: int, b: int) -> Floats:
    """Difference [d] of the mean codes of classes b and a, of latents [N, d] with labels [N].

    Raises:
        UserError: A class has fewer than three pictures.
    """
    features = as_features(latents).astype(np.float64)
    for label in (a, b):
        if (labels == label).sum() < SMALLEST_CLASS:
            raise UserError(f"Class {label} has fewer than {SMALLEST_CLASS} pictures that were trained on.")
    return np.asarray(features[labels == b].mean(axis=0) - features[labels == a].mean(axis=0))


def random_step(step: Floats, spread: Floats, seed: int) -> Floats:
    """A step [d] in a random direction of the cloud (each dimension in its own spread [d]), as long as `step` is.

    Length is counted in spreads, so that both reach equally far into the cloud.
    """
    noise = np.random.default_rng(seed).standard_normal(len(step))
    scale = np.where(spread > 1e-9, spread, 0.0)
    length = float(np.linalg.norm(np.divide(step, scale, out=np.zeros_like(step), where=scale > 0)))
    return np.asarray(noise / float(np.linalg.norm(noise)) * length * scale)
