"""Stage `classes`: do the classes differ, by how much, in which latents, and what could have been seen at all."""

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.baseline import fit_pca
from pipelines.embed import embed, latents_of
from pipelines.run_data import Examples, Subject, load_examples_of
from reports.words import said_of
from vae_tf.artifacts.json_files import write_json
from vae_tf.artifacts.npz_files import save_arrays
from vae_tf.artifacts.stage import Stage, StageWriter
from vae_tf.data.dataset import Index
from vae_tf.data.sentences import Sentences
from vae_tf.data.splits import PARTS
from vae_tf.errors import UserError

# The pixels of more pictures than this would not fit into memory as floats; the tests say how many served.
LARGEST_NUM_TESTED = 2000
NUM_SHOWN = 8
LATENTS = "VAE latents"


def compare_classes(subject: Subject, num_permutations: int, seed: int) -> Stage:
    """Tests of the latents, with PCA and pixels beside them; for pictures with classes."""
    embedded = embed(subject)
    options = {"num_permutations": num_permutations, "seed": seed}
    inputs = {"embed": embedded.hash, "options": options}
    return subject.compute(
        "classes", inputs, lambda stage: write_classes(subject, embedded, num_permutations, seed, stage)
    )


def write_classes(
    subject: Subject, embedded: Stage, num_permutations: int, seed: int, stage: StageWriter
) -> None:
    pictures = load_examples_of(subject)
    latents = latents_of(embedded)["mean"]
    try:
        found, arrays = tested(subject, pictures, latents, num_permutations, seed)
    except UserError as error:
        found, arrays = (
            {"headline": "", "reason": said_of(str(error), subject.noun)},
            {"positions": np.zeros(0, np.int64)},
        )
    save_arrays(stage.folder / "out_of_fold.npz", **arrays)
    write_json(stage.folder / "scores.json", found)
    stage.results.update(headline=found["headline"], reason=found["reason"])


def tested(
    subject: Subject, pictures: Examples, latents: NDArray[np.float32], num_permutations: int, seed: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Everything that the page says, and the probabilities of each picture behind it.

    Raises:
        UserError: Fewer than two classes that can be judged.
    """
    from vae_tf.analysis import headline, separation

    index = pictures.index
    groups = index.groups if index.group_names else None
    labels, note = tested_labels(index)
    kept = tested_positions(dataclasses.replace(index, labels=labels), seed)
    # The model never saw a label, so that trained-on pictures may serve as well; folds keep groups apart.
    result = separation.separate(
        feature_spaces(subject, pictures, latents, kept),
        index.labels[kept],
        None if groups is None else groups[kept],
        index.class_names,
        seed,
        num_permutations,
        LARGEST_NUM_TESTED,
    )
    positions = kept[result.cohort.kept]
    meanings = clusters_meanings(latents[positions], result, seed)
    described, arrays = described_by_picture(latents[positions], result, positions)
    noun = f"{subject.noun}s"
    said = (
        headline.say_readable(result, noun),
        headline.say_clustered(result, noun, meanings=meanings),
    )
    return {
        "headline": " ".join(said),
        "reason": "",
        "readable": said[0],
        "clustered": said[1],
        "declared": headline.DECLARED,
        "statistics": [dataclasses.asdict(statistic) for statistic in result.statistics],
        "class_names": list(result.cohort.class_names),
        "class_counts": list(result.cohort.class_counts),
        "sample": headline.describe_sample(result, noun),
        "design": said_of(describe_design(result), subject.noun),
        "notes": in_words_of(subject, [*note, *result.cohort.notes]),
        "minimum_p": result.minimum_p,
        "meanings": dataclasses.asdict(meanings),
        "dimensions": differing_dimensions(latents[positions], result, num_permutations, seed),
        "power": power_found(result),
        **described,
    }, arrays


def described_by_picture(
    latents: NDArray[np.float32], result: Any, positions: NDArray[np.int64]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Confusion, and the positions of typical and misplaced pictures of each class; probabilities as arrays."""
    from vae_tf.analysis.out_of_fold import predict_out_of_fold

    found = predict_out_of_fold(latents, result.design, NUM_SHOWN)
    described = {
        "confusion": found.confusion,
        "typical": [rows.tolist() for rows in found.typical],
        "misplaced": [rows.tolist() for rows in found.misplaced],
    }
    arrays = {"positions": positions, "labels": result.design.labels, "probabilities": found.probabilities}
    return described, arrays


def clusters_meanings(latents: NDArray[np.float32], result: Any, seed: int) -> Any:
    """Of the clusters that the headline is about: k-means with as many as there are classes."""
    from vae_tf.analysis.cluster_meaning import meanings_of
    from vae_tf.analysis.clustering import k_means
    from vae_tf.analysis.features import as_features, principal_scores

    design = result.design
    clusters = k_means(principal_scores(as_features(latents)), design.num_classes, seed)
    return meanings_of(clusters, design.labels, None if design.kind == "no groups" else design.groups, seed)


def differing_dimensions(
    latents: NDArray[np.float32], result: Any, num_permutations: int, seed: int
) -> dict[str, Any]:
    from vae_tf.analysis.dimensions import judge_dimensions
    from vae_tf.analysis.permutation import labellings

    null = labellings(result.design, num_permutations, seed)
    return dataclasses.asdict(judge_dimensions(latents, result.design, null))


def power_found(result: Any) -> dict[str, Any]:
    from vae_tf.analysis.power import power_of

    return dataclasses.asdict(power_of(result.find(LATENTS, "ridge_probe"), result.design.num_classes))


def in_words_of(subject: Subject, found: Any) -> Any:
    """Every text of a finding, said of what the subject is about."""
    if isinstance(found, dict):
        return {key: in_words_of(subject, value) for key, value in found.items()}
    if isinstance(found, list | tuple):
        return [in_words_of(subject, value) for value in found]
    return said_of(found, subject.noun) if isinstance(found, str) else found


def newest_headline(subject: Subject) -> str:
    """What other pages repeat: about the classes where they were compared, else about the clusters."""
    for kind in ("classes", "clusters"):
        stage = subject.newest(kind)
        if stage is not None and stage.record["results"]["headline"]:
            return str(stage.record["results"]["headline"])
    return ""


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
        return {LATENTS: latents[kept], "word counts": word_counts(pictures, latents.shape[1])[kept]}
    originals = np.asarray(pictures.images[kept])
    # Pixels as they are stored: no statistic depends on their unit, and as floats they are four times as large.
    return {
        LATENTS: latents[kept],
        "PCA": fit_pca(subject, pictures).encode(originals),
        "pixels": originals.reshape(len(kept), -1),
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
    """How the labels were shuffled, in a few sentences."""
    kinds = {
        "no groups": "Pictures count as independent; labels were shuffled among them.",
        "crossed": "Every group holds pictures of several classes; labels were shuffled within groups only.",
        "nested": "Each group holds one class; whole groups changed their label.",
        "mixed": "Some groups hold one class, others several: the labels of whole groups changed places between groups "
        "of equal size, were shuffled within groups, and groups of one class exchanged their class.",
    }
    design = result.design
    how_many = f"{result.num_permutations:,} labellings"
    compared = (
        f"All {how_many} that are possible were compared"
        if result.exact
        else f"{how_many} drawn at random were compared"
    )
    return (
        f"{len(design.labels):,} pictures in {design.num_classes} classes, held out by "
        f"{'picture' if design.kind == 'no groups' else f'group ({design.num_groups:,})'}. {kinds[design.kind]} "
        f"{compared}; the smallest p that could come out is {result.minimum_p:.2g}."
    )
