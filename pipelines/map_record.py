"""From the artifacts of the stage `clusters` to the record of its map."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.embed import latents_of
from pipelines.run_data import Examples, Subject
from reports.map_records import ColorBy, MapRecord, Projection, Reconstructed, Variant, Variants
from reports.words import percent
from vae_tf.artifacts.json_files import read_json
from vae_tf.artifacts.npz_files import load_arrays
from vae_tf.data.dataset import Index, Pictures, encode_names
from vae_tf.data.splits import PARTS

MAP_NAMES = {"tsne": "t-SNE", "umap": "UMAP", "pca": "PCA"}
CLUSTER_NAMES = {"k_means": "k-means", "gaussian_mixture": "Gaussian mixture"}
LARGEST_NUM_FACTS = 40
LARGEST_NUM_CATEGORIES = 200
LARGEST_NUM_LATENTS = 64


def map_record(
    subject: Subject, folder: Path, maps: list[dict[str, Any]], arrays: dict[str, Any], pictures: Examples
) -> MapRecord:
    """The maps of stage `clusters` in `folder`, and what each picture can be coloured by."""
    index = pictures.index
    rebuilt = load_arrays(folder / "rebuilt.npz") if (folder / "rebuilt.npz").exists() else None
    projections = []
    for drawn in maps:
        settings = drawn["settings"]
        neighbours = settings.get("trustworthiness_neighbors", 5)
        projections.append(
            Projection(
                name=MAP_NAMES[drawn["asked"]],
                xy=arrays[drawn["asked"]],
                trustworthiness=drawn["trustworthiness"],
                neighbours=int(neighbours) if isinstance(neighbours, int) else 5,
                note=map_note(settings),
            )
        )
    return MapRecord(
        projections=projections,
        pictures=pictures.to_look_at if isinstance(pictures, Pictures) else None,
        paths=index.paths,
        splits=[PARTS[part] for part in index.parts],
        color_by=[
            *color_columns(index, arrays, None if rebuilt is None else rebuilt["mse"]),
            *latent_columns(subject),
        ],
        neighbours=load_arrays(folder / "neighbors.npz")["positions"],
        reconstructed=None
        if rebuilt is None
        else Reconstructed(pictures=rebuilt["thumbnails"], positions=rebuilt["positions"]),
        variants=map_variants(folder),
    )


def map_variants(folder: Path) -> Variants:
    """The small maps at other settings."""
    arrays, facts = load_arrays(folder / "variants.npz"), read_json(folder / "variants.json")
    sizes = {"tsne": "perplexity", "umap": "neighbours"}
    return Variants(
        maps=[
            Variant(
                name=f"{MAP_NAMES[fact['method']]}, {sizes[fact['method']]} {fact['size']}",
                xy=arrays[f"points_{i}"],
                **{name: fact[name] for name in ("trustworthiness", "stability", "chance", "shapeless")},
            )
            for i, fact in enumerate(facts)
        ],
        positions=arrays["chosen"],
        neighbours=facts[0]["num_neighbors"] if facts else 0,
    )


def latent_columns(subject: Subject) -> list[ColorBy]:
    """Each latent's posterior mean, the one that tells most about a picture first."""
    arrays = latents_of(subject.computed("embed"))
    kl, means = arrays["kl"].mean(axis=0, dtype=np.float64), arrays["mean"]
    has_kl = not np.isnan(kl).any()
    order = np.argsort(-(kl if has_kl else means.std(axis=0)), kind="stable")[:LARGEST_NUM_LATENTS]
    names = [f"latent {i}" + (f" (KL {kl[i]:.2g} nats)" if has_kl else "") for i in order]
    return [
        ColorBy(name=name, kind="number", values=means[:, i], listed=False)
        for name, i in zip(names, order, strict=True)
    ]


def map_note(settings: dict[str, Any]) -> str:
    """How the map was drawn, in a few words."""
    words = []
    if "fallback" in settings:
        words.append(str(settings["fallback"]))
    if "perplexity" in settings:
        words.append(f"perplexity {settings['perplexity']:g} ({settings.get('perplexity_reason', 'chosen')})")
    if "num_neighbors" in settings:
        words.append(
            f"{settings['num_neighbors']} neighbours ({settings.get('num_neighbors_reason', 'chosen')})"
        )
    if "variance_explained" in settings:
        explained = np.sum(np.asarray(settings["variance_explained"], dtype=np.float64))
        words.append(f"the two components explain {percent(explained)} of the variance")
    if "landmarks" in settings:
        words.append(f"{settings['landmarks']:,} pictures were mapped, {settings['placing']}")
    if "trustworthiness_pictures" in settings:
        words.append(f"trustworthiness from {settings['trustworthiness_pictures']:,} pictures")
    text = "; ".join([*words, f"seed {settings['seed']}"])
    return text[:1].upper() + text[1:] + "."


def color_columns(index: Index, arrays: dict[str, Any], errors: NDArray[np.float32] | None) -> list[ColorBy]:
    """Class first, then clusters, split, group, error of reconstruction and every fact of the source."""
    columns = []
    if index.class_names:
        columns.append(
            ColorBy(
                name="class",
                kind="category",
                values=index.labels,
                categories=index.class_names,
                public=True,
            )
        )
    for key, name in CLUSTER_NAMES.items():
        names = [f"cluster {i + 1}" for i in range(num_clusters(arrays[key], len(index.paths)))]
        columns.append(
            ColorBy(
                name=f"cluster ({name})",
                kind="category",
                values=arrays[key],
                categories=names,
                public=True,
            )
        )
    parts = ["trained on", "validation", "unseen", "calibration", "other class"]
    split = index.parts.astype(int)
    columns.append(
        ColorBy(name="split", kind="category", values=split, categories=parts, public=True, listed=False)
    )
    if index.group_names:
        columns.append(
            ColorBy(name="group", kind="category", values=index.groups, categories=index.group_names)
        )
    if errors is not None:
        columns.append(ColorBy(name="reconstruction error (MSE)", kind="number", values=errors))
    for name, values in list(index.facts.items())[:LARGEST_NUM_FACTS]:
        column = fact_column(name.replace("_", " "), values)
        if column is not None:
            columns.append(column)
    return columns


def num_clusters(assignments: NDArray[Any], num_pictures: int) -> int:
    """How many clusters there are, read from a file that may be a stranger's.

    Raises:
        ValueError: These are no clusters of so many pictures.
    """
    if assignments.shape != (num_pictures,) or assignments.dtype.kind not in "iu":
        raise ValueError(
            f"{assignments.dtype} {assignments.shape} are no clusters of {num_pictures:,} pictures"
        )
    if assignments.min(initial=0) < 0 or assignments.max(initial=0) >= num_pictures:
        raise ValueError(f"a cluster has the number {assignments.max()} among {num_pictures:,} pictures")
    return int(assignments.max(initial=0)) + 1


def fact_column(name: str, values: list[Any]) -> ColorBy | None:
    """Numbers as a scale, words as categories; None where all are equal, or too many words for a legend."""
    known = [value for value in values if value is not None]
    if len(set(known)) < 2:
        return None
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in known):
        numbers = [np.nan if value is None else float(value) for value in values]
        return ColorBy(name=name, kind="number", values=np.asarray(numbers))
    codes, words = encode_names([None if value is None else str(value) for value in values])
    if len(words) > LARGEST_NUM_CATEGORIES:
        return None
    return ColorBy(name=name, kind="category", values=codes, categories=words)
