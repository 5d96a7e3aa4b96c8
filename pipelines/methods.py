"""The methods block of each page: method, parameters, seed, versions, and the command that makes the page again."""

import shlex
import time
from collections.abc import Sequence
from typing import Any

from pipelines.run_data import Subject, config_of, own_pictures
from reports.method_records import Method
from reports.words import said_of, without_folders
from vae_tf import strangers
from vae_tf.artifacts.run import Run
from vae_tf.artifacts.stage import Stage
from vae_tf.versions import versions

COMMON = ("vae_tf", "python", "numpy")
LEARNED = (*COMMON, "tensorflow", "keras")
# What was done, in sentences that a paper could take, and the packages that did it.
METHODS: dict[str, tuple[str, tuple[str, ...]]] = {
    "index": (
        "A variational autoencoder (Kingma & Welling 2014) was trained on the training part. Reconstructions are "
        "decoded from posterior means. Beside it stands PCA with as many components, fitted on the same "
        "pictures. Errors are means over pictures; intervals (95 %) are percentiles of 2,000 bootstrap "
        "resamplings of whole groups, or of pictures where there are no groups. SSIM is that of Wang et al. 2004 "
        "with an 11-pixel Gaussian window.",
        (*LEARNED, "scikit-learn"),
    ),
    "data": (
        "Pictures were decoded, turned upright, resized (bilinear, antialiased) and split by groups with a keyed "
        "random order. Near copies were found by perceptual hashes and checked pixel by pixel.",
        (*COMMON, "pillow"),
    ),
    "training": (
        "The objective was minimised by Adam (Kingma & Ba 2015; β₂ = 0.99) with the gradient’s global norm clipped. An "
        "exponential moving average of the weights was judged on validation examples after each epoch, with "
        "fixed noise and the objective at its final weights; the epoch with the lowest value was kept.",
        LEARNED,
    ),
    "latents": (
        "Each example was encoded; its code is the posterior mean. KL is that from the prior, in nats. A "
        "dimension is in use where it tells more than 0.1 nat: I(x; z) = E log q(z | x) − log q(z), q(z) being "
        "the mixture of the posteriors (Hoffman & Johnson 2016), by 1,000 Monte Carlo samples over at most 2,000 "
        "posteriors; of features that switch, and in runs that did not record it, where the KL exceeds 0.1 nat.",
        LEARNED,
    ),
    "clusters": (
        "Maps are t-SNE (van der Maaten & Hinton 2008), UMAP (McInnes et al. 2018) and PCA of the posterior "
        "means, with scikit-learn’s trustworthiness (Venna & Kaski 2001). Clusters are k-means (beside it, "
        "Gaussian mixtures), their number chosen by BIC (Schwarz 1978), compared between subsamples of 80 % "
        "(Ben-Hur et al. 2002). Agreement is adjusted mutual information over the smaller entropy (Vinh et al. 2010) "
        "with intervals from half-sampling groups (Shao & Wu 1989).",
        (*COMMON, "scipy", "scikit-learn", "openTSNE", "umap-learn"),
    ),
    "classes": (
        "Classes were tested by permutation within or between groups, as the design lets labels fall; p is (1 + "
        "labellings at least as extreme) / (1 + labellings), or exact where all were compared (Phipson & Smyth "
        "2010). Predictions are of ridge regression without the example’s group. Dimensions are corrected by the "
        "largest of all (Westfall & Young 1993).",
        (*COMMON, "scipy", "scikit-learn"),
    ),
    "interpolation": (
        "Paths between posterior means: the straight line, and the great circle with the norm going linearly "
        "(White 2016; Shoemake 1985). Every point was decoded to the likelihood’s mean.",
        LEARNED,
    ),
    "traversals": (
        "One latent at a time was moved over the aggregate posterior’s range, all else fixed, and decoded. Known "
        "factors were compared with each dimension in use by Spearman’s ρ (numbers) or the correlation ratio η "
        "(categories) on unseen pictures; p-values are of the largest value over all dimensions under "
        "permutations that fit the groups (Westfall & Young 1993), times the number of factors (Bonferroni). The "
        "class step is the difference of class means of training codes (Larsen et al. 2016); moved pictures were "
        "encoded again and read by logistic regression on training codes.",
        (*LEARNED, "scikit-learn"),
    ),
    "explore": (
        "The page holds the encoder (to the posterior mean) and the decoder as plain operations with weights in half "
        "precision, and runs them in the browser. Neighbours are the nearest posterior means by Euclidean distance.",
        LEARNED,
    ),
    "anomalies": (
        "Unseen pictures were scored by the VAE trained on normal ones. A threshold is the ⌊(n + 1)α⌋-th largest "
        "score of n calibration units kept apart from training (split-conformal prediction, Vovk et al. 2005), one "
        "picture of each group; intervals of rates are Clopper–Pearson’s, those of AUROC and average precision "
        "percentiles of a bootstrap over groups. Latent distance is Mahalanobis’ with a shrunk covariance (Ledoit & "
        "Wolf 2004).",
        (*LEARNED, "scipy", "scikit-learn"),
    ),
    "evaluation": (
        "The ELBO and the importance-weighted bound (Burda et al. 2016) estimate log p(x) from below, in nats; "
        "standard errors are over groups. Samples were compared with pictures by the Fréchet distance of their "
        "PCA scores. The aggregate posterior was judged as by Hoffman & Johnson 2016 and Chen et al. 2018.",
        (*LEARNED, "scipy", "scikit-learn"),
    ),
    "probe": (
        "Linear and nearest-neighbour classifiers were fitted on few labelled training pictures and judged by balanced "
        "accuracy on pictures kept apart; each number of labels was drawn several times.",
        (*LEARNED, "scikit-learn"),
    ),
    "predictions": (
        "Classes are those of q(y | x) (Kingma et al. 2014, M2 or M1+M2); one temperature was fitted on "
        "validation labels where there are enough (Guo et al. 2017).",
        LEARNED,
    ),
    "features": (
        "Features are on or off by an Indian-buffet-process prior in its stick-breaking form (Teh et al. 2007). "
        "Factors were tested by the share of variance between their levels, with permutations that fit the "
        "groups (Westfall & Young 1993).",
        LEARNED,
    ),
    "compare": (
        "Each run was scored on the same unseen pictures. Two runs differ where the paired difference of their "
        "errors, picture by picture, exceeds its standard error over groups by Student’s t at 5 %, corrected for "
        "all pairs of runs (Bonferroni).",
        (*LEARNED, "scipy", "scikit-learn"),
    ),
    "export": (
        "The model was written as a TensorFlow SavedModel, loaded in a fresh process without this project or "
        "Keras, and its outputs compared with the run’s.",
        LEARNED,
    ),
}  # fmt: skip
SENTENCES = {
    "index": "A sentence VAE (Bowman et al. 2016) was trained on the training part. Sentences are decoded "
    "greedily and by beam search from posterior means; perplexity is that of a token by the bound.",
    "interpolation": "Sentences were decoded greedily along the straight line and the great circle between "
    "posterior means (homotopies, Bowman et al. 2016).",
    "compare": "Each run was scored on the same unseen sentences. Two runs differ where the paired difference of "
    "their bounds, sentence by sentence, exceeds its standard error over groups by Student’s t at 5 %, corrected "
    "for all pairs of runs (Bonferroni).",
}
UNKNOWN = ("Computed from what the stage named below was given.", LEARNED)
STAGES = {"index": "evaluate", "data": "data", "training": "train", "latents": "embed"}
COMMANDS = {
    "latents": "embed",
    "clusters": "cluster-report",
    "classes": "cluster-report",
    "interpolation": "interpolation-grid",
    "traversals": "traverse",
    "explore": "explore",
    "anomalies": "anomalies",
    "evaluation": "evaluate",
    "features": "evaluate",
    "probe": "probe",
    "predictions": "predict",
    "export": "export",
}
# What an option of a stage is called on the command line, where that is another name.
FLAGS = {
    "num_neighbors": "neighbors",
    "num_permutations": "permutations",
    "num_steps": "steps",
    "num_pairs": "pairs",
    "num_samples": "samples",
    "num_pictures": "pictures",
    "num_draws": "draws",
    "numbers": "labels",
    "start": "from",
}
# They quote file names, or sentences.
PRIVATE = ("start", "to")
REPEATED = (*PRIVATE, "normal")


