"""From the artifacts of the stages after training to the records of their pages."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.embed import latents_of
from pipelines.run_data import Examples, Subject
from reports.records import (
    DimensionStrip,
    Grid,
    InterpolationRecord,
    LatentsRecord,
    LineRecord,
    PathBetween,
    RunFacts,
)
from reports.words import plural
from vae_tf.artifacts.json_files import read_json
from vae_tf.artifacts.npz_files import load_arrays
from vae_tf.data.dataset import Index, Pictures
from vae_tf.data.splits import PARTS

NUM_STRIPS = 8
USED_NATS = 0.1
NUM_PER_STRIP = 10
BILINEAR = (
    "Bilinear in the latent space: every cell is decoded from a mean of the four corners’ codes, weighted by how near "
    "it is to each."
)
SPHERICAL = (
    "Spherical in the latent space: along great circles down both sides, then across, so that codes keep the distance "
    "from the origin that the prior expects."
)


def latents(subject: Subject, facts: RunFacts, pictures: Examples) -> LatentsRecord:
    stage = subject.computed("embed")
    arrays = latents_of(stage)
    kl, spread = arrays["kl"].mean(axis=0, dtype=np.float64), arrays["mean"].std(axis=0)
    has_kl = not np.isnan(kl).any()
    information = None if np.isnan(arrays["information"]).any() else arrays["information"]
    told = told_by_dimension(arrays)
    used = [int(i) for i in np.argsort(-(spread if told is None else told), kind="stable")[:NUM_STRIPS]]
    used = [i for i in used if told is None or told[i] > USED_NATS]
    count, size = arrays["mean"].shape
    return LatentsRecord(
        run=facts,
        kl_per_dimension=kl if has_kl else None,
        spread_per_dimension=spread,
        information_per_dimension=information,
        strips=[strip(arrays["mean"][:, i], i, pictures) for i in used],
        line=line(stage.folder / "line.npz"),
        csv=f"../{stage.name}/latents.csv",
        npz=f"../{stage.name}/latents.npz",
        arrays=[
            ("mean", f"[{count}, {size}]", f"posterior mean of each {facts.noun}"),
            ("standard_deviation", f"[{count}, {size}]", "posterior standard deviation"),
            ("kl", f"[{count}, {size}]", "KL from the prior, nats"),
            *(
                (name, f"[{count}, {size}]", meaning)
                for name, meaning in stage.record["results"]["kept"].items()
            ),
            (
                "information",
                f"[{size}]",
                f"what a dimension tells of a {facts.noun}, nats; NaN where not known",
            ),
            ("split", f"[{count}]", "position in split_names"),
            ("label", f"[{count}]", "position in class_names, −1 for none"),
            ("group", f"[{count}]", "position in group_names, −1 for none"),
            (
                "path",
                f"[{count}]",
                "the sentence itself" if subject.is_text else "file, relative to the source",
            ),
        ],
    )


def told_by_dimension(latents: Mapping[str, NDArray[Any]]) -> NDArray[np.float64] | None:
    """What each dimension tells of a picture [d], nats: its information or, where that is not known, its KL, which is
    never less. None for codes that are points."""
    kl, information = latents["kl"].mean(axis=0, dtype=np.float64), latents["information"]
    if np.isnan(kl).any():
        return None
    return np.asarray(kl if np.isnan(information).any() else np.minimum(kl, information))


def line(path: Path) -> LineRecord | None:
    """The whole latent space of a model with one latent; None for others."""
    if not path.exists():
        return None
    arrays = load_arrays(path)
    return LineRecord(
        values=arrays["values"].tolist(), counts=arrays["counts"].tolist(), pictures=arrays["pictures"]
    )


def looked_at(pictures: Examples, positions: Any) -> NDArray[np.uint8] | None:
    """The pictures at these positions; None for sentences, which are their own paths."""
    return pictures.to_look_at[positions] if isinstance(pictures, Pictures) else None


def strip(values: NDArray[np.float32], dimension: int, pictures: Examples) -> DimensionStrip:
    """Pictures at equal steps of rank on one dimension, the lowest and the highest included."""
    order = np.argsort(values, kind="stable")
    chosen = order[np.unique(np.linspace(0, len(order) - 1, min(NUM_PER_STRIP, len(order))).astype(int))]
    return DimensionStrip(
        dimension=dimension,
        values=values[chosen].tolist(),
        pictures=looked_at(pictures, chosen),
        splits=split_names(pictures.index, chosen),
        paths=[pictures.index.paths[i] for i in chosen],
    )


def split_names(index: Index, positions: Any) -> list[str]:
    return [PARTS[index.parts[i]] for i in positions]


def interpolation(subject: Subject, facts: RunFacts, pictures: Pictures) -> InterpolationRecord:
    stage = subject.computed("interpolation")
    arrays, paths = load_arrays(stage.folder / "frames.npz"), read_json(stage.folder / "paths.json")
    index, corners = pictures.index, paths["corners"]
    return InterpolationRecord(
        run=facts,
        answer=interpolation_answer(paths["pairs"], index),
        pairs=[picture_path(path, arrays, pictures) for path in paths["pairs"]],
        class_means=[
            PathBetween(a=p["a"], b=p["b"], linear=arrays[p["linear"]], spherical=arrays[p["spherical"]])
            for p in paths["classes"]
        ],
        corners=corner_grid("corners", BILINEAR, arrays, corners, pictures),
        corners_spherical=corner_grid("corners_spherical", SPHERICAL, arrays, corners, pictures),
        manifold=None
        if "manifold" not in arrays
        else Grid(pictures=arrays["manifold"], note="Each cell stands for an equal share of the prior."),
    )


def corner_grid(
    name: str, note: str, arrays: dict[str, Any], corners: list[int], pictures: Pictures
) -> Grid | None:
    if name not in arrays:
        return None
    return Grid(
        pictures=arrays[name],
        note=note,
        corners=[pictures.index.paths[i] for i in corners],
        splits=split_names(pictures.index, corners),
        originals=pictures.to_look_at[corners],
    )


def interpolation_answer(pairs: list[dict[str, Any]], index: Index) -> str:
    unseen = sum(PARTS[index.parts[path[end]]] == "test" for path in pairs for end in ("a", "b"))
    kind = (
        "unseen pictures"
        if unseen == 2 * len(pairs)
        else f"{unseen} unseen and {2 * len(pairs) - unseen} other pictures"
    )
    return (
        f"{plural(len(pairs), 'path')} between {kind}: the model drew all in between, and no file holds them."
    )


def picture_path(path: dict[str, Any], arrays: dict[str, Any], pictures: Pictures) -> PathBetween:
    index, a, b = pictures.index, path["a"], path["b"]
    return PathBetween(
        a=index.paths[a],
        b=index.paths[b],
        linear=arrays[path["linear"]],
        spherical=arrays[path["spherical"]],
        split_a=PARTS[index.parts[a]],
        split_b=PARTS[index.parts[b]],
        original_a=pictures.to_look_at[a],
        original_b=pictures.to_look_at[b],
    )
