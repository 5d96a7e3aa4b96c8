"""Stage `clusters`: maps of the latent space, clusters without labels, and whether the classes separate."""

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.embed import embed
from pipelines.evaluate import fit_pca
from pipelines.maps import draw_maps, write_maps
from pipelines.run_data import Examples, Subject, load_examples_of
from reports.words import said_of
from vae_tf.artifacts import Stage, StageWriter, load_arrays, save_arrays, write_json
from vae_tf.data.dataset import Index
from vae_tf.data.sentences import Sentences
from vae_tf.data.splits import PARTS
from vae_tf.errors import UserError
from vae_tf.pixels import to_unit

# The pixels of more pictures than this would not fit into memory as floats; the tests say how many served.
LARGEST_NUM_TESTED = 2000
NUM_PER_CLUSTER = 12


@dataclasses.dataclass(frozen=True)
class ClusterOptions:
    """What a user may choose; None means: from the number of pictures."""

    perplexity: float | None = None
    num_neighbors: int | None = None
    num_permutations: int = 999
    seed: int = 0


def cluster(subject: Subject, options: ClusterOptions) -> Stage:
    """Maps, clusterings and separation of the latents, with PCA and pixels beside them."""
    embedded = embed(subject)
    inputs = {"embed": embedded.hash, "options": dataclasses.asdict(options)}
    return subject.compute(
        "clusters", inputs, lambda stage: write_clusters(subject, embedded, options, stage)
    )


def write_clusters(subject: Subject, embedded: Stage, options: ClusterOptions, stage: StageWriter) -> None:
    pictures = load_examples_of(subject)
    latents = load_arrays(embedded.folder / "latents.npz")["mean"]
    maps, arrays = draw_maps(latents, options)
    clusterings = in_words_of(subject, find_clusters(latents, options.seed, arrays))
    separation = in_words_of(subject, separate_classes(subject, pictures, latents, options))
    save_arrays(stage.folder / "maps.npz", **arrays)
    write_maps(stage.folder, subject, pictures, latents, options.seed)
    scores = {"maps": maps, "clusterings": clusterings, "separation": separation}
    write_json(stage.folder / "scores.json", scores)
    stage.results.update(headline=separation["headline"], num_pictures=len(latents))


def in_words_of(subject: Subject, found: Any) -> Any:
    """Every text of a finding, said of what the subject is about."""
    if isinstance(found, dict):
        return {key: in_words_of(subject, value) for key, value in found.items()}
    if isinstance(found, list | tuple):
        return [in_words_of(subject, value) for value in found]
    return said_of(found, subject.noun) if isinstance(found, str) else found


def find_clusters(latents: NDArray[np.float32], seed: int, arrays: dict[str, Any]) -> list[dict[str, Any]]:
    """k-means and a Gaussian mixture, k by BIC; the assignments go into `arrays`."""
    from vae_tf.analysis import clustering

    found = []
    for key, method in (
        ("k_means", clustering.cluster_by_k_means),
        ("gaussian_mixture", clustering.cluster_by_gaussian_mixture),
    ):
        result = method(latents, seed)
        arrays[key] = result.assignments
        found.append(
            {
                "key": key,
                "method": result.method,
                "num_clusters": result.num_clusters,
                "candidates": result.candidates,
                "bic": result.bic,
                "facts": result.facts,
                "representatives": representatives(latents, result.assignments),
            }
        )
    return found


def representatives(latents: NDArray[np.float32], assignments: NDArray[np.int64]) -> list[list[int]]:
    """Positions of the pictures nearest to each cluster's mean, the nearest first."""
    chosen = []
    for cluster_index in range(int(assignments.max(initial=-1)) + 1):
        members = np.flatnonzero(assignments == cluster_index)
        distance = np.linalg.norm(latents[members] - latents[members].mean(axis=0), axis=1)
        chosen.append(members[np.argsort(distance, kind="stable")[:NUM_PER_CLUSTER]].tolist())
    return chosen


