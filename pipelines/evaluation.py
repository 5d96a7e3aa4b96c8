"""Stage `evaluation`: bounds on log p(x), use of the latents, samples against pictures, known factors."""

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.embed import embed, latents_of
from pipelines.run_data import (
    Examples,
    Subject,
    config_of,
    load_examples_of,
    load_model,
    load_pictures_of,
    own_pictures,
)
from pipelines.scored_examples import choose
from reports.words import said_of
from vae_tf.artifacts.json_files import write_json
from vae_tf.artifacts.npz_files import save_arrays
from vae_tf.artifacts.stage import Stage, StageWriter
from vae_tf.data.dataset import Index, Pictures
from vae_tf.data.sentences import Sentences
from vae_tf.data.splits import PARTS
from vae_tf.evaluation.reconstruction import group_means, standard_error
from vae_tf.pixels import to_uint8
from vae_tf.vocabulary import lengths_of

LARGEST_NUM_FOR_FACTORS = 15_000
LARGEST_NUM_FOR_AGGREGATE = 5_000
NUM_SAMPLES_DRAWN = 1_000
NUM_PCA_COMPONENTS = 30
NUM_SHOWN = 18


@dataclasses.dataclass(frozen=True)
class EvaluationOptions:
    """`num_samples` of each bound, for at most `num_pictures` of each part."""

    num_samples: int = 100
    num_pictures: int = 100
    seed: int = 0


def evaluate_fully(subject: Subject, options: EvaluationOptions) -> Stage:
    """Everything that takes longer than the scores of the first page."""
    embedded = embed(subject)
    inputs = {**subject.model_inputs, "embed": embedded.hash, "options": dataclasses.asdict(options)}
    return subject.compute(
        "evaluation", inputs, lambda stage: write_evaluation(subject, embedded, options, stage)
    )


def write_evaluation(
    subject: Subject, embedded: Stage, options: EvaluationOptions, stage: StageWriter
) -> None:
    pictures, model = load_examples_of(subject), load_model(subject.run)
    latents = latents_of(embedded)
    scores: dict[str, Any] = {"no_elbo": model.no_elbo, "options": dataclasses.asdict(options)}
    if model.has_elbo:
        scores["unit"] = model.likelihood.unit
        scores["bounds"] = bounds(model, pictures, options)
    if model.has_kl:
        scores["aggregate"] = describe_aggregate(
            latents, pictures.index, options.seed, model.prior.has_switches
        )
        for found, key in ((scores["aggregate"], "sentence"), (scores.get("bounds", {}), "overfitting")):
            if key in found:
                found[key] = said_of(found[key], subject.noun)
    arrays: dict[str, Any] = {}
    scores["samples"] = []
    if isinstance(pictures, Pictures):
        scores["samples"], arrays = judge_samples(subject, model, pictures, latents, options)
    elif model.has_elbo:
        scores["text"] = about_text(scores["bounds"], pictures, latents)
    scores["factors"] = judge_factors(latents["mean"], pictures.index, options.seed)
    save_arrays(stage.folder / "samples.npz", **arrays)
    write_json(stage.folder / "scores.json", scores)
    stage.results.update(num_pictures=len(pictures.examples))


def bounds(model: Any, pictures: Examples, options: EvaluationOptions) -> dict[str, Any]:
    """For unseen and trained-on pictures: the naive mean, the ELBO, and the importance-weighted bound."""
    from vae_tf.evaluation.aggregate import overfitting
    from vae_tf.evaluation.likelihood import importance_weighted, under_the_prior

    found: dict[str, Any] = {}
    elbos: dict[str, Any] = {}
    for part in ("test", "validation", "train"):
        positions = choose(pictures.index, part, options.num_pictures)
        if len(positions) < 2:
            continue
        images = np.asarray(model.target(pictures.examples[positions], options.seed, "binarise evaluation"))
        groups = pictures.index.groups[positions]
        values = mean_of_single_weights(model, images, options)
        elbos[part] = group_means(values, groups)
        rows = [row_of("ELBO", values, groups, None, 1)]
        for name, method in (("importance-weighted", importance_weighted), ("naive, prior", under_the_prior)):
            estimate = method(model, images, options.num_samples, options.seed)
            rows.append(row_of(name, estimate.value, groups, estimate, options.num_samples))
        found[part] = {"num": len(positions), "rows": rows}
    unseen = "test" if "test" in elbos else "validation"
    if unseen in elbos and "train" in elbos:
        found["overfitting"] = overfitting(elbos["train"], elbos[unseen]).sentence
    return found


