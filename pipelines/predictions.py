"""Stage `predictions`: the class of every picture with a calibrated probability, and how far to trust it."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.csv_files import write_csv
from pipelines.run_data import Subject, load_model, load_pictures_of, own_pictures
from vae_tf.analysis import predictions as analysis
from vae_tf.artifacts.json_files import write_json
from vae_tf.artifacts.npz_files import save_arrays
from vae_tf.artifacts.run import Run
from vae_tf.artifacts.stage import Stage, StageWriter
from vae_tf.data.dataset import Index, Pictures
from vae_tf.data.splits import PARTS
from vae_tf.errors import UserError
from vae_tf.pixels import to_uint8

BATCH_SIZE = 256
NUM_STYLES = 8
LARGEST_NUM_CLASSES_DRAWN = 12
# What is known of a picture's class, in the order of pages.
KNOWN = {
    "unseen": "unseen, class known",
    "hidden": "trained on, label hidden",
    "validation": "validation",
    "labelled": "trained on with its label",
    "unlabelled": "without a class",
    "calibration": "kept for the threshold of anomalies",
    "aside": "put aside",
}


def predict(subject: Subject, seed: int = 0) -> Stage:
    """Classes and probabilities of all pictures; how often and how well-founded, where the truth is known.

    Raises:
        UserError: The run's model learns no classes.
    """
    inputs = {**subject.model_inputs, "seed": seed}
    return subject.compute("predictions", inputs, lambda stage: write_predictions(subject, seed, stage))


def write_predictions(subject: Subject, seed: int, stage: StageWriter) -> None:
    pictures, model = load_pictures_of(subject), load_model(subject.run)
    check_learns_classes(model, subject.run)
    own = pictures if subject.is_own else load_pictures_of(own_pictures(subject.run))
    names, index = own.index.class_names, pictures.index
    usual = most_frequent(own.index)
    labels = labels_among(index, names)
    logits = class_logits(model, pictures.images)
    temperature, calibrated_on = calibrate(model, own, logits if subject.is_own else None)
    probabilities = np.exp(analysis.log_softmax(logits / temperature))
    known = what_is_known(index, labels)
    scores = {
        "num_pictures": len(index.paths),
        "counts": {key: int(np.sum(known == key)) for key in KNOWN},
        "temperature": temperature,
        "calibrated_on": calibrated_on,
        "accuracy": {
            key: score(probabilities[known == key], labels[known == key], index.groups[known == key])
            | {"baseline": float(np.mean(labels[known == key] == usual))}
            for key in ("unseen", "hidden", "validation", "labelled")
            if np.any(known == key)
        },
        "calibration": judge(logits, temperature, labels, known),
        "most_frequent": names[usual],
    }
    arrays = draw(model, pictures, probabilities, labels, known, seed)
    scores["class_share"] = analysis.share_of_class(arrays["analogies"])
    save_arrays(
        stage.folder / "predictions.npz",
        probabilities=probabilities.astype(np.float32),
        logits=logits,
        label=labels,
        known=known,
        class_names=np.array(names, dtype=str),
        **arrays,
    )
    write_table(stage.folder / "predictions.csv", index, names, probabilities, known)
    write_json(stage.folder / "scores.json", scores)
    stage.results.update(num_pictures=len(index.paths), temperature=temperature)


def check_learns_classes(model: Any, run: Run) -> None:
    if not hasattr(model, "classify"):
        raise UserError(
            f"{run.name} learned no classes: it cannot predict any.",
            "Train with labels, a few will do: --recipe m2 or --recipe m1-m2.",
        )


def labels_among(index: Index, names: list[str]) -> NDArray[np.int64]:
    """The class of each picture [N] as a position in the run's `names`; −1 for none and for classes it has not."""
    position = {name: i for i, name in enumerate(names)}
    own = np.array([position.get(name, -1) for name in index.class_names] + [-1], dtype=np.int64)
    return np.asarray(own[index.labels])


def most_frequent(index: Index) -> int:
    """The class that most of the labels seen in training have: what a guess without a look would name."""
    train = index.where("train")
    seen = index.visible_labels[train]
    return int(np.bincount(seen[seen >= 0], minlength=1).argmax())


def class_logits(model: Any, images: NDArray[Any]) -> NDArray[np.float32]:
    """log q(y | x) [N, C], in the order of the pictures."""
    starts = range(0, len(images), BATCH_SIZE)
    parts = [model.log_class_probabilities(np.asarray(images[i : i + BATCH_SIZE])) for i in starts]
    return np.concatenate([np.asarray(part) for part in parts])


def calibrate(model: Any, own: Pictures, logits: NDArray[np.float32] | None) -> tuple[float, int]:
    """The temperature from the run's validation labels, and how many there are; 1 where too few."""
    index = own.index
    positions = index.where("validation")
    positions = positions[index.labels[positions] >= 0]
    if len(positions) < analysis.FEWEST_TO_CALIBRATE:
        return 1.0, len(positions)
    chosen = class_logits(model, own.images[positions]) if logits is None else logits[positions]
    return analysis.fit_temperature(chosen, index.labels[positions]), len(positions)


