"""From what `predict` found to the record of its page."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.predictions import KNOWN
from pipelines.run_data import Subject
from reports.prediction_records import (
    AccuracyRow,
    ClassGrid,
    PredictedPictures,
    PredictionsRecord,
    ReliabilityBin,
)
from reports.records import Confusion, RunFacts
from reports.words import percent, plural
from vae_tf.analysis.predictions import FEWEST_TO_CALIBRATE
from vae_tf.artifacts.json_files import read_json
from vae_tf.artifacts.npz_files import load_arrays
from vae_tf.data.dataset import Pictures

NUM_SHOWN = 18
# Below this share of what differs, nobody sees the class in the picture.
IGNORED = 0.01
CHECKED = ("unseen", "hidden", "validation", "labelled")


def predictions(subject: Subject, facts: RunFacts, pictures: Pictures) -> PredictionsRecord:
    stage = subject.computed("predictions")
    scores, arrays = read_json(stage.folder / "scores.json"), load_arrays(stage.folder / "predictions.npz")
    names = [str(name) for name in arrays["class_names"]]
    checked = scores["accuracy"]
    calibration = scores["calibration"]
    return PredictionsRecord(
        run=facts,
        answer=answer(scores),
        counts=[(KNOWN[key], count) for key, count in scores["counts"].items() if count],
        accuracies=[accuracy_row(key, checked[key]) for key in CHECKED if key in checked],
        accuracy_note=accuracy_note(pictures),
        calibration=calibration_sentences(scores),
        reliability=[
            ReliabilityBin(num=b["num"], confidence=b["confidence"], accuracy=b["accuracy"])
            for b in (calibration["after"]["bins"] if calibration else [])
        ],
        confusion=confusion(checked, names),
        shown=shown(arrays, names, pictures),
        grids=grids(arrays, names, pictures, scores["class_share"]),
        csv=f"../{stage.name}/predictions.csv",
    )


def answer(scores: dict[str, Any]) -> str:
    counts, checked = scores["counts"], scores["accuracy"]
    rest = (
        counts["unlabelled"]
        + counts["hidden"]
        + counts["unseen"]
        + counts["aside"]
        + counts.get("calibration", 0)
    )
    learned = (
        f"From {plural(counts['labelled'], 'labelled picture')} the model"
        if counts["labelled"]
        else "The model"
    )
    if counts["labelled"] and counts.get("validation"):
        # They choose epoch and temperature, so that they are labels spent as well.
        learned = (
            learned.removesuffix(" the model") + f" and {counts['validation']:,} for validation the model"
        )
    said = f"{learned} names the class of {plural(rest, 'other')}"
    key = next((key for key in CHECKED[:3] if key in checked), None)
    if key is None:
        return f"{said}; how many are right cannot be said, because no other class is known."
    found = checked[key]
    interval = (
        ""
        if found["low"] is None
        else f" (95 % interval {percent(found['low'], 1)} to {percent(found['high'], 1)})"
    )
    where = {"unseen": "unseen pictures", "hidden": "pictures whose label was hidden"}.get(
        key, "validation pictures"
    )
    return (
        f"{said}: {percent(found['accuracy'], 1)} right on {found['num']:,} {where}{interval}; "
        f"always saying {scores['most_frequent']} would be right on {percent(found['baseline'], 1)}."
    )


def calibration_sentences(scores: dict[str, Any]) -> list[str]:
    """How the probabilities were calibrated, and what that changed."""
    number, temperature = scores["calibrated_on"], scores["temperature"]
    if number < FEWEST_TO_CALIBRATE:
        said = [
            f"Probabilities are the model's own, not calibrated: {plural(number, 'validation picture')} with a class "
            f"{'is' if number == 1 else 'are'} too few, {FEWEST_TO_CALIBRATE} are needed."
        ]
    else:
        kind = (
            "too sure" if temperature > 1.05 else "not sure enough" if temperature < 0.95 else "about right"
        )
        said = [
            f"On {plural(number, 'validation label')} the model's own probabilities were {kind}: "
            f"its logits are divided by {temperature:.2f}."
        ]
    found = scores["calibration"]
    if found is None:
        return [*said, "No other class is known that could show how well the probabilities fit."]
    before, after = found["before"], found["after"]
    where = "unseen pictures" if found["on"] == "unseen" else "pictures whose label was hidden"
    error = (
        f"{percent(after['error'], 1)}"
        if number < FEWEST_TO_CALIBRATE
        else f"{percent(after['error'], 1)} ({percent(before['error'], 1)} before)"
    )
    said.append(
        f"On {found['num']:,} {where}, probability and share of right answers differ by {error} on average "
        f"(expected calibration error); −log p of the class is {after['nll']:.2f} nats."
    )
    return said


def accuracy_row(key: str, found: dict[str, Any]) -> AccuracyRow:
    values = {name: found[name] for name in ("num", "accuracy", "low", "high", "balanced", "baseline")}
    return AccuracyRow(name=KNOWN[key], **values)


def accuracy_note(pictures: Pictures) -> str:
    over = "by Wilson, pictures taken as independent"
    if np.any(pictures.index.groups >= 0):
        over += ", or by resampling whole groups where that is wider"
    return (
        f"Intervals: 95 %, {over}. Validation labels chose the epoch and the temperature; "
        "labels trained on flatter, hidden ones were never shown."
    )


def confusion(checked: dict[str, Any], names: list[str]) -> Confusion | None:
    """Of the pictures that say most about new ones: the unseen, else those whose label was hidden."""
    key = next((key for key in ("unseen", "hidden") if key in checked), None)
    if key is None:
        return None
    counts = np.asarray(checked[key]["confusion"])
    wrong = counts - np.diag(np.diag(counts))
    finding = "No class is taken for another."
    if wrong.any():
        row, column = np.unravel_index(int(wrong.argmax()), wrong.shape)
        often = f"{wrong[row, column]:,} of {counts[row].sum():,}"
        finding = f"Most often {names[row]} is taken for {names[column]}: {often}."
    return Confusion(
        title=f"True class (rows) against predicted class: {KNOWN[key]}",
        rows=names,
        columns=names,
        counts=counts,
        finding=finding,
    )


def shown(arrays: dict[str, Any], names: list[str], pictures: Pictures) -> list[PredictedPictures]:
    """Of the pictures without a label in training: those that the model is least sure of, and of all others some."""
    rest = np.flatnonzero(np.isin(arrays["known"], ["unseen", "hidden", "unlabelled"]))
    if not len(rest):
        return []
    sure = arrays["probabilities"].max(axis=-1)
    order = rest[np.argsort(sure[rest], kind="stable")]
    groups = [("Least sure", order[:NUM_SHOWN])]
    if len(order) > 2 * NUM_SHOWN:
        groups.append(("Most sure", order[::-1][:NUM_SHOWN]))
    return [predicted(title, positions, arrays, names, pictures) for title, positions in groups]


def predicted(
    title: str, positions: NDArray[np.int64], arrays: dict[str, Any], names: list[str], pictures: Pictures
) -> PredictedPictures:
    chosen = arrays["probabilities"][positions]
    return PredictedPictures(
        title=title,
        pictures=pictures.to_look_at[positions],
        paths=[pictures.index.paths[i] for i in positions],
        classes=[names[label] for label in chosen.argmax(axis=-1)],
        probabilities=[float(value) for value in chosen.max(axis=-1)],
        truths=[pictures.index.class_of(i) for i in positions],
    )


def grids(
    arrays: dict[str, Any], names: list[str], pictures: Pictures, class_share: float
) -> list[ClassGrid]:
    columns = names[: arrays["samples"].shape[1]]
    changes = (
        f"The class makes {percent(class_share, 1)} of what differs between these pictures, the style the rest"
        + (": the decoder all but ignores the class." if class_share < IGNORED else ".")
    )
    return [
        ClassGrid(
            title="Samples of each class",
            note="A style drawn from the prior in each row, a class in each column.",
            pictures=arrays["samples"],
            classes=columns,
        ),
        ClassGrid(
            title="The same picture as every class",
            note="On the left pictures that training saw no label of; beside each, its style under every class. "
            + changes,
            pictures=arrays["analogies"],
            classes=columns,
            originals=pictures.to_look_at[arrays["analogy_positions"]],
        ),
    ]