def methods_of(subject: Subject, pages: list[str], shows_names: bool) -> dict[str, Method]:
    """One block for each page."""
    return {page: method_of(subject, page, shows_names) for page in pages}


def method_of(subject: Subject, page: str, shows_names: bool) -> Method:
    text, packages = METHODS.get(page, UNKNOWN)
    if subject.is_text:
        text = SENTENCES.get(page, text)
    stage = subject.run.stage("train") if page == "training" else subject.newest(STAGES.get(page, page))
    stage = subject.data if page == "data" else stage
    with strangers.telling(subject.run.folder if stage is None else stage.place):
        options = options_of(stage)
        if not shows_names:
            options = {name: value for name, value in options.items() if name not in PRIVATE}
        record = subject.run.record
        known = {} if stage is None else stage.record.get("versions", record["versions"])
        return Method(
            text=said_of(text, subject.noun),
            parameters=[
                *parameters_of(subject),
                *((said_of(name.replace("_", " "), subject.noun), words(v)) for name, v in options.items()),
            ],
            command=command_of(subject, page, options),
            versions={name: known[name] for name in packages if name in known},
            date=""
            if stage is None
            else time.strftime("%-d %B %Y", time.localtime(stage.record["finished"])),
        )


def options_of(stage: Stage | None) -> dict[str, Any]:
    """What the stage was asked for, its seed included; None (chosen from the data) is left out."""
    inputs = {} if stage is None else stage.record["inputs"]
    options = dict(inputs.get("options", {}))
    if "seed" in inputs:
        options["seed"] = inputs["seed"]
    return {name: value for name, value in options.items() if value is not None and value != []}


