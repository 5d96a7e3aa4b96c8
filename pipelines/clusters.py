"""Stage `clusters`: maps of the latent space, and clusters without labels."""

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.classes import in_words_of
from pipelines.embed import embed, latents_of
from pipelines.maps import described_maps, map_tasks, write_maps
from pipelines.run_data import Subject, load_examples_of, load_model
from pipelines.side_by_side import Task, results_of
from vae_tf.artifacts.json_files import write_json
from vae_tf.artifacts.npz_files import save_arrays
from vae_tf.artifacts.stage import Stage, StageWriter
from vae_tf.data.dataset import Index
from vae_tf.pixels import to_uint8

NUM_PER_CLUSTER = 12
# From so many on, maps and clusterings take long enough to be worth a process each: at 60 pictures it is a tie, at 500
# a third less.
APART_FROM = 100


@dataclasses.dataclass(frozen=True)
class ClusterOptions:
    """What a user may choose; None means: from the number of pictures."""

    perplexity: float | None = None
    num_neighbors: int | None = None
    seed: int = 0


def cluster(subject: Subject, options: ClusterOptions) -> Stage:
    """Maps and clusterings of the latents."""
    embedded = embed(subject)
    inputs = {"embed": embedded.hash, "options": dataclasses.asdict(options)}
    return subject.compute(
        "clusters", inputs, lambda stage: write_clusters(subject, embedded, options, stage)
    )


def write_clusters(subject: Subject, embedded: Stage, options: ClusterOptions, stage: StageWriter) -> None:
    latents = latents_of(embedded)["mean"]
    tasks = {
        **map_tasks(latents, **dataclasses.asdict(options)),
        **cluster_tasks(latents, subject.index, options.seed),
    }
    made = results_of(tasks, apart=len(latents) >= APART_FROM)
    maps, arrays = described_maps(made)
    arrays["k_means"], arrays["gaussian_mixture"] = made["k-means"].assignments, made["mixture"].assignments
    found = in_words_of(subject, describe_clusters(latents, subject.index, options.seed, made))
    if not subject.is_text:
        arrays["averages"] = decoded_means(subject, latents, arrays["k_means"])
    save_arrays(stage.folder / "maps.npz", **arrays)
    write_maps(stage.folder, subject, load_examples_of(subject), made, options.seed)
    write_json(stage.folder / "scores.json", {"maps": maps, **found})
    stage.results.update(headline=found["headline"], num_pictures=len(latents))


def cluster_tasks(latents: NDArray[np.float32], index: Index, seed: int) -> dict[str, Task]:
    """k-means with k by BIC, which the page shows; beside it a Gaussian mixture, and as many clusters as classes."""
    from joblib import delayed

    from vae_tf.analysis import clustering
    from vae_tf.analysis.stability import stability_of_k

    tasks = {
        "mixture": delayed(clustering.cluster_by_gaussian_mixture)(latents, seed),
        "stability": delayed(stability_of_k)(latents, groups_of(index), seed),
        "k-means": delayed(clustering.cluster_by_k_means)(latents, seed),
    }
    if 2 <= len(index.class_names) <= len(latents):
        tasks["as many as classes"] = delayed(clustering.k_means)(latents, len(index.class_names), seed)
    return tasks


def groups_of(index: Index) -> NDArray[np.int64] | None:
    return index.groups if index.group_names else None


def describe_clusters(
    latents: NDArray[np.float32], index: Index, seed: int, made: dict[str, Any]
) -> dict[str, Any]:
    """What the page says of what the tasks found."""
    from vae_tf.analysis.cluster_headline import cluster_headline
    from vae_tf.analysis.cluster_meaning import meanings_of

    groups, shown, mixture = groups_of(index), made["k-means"], made["mixture"]
    rivals = [
        ("k-means, k by BIC (shown here)", shown.assignments),
        ("Gaussian mixture, k by BIC", mixture.assignments),
    ]
    if "as many as classes" in made:
        rivals.append(("k-means, as many clusters as classes", made["as many as classes"]))
    agreements = [agreement(name, clusters, index, groups, seed) for name, clusters in rivals]
    meanings = meanings_of(shown.assignments, index.labels, groups, seed)
    return {
        "headline": cluster_headline(shown, made["stability"], meanings),
        "curves": [
            {"method": c.method, "k": c.candidates, "bic": c.bic, "chosen": c.num_clusters}
            for c in (shown, mixture)
        ],
        "facts": shown.facts,
        "stability": dataclasses.asdict(made["stability"]),
        "agreements": agreements,
        "representatives": representatives(latents, shown.assignments),
    }


def agreement(
    name: str, clusters: NDArray[np.int64], index: Index, groups: NDArray[np.int64] | None, seed: int
) -> dict[str, Any]:
    """How far one clustering follows classes and groups."""
    from sklearn.metrics import adjusted_rand_score

    from vae_tf.analysis.cluster_meaning import meanings_of

    labelled = index.labels >= 0
    several = len(np.unique(index.labels[labelled])) > 1
    return {
        "name": name,
        "num_clusters": int(clusters.max(initial=0)) + 1,
        "ari": float(adjusted_rand_score(index.labels[labelled], clusters[labelled])) if several else None,
        **dataclasses.asdict(meanings_of(clusters, index.labels, groups, seed)),
    }


def decoded_means(
    subject: Subject, latents: NDArray[np.float32], assignments: NDArray[np.int64]
) -> NDArray[np.uint8]:
    """What the model makes of each cluster's mean latent [k, H, W, C]: generated, no picture of the data."""
    centres = [latents[assignments == i].mean(axis=0) for i in range(int(assignments.max(initial=0)) + 1)]
    return to_uint8(load_model(subject.run).decode(np.stack(centres).astype(np.float32)))


def representatives(latents: NDArray[np.float32], assignments: NDArray[np.int64]) -> list[list[int]]:
    """Positions of the pictures nearest to each cluster's mean, the nearest first."""
    chosen = []
    for cluster_index in range(int(assignments.max(initial=-1)) + 1):
        members = np.flatnonzero(assignments == cluster_index)
        distance = np.linalg.norm(latents[members] - latents[members].mean(axis=0), axis=1)
        chosen.append(members[np.argsort(distance, kind="stable")[:NUM_PER_CLUSTER]].tolist())
    return chosen
