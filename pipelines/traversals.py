"""Stage `traversals`: what each latent dimension draws, which known factor goes with it, and class arithmetic."""

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.arithmetic import class_arithmetic
from pipelines.embed import embed, latents_of
from pipelines.features import factors_of
from pipelines.run_data import Subject, load_model, load_pictures_of, own_pictures
from vae_tf import random
from vae_tf.artifacts.json_files import write_json
from vae_tf.artifacts.npz_files import save_arrays
from vae_tf.artifacts.stage import Stage, StageWriter
from vae_tf.data.dataset import Index
from vae_tf.errors import UserError
from vae_tf.pixels import to_uint8

NUM_SHOWN = 16
NUM_BASES = 2
FEW_UNSEEN = 20
USED_NATS = 0.1


@dataclasses.dataclass(frozen=True)
class TraversalOptions:
    """`num_steps` pictures from −reach to +reach standard deviations of the aggregate posterior."""

    num_steps: int = 11
    reach: float = 2.0
    permutations: int = 1999
    seed: int = 0


def traverse(subject: Subject, options: TraversalOptions) -> Stage:
    """Walks along each latent dimension.

    Raises:
        UserError: Sentences, or a step number or reach that gives no walk.
    """
    if subject.is_text:
        raise UserError(
            f"{subject.run.name} is about sentences: one latent at a time gives no sentence worth reading.",
            f"What lies between two sentences: python cli.py interpolation-grid {subject.run.name}",
        )
    embedded = embed(subject)
    inputs = {**subject.model_inputs, "embed": embedded.hash, "options": dataclasses.asdict(options)}
    if not subject.is_own:
        inputs["trained_on"] = embed(own_pictures(subject.run)).hash
    return subject.compute(
        "traversals", inputs, lambda stage: write_traversals(subject, embedded, options, stage)
    )


def write_traversals(
    subject: Subject, embedded: Stage, options: TraversalOptions, stage: StageWriter
) -> None:
    pictures, model = load_pictures_of(subject), load_model(subject.run)
    index, latents = pictures.index, latents_of(embedded)
    trained = trained_codes(subject, latents)
    usage = usage_of(latents)
    switches = bool(model.prior.has_switches)
    centre, spread = ranges(trained, switches)
    order = np.argsort(-usage["told"], kind="stable")
    in_use = [int(j) for j in order if usage["used"][j]]
    shown = (in_use or [int(j) for j in order])[:NUM_SHOWN]
    starts, bases = starting_points(latents["mean"], trained["mean"], index, options.seed)
    arrays: dict[str, Any] = {}
    changes = {j: add_walk(model, starts, j, centre[j] + spread[j] * steps(options), arrays) for j in shown}
    scores = {
        "ordered_by": usage["ordered_by"],
        "order": [int(j) for j in order],
        "in_use": in_use,
        "shown": shown,
        "kl": usage["kl"],
        "information": usage["information"],
        "centre": centre.tolist(),
        "spread": spread.tolist(),
        "range_of": "switches" if switches else "aggregate",
        "steps": steps(options).tolist(),
        "change": changes,
        "bases": bases,
        "factors": correlations(latents["mean"], index, in_use, options),
        "arithmetic": class_arithmetic(model, pictures, latents["mean"], trained, arrays, options.seed),
    }
    save_arrays(stage.folder / "traversals.npz", **arrays)
    write_json(stage.folder / "scores.json", scores)
    stage.results.update(num_shown=len(shown), num_in_use=len(in_use))


def trained_codes(subject: Subject, latents: dict[str, Any]) -> dict[str, NDArray[Any]]:
    """Codes, spreads and class names of the pictures that the model was trained on, whatever the subject is."""
    if not subject.is_own:
        latents = latents_of(embed(own_pictures(subject.run)))
    rows = np.flatnonzero(latents["split"] == 0)
    names = np.append(latents["class_names"], "")
    return {
        "mean": latents["mean"][rows].astype(np.float64),
        "standard_deviation": latents["standard_deviation"][rows].astype(np.float64),
        "class": names[latents["label"][rows]],
    }