def what_is_known(index: Index, labels: NDArray[np.int64]) -> NDArray[np.str_]:
    """A key of `KNOWN` for each picture [N]."""
    part = np.array(PARTS)[index.parts]
    hidden = np.zeros(len(labels), dtype=bool) if index.hidden is None else index.hidden
    conditions = [part == "other", part == "calibration", labels < 0, hidden, part == "train", part == "test"]
    names = ["aside", "calibration", "unlabelled", "hidden", "labelled", "unseen"]
    return np.select(conditions, names, "validation")


def score(
    probabilities: NDArray[np.float64], labels: NDArray[np.int64], groups: NDArray[np.int64]
) -> dict[str, Any]:
    """Accuracy with its interval, mean over classes, and the confusion matrix.

    Pictures of a group are no independent witnesses; but groups that are all equally right would leave no width.
    """
    from vae_tf.evaluation.reconstruction import mean_interval

    predicted = probabilities.argmax(axis=-1)
    right = predicted == labels
    low, high = analysis.wilson_interval(int(right.sum()), len(right))
    if np.any(groups >= 0):
        over = mean_interval(right.astype(np.float64), groups)
        low, high = min(low, over.low or low), max(high, over.high or high)
    per_class = [float(right[labels == c].mean()) for c in np.unique(labels)]
    counts = analysis.confusion(labels, predicted, probabilities.shape[1])
    return {
        "num": len(labels),
        "accuracy": float(right.mean()),
        "low": low,
        "high": high,
        "balanced": float(np.mean(per_class)),
        "confusion": counts.tolist(),
    }


def judge(
    logits: NDArray[np.float32], temperature: float, labels: NDArray[np.int64], known: NDArray[np.str_]
) -> dict[str, Any] | None:
    """Calibration before and after, on pictures that neither trained nor calibrated; None where none is known."""
    on = next((key for key in ("unseen", "hidden") if np.sum(known == key) >= analysis.NUM_BINS), None)
    if on is None:
        return None
    chosen, truth = logits[known == on], labels[known == on]
    found: dict[str, Any] = {"on": on, "num": len(truth)}
    for name, t in (("before", 1.0), ("after", temperature)):
        logs = analysis.log_softmax(chosen / t)
        bins = analysis.reliability(np.exp(logs), truth)
        found[name] = {
            "nll": analysis.negative_log_likelihood(logs, truth),
            "error": analysis.expected_calibration_error(bins),
            "bins": [dataclasses.asdict(b) for b in bins],
        }
    return found


def draw(
    model: Any,
    pictures: Pictures,
    probabilities: NDArray[np.float64],
    labels: NDArray[np.int64],
    known: NDArray[np.str_],
    seed: int,
) -> dict[str, Any]:
    """Grids of a style in each row and a class in each column: of the prior, and of pictures."""
    num_classes = min(probabilities.shape[1], LARGEST_NUM_CLASSES_DRAWN)
    rest = np.flatnonzero(np.isin(known, ["unseen", "unlabelled", "hidden"]))
    rest = rest if len(rest) else np.arange(len(known))
    # Of each class in turn, so that the rows differ in what they are pictures of.
    order = rest[np.argsort(rank_within(probabilities.argmax(-1)[rest]), kind="stable")][:NUM_STYLES]
    originals = np.asarray(pictures.images[order])
    return {
        "samples": all_classes(model, model.sample_styles(NUM_STYLES, seed), num_classes),
        "analogies": all_classes(model, model.style(originals), num_classes),
        "analogy_positions": order,
    }


def rank_within(classes: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many of the same class come before each [N]."""
    rank = np.zeros(len(classes), dtype=np.int64)
    for label in np.unique(classes):
        members = np.flatnonzero(classes == label)
        rank[members] = np.arange(len(members))
    return rank


def all_classes(model: Any, styles: Any, num_classes: int) -> NDArray[np.uint8]:
    """Pictures [R, C, H, W, channels] of styles [R, s] under each class."""
    styles = np.asarray(styles)
    columns = []
    for label in range(num_classes):
        condition = np.zeros((len(styles), model.num_classes), np.float32)
        condition[:, label] = 1.0
        columns.append(to_uint8(model.decode_style(styles, condition)))
    return np.stack(columns, axis=1)


def write_table(
    path: Path, index: Index, names: list[str], probabilities: NDArray[np.float64], known: NDArray[np.str_]
) -> None:
    """One row per picture: what is known, the likeliest class, and the probability of every class."""
    predicted = probabilities.argmax(axis=-1)
    columns = [
        "path",
        "split",
        "known",
        "label",
        "predicted",
        "probability",
        *(f"p_{name}" for name in names),
    ]

    def row(i: int) -> list[Any]:
        facts = [index.paths[i], PARTS[index.parts[i]], known[i], index.class_of(i), names[predicted[i]]]
        return [*facts, float(probabilities[i].max()), *probabilities[i].tolist()]

    write_csv(path, columns, (row(i) for i in range(len(index.paths))))