def parameters_of(subject: Subject) -> list[tuple[str, str]]:
    """The model, which every page rests on."""
    config = config_of(subject.run)
    return [
        ("recipe", config.model.recipe),
        ("latent dimensions", str(config.model.latent)),
        ("seed of training", str(config.training.seed)),
    ]


def words(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ",".join("all" if item is None else str(item) for item in value)
    return str(value)


def command_of(subject: Subject, page: str, options: dict[str, Any]) -> str:
    """What makes the page again: of the first pages what trained the run, of the others their stage's command."""
    if page not in COMMANDS:
        made_by_training = subject.is_own and page in ("index", "data", "training")
        command = f"python cli.py report {subject.run.name}"
        return without_folders(subject.run.record["command"]) if made_by_training else command
    parts = ["python", "cli.py", COMMANDS[page], subject.run.name]
    parts += [] if subject.is_own else [subject.source_name]
    for name, value in options.items():
        flag = f"--{FLAGS.get(name, name).replace('_', '-')}"
        if isinstance(value, bool):
            parts += [flag] if value else []
        elif name in REPEATED:
            parts += [part for item in value for part in (flag, str(item))]
        elif page != "features":
            parts += [flag, words(value)]
    return shlex.join(parts)


def comparison_method(runs: Sequence[Run]) -> Method:
    """Of a page that several runs share."""
    text, packages = METHODS["compare"]
    if own_pictures(runs[0]).is_text:
        text = SENTENCES["compare"]
    known = versions()
    return Method(
        text=text,
        parameters=[
            ("runs", ", ".join(run.name for run in runs)),
            ("seeds of training", ", ".join(str(config_of(run).training.seed) for run in runs)),
        ],
        command=shlex.join(["python", "cli.py", "compare", *(run.name for run in runs)]),
        versions={name: known[name] for name in packages if name in known},
        date=time.strftime("%-d %B %Y"),
    )
