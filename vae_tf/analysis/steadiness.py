"""The same pictures mapped at several settings and from two starts: what of a map is structure, and what is luck."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vae_tf.analysis.features import Floats, as_features, principal_scores
from vae_tf.analysis.neighbors import nearest_neighbors
from vae_tf.analysis.projection import project

SIZES = (5, 15, 30, 50)
# Twenty maps are drawn: of 1,000 pictures they would take 42 s, three times as long.
LARGEST_NUM_MAPPED = 500
NUM_NEIGHBORS = 10
_USUAL: dict[str, int] = {"tsne": 30, "umap": 15}


@dataclass(frozen=True)
class Variant:
    """A map of n pictures at one setting.

    Attributes:
        method: t-SNE, whose perplexity `size` is, or UMAP, whose n_neighbors it is.
        points: [n, 2] float32, started from the principal plane, as the large map is.
        trustworthiness: 0 to 1 (Venna & Kaski 2001), mean of both starts.
        stability: Mean Jaccard index of each picture's nearest neighbours on this map and on one that was started
            at random with another seed; 1: the same neighbours, `chance`: those of two maps that share nothing.
        num_neighbors: How many nearest neighbours were compared.
        shapeless: Whether it shows, instead of the pictures, a Gaussian cloud of the same covariance.
    """

    method: Literal["tsne", "umap"]
    size: int
    points: NDArray[np.float32]
    trustworthiness: float
    stability: float
    chance: float
    num_neighbors: int
    shapeless: bool = False


def variants(latents: ArrayLike, seed: int) -> tuple[NDArray[np.int64], list[Variant]]:
    """t-SNE and UMAP at every size of neighbourhood up to a third of the pictures, and of a shapeless cloud.

    Returns:
        Positions [n] of the pictures that were mapped, all or 500 chosen by the seed, and the maps; none for fewer
        than 16 pictures, or where all latents are equal.
    """
    features = as_features(latents)
    generator = np.random.default_rng(seed)
    chosen = np.arange(len(features))
    if len(features) > LARGEST_NUM_MAPPED:
        chosen = np.sort(generator.choice(len(features), LARGEST_NUM_MAPPED, replace=False))
    mapped = features[chosen]
    scores = principal_scores(mapped)
    sizes = [size for size in SIZES if size <= (len(chosen) - 1) / 3]
    if not sizes or not scores.any():
        return chosen, []
    # Principal scores are uncorrelated, so that independent draws have the covariance of the pictures.
    cloud = generator.normal(size=scores.shape) * scores.std(axis=0)
    found = []
    methods: tuple[Literal["tsne", "umap"], ...] = ("tsne", "umap")
    for method in methods:
        found += [_variant(mapped, method, size, seed) for size in sizes]
        found.append(_variant(cloud, method, min(_USUAL[method], sizes[-1]), seed, shapeless=True))
    return chosen, found


def _variant(
    latents: Floats, method: Literal["tsne", "umap"], size: int, seed: int, shapeless: bool = False
) -> Variant:
    first = project(latents, method, seed, perplexity=size, num_neighbors=size)
    second = project(latents, method, seed + 1, perplexity=size, num_neighbors=size, start="random")
    count = min(NUM_NEIGHBORS, (len(latents) - 1) // 3)
    return Variant(
        method=method,
        size=size,
        points=first.points,
        trustworthiness=(first.trustworthiness + second.trustworthiness) / 2,
        stability=shared_neighbors(first.points, second.points, count),
        chance=count / (2 * (len(latents) - 1) - count),
        num_neighbors=count,
        shapeless=shapeless,
    )


def shared_neighbors(one: ArrayLike, other: ArrayLike, num_neighbors: int) -> float:
    """Mean over rows of |A ∩ B| / |A ∪ B|, A and B the row's nearest neighbours among the rows of each array."""
    ours, theirs = (nearest_neighbors(points, num_neighbors)[0] for points in (one, other))
    both = (ours[:, :, None] == theirs[:, None, :]).sum(axis=(1, 2))
    return float(np.mean(both / (2 * ours.shape[1] - both)))
