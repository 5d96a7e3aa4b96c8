"""Stage `evaluate`: how well the run's pictures are reconstructed, beside PCA of the same size."""

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.machine import machine_of
from pipelines.run_data import (
    Examples,
    Subject,
    config_of,
    load_model,
    load_pictures_of,
    own_pictures,
)
from reports.words import percent
from vae_tf import random
from vae_tf.artifacts.json_files import write_json
from vae_tf.artifacts.npz_files import save_arrays
from vae_tf.artifacts.stage import Stage, StageWriter
from vae_tf.data.dataset import Index, Pictures
from vae_tf.evaluation.reconstruction import Interval, Quality, mean_interval, quality, reconstruct
from vae_tf.pixels import to_uint8

LARGEST_NUM_SCORED = 2000
NUM_SHOWN = 9
MEASURES = ("mse", "psnr", "ssim")
NUM_SAMPLES = 64


def evaluate(subject: Subject) -> Stage:
    """Scores VAE and PCA on every part; keeps some reconstructions and prior samples to look at.

    Sentences are scored by themselves: no PCA rebuilds them.
    """
    from pipelines.text_scores import write_text_scores

    work = write_text_scores if subject.is_text else write_scores
    # Earlier versions kept means only, of which no difference can be judged.
    inputs = {**subject.model_inputs, "each_picture": True}
    return subject.compute("evaluate", inputs, lambda stage: work(subject, stage))


def write_scores(subject: Subject, stage: StageWriter) -> None:
    pictures, model = load_pictures_of(subject), load_model(subject.run)
    model.compile()
    baseline = fit_pca(subject, pictures)
    samples = model.sample(NUM_SAMPLES, seed=config_of(subject.run).training.seed)
    arrays: dict[str, Any] = {"samples": to_uint8(samples)}
    scores: dict[str, Any] = {"num_components": int(baseline.decomposition.n_components_)}
    for part in ("test", "validation", "train"):
        positions = choose(pictures.index, part, LARGEST_NUM_SCORED)
        if len(positions):
            scores[part] = score(model, baseline, pictures, positions, arrays, part)
    scores["model"] = "VAE" if model.has_kl else "autoencoder"
    scores |= use_of_dimensions(model, pictures) if model.has_kl else NO_USE
    save_arrays(stage.folder / "pictures.npz", **arrays)
    write_json(stage.folder / "scores.json", scores)
    stage.results["scores"] = scores


def choose(index: Index, part: str, limit: int) -> NDArray[np.int64]:
    """Positions of the part's pictures, a keyed random choice of them where there are more than `limit`."""
    positions = index.where(part)
    if len(positions) <= limit:
        return positions
    return np.sort(random.generator(0, "scored", part).choice(positions, limit, replace=False))


def fit_pca(subject: Subject, pictures: Pictures) -> Any:
    """PCA of the pictures that the run was trained on; `pictures` are the subject's, loaded already."""
    from vae_tf.data.augmentation import Augmentation
    from vae_tf.evaluation.pca import PCA

    config, plan = config_of(subject.run), machine_of(subject.run)["plan"]
    trained_on = pictures if subject.is_own else load_pictures_of(own_pictures(subject.run))
    augmentation = Augmentation(**plan["augmentation"]) if plan["augmentation"] else None
    positions = choose(trained_on.index, "train", 4000)
    return PCA(config.model.latent, config.training.seed).fit(trained_on.images[positions], augmentation)


