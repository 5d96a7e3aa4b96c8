"""Clusters of latents, and how many of them the data supports."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vae_tf.analysis.features import Floats, Integers, as_features
from vae_tf.errors import UserError

_FITTED_ON = 5_000
_ONE_THREAD = 5000
# Every k up to 20; beyond, where that many are soon fitted, every fifth.
_EACH_K = 20
_STRIDE = 5
_LARGEST_K = 60
_SOON_FITTED = 1_000
_PICTURES_PER_CLUSTER = 8
_RESTARTS = 4
_BIC = "Bayesian information criterion: misfit, and a penalty for each further cluster"


@dataclass(frozen=True)
class Clustering:
    """Clusters with their number chosen by the Bayesian information criterion (Schwarz 1978).

    Attributes:
        method: "k-means" or "Gaussian mixture".
        assignments: [N] cluster of each picture, 0 being the largest cluster.
        num_clusters: The k with the lowest BIC.
        candidates: [K] the k tried, from 1.
        bic: [K] −2 log-likelihood + parameters · log N, in nats; lower is better.
        settings: What was chosen and why, fit for printing.
        facts: Plain sentences about the outcome.
    """

    method: Literal["k-means", "Gaussian mixture"]
    assignments: Integers
    num_clusters: int
    candidates: Integers
    bic: Floats
    settings: dict[str, Any]
    facts: tuple[str, ...]


def k_means(latents: ArrayLike, num_clusters: int, seed: int = 0) -> Integers:
    """Assign each picture to one of k clusters (k-means++ of Arthur & Vassilvitskii 2007, best of 4 starts).

    Args:
        latents: [N, d].
        num_clusters: k, from 1 to N; fewer result where there are fewer distinct points.
        seed: Of the starts.

    Returns:
        [N] integers below k.

    Raises:
        UserError: Latents of the wrong shape, or k out of range.
    """
    features = as_features(latents)
    if not 1 <= num_clusters <= len(features):
        raise UserError(f"k-means with {num_clusters} clusters needs 1 ≤ k ≤ N = {len(features)}.")
    return np.asarray(_fit_k_means(features, num_clusters, seed).labels_, dtype=np.int64)


def cluster_by_k_means(latents: ArrayLike, seed: int = 0, k_max: int | None = None) -> Clustering:
    """k-means with k by BIC, its model being round clusters of one variance (Pelleg & Moore 2000).

    Args:
        latents: [N, d]; for N > 5,000 the models are fitted on a random 5,000 and assign all.
        seed: Of the starts and of the subsample.
        k_max: Largest k tried, from 1; where None see `candidates_for`.

    Returns:
        `Clustering`.

    Raises:
        UserError: Latents of the wrong shape, one picture only, or k_max out of range.
    """
    features, sample, candidates = _prepare(latents, seed, k_max)
    models, bic = k_means_models(sample, candidates, seed)
    settings = {
        "k_max": int(candidates[-1]),
        "fitted_on": len(sample),
        "covariance": "one variance for all clusters",
    }
    return _result("k-means", candidates, models, bic, features, settings)


def k_means_models(sample: Floats, candidates: Integers, seed: int) -> tuple[list[Any], Floats]:
    """Fitted models for each k of `candidates` [K], and their BIC [K]."""
    models = [_fit_k_means(sample, k, seed) for k in candidates.tolist()]
    floor = _variance_floor(sample)
    return models, np.array([_k_means_bic(sample, model, floor) for model in models])


def cluster_by_gaussian_mixture(latents: ArrayLike, seed: int = 0, k_max: int | None = None) -> Clustering:
    """Gaussian mixture with k by BIC (Fraley & Raftery 2002), covariances diagonal unless N ≥ 10 d².

    Args:
        latents: [N, d]; for N > 5,000 the models are fitted on a random 5,000 and assign all.
        seed: Of the starts and of the subsample.
        k_max: Largest k tried, from 1; where None see `candidates_for`.

    Returns:
        `Clustering`.

    Raises:
        UserError: Latents of the wrong shape, one picture only, or k_max out of range.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture
    from threadpoolctl import threadpool_limits

    features, sample, candidates = _prepare(latents, seed, k_max)
    enough = 10 * sample.shape[1] ** 2
    full = len(sample) >= enough
    # Relative to the data's own variance, so that a cluster of equal pictures cannot have infinite density.
    regularisation = _variance_floor(sample)
    models = []
    for k in candidates.tolist():
        model = GaussianMixture(
            k,
            covariance_type="full" if full else "diag",
            reg_covar=regularisation,
            n_init=1 if k == 1 else 2,
            random_state=seed,
        )
        # Its matrices are small: beside other programs two threads took 105 s for what one did in 19 s.
        with warnings.catch_warnings(), threadpool_limits(1):
            warnings.simplefilter("ignore", ConvergenceWarning)
            models.append(model.fit(sample))
    bic = np.array([model.bic(sample) for model in models])
    settings = {
        "k_max": int(candidates[-1]),
        "fitted_on": len(sample),
        "covariance": "full" if full else "diagonal",
        "covariance_reason": f"N = {len(sample)} is {'at least' if full else 'below'} 10 d² = {enough}",
    }
    return _result("Gaussian mixture", candidates, models, bic, features, settings)


