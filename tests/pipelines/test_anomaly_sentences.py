"""What the page of anomalies says first."""

import pytest

from pipelines.anomalies_record import answer, told_apart


def scores(value: float, low: float | None, high: float | None, num_alarms: int = 226) -> dict[str, object]:
    separation = {"auroc": {"value": value, "low": low, "high": high}, "beyond_rival": None}
    found = {"count": 157, "num": 715}
    main = {
        "separation": separation,
        "found": found,
        "flagged": 169,
        "false_alarms": {"count": min(12, num_alarms), "num": num_alarms},
    }
    return {
        "score": "reconstruction",
        "unit": "picture",
        "scores": {"reconstruction": main},
        "promise": {"rate": 11 / 227},
        "num": {"tested": 941},
    }


@pytest.mark.parametrize(
    ("area", "words"),
    [
        ((0.95, 0.9, 0.98), "clearly tells"),
        ((0.85, 0.8, 0.9), "error tells"),
        ((0.68, 0.64, 0.72), "partly tells"),
        ((0.55, 0.51, 0.58), "barely tells"),
        ((0.52, 0.47, 0.58), "does not tell"),
        ((0.3, 0.2, 0.4), "misleads"),
        ((0.9, None, None), "Too few"),
    ],
)
def test_the_words_follow_the_interval_and_the_area(area, words):
    assert words in told_apart(scores(*area))


def test_the_answer_counts_and_hides_no_side_of_chance():
    said = answer(scores(0.68, 0.64, 0.72))
    assert "in 68 % of cases (95 % interval 64 to 72 %, guessing 50 %)" in said
    assert "finds 157 of 715 abnormal pictures (22 %), and gives 12 false alarms on 226 unseen normal" in said
    assert "(95 % interval 50.3 to 58.0 %" in answer(scores(0.55, 0.503, 0.58))
    of_groups = scores(0.68, 0.64, 0.72, num_alarms=6) | {"unit": "group"}
    assert answer(of_groups).endswith("ones (100 %): one picture of each group is counted.")
    assert "group" not in said
    assert "false alarms on" not in answer(scores(0.68, 0.64, 0.72, num_alarms=0))