def score(
    model: Any,
    baseline: Any,
    pictures: Pictures,
    positions: NDArray[np.int64],
    arrays: dict[str, Any],
    part: str,
) -> dict[str, Any]:
    """Mean MSE, PSNR and SSIM of both with intervals over groups, their paired difference, and pictures to show."""
    originals = np.asarray(pictures.images[positions])
    groups = pictures.index.groups[positions]
    ours, theirs = reconstruct(model, originals), baseline.reconstruct(originals)
    vae, pca = quality(originals, ours), quality(originals, theirs)
    shown = np.unique(np.linspace(0, len(positions) - 1, min(NUM_SHOWN, len(positions))).astype(int))
    arrays[f"{part}_positions"] = positions[shown]
    arrays[f"{part}_vae"], arrays[f"{part}_pca"] = to_uint8(ours[shown]), to_uint8(theirs[shown])
    arrays[f"{part}_vae_mse"], arrays[f"{part}_pca_mse"] = vae.mse[shown], pca.mse[shown]
    elbo = elbo_of_each(model, pictures, positions) if model.has_elbo else None
    arrays[f"{part}_scored"], arrays[f"{part}_each_mse"] = positions, vae.mse
    if elbo is not None:
        arrays[f"{part}_each_elbo"] = elbo
    return {
        "num": len(positions),
        "vae": intervals(vae, groups),
        "pca": intervals(pca, groups),
        "mse_difference": dataclasses.asdict(mean_interval(vae.mse - pca.mse, groups)),
        "elbo": None if elbo is None else float(elbo.mean()),
    }


def intervals(scores: Quality, groups: NDArray[np.int64]) -> dict[str, dict[str, float | None]]:
    def interval(values: NDArray[np.float64]) -> Interval:
        return mean_interval(values, groups)

    return {name: dataclasses.asdict(interval(getattr(scores, name))) for name in MEASURES}


def elbo_of_each(model: Any, pictures: Examples, positions: NDArray[np.int64]) -> NDArray[np.float64]:
    """The ELBO of each picture (or sentence) [N] in nats, β and warm-up left out."""
    from vae_tf.data.batches import ordered_batches
    from vae_tf.evaluation.likelihood import single_sample_elbo

    return single_sample_elbo(model, ordered_batches(pictures.examples, pictures.index.labels, positions, 64))


NO_USE = {"kl_per_dimension": None, "information_per_dimension": None}


def use_of_dimensions(model: Any, pictures: Examples) -> dict[str, list[float] | None]:
    """Mean KL of each latent dimension and what it tells, nats, of unseen examples, or all where none are unseen."""
    from vae_tf.data.batches import ordered_batches
    from vae_tf.evaluation.latents import embed

    positions = choose(pictures.index, "test", LARGEST_NUM_SCORED)
    if not len(positions):
        positions = choose(pictures.index, "train", LARGEST_NUM_SCORED)
    batches = ordered_batches(pictures.examples, pictures.index.labels, positions, 128)
    found = embed(model, batches)
    return {
        "kl_per_dimension": found.kl_per_dimension.tolist(),
        "information_per_dimension": None if found.information is None else found.information.tolist(),
    }


def pca_is_better(scores: dict[str, Any]) -> bool:
    """Whether PCA rebuilds unseen (or validation) pictures with less error, beyond chance."""
    part = next((part for part in ("test", "validation") if part in scores), None)
    low = None if part is None else scores[part]["mse_difference"]["low"]
    return low is not None and low > 0


def verdict(scores: dict[str, Any]) -> str:
    """Which of the two reconstructs unseen pictures better, in one sentence.

    Validation pictures serve where there is no test part, and are called so; empty where there is neither.
    """
    part = "test" if "test" in scores else "validation" if "validation" in scores else None
    if part is None:
        return ""
    vae, pca = (scores[part][name]["mse"]["value"] for name in ("vae", "pca"))
    difference = scores[part]["mse_difference"]
    figures = f"mean squared error {vae:.4f} against {pca:.4f} with {scores['num_components']} components"
    which = "unseen pictures" if part == "test" else "validation pictures"
    model = scores.get("model", "VAE")
    change = abs(vae / pca - 1.0) if pca > 0 else 0.0
    if difference["high"] is not None and difference["high"] < 0:
        return f"The {model} reconstructs {which} better than PCA does ({figures}, {percent(change)} less)."
    if pca_is_better(scores):
        return (
            f"PCA is better here: it reconstructs {which} with less error (mean squared error {pca:.4f} with "
            f"{scores['num_components']} components, the {model} {vae:.4f})."
        )
    if difference["low"] is None:
        return f"{scores[part]['num']} {which} are too few to say which is better in general ({figures})."
    return f"On {which} {model} and PCA cannot be told apart ({figures})."
