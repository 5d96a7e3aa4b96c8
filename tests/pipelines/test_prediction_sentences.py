"""What the page of the predictions says, from scores whose meaning is known."""

from typing import Any

import numpy as np
import pytest

from pipelines.predictions_record import answer, calibration_sentences, confusion
from vae_tf.analysis.predictions import FEWEST_TO_CALIBRATE

COUNTS = {"labelled": 10, "validation": 0, "unlabelled": 3, "hidden": 4, "unseen": 5, "aside": 0}
FOUND = {"num": 5, "accuracy": 0.8, "low": 0.4, "high": 0.95, "balanced": 0.8, "baseline": 0.5}


def scores(counts: dict[str, int] | None = None, accuracy: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"counts": COUNTS | (counts or {}), "accuracy": accuracy or {}, "most_frequent": "cat"}


def test_without_known_classes_nothing_is_said_of_right_and_wrong() -> None:
    said = answer(scores())
    assert said.startswith(
        "From 10 labelled pictures the model names the class of 12 others; how many are right cannot"
    )


def test_labels_that_were_spent_are_counted() -> None:
    assert answer(scores({"validation": 7})).startswith(
        "From 10 labelled pictures and 7 for validation the model"
    )
    assert answer(scores({"labelled": 0})).startswith("The model names")
    assert "of 14 others" in answer(scores({"calibration": 2}))


@pytest.mark.parametrize(
    ("key", "where"),
    [
        ("unseen", "5 unseen pictures"),
        ("hidden", "5 pictures whose label was hidden"),
        ("validation", "5 validation pictures"),
    ],
)
def test_how_many_are_right_and_of_which(key: str, where: str) -> None:
    said = answer(scores(accuracy={key: FOUND}))
    assert f"80.0 % right on {where} (95 % interval 40.0 % to 95.0 %)" in said
    assert said.endswith("always saying cat would be right on 50.0 %.")
    assert "interval" not in answer(scores(accuracy={key: FOUND | {"low": None, "high": None}}))


def test_the_unseen_are_asked_first() -> None:
    both = {"hidden": FOUND | {"num": 7}, "unseen": FOUND, "validation": FOUND}
    assert "on 5 unseen pictures" in answer(scores(accuracy=both))


@pytest.mark.parametrize(
    ("temperature", "words"), [(1.5, "too sure"), (0.5, "not sure enough"), (1.0, "about right")]
)
def test_how_sure_the_model_was(temperature: float, words: str) -> None:
    """Logits divided by more than 1 are less sure."""
    (said, none) = calibration_sentences(
        {"calibrated_on": FEWEST_TO_CALIBRATE, "temperature": temperature, "calibration": None}
    )
    assert f"were {words}: its logits are divided by {temperature:.2f}" in said and "No other class" in none


@pytest.mark.parametrize(("on", "where"), [("unseen", "unseen pictures"), ("hidden", "label was hidden")])
@pytest.mark.parametrize("number", [0, 1, FEWEST_TO_CALIBRATE])
def test_the_error_of_probabilities_before_and_after(number: int, on: str, where: str) -> None:
    found = {"on": on, "num": 9, "before": {"error": 0.2}, "after": {"error": 0.1, "nll": 0.5}}
    first, second = calibration_sentences({"calibrated_on": number, "temperature": 1.0, "calibration": found})
    assert where in second and "10.0 %" in second and "0.50 nats" in second
    # Nothing was changed where there are too few.
    assert ("(20.0 % before)" in second) == ("too few" not in first) == (number == FEWEST_TO_CALIBRATE)


def test_the_commonest_confusion_is_named() -> None:
    counts = [[5, 1, 0], [0, 3, 4], [0, 0, 6]]
    found = confusion({"hidden": {"confusion": counts}}, ["a", "b", "c"])
    assert found is not None and found.finding == "Most often b is taken for c: 4 of 7."
    right = confusion({"unseen": {"confusion": np.diag([1, 2]).tolist()}}, ["a", "b"])
    assert right is not None and right.finding == "No class is taken for another."
    assert confusion({"validation": {"confusion": counts}}, ["a", "b", "c"]) is None
