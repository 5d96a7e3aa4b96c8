"""How sure the number of clusters is, and how far two halves of the pictures give the same clusters."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from vae_tf.analysis.clustering import candidates_for, k_means_models
from vae_tf.analysis.features import Floats, Integers, as_features
from vae_tf.groups import units_of

# Of more pictures a random part serves.
LARGEST_NUM_PICTURES = 2_000
SHARE = 0.8
NUM_PAIRS = 10


@dataclass(frozen=True, eq=False)
class Stability:
    """k-means on subsamples.

    Attributes:
        candidates: [K] the k compared, from 2; none where the pictures are too few.
        agreement: [K] mean adjusted Rand index of the clusters of two subsamples, on the pictures they share: 1 where
            clusters do not depend on who was drawn.
        lowest: [K] the lowest of these.
        by_chance: [K] the mean agreement for normal noise of the same mean and covariance, which has no clusters.
        chosen: k with the lowest BIC in each subsample.
        num_pictures: How many pictures served.
    """

    candidates: Integers
    agreement: Floats
    lowest: Floats
    by_chance: Floats
    chosen: tuple[int, ...]
    num_pictures: int


def stability_of_k(latents: ArrayLike, groups: Integers | None = None, seed: int = 0) -> Stability:
    """Clusters ten pairs of subsamples with every k, and compares each pair on the pictures that both hold.

    A subsample holds 80 % (Ben-Hur, Elisseeff & Guyon 2002), of the groups where there are any: pictures of one person
    would find each other again whoever else was drawn.

    Args:
        latents: [N, d]; of more than 2,000 pictures a random part serves.
        groups: [N] group of each picture, −1 for none; or None.
        seed: Of subsamples and of k-means.

    Returns:
        `Stability`.
    """
    features = np.asarray(as_features(latents), dtype=np.float64)
    generator = np.random.default_rng(seed)
    rows = np.arange(len(features))
    if len(rows) > LARGEST_NUM_PICTURES:
        rows = np.sort(generator.choice(rows, LARGEST_NUM_PICTURES, replace=False))
    units = np.arange(len(rows)) if groups is None else units_of(groups[rows])
    features = features[rows]
    candidates = candidates_for(len(features))[1:]
    if not len(candidates):
        nothing = np.zeros(0)
        return Stability(candidates, nothing, nothing, nothing, (), len(rows))
    scores, chosen = _compared(features, units, candidates, generator, NUM_PAIRS)
    mean, covariance = features.mean(axis=0), np.atleast_2d(np.cov(features.T))
    by_chance = []
    for _ in range(NUM_PAIRS // 2):
        noise = generator.multivariate_normal(mean, covariance, len(features), method="eigh")
        by_chance.append(_compared(noise, np.arange(len(noise)), candidates, generator, 1)[0][0])
    return Stability(
        candidates=candidates,
        agreement=scores.mean(axis=0),
        lowest=scores.min(axis=0),
        by_chance=np.mean(by_chance, axis=0),
        chosen=tuple(chosen),
        num_pictures=len(rows),
    )


def say_uncertainty(stability: Stability, num_clusters: int) -> str:
    """How far another sample of such pictures would have given another k, in one sentence."""
    if not stability.chosen:
        return "The pictures are too few to say how sure the number of clusters is."
    counts = Counter(stability.chosen)
    low, high, total = min(counts), max(counts), len(stability.chosen)
    if low == high == num_clusters:
        return f"The number is sure: it is the same in {total} of {total} subsamples of 80 % of the pictures."
    often = counts.get(num_clusters, 0)
    spread = f"{low}" if low == high else f"from {low} to {high}"
    return (
        f"The number is uncertain: in {total} subsamples of 80 % of the pictures it is {spread}, "
        f"and {num_clusters} in {often or 'none'} of them."
    )


def _compared(
    features: Floats, units: Integers, candidates: Integers, generator: np.random.Generator, num_pairs: int
) -> tuple[Floats, list[int]]:
    """Adjusted Rand indices [pairs, K], and k by BIC in each subsample."""
    from sklearn.metrics import adjusted_rand_score

    scores, chosen = [], []
    for _ in range(num_pairs):
        one, other = (_drawn(units, generator) for _ in range(2))
        seeds = generator.integers(2**31, size=2).tolist()
        both = np.flatnonzero(one & other)
        fitted = []
        for inside, seed in zip((one, other), seeds, strict=True):
            tried = np.append(1, candidates)
            models, bic = k_means_models(features[inside], tried, seed)
            chosen.append(int(tried[np.argmin(bic)]))
            fitted.append([model.predict(features[both]) for model in models[1:]])
        scores.append([adjusted_rand_score(a, b) for a, b in zip(*fitted, strict=True)])
    return np.array(scores), chosen


def _drawn(units: Integers, generator: np.random.Generator) -> Integers:
    """Whether each picture is in a subsample, [N]."""
    num_units = int(units.max()) + 1
    kept = generator.permutation(num_units)[: max(2, round(SHARE * num_units))]
    return np.asarray(np.isin(units, kept))