def usage_of(latents: dict[str, Any]) -> dict[str, Any]:
    """How much each dimension tells [d], by the best measure there is: information, KL, or the codes' variance."""
    kl, information = latents["kl"].mean(axis=0, dtype=np.float64), latents["information"]
    if not np.isnan(information).any():
        told, by = information, "information"
    elif not np.isnan(kl).any():
        told, by = kl, "kl"
    else:
        told, by = latents["mean"].var(axis=0, dtype=np.float64), "variance"
    threshold = USED_NATS if by != "variance" else 0.01 * told.max(initial=0.0)
    return {
        "told": told,
        "used": told > threshold,
        "ordered_by": by,
        "kl": None if np.isnan(kl).any() else kl.tolist(),
        "information": None if np.isnan(information).any() else information.tolist(),
    }


def ranges(trained: dict[str, NDArray[Any]], switches: bool) -> tuple[NDArray[Any], NDArray[Any]]:
    """Centre and unit [d] of the walks: the aggregate posterior's; of amounts that switch, off and the prior's."""
    from vae_tf.analysis.traversal import aggregate_moments

    if switches:
        return np.zeros(trained["mean"].shape[1]), np.ones(trained["mean"].shape[1])
    return aggregate_moments(trained["mean"], trained["standard_deviation"])


def steps(options: TraversalOptions) -> NDArray[np.float64]:
    return np.linspace(-options.reach, options.reach, options.num_steps)


def starting_points(
    means: NDArray[np.float32], trained: NDArray[np.float64], index: Index, seed: int
) -> tuple[NDArray[np.float64], list[int]]:
    """Codes [B, d] from which all walks start: the mean of those trained on, and some unseen pictures'; positions."""
    part = next((p for p in ("test", "validation", "train") if len(index.where(p))), "train")
    eligible = index.where(part)
    order = random.generator(seed, "traversals").permutation(eligible)
    chosen: list[int] = []
    for i in order.tolist():
        is_new = all(index.groups[i] < 0 or index.groups[i] != index.groups[k] for k in chosen)
        if len(chosen) < NUM_BASES and is_new:
            chosen.append(i)
    return np.concatenate([trained.mean(axis=0)[None], means[chosen].astype(np.float64)]), chosen


def add_walk(
    model: Any, starts: NDArray[Any], dimension: int, values: NDArray[Any], arrays: dict[str, Any]
) -> float:
    """Puts walk_J [B, steps, H, W, C] and change_J [H, W] into `arrays`; returns the mean change of a pixel."""
    from vae_tf.analysis.traversal import change, walk

    codes = np.concatenate([walk(start, dimension, values) for start in starts])
    decoded = np.asarray(model.decode(codes.astype(np.float32)))
    decoded = decoded.reshape(len(starts), len(values), *decoded.shape[1:])
    found = change(decoded[:, 0], decoded[:, -1])
    arrays[f"walk_{dimension}"], arrays[f"change_{dimension}"] = to_uint8(decoded), found.astype(np.float32)
    return float(found.mean())


def correlations(
    means: NDArray[np.float32], index: Index, in_use: list[int], options: TraversalOptions
) -> dict[str, Any] | None:
    """Each known factor with each dimension in use, on unseen pictures; None where nothing is known of them."""
    from vae_tf.analysis.correlation import correlate

    factors = factors_of(index)
    parts = ["test"] if len(index.where("test")) >= FEW_UNSEEN else ["test", "validation"]
    rows = np.sort(np.concatenate([index.where(part) for part in parts]))
    if not factors or not in_use or not len(rows):
        return None
    found = correlate(
        means[rows][:, in_use].astype(np.float64),
        {name: [values[i] for i in rows] for name, values in factors.items()},
        index.groups[rows] if index.group_names else None,
        options.seed,
        options.permutations,
    )
    return {**dataclasses.asdict(found), "parts": parts, "dimensions": in_use}
