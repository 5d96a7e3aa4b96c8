"""Two-dimensional maps of latents, each with the number that says how far to trust its neighbourhoods."""

from __future__ import annotations

import importlib
import math
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vae_tf.analysis.features import Floats, as_features, principal_scores
from vae_tf.analysis.neighbors import nearest_neighbors, nearest_of
from vae_tf.errors import UserError

Method = Literal["tsne", "umap", "pca"]
Start = Literal["principal", "random"]

_STARTS: dict[Start, str] = {"principal": "first two principal components", "random": "random"}
_PERPLEXITY = 30.0
_NUM_NEIGHBORS = 15
_FFT_FROM = 5_000
_SMALLEST_EMBEDDED = 4
# Below, UMAP itself compares every pair.
_UMAP_SEARCHES_FROM = 4_096
_TRUSTWORTHINESS_PICTURES = 2_000
# Beyond, t-SNE and UMAP map so many landmarks, and the other pictures are placed among them. A mean of neighbours would
# put many into the gaps between groups: of 12,000 digits, 4,000 of them landmarks, it had a trustworthiness of 0.910,
# the median 0.962, and the map of all 0.982.
LARGEST_MAPPED_WHOLE = 60_000
NUM_LANDMARKS = 20_000
_PLACING_NEIGHBORS = 5
_PLACED_AT_ONCE = 100_000
_TRUSTWORTHINESS_NEIGHBORS = 5


@dataclass(frozen=True)
class Projection:
    """A map of N pictures.

    Attributes:
        method: What drew the map; "pca" where t-SNE or UMAP was asked for but could not be used (`settings`
            says why).
        points: [N, 2] float32 coordinates; only distances between near points mean something for t-SNE and
            UMAP.
        settings: What was chosen and why, fit for printing.
        trustworthiness: 0 to 1; 1 where every neighbour on the map is a neighbour in latent space (Venna &
            Kaski 2001).
    """

    method: Method
    points: NDArray[np.float32]
    settings: dict[str, Any]
    trustworthiness: float


def project(
    latents: ArrayLike,
    method: Method = "tsne",
    seed: int = 0,
    *,
    perplexity: float | None = None,
    num_neighbors: int | None = None,
    start: Start = "principal",
) -> Projection:
    """Map latents to two dimensions, deterministically for a seed.

    t-SNE is van der Maaten & Hinton 2008 (openTSNE, Poličar et al. 2024), UMAP is McInnes et al. 2018. Both
    start from the first two principal components, which keeps the large-scale layout (Kobak & Linderman
    2021), unless told to start at random.

    Beyond 60,000 pictures t-SNE and UMAP map 20,000 of them, chosen by the seed, and place each other one at the median
    of its five nearest of these (as openTSNE begins with points that it adds to a map).

    Args:
        latents: [N, d] numbers, N ≥ 1.
        method: "tsne", "umap" or "pca".
        seed: Of the landmarks, the optimiser, of the start's jitter and of trustworthiness' subsample.
        perplexity: t-SNE's effective number of neighbours; 30 where None; always clipped to (N − 1)/3.
        num_neighbors: UMAP's number of neighbours; 15 where None; always clipped to N − 1.
        start: Where t-SNE and UMAP start from; "random" tells what of a map owes nothing to its start.

    Returns:
        A `Projection`; for fewer than 4 pictures, or where all latents are equal, that of PCA.

    Raises:
        UserError: An unknown method, latents of the wrong shape or not finite, a perplexity or a number of
            neighbours below 1.
    """
    if method not in get_args(Method):
        raise UserError(f"Unknown projection {method!r}.", f"Choose one of {', '.join(get_args(Method))}.")
    features = as_features(latents)
    scores = principal_scores(features)
    reason = _why_not_embedded(scores) if method != "pca" else None
    settings: dict[str, Any]
    if method != "pca" and reason is None:

        def draw(chosen: Floats) -> tuple[Floats, dict[str, Any]]:
            if method == "tsne":
                return _tsne(chosen, seed, perplexity, start)
            return _umap(chosen, seed, num_neighbors, start)

        points, settings = (
            draw(scores) if len(scores) <= LARGEST_MAPPED_WHOLE else _placed(scores, seed, draw)
        )
    else:
        method, points = "pca", _plane(scores)
        settings = {"fallback": reason} if reason else {}
        settings["variance_explained"] = _explained(scores)
    trust, trust_settings = _trustworthiness(scores, points, seed)
    return Projection(method, points.astype(np.float32), {"seed": seed, **settings, **trust_settings}, trust)


