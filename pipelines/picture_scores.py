"""Stage `evaluate` of pictures: how well each part is rebuilt, beside PCA of the same size, and some made up."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.baseline import fit_pca
from pipelines.run_data import Subject, config_of, load_model, load_pictures_of
from pipelines.scored_examples import LARGEST_NUM_SCORED, NO_USE, choose, elbo_of_each, use_of_dimensions
from vae_tf.artifacts.json_files import write_json
from vae_tf.artifacts.npz_files import save_arrays
from vae_tf.artifacts.stage import StageWriter
from vae_tf.data.dataset import Pictures
from vae_tf.evaluation.reconstruction import (
    Interval,
    Quality,
    mean_interval,
    quality,
    rebuilt_batches,
    reconstruct,
)
from vae_tf.pixels import to_uint8

NUM_SHOWN = 9
MEASURES = ("mse", "psnr", "ssim")
NUM_SAMPLES = 64


def write_picture_scores(subject: Subject, stage: StageWriter) -> None:
    """Scores VAE and PCA on every part; keeps some reconstructions and prior samples to look at."""
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
    vae, pca = (Quality.joined(found) for found in zip(*qualities(model, baseline, originals), strict=True))
    shown = np.unique(np.linspace(0, len(positions) - 1, min(NUM_SHOWN, len(positions))).astype(int))
    arrays[f"{part}_positions"] = positions[shown]
    for name, rebuilt in (
        ("vae", reconstruct(model, originals[shown])),
        ("pca", baseline.reconstruct(originals[shown])),
    ):
        arrays[f"{part}_{name}"] = to_uint8(rebuilt)
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


def qualities(model: Any, baseline: Any, originals: NDArray[Any]) -> Iterator[tuple[Quality, Quality]]:
    """Of both, a batch of pictures at a time."""
    for batch, rebuilt in rebuilt_batches(model, originals):
        yield quality(batch, rebuilt), quality(batch, baseline.reconstruct(batch))


def intervals(scores: Quality, groups: NDArray[np.int64]) -> dict[str, dict[str, float | None]]:
    def interval(values: NDArray[np.float64]) -> Interval:
        return mean_interval(values, groups)

    return {name: dataclasses.asdict(interval(getattr(scores, name))) for name in MEASURES}