def _prepare(latents: ArrayLike, seed: int, k_max: int | None) -> tuple[Floats, Floats, Integers]:
    features = as_features(latents).astype(np.float64)
    if len(features) < 2:
        raise UserError("One picture cannot be clustered.", "Pass at least 2.")
    sample = features
    if len(features) > _FITTED_ON:
        chosen = np.random.default_rng(seed).choice(len(features), _FITTED_ON, replace=False)
        sample = features[np.sort(chosen)]
    if k_max is None:
        return features, sample, candidates_for(len(sample))
    if not 1 <= k_max <= len(sample):
        raise UserError(f"k_max is {k_max}; expected 1 to {len(sample)}, the number of pictures.")
    return features, sample, np.arange(1, k_max + 1)


def candidates_for(num_pictures: int) -> Integers:
    """The numbers of clusters tried [K]: each from 1 to 20, then every fifth up to 60, none above one per 8 pictures.

    Of more than 1,000 pictures none above 20: fitting takes long enough.
    """
    most = max(num_pictures // _PICTURES_PER_CLUSTER, 1)
    further = np.arange(_EACH_K + _STRIDE, _LARGEST_K + 1, _STRIDE)
    tried = np.arange(1, _EACH_K + 1)
    if num_pictures <= _SOON_FITTED:
        tried = np.append(tried, further)
    return np.asarray(tried[tried <= most])


def _variance_floor(sample: Floats) -> float:
    return max(1e-3 * float(sample.var(axis=0).mean()), 1e-12)


def _fit_k_means(features: NDArray[Any], num_clusters: int, seed: int) -> Any:
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    model = KMeans(num_clusters, n_init=1 if num_clusters == 1 else _RESTARTS, random_state=seed)
    # Threads that wait for each other at every one of some thousand pictures' few steps cost more than they do, and
    # minutes where other programs want the processor.
    threads = 1 if len(features) <= _ONE_THREAD else None
    with warnings.catch_warnings(), threadpool_limits(threads):
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(features)


def _k_means_bic(sample: Floats, model: Any, floor: float) -> float:
    num_pictures, num_dimensions = sample.shape
    sizes = np.bincount(model.labels_, minlength=model.n_clusters)
    sizes = sizes[sizes > 0]
    free = max(num_pictures - len(sizes), 1)
    variance = max(model.inertia_ / (num_dimensions * free), floor)
    log_likelihood = (
        float((sizes * np.log(sizes / num_pictures)).sum())
        - 0.5 * num_pictures * num_dimensions * np.log(2 * np.pi * variance)
        - 0.5 * model.inertia_ / variance
    )
    # Centres, mixing weights and the one variance.
    num_parameters = model.n_clusters * num_dimensions + model.n_clusters
    return float(-2 * log_likelihood + num_parameters * np.log(num_pictures))


def _result(
    method: Literal["k-means", "Gaussian mixture"],
    candidates: Integers,
    models: list[Any],
    bic: Floats,
    features: Floats,
    settings: dict[str, Any],
) -> Clustering:
    best = int(np.argmin(bic))
    assignments = _largest_first(np.asarray(models[best].predict(features), dtype=np.int64))
    facts = _facts(candidates, best, bic, np.bincount(assignments))
    return Clustering(method, assignments, int(candidates[best]), candidates, bic, settings, facts)


def _largest_first(assignments: Integers) -> Integers:
    clusters, inverse, sizes = np.unique(assignments, return_inverse=True, return_counts=True)
    rank = np.empty(len(clusters), dtype=np.int64)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(len(clusters))
    return np.asarray(rank[inverse])


def _facts(candidates: Integers, best: int, bic: Floats, sizes: Integers) -> tuple[str, ...]:
    num_clusters, k_max = int(candidates[best]), int(candidates[-1])
    if k_max == 1:
        return ("Too few pictures to try more than one cluster.",)
    if num_clusters == 1:
        margin = float(np.min(bic[1:]) - bic[0])
        return (
            f"One cloud: any number of clusters from 2 to {k_max} has a higher BIC ({_BIC}), by {margin:,.1f} or more.",
        )
    facts = [
        f"{num_clusters} clusters have the lowest BIC ({_BIC}) of 1 to {k_max}, {bic[0] - bic.min():,.0f} below that "
        "of one cloud." + (f" Above {_EACH_K} every fifth number was tried." if k_max > _EACH_K else ""),
        f"The largest holds {sizes[0]} pictures, the smallest {sizes[-1]}.",
    ]
    if num_clusters == k_max:
        facts.append("This is the largest number tried: still more clusters might fit better.")
    return tuple(facts)