def _placed(
    scores: Floats, seed: int, draw: Callable[[Floats], tuple[Floats, dict[str, Any]]]
) -> tuple[Floats, dict[str, Any]]:
    """The map of some pictures, and every other one at the median of its nearest of them."""
    chosen = np.sort(np.random.default_rng(seed).choice(len(scores), NUM_LANDMARKS, replace=False))
    drawn, settings = draw(scores[chosen])
    points = np.empty((len(scores), 2))
    points[chosen] = drawn
    others = np.setdiff1d(np.arange(len(scores)), chosen, assume_unique=True)
    landmarks = scores[chosen].astype(np.float32)
    for start in range(0, len(others), _PLACED_AT_ONCE):
        some = others[start : start + _PLACED_AT_ONCE]
        nearest = nearest_of(landmarks, scores[some].astype(np.float32), _PLACING_NEIGHBORS)
        points[some] = np.median(drawn[nearest], axis=1)
    return points, {
        **settings,
        "landmarks": NUM_LANDMARKS,
        "placing": f"the others at the median of their {_PLACING_NEIGHBORS} nearest landmarks",
    }


def _why_not_embedded(scores: Floats) -> str | None:
    if len(scores) < _SMALLEST_EMBEDDED:
        return f"PCA instead: {len(scores)} pictures are too few, {_SMALLEST_EMBEDDED} are needed"
    if not scores.any():
        return "PCA instead: all latents are equal"
    return None


def _plane(scores: Floats) -> Floats:
    """The first two principal components, [N, 2]; missing ones are zero."""
    plane = np.zeros((len(scores), 2))
    plane[:, : min(2, scores.shape[1])] = scores[:, :2]
    return plane


def _explained(scores: Floats) -> float:
    total = float((scores**2).sum())
    return float((scores[:, :2] ** 2).sum() / total) if total > 0 else 1.0


def _start(scores: Floats, scale: float, seed: int, start: Start) -> Floats:
    """The principal plane at the given scale, or noise; jitter lets equal and collinear points come apart."""
    generator = np.random.default_rng(seed)
    plane = _plane(scores)
    if start == "random":
        plane = generator.normal(size=plane.shape)
    jitter = generator.normal(size=plane.shape)
    return np.asarray(scale * (plane / plane[:, 0].std() + 1e-2 * jitter))


def _tsne(scores: Floats, seed: int, perplexity: float | None, start: Start) -> tuple[Floats, dict[str, Any]]:
    import openTSNE

    num_pictures = len(scores)
    chosen = _at_least_one("perplexity", perplexity, _PERPLEXITY)
    limit = (num_pictures - 1) / 3
    gradient = "fft" if num_pictures >= _FFT_FROM else "bh"
    perplexity_used = min(chosen, limit)
    # Its own search takes 27 s of 20,000 pictures, most of it to be compiled; every pair 1.5 s.
    positions, distances = nearest_neighbors(scores, max(1, int(3 * perplexity_used)))
    affinities = openTSNE.affinity.PerplexityBasedNN(
        knn_index=openTSNE.nearest_neighbors.PrecomputedNeighbors(positions, distances),
        perplexity=perplexity_used,
        random_state=seed,
    )
    # One thread: on busy cores, threads that wait for each other made small maps three times slower, and two alone
    # gained a tenth on large ones.
    tsne = openTSNE.TSNE(negative_gradient_method=gradient, random_state=seed)
    points = tsne.fit(affinities=affinities, initialization=_start(scores, 1e-4, seed, start))
    settings = {
        "perplexity": round(perplexity_used, 2),
        "perplexity_reason": _why(perplexity, chosen, limit, f"(N − 1)/3 for N = {num_pictures}"),
        "gradient": "interpolated (FFT)" if gradient == "fft" else "Barnes-Hut",
        "neighbors": "exact",
        "initialization": _STARTS[start],
    }
    return np.asarray(points, dtype=np.float64), settings