def separate_classes(
    subject: Subject, pictures: Examples, latents: NDArray[np.float32], options: ClusterOptions
) -> dict[str, Any]:
    """Readable and clustered, in latents, PCA scores and pixels; or why nothing can be said."""
    from vae_tf.analysis import headline, separation

    index = pictures.index
    groups = index.groups if index.group_names else None
    if not index.class_names:
        why = "no second column" if subject.is_text else "no subfolders, so no labels"
        return {"headline": "", "reason": f"The pictures have no classes: {why}."}
    try:
        labels, note = tested_labels(index)
        kept = tested_positions(dataclasses.replace(index, labels=labels), options.seed)
        # The model never saw a label, so that trained-on pictures may serve as well; folds keep groups apart.
        result = separation.separate(
            feature_spaces(subject, pictures, latents, kept),
            index.labels[kept],
            None if groups is None else groups[kept],
            index.class_names,
            options.seed,
            options.num_permutations,
            LARGEST_NUM_TESTED,
        )
    except UserError as error:
        return {"headline": "", "reason": str(error)}
    return {
        "headline": headline.headline(result),
        "reason": "",
        "statistics": [dataclasses.asdict(statistic) for statistic in result.statistics],
        "design": describe_design(result),
        "notes": [*note, *result.cohort.notes],
        "minimum_p": result.minimum_p,
    }


def tested_labels(index: Index) -> tuple[NDArray[np.int64], list[str]]:
    """Classes [N] with −1 for pictures that may not serve: those kept for the calibration of anomalies, and, where the
    model learned from one class alone, those it learned from: being trained on would otherwise look like the class."""
    calibrates = np.isin(index.parts, [PARTS.index("calibration")])
    if not len(index.where("other")):
        return np.where(calibrates, -1, index.labels), []
    learned = np.isin(index.parts, [PARTS.index(part) for part in ("train", "validation")])
    note = "Only pictures that were not trained on are compared, as the model learned from one class alone."
    return np.where(learned | calibrates, -1, index.labels), [note]


def tested_positions(index: Index, seed: int) -> NDArray[np.int64]:
    from vae_tf.analysis.cohort import select

    groups = index.groups if index.group_names else None
    cohort = select(index.labels, groups, index.class_names, seed, LARGEST_NUM_TESTED)
    return np.asarray(cohort.kept, dtype=np.int64)


def feature_spaces(
    subject: Subject, pictures: Examples, latents: NDArray[np.float32], kept: NDArray[np.int64]
) -> dict[str, NDArray[np.float32]]:
    """The latents, and what they are set against: PCA and pixels, or PCA of how often each word occurs."""
    if isinstance(pictures, Sentences):
        return {"VAE latents": latents[kept], "word counts": word_counts(pictures, latents.shape[1])[kept]}
    originals = np.asarray(pictures.images[kept])
    pixels = to_unit(originals).reshape(len(kept), -1)
    return {
        "VAE latents": latents[kept],
        "PCA": fit_pca(subject, pictures).encode(originals),
        "pixels": pixels,
    }


def word_counts(sentences: Sentences, num_components: int) -> NDArray[np.float32]:
    """Latent semantic analysis (Deerwester et al. 1990): word counts of each sentence in few components [N, d]."""
    from scipy.sparse import csr_matrix
    from sklearn.decomposition import TruncatedSVD

    rows, columns = np.nonzero(sentences.tokens)
    shape = (len(sentences.tokens), len(sentences.vocabulary))
    counts = csr_matrix((np.ones(len(rows)), (rows, sentences.tokens[rows, columns])), shape=shape)
    size = min(num_components, min(shape) - 1)
    return np.asarray(TruncatedSVD(size, random_state=0).fit_transform(counts), dtype=np.float32)


def describe_design(result: Any) -> str:
    """How the labels were shuffled, in one or two sentences."""
    kinds = {
        "no groups": "Pictures count as independent; labels were shuffled among them.",
        "crossed": "Every group holds pictures of several classes; labels were shuffled within groups only.",
        "nested": "Each group holds one class; whole groups changed their label.",
        "mixed": "Labels were shuffled within groups of several classes and between groups of one class.",
    }
    design = result.design
    how_many = f"{result.num_permutations:,} labellings"
    compared = (
        f"All {how_many} that are possible were compared"
        if result.exact
        else f"{how_many} drawn at random were compared"
    )
    return (
        f"{len(design.labels)} pictures in {design.num_classes} classes, held out by "
        f"{'picture' if design.kind == 'no groups' else f'group ({design.num_groups})'}. {kinds[design.kind]} "
        f"{compared}; the smallest p that could come out is {result.minimum_p:.2g}."
    )
