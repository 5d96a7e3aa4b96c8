"""Stage `features`: of a model whose features are on or off, which factor goes with which, and what each draws."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.embed import embed, latents_of
from pipelines.run_data import Subject, load_model, load_pictures_of
from vae_tf.artifacts.json_files import write_json
from vae_tf.artifacts.npz_files import save_arrays
from vae_tf.artifacts.stage import Stage, StageWriter
from vae_tf.data.dataset import Index
from vae_tf.data.splits import PARTS
from vae_tf.pixels import to_uint8

NUM_FEATURES_SHOWN = 16
NUM_EXAMPLES = 3
NUM_PERMUTATIONS = 1999
# A feature that fewer pictures have is one of the many that the truncation leaves over.
SMALLEST_SHARE = 0.01


def describe_features(subject: Subject, seed: int = 0) -> Stage | None:
    """None for a model without features that are on or off."""
    embedded = embed(subject)
    if "on" not in embedded.record["results"]["kept"]:
        return None
    inputs = {**subject.model_inputs, "embed": embedded.hash, "seed": seed}
    return subject.compute("features", inputs, lambda stage: write_features(subject, embedded, seed, stage))


def write_features(subject: Subject, embedded: Stage, seed: int, stage: StageWriter) -> None:
    from vae_tf.analysis.association import associate

    pictures, model = load_pictures_of(subject), load_model(subject.run)
    latents = latents_of(embedded)
    on, index = latents["on"].astype(np.float64), pictures.index
    groups = index.groups if index.group_names else None
    share_on = (on > 0.5).mean(axis=0)
    # What is on in all pictures, or in none, is not switched, however its probability trembles.
    is_switched = (share_on > SMALLEST_SHARE) & (share_on < 1.0 - SMALLEST_SHARE)
    # Both at once, so that the correction is for all pairs of the page.
    both = np.concatenate([np.where(is_switched, on, 0.0), latents["mean"]], axis=1)
    found = associate(both, factors_of(index), groups, seed, NUM_PERMUTATIONS)
    arrays: dict[str, Any] = {
        "share_on": share_on,
        "probability": np.asarray(model.prior.feature_probabilities),
        "num_on": (on > 0.5).sum(axis=1),
        "strength": found.strength[:, : on.shape[1]],
        "p_values": found.p_values[:, : on.shape[1]],
        "amount_strength": found.strength[:, on.shape[1] :],
        "amount_p_values": found.p_values[:, on.shape[1] :],
    }
    shown = most_used(latents["kl"].mean(axis=0), arrays["share_on"])
    examples = {}
    for feature in shown:
        chosen = examples_of(on[:, feature], np.abs(latents["mean"][:, feature]), index.groups)
        off, with_it = switch(model, latents["mean"][chosen], feature)
        arrays[f"off_{feature}"], arrays[f"on_{feature}"] = off, with_it
        examples[str(feature)] = chosen.tolist()
    save_arrays(stage.folder / "features.npz", **arrays)
    scores = {
        "factors": found.factors,
        "num_tested": found.num_pictures,
        "notes": found.notes,
        "examples": examples,
        "alpha": float(model.prior.alpha),
        "num_used": int((arrays["share_on"] > SMALLEST_SHARE).sum()),
    }
    write_json(stage.folder / "scores.json", scores)
    stage.results.update(num_used=scores["num_used"], mean_num_on=float(arrays["num_on"].mean()))


def factors_of(index: Index) -> dict[str, list[Any]]:
    """The class, and every fact of the source; unknown for what is kept for the calibration of anomalies."""
    factors: dict[str, list[Any]] = {}
    if index.class_names:
        factors["class"] = [index.class_of(i) or None for i in range(len(index.paths))]
    kept = index.parts != PARTS.index("calibration")
    return {
        name: [value if keep else None for value, keep in zip(values, kept, strict=True)]
        for name, values in {**factors, **index.facts}.items()
    }


def most_used(kl: NDArray[Any], share_on: NDArray[Any]) -> list[int]:
    """Features in use, those that carry most first."""
    order = np.argsort(-kl, kind="stable")
    return [int(k) for k in order if share_on[k] > SMALLEST_SHARE][:NUM_FEATURES_SHOWN]


def examples_of(on: NDArray[Any], amount: NDArray[Any], groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pictures [at most 3] that have the feature on with the largest amount, of different groups if there are any."""
    order = np.argsort(-(amount * (on > 0.5)), kind="stable")
    seen: set[int] = set()
    chosen: list[int] = []
    for i in order[on[order] > 0.5]:
        if len(chosen) < NUM_EXAMPLES and (groups[i] < 0 or int(groups[i]) not in seen):
            seen.add(int(groups[i]))
            chosen.append(int(i))
    return np.array(chosen, dtype=np.int64)


def switch(
    model: Any, means: NDArray[np.float32], feature: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Pictures decoded from codes [n, d] with one feature off (b = 0), and as it was (b = 1)."""
    without = means.copy()
    without[:, feature] = 0.0
    return to_uint8(model.decode(without)), to_uint8(model.decode(means))