def _umap(
    scores: Floats, seed: int, num_neighbors: int | None, start: Start
) -> tuple[Floats, dict[str, Any]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        umap = _import_umap()
        chosen = _at_least_one("num_neighbors", num_neighbors, _NUM_NEIGHBORS)
        limit = len(scores) - 1
        # UMAP needs two neighbours; with a seed it runs on one thread and warns unless told so.
        used = max(2, int(min(chosen, limit)))
        layout = _start(scores, 1.0, seed, start)
        layout *= 10 / np.abs(layout).max()
        known = _known_neighbors(scores, used) if len(scores) >= _UMAP_SEARCHES_FROM else (None, None, None)
        reducer = umap.UMAP(n_neighbors=used, init=layout, random_state=seed, n_jobs=1, precomputed_knn=known)
        points = reducer.fit_transform(scores)
    settings = {
        "num_neighbors": used,
        "num_neighbors_reason": _why(num_neighbors, chosen, limit, f"N − 1 for N = {len(scores)}"),
        "min_dist": reducer.min_dist,
        "initialization": _STARTS[start],
    }
    return np.asarray(points, dtype=np.float64), settings


def _import_umap() -> Any:
    """umap-learn without its neural half, for which it would load TensorFlow: 5 s, and lines in the terminal."""
    is_there = "tensorflow" in sys.modules
    if not is_there:
        sys.modules["tensorflow"] = None  # type: ignore[assignment]
    try:
        return importlib.import_module("umap")
    finally:
        if not is_there:
            del sys.modules["tensorflow"]


def _known_neighbors(scores: Floats, count: int) -> tuple[NDArray[np.int32], NDArray[np.float32], None]:
    """Each row itself and its nearest others, as UMAP takes them: its own search takes half a minute to compile."""
    positions, distances = nearest_neighbors(scores, count - 1)
    itself = np.arange(len(scores), dtype=np.int32)[:, None]
    return np.hstack([itself, positions]), np.hstack([np.zeros_like(distances[:, :1]), distances]), None


def _at_least_one(name: str, given: float | None, default: float) -> float:
    if given is not None and not (math.isfinite(given) and given >= 1):
        raise UserError(
            f"{name} is {given}; expected a number of at least 1.", f"The default is {default:g}."
        )
    return default if given is None else given


def _why(given: float | None, chosen: float, limit: float, rule: str) -> str:
    origin = "the default" if given is None else "as asked"
    return f"{origin} ({chosen:g}), clipped to {rule}" if chosen > limit else origin


def _trustworthiness(scores: Floats, points: Floats, seed: int) -> tuple[float, dict[str, Any]]:
    from sklearn.manifold import trustworthiness

    num_pictures = len(scores)
    if num_pictures < 3:
        return 1.0, {"trustworthiness_note": "1 by definition: fewer than 3 pictures have no neighbourhoods"}
    settings: dict[str, Any] = {}
    if num_pictures > _TRUSTWORTHINESS_PICTURES:
        generator = np.random.default_rng(seed)
        chosen = np.sort(generator.choice(num_pictures, _TRUSTWORTHINESS_PICTURES, replace=False))
        scores, points = scores[chosen], points[chosen]
        settings["trustworthiness_pictures"] = _TRUSTWORTHINESS_PICTURES
    # Defined for fewer than N/2 neighbours only.
    num_neighbors = min(_TRUSTWORTHINESS_NEIGHBORS, math.ceil(len(scores) / 2) - 1)
    settings["trustworthiness_neighbors"] = num_neighbors
    return float(trustworthiness(scores, points, n_neighbors=num_neighbors)), settings
