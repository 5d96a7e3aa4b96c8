"""From what `anomalies` found to the record of its page."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.anomaly_roles import ABNORMAL, NORMAL, UNKNOWN
from pipelines.run_data import Subject, config_of
from reports.anomaly_records import AnomaliesRecord, AnomalyScore, Count, OddPictures, ScoreSpread
from reports.records import Estimate, RunFacts
from reports.words import count, number, percent, plural
from vae_tf.artifacts.json_files import read_json
from vae_tf.artifacts.npz_files import load_arrays
from vae_tf.data.dataset import Pictures

NAMES = {
    "reconstruction": "Reconstruction error",
    "elbo": "−ELBO",
    "bound": "−Importance-weighted bound",
    "latent": "Latent distance",
    "pca": "PCA’s reconstruction error",
}
UNITS = {"reconstruction": "mean squared error", "pca": "mean squared error", "elbo": "nats", "bound": "nats"}
# In words what an AUROC below each bound is worth.
TELLS = {"barely tells": 0.6, "partly tells": 0.8, "tells": 0.9}
GROUPS = {
    "odd": ("Most odd", "Of all unseen pictures, the highest scores: {score}."),
    "typical": ("Most typical", "The lowest scores: what the model finds most normal, normal or not."),
    "alarms": ("False alarms", "Normal pictures above the threshold, the oddest first."),
    "missed": ("Missed", "Abnormal pictures below the threshold, the most typical first."),
}


def anomalies(subject: Subject, facts: RunFacts, pictures: Pictures) -> AnomaliesRecord:
    stage = subject.computed("anomalies")
    scores, arrays = read_json(stage.folder / "scores.json"), load_arrays(stage.folder / "anomalies.npz")
    main = scores["score"]
    return AnomaliesRecord(
        run=facts,
        answer=answer(scores),
        facts=fact_sentences(scores),
        scores=[
            anomaly_score(name, scores, config_of(subject.run).model.latent) for name in scores["scores"]
        ],
        spread=ScoreSpread(
            name=NAMES[main] + (f", {UNITS[main]}" if main in UNITS else ""),
            values=values_by_kind(arrays, main, bool(arrays["truth"].max(initial=UNKNOWN) != UNKNOWN)),
            threshold=scores["scores"][main]["threshold"],
        ),
        chance_precision=scores["prevalence"],
        score_note=score_note(scores),
        shown=[
            odd_pictures(title, note.format(score=NAMES[main]), arrays[f"rank_{key}"], main, arrays, pictures)
            for key, (title, note) in GROUPS.items()
        ],
        map_note=map_note(float(arrays["difference_scale"]), main),
        notes=scores["notes"],
        methods=methods(scores),
        csv=f"../{stage.name}/scores.csv",
    )


def answer(scores: dict[str, Any]) -> str:
    """Whether abnormal pictures are told from normal ones, and how many of each were flagged."""
    main = scores["scores"][scores["score"]]
    promised, num = scores["promise"]["rate"], scores["num"]
    if main["separation"] is None:
        measured = ""
        if main["false_alarms"]["num"]:
            measured = f" Measured: {in_share(main['false_alarms'])} of the normal ones."
        return (
            f"{count(main['flagged'])} of {plural(num['tested'], 'unseen picture')} are odder than the threshold. "
            f"Of normal pictures {percent(promised, 1)} would be, about {promised * num['tested']:.0f} "
            f"of so many.{measured}"
        )
    found, alarms = main["found"], main["false_alarms"]
    measured = ""
    if alarms["num"]:
        share = percent(alarms["count"] / alarms["num"], 1 if alarms["num"] >= 100 else 0)
        measured = (
            f", and gives {alarms['count']:,} false alarms on {alarms['num']:,} unseen normal ones ({share})"
        )
    return (
        f"{told_apart(scores)} With {percent(promised, 1)} of false alarms promised, it finds {found['count']:,} of "
        f"{found['num']:,} abnormal pictures ({percent(found['count'] / found['num'])}){measured}"
        f"{': one picture of each group is counted' if scores['unit'] == 'group' else ''}."
    )


def told_apart(scores: dict[str, Any]) -> str:
    found = scores["scores"][scores["score"]]["separation"]
    name, area = NAMES[scores["score"]], found["auroc"]
    share = percent(area["value"])
    of_two = f"of one abnormal and one normal picture it finds the abnormal one odder in {share} of cases"
    if area["low"] is None:
        return f"Too few pictures to say whether {name} tells abnormal ones from normal ones: {of_two}."
    # One decimal more where rounding would hide on which side of chance an end lies.
    digits = 1 if 0.5 in (round(area["low"], 2), round(area["high"], 2)) else 0
    interval = (
        f"(95 % interval {100 * area['low']:.{digits}f} to {percent(area['high'], digits)}, guessing 50 %)"
    )
    if area["low"] > 0.5:
        well = next((word for word, below in TELLS.items() if area["value"] < below), "clearly tells")
        said = f"{name} {well} abnormal pictures from normal ones: {of_two} {interval}."
    elif area["high"] < 0.5:
        said = f"{name} misleads here: abnormal pictures look more normal than normal ones do; {of_two} {interval}."
    else:
        said = f"{name} does not tell abnormal pictures from normal ones: {of_two} {interval}."
    beyond = found["beyond_rival"]
    if beyond is not None and beyond["high"] is not None and beyond["high"] < 0:
        said += " PCA of the same size does it better."
    return said


def in_share(found: dict[str, Any]) -> str:
    return f"{found['count']:,} of {found['num']:,} ({percent(found['count'] / found['num'], 1)})"


def fact_sentences(scores: dict[str, Any]) -> list[tuple[str, str]]:
    main, promise, num = scores["scores"][scores["score"]], scores["promise"], scores["num"]
    unit, n, k = scores["unit"], promise["num_units"], promise["allowed"]
    unit_text = UNITS.get(scores["score"], "standard deviations")
    of_each = ", one picture of each" if unit == "group" else ""
    new = "a picture of a new normal group" if unit == "group" else "a new normal picture"
    facts = [
        ("Normal", ", ".join(scores["normal"]) or "all pictures of the run"),
        (
            "Threshold",
            f"{number(main['threshold'])} ({unit_text}): exceeded by {plural(k - 1, unit)} of {count(n)} kept for "
            f"calibration{of_each}. Neither training nor any choice has seen them.",
        ),
        (
            "Promised",
            f"{k}/{n + 1} = {percent(promise['rate'], 1)} is the chance that {new} lies above it, over "
            "all calibrations. "
            f"Of this one alone the rate may be {percent(promise['low'], 1)} to "
            f"{percent(promise['high'], 1)} (95 % of calibrations).",
        ),
    ]
    if main["false_alarms"]["num"]:
        facts.append(("Measured", measured(main["false_alarms"], scores["expected_alarms"], unit)))
    if num["unknown"]:
        facts.append(
            ("Without a class", f"{plural(num['unknown'], 'picture')}: ranked, but nothing is known.")
        )
    return facts


def measured(alarms: dict[str, Any], expected: list[int], unit: str) -> str:
    low, high = expected
    fits = (
        "as promised"
        if low <= alarms["count"] <= high
        else "more than promised: unseen normal pictures differ from those that calibrated"
        if alarms["count"] > high
        else "fewer than promised"
    )
    return (
        f"{in_share(alarms)} unseen normal {unit}s above it{', one picture of each' if unit == 'group' else ''} (95 % "
        f"interval {percent(alarms['low'], 1)} to {percent(alarms['high'], 1)}). The promise lets expect "
        f"{low} to {high}: {fits}."
    )


def anomaly_score(key: str, scores: dict[str, Any], latent: int) -> AnomalyScore:
    found = scores["scores"][key]
    separation = found["separation"]
    num_samples = scores["options"]["num_samples"]
    meanings = {
        "reconstruction": "mean squared error of the picture rebuilt from its posterior mean",
        "elbo": f"nats, mean over {num_samples} samples of the posterior: reconstruction and KL together",
        "bound": f"nats, tightest bound on −log p(x), {num_samples} samples of the posterior",
        "latent": "Mahalanobis distance of the posterior mean from those of trained-on normal pictures "
        f"(Ledoit–Wolf covariance, shrinkage {scores['shrinkage']:.2f})",
        "pca": f"the rival: rebuilt from {scores['num_components']} principal components of the trained-on pictures",
    }
    counts = {
        name: Count(**found[name]) if found[name]["num"] else None
        for name in ("false_alarms", "naive", "found")
    }
    return AnomalyScore(
        name=NAMES[key],
        meaning=meanings[key],
        verdict="" if separation is None else verdict(separation),
        auroc=None if separation is None else Estimate(**separation["auroc"]),
        precision=None if separation is None else Estimate(**separation["average_precision"]),
        is_main=key == scores["score"],
        **counts,
    )


def verdict(separation: dict[str, Any]) -> str:
    """Against chance and, where it is any better than that, against PCA."""
    area, beyond = separation["auroc"], separation["beyond_rival"]
    if area["low"] is None:
        return "too few pictures to say"
    if area["high"] < 0.5:
        return "worse than chance"
    if area["low"] <= 0.5:
        return "not told from chance"
    if beyond is None:
        return "the rival"
    if beyond["low"] > 0:
        return f"better than PCA (by {beyond['low']:.3f} to {beyond['high']:.3f})"
    if beyond["high"] < 0:
        return f"worse than PCA (by {-beyond['high']:.3f} to {-beyond['low']:.3f})"
    return "not told from PCA"


def values_by_kind(arrays: dict[str, Any], main: str, has_truth: bool) -> dict[str, NDArray[np.float64]]:
    values, truth = arrays[f"score_{main}"], arrays["truth"]
    names = {NORMAL: "unseen, normal", ABNORMAL: "abnormal", UNKNOWN: "unseen, unknown"}
    return {"calibration": arrays[f"calibration_{main}"]} | {
        name: values[truth == key] for key, name in names.items() if np.any(truth == key)
    }


def odd_pictures(
    title: str,
    note: str,
    ranked: NDArray[np.int64],
    main: str,
    arrays: dict[str, Any],
    pictures: Pictures,
) -> OddPictures:
    """The pictures at these positions among the tested ones."""
    places = np.searchsorted(arrays["shown"], ranked)
    rank_of = np.argsort(arrays["order"])
    positions = arrays["position"][ranked]
    words = {NORMAL: "normal", ABNORMAL: "abnormal", UNKNOWN: ""}
    return OddPictures(
        title=title,
        note=note,
        originals=pictures.to_look_at[positions],
        rebuilt=arrays["rebuilt"][places],
        differences=arrays["difference"][places],
        ranks=(rank_of[ranked] + 1).tolist(),
        p_values=arrays[f"p_{main}"][ranked].tolist(),
        classes=[pictures.index.class_of(i) for i in positions],
        truths=[words[int(value)] for value in arrays["truth"][ranked]],
        paths=[pictures.index.paths[i] for i in positions],
    )


def map_note(scale: float, main: str) -> str:
    rebuilt = "PCA" if main == "pca" else "the model"
    return (
        f"Difference: the picture less what {rebuilt} rebuilt of it, mean over colours. Mid-grey: none; white: the "
        f"picture is brighter by {scale:.2f} of the range from black to white, or more; black: darker by as much. All "
        "maps of this page have this scale. p: share of normal pictures that would be as odd; bold: the class is "
        "abnormal."
    )


def score_note(scores: dict[str, Any]) -> str:
    each = (
        " Alarms are counted on one picture of each group, since pictures of one group are no independent witnesses."
        if scores["unit"] == "group"
        else ""
    )
    missing = "" if not scores["no_bounds"] else f" {scores['no_bounds']}: no ELBO and no bound are shown."
    ranked = f"AUROC and precision by resampling whole {scores['unit']}s, "
    has_both = scores["scores"][scores["score"]]["separation"] is not None
    return (
        f"Intervals: 95 %, {ranked if has_both else ''}shares by Clopper and Pearson.{each} "
        "The bold score ranks this page and was chosen beforehand: the best of the table, picked afterwards, "
        "would flatter itself. Naive: the threshold that as many of the trained-on pictures exceed; "
        f"the model knows those, so that it promises nothing.{missing}"
    )


def methods(scores: dict[str, Any]) -> list[str]:
    promise, num, options = scores["promise"], scores["num"], scores["options"]
    n, k = promise["num_units"], promise["allowed"]
    unit = scores["unit"]
    drawn = (
        f" Of {plural(num['calibration'], 'calibration picture')} one of each group was drawn at random, since groups, "
        "and not pictures, are exchangeable (Dunn et al. 2022): the promise is about a picture drawn from a new group."
        if unit == "group"
        else ""
    )
    ranked = (
        f"AUROC (Mann & Whitney 1947) and average precision on {num['normal_counted']:,} normal and "
        f"{num['abnormal_counted']:,} abnormal pictures; 2,000 resamplings of whole {unit}s, the same for all scores. "
    )
    has_both = scores["scores"][scores["score"]]["separation"] is not None
    return [
        f"Split-conformal prediction (Vovk et al. 2005; Laxhammar & Falkman 2010) at α = {options['alpha']:g}: a score "
        f"is odd above the ⌊(n + 1)α⌋ = {k}th largest of n = {n:,} calibration scores; the probability that a new "
        f"normal {unit} is, is k/(n + 1) = {k}/{n + 1}, at most that where scores tie. p = (1 + number of calibration "
        f"scores as high)/(n + 1). At least 1/α − 1 {unit}s are needed.{drawn}",
        "Which calibration set fell to us decides the rate itself: it is Beta(k, n + 1 − k) distributed (Vovk 2012), "
        "and false alarms among m new ones beta-binomially.",
        f"{ranked if has_both else ''}Every picture was scored with the same noise. Seed {options['seed']}.",
    ]