def about_text(found: dict[str, Any], sentences: Sentences, latents: dict[str, Any]) -> dict[str, Any]:
    """Perplexity of a token by the importance-weighted bound, for each part, and the KL of each dimension."""
    from pipelines.text_scores import perplexity

    perplexities = {}
    for part in (part for part in ("test", "validation", "train") if part in found):
        positions = choose(sentences.index, part, found[part]["num"])
        weighted = next(row for row in found[part]["rows"] if row["name"] == "importance-weighted")
        length = float(lengths_of(sentences.tokens[positions]).mean())
        perplexities[part] = {"length": length, "perplexity": perplexity(weighted["mean"], length)}
    unseen = sentences.index.where("test") if len(sentences.index.where("test")) else slice(None)
    kl = latents["kl"][unseen].mean(axis=0, dtype=np.float64)
    return {"perplexities": perplexities, "kl_per_dimension": kl.tolist()}


def mean_of_single_weights(
    model: Any, images: NDArray[Any], options: EvaluationOptions
) -> NDArray[np.float64]:
    """The ELBO of each picture [N] as the mean over eight draws of one sample."""
    from vae_tf.evaluation.likelihood import importance_weighted

    tiled = np.concatenate([images] * 8)
    values = importance_weighted(model, tiled, 1, options.seed).value.reshape(8, len(images))
    return np.asarray(values.mean(axis=0), dtype=np.float64)


def row_of(
    name: str, values: NDArray[np.float64], groups: NDArray[np.int64], estimate: Any, num_samples: int
) -> dict[str, Any]:
    """Mean over the pictures with its standard error over groups, and how much of the samples carried weight."""
    error = standard_error(values, groups)
    return {
        "name": name,
        "num_samples": num_samples,
        "mean": float(values.mean()),
        "standard_error": None if np.isnan(error) else error,
        "effective_sample_size": None
        if estimate is None
        else float(np.median(estimate.effective_sample_size)),
    }


def describe_aggregate(
    latents: dict[str, Any], index: Index, seed: int, has_switches: bool = False
) -> dict[str, Any]:
    """The aggregate posterior of the pictures that were trained on, against the prior N(0, I).

    Features that are on or off are no normals: of them only the use is counted, by their own KL.
    """
    from vae_tf.evaluation.aggregate import aggregate, sentence_on_use

    positions = choose(index, "train", LARGEST_NUM_FOR_AGGREGATE)
    if not len(positions):
        positions = np.arange(len(index.paths))[:LARGEST_NUM_FOR_AGGREGATE]
    if has_switches:
        kl = latents["kl"][positions].mean(axis=0)
        return {"sentence": sentence_on_use(kl, kl), "information": None}
    found = aggregate(latents["mean"][positions], latents["standard_deviation"][positions] ** 2, seed)
    return {
        "sentence": found.sentence,
        "information": found.information,
        "saturated": bool(found.saturated),
        "total_correlation": found.total_correlation,
        "num_pictures": found.num_pictures,
    }


