"""The page on whether the classes differ: the answer, the pictures behind it, and what could have been seen."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reports.class_records import ClassesRecord, Judged, Score
from reports.figures import confusion_matrix
from reports.images import tiles
from reports.page import write_page

SIDE = 96


def write_classes(folder: Path, record: ClassesRecord) -> Path:
    """Writes classes.html into `folder`."""
    form = record.run.form
    beside = form.beside(folder)
    context = {
        "record": record,
        "questions": [(question, by_statistic(question.scores)) for question in record.questions],
        "classes": [
            (shown, judged_tiles(shown.typical), judged_tiles(shown.misplaced)) for shown in record.classes
        ]
        if form.pictures
        else [],
        "confusion": confusion_matrix(beside, record.confusion) if record.confusion else None,
    }
    return write_page(folder, "classes", record.run, context)


def by_statistic(scores: Sequence[Score]) -> list[tuple[str, list[Score]]]:
    """The scores of each statistic, in the order in which the statistics first appear."""
    names = dict.fromkeys(score.statistic for score in scores)
    return [(name, [score for score in scores if score.statistic == name]) for name in names]


def judged_tiles(judged: Judged) -> list[tuple[Any, ...]]:
    """Address ("" for a sentence), path, split, class that it is taken for and the probability of each picture."""
    addresses = [""] * len(judged.paths) if judged.pictures is None else tiles(judged.pictures, SIDE)
    columns = (judged.paths, judged.splits, judged.taken_for, judged.probabilities)
    return list(zip(addresses, *columns, strict=True))
