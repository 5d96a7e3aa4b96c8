"""What the map of a cluster page shows: maps, each picture's neighbours, and what the model rebuilds of it."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pipelines.run_data import Examples, Subject, load_model
from pipelines.side_by_side import Task
from vae_tf import random
from vae_tf.artifacts.json_files import write_json
from vae_tf.artifacts.npz_files import save_arrays
from vae_tf.data.dataset import Pictures
from vae_tf.pixels import to_uint8

METHODS: tuple[Literal["tsne", "umap", "pca"], ...] = ("tsne", "umap", "pca")
NUM_NEIGHBORS = 8
# Bytes of thumbnails of reconstructions that a page carries at most: 1,000 colour pictures of 128×128.
LARGEST_REBUILT = 50_000_000


def map_tasks(
    latents: NDArray[np.float32], perplexity: float | None, num_neighbors: int | None, seed: int
) -> dict[str, Task]:
    """Maps, neighbours, and the maps at other settings, the longest first; None: see `project`."""
    from joblib import delayed

    from vae_tf.analysis.neighbors import nearest_neighbors
    from vae_tf.analysis.projection import project
    from vae_tf.analysis.steadiness import variants

    def drawn(method: str) -> Task:
        sizes = {"perplexity": perplexity, "num_neighbors": num_neighbors}
        made: Task = delayed(project)(latents, method, seed, **sizes)
        return made

    return {
        "tsne": drawn("tsne"),
        "neighbors": delayed(nearest_neighbors)(latents, NUM_NEIGHBORS),
        "variants": delayed(variants)(latents, seed),
        "umap": drawn("umap"),
        "pca": drawn("pca"),
    }


def described_maps(made: dict[str, Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Each map's settings and trustworthiness, and its points by name."""
    drawn = {method: made[method] for method in METHODS}
    maps = [
        {
            "asked": method,
            "method": projection.method,
            "settings": projection.settings,
            "trustworthiness": projection.trustworthiness,
        }
        for method, projection in drawn.items()
    ]
    return maps, {method: projection.points for method, projection in drawn.items()}


def write_maps(folder: Path, subject: Subject, pictures: Examples, made: dict[str, Any], seed: int) -> None:
    """What goes with the maps, beside them: neighbours.npz, variants.npz and .json, rebuilt.npz of pictures."""
    positions, distances = made["neighbors"]
    save_arrays(folder / "neighbors.npz", positions=positions, distances=distances)
    chosen, found = made["variants"]
    points = {f"points_{i}": variant.points for i, variant in enumerate(found)}
    save_arrays(folder / "variants.npz", chosen=chosen, **points)
    facts = [{k: v for k, v in vars(variant).items() if k != "points"} for variant in found]
    write_json(folder / "variants.json", facts)
    if isinstance(pictures, Pictures):
        save_arrays(folder / "rebuilt.npz", **rebuild(load_model(subject.run), pictures, seed))


def rebuild(model: Any, pictures: Pictures, seed: int) -> dict[str, NDArray[Any]]:
    """`mse` of every picture's reconstruction [N], and thumbnails [n, h, w, C] of those at `positions` [n].

    All pictures' where they fit into `LARGEST_REBUILT`, else those of a choice by the seed.
    """
    from reports.images import shrunk, thumbnail_size
    from vae_tf.evaluation.reconstruction import rebuilt_batches, squared_errors

    total = len(pictures.images)
    width, height = thumbnail_size(total, *pictures.images.shape[1:3])
    fitting = LARGEST_REBUILT // (width * height * pictures.images.shape[3])
    kept = np.arange(total)
    if fitting < total:
        kept = np.sort(random.generator(seed, "rebuilt").choice(total, fitting, replace=False))
    errors, thumbnails = [], []
    start = 0
    for originals, decoded in rebuilt_batches(model, pictures.images):
        errors.append(squared_errors(originals, decoded))
        end = start + len(originals)
        thumbnails.append(
            shrunk(to_uint8(decoded[kept[(kept >= start) & (kept < end)] - start]), width, height)
        )
        start = end
    return {
        "mse": np.concatenate(errors).astype(np.float32),
        "positions": kept,
        "thumbnails": np.concatenate(thumbnails),
    }
