"""What a page says of a training, from curves whose ending is known."""

from types import SimpleNamespace

import numpy as np

from pipelines import training_record
from pipelines.overview_record import warnings
from pipelines.training_record import choice, verdict


def lines(values, losses=None, rates=None):
    count = len(values)
    losses = np.asarray(values) - 5.0 if losses is None else losses
    rates = np.full(count, 1e-3) if rates is None else rates
    return [
        {
            "epoch": i + 1,
            "val_loss": None if values[i] is None else float(values[i]),
            "loss": float(losses[i]),
            "learning_rate": float(rates[i]),
            "is_best": False,
        }
        for i in range(count)
    ]


EPOCHS = np.arange(1, 101)


def test_a_rise_while_training_falls_is_over_fitting():
    values = 100.0 - EPOCHS + 0.03 * np.maximum(0, EPOCHS - 40) ** 2
    answer, notes = verdict(lines(values, 100.0 - 1.2 * EPOCHS), "picture")
    best = 1 + int(values.argmin())
    assert answer.startswith(f"It over-fitted: after epoch {best} of 100")
    assert f"(epoch {best})" in notes[0]


def test_a_curve_that_still_falls_is_still_improving():
    answer, _ = verdict(lines(100.0 - EPOCHS), "sentence")
    # 20 of the 89 nats after the first tenth.
    assert answer.startswith("It was still improving") and "20.0 nats per sentence, 22 %" in answer


def test_the_first_page_says_that_a_beaten_model_was_not_done(monkeypatch):
    run = SimpleNamespace(name="00001-faces")
    subject = SimpleNamespace(run=run, is_own=True)
    pictures = SimpleNamespace(notes=["a note"], skipped=[])
    still, done = 100.0 - EPOCHS, 100.0 * np.exp(-EPOCHS / 8)
    for values, is_beaten, warned in ((still, True, True), (done, True, False), (still, False, False)):
        monkeypatch.setattr(training_record, "read_lines", lambda run, values=values: lines(values))
        found = warnings(subject, pictures, {"step": 1500, "epoch": 100}, is_beaten)
        assert found[0] == "a note" and warned == any(
            "still improving" in text and text.endswith("--extend 00001-faces --epochs 100") for text in found
        )


def test_a_flat_end_has_converged_and_a_lowered_rate_is_said():
    values = 100.0 * np.exp(-EPOCHS / 8)
    answer, notes = verdict(lines(values, rates=1e-3 * (1 - EPOCHS / 101)), "picture")
    assert answer.startswith("It had converged") and "learning rate had been lowered" in notes[-1]
    assert not any("learning rate" in note for note in verdict(lines(values), "picture")[1])


def test_a_rise_within_the_wobble_is_no_over_fitting():
    wobble = np.where(EPOCHS % 2, 0.5, -0.5)
    answer, _ = verdict(lines(100.0 * np.exp(-EPOCHS / 8) + wobble, 90.0 - 0.1 * EPOCHS), "picture")
    assert answer.startswith("It had converged")


def test_what_cannot_be_told_is_not_told():
    assert "no validation pictures" in verdict(lines([None] * 20, np.zeros(20)), "picture")[0]
    assert "too few" in verdict(lines([3.0, 2.0, 1.0]), "picture")[0]


def test_the_choice_is_what_validation_saw():
    seen = choice(lines([3.0, 1.0, 2.0]), 2)
    assert seen.values == [3.0, 1.0, 2.0] and seen.chosen == 2
    assert choice(lines([None, None], np.zeros(2)), 2) is None