def judge_samples(
    subject: Subject, model: Any, pictures: Pictures, latents: dict[str, Any], options: EvaluationOptions
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """How far samples lie from pictures, by the sampler; and some of each to look at.

    Beside the prior: a Gaussian mixture fitted to the latents, and one fitted to PCA scores, as the baseline.
    """
    from vae_tf.evaluation.frechet import frechet_in_pca, high_frequency_ratio

    own = pictures if subject.is_own else load_pictures_of(own_pictures(subject.run))
    reference = np.asarray(pictures.images[choose(pictures.index, "test", NUM_SAMPLES_DRAWN)])
    train = np.asarray(own.images[choose(own.index, "train", 4000)])
    if len(reference) < 4 or len(train) < 4:
        return [], {}
    rows, arrays = [], {}
    drawn = {
        "prior": to_uint8(model.sample(NUM_SAMPLES_DRAWN, seed=options.seed)),
        "mixture on latents": from_latent_mixture(model, latents, pictures.index, options.seed),
        "mixture on PCA": from_pca_mixture(train, config_of(subject.run).model.latent, options.seed),
    }
    for name, samples in drawn.items():
        if samples is None:
            continue
        distance = frechet_in_pca(reference, samples, train, NUM_PCA_COMPONENTS, options.seed)
        detail = high_frequency_ratio(reference, samples)
        rows.append({"sampler": name, "detail": detail, **dataclasses.asdict(distance)})
        arrays[name.replace(" ", "_")] = samples[:NUM_SHOWN]
    return rows, arrays


def from_latent_mixture(
    model: Any, latents: dict[str, Any], index: Index, seed: int
) -> NDArray[np.uint8] | None:
    codes = latents["mean"][np.flatnonzero(index.parts == 0)]
    drawn = draw_from_mixture(codes, seed)
    return None if drawn is None else to_uint8(model.decode(drawn))


def from_pca_mixture(train: NDArray[Any], num_components: int, seed: int) -> NDArray[np.uint8] | None:
    from vae_tf.evaluation.pca import PCA

    pca = PCA(num_components, seed).fit(train, None)
    drawn = draw_from_mixture(pca.encode(train), seed)
    if drawn is None:
        return None
    rows = pca.decomposition.inverse_transform(drawn)
    return to_uint8(np.clip(rows, 0.0, 1.0).reshape(-1, *train.shape[1:]))


def draw_from_mixture(codes: NDArray[Any], seed: int) -> NDArray[np.float32] | None:
    """Samples of a Gaussian mixture fitted to codes [N, d]; None where there are too few."""
    from sklearn.mixture import GaussianMixture

    if len(codes) < 20:
        return None
    fits = [
        GaussianMixture(k, covariance_type=kind, reg_covar=1e-4, random_state=seed).fit(codes)
        for k, kind in ((1, "full"), (5, "diag"), (10, "diag"))
        if k * 4 <= len(codes)
    ]
    best = min(fits, key=lambda fit: fit.bic(codes))
    return np.asarray(best.sample(NUM_SAMPLES_DRAWN)[0], dtype=np.float32)


def judge_factors(codes: NDArray[np.float32], index: Index, seed: int) -> dict[str, Any] | None:
    """Disentanglement against the facts of each picture and its class; None where fewer than two are known."""
    from vae_tf.evaluation.disentanglement import disentanglement

    factors: dict[str, Any] = dict(index.facts)
    if index.class_names:
        factors["class"] = [index.class_of(i) or None for i in range(len(index.paths))]
    usable = np.flatnonzero(index.parts != PARTS.index("calibration"))
    chosen = usable[:: max(1, len(usable) // LARGEST_NUM_FOR_FACTORS)]
    kept = {name: [values[i] for i in chosen] for name, values in factors.items()}
    kept = {
        name: values for name, values in kept.items() if 2 <= len({v for v in values if v is not None}) <= 200
    }
    if len(kept) < 2:
        return None
    found = disentanglement(codes[chosen], kept, seed)
    if len(found.factors) < 2:
        return None
    return dataclasses.asdict(found)
