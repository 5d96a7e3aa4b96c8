"""The page of `anomalies`: how odd pictures are, where odd begins, and which scores say anything."""

from pathlib import Path
from typing import Any

from reports.anomaly_figures import score_spread
from reports.anomaly_records import AnomaliesRecord, OddPictures
from reports.images import tiles
from reports.page import write_page

SIDE = 96


def write_anomalies(folder: Path, record: AnomaliesRecord) -> Path:
    """Writes anomalies.html into `folder`."""
    form = record.run.form
    context = {
        "record": record,
        "spread": score_spread(form.beside(folder), record.spread),
        "has_truth": any(score.auroc is not None for score in record.scores),
        "has_normal": any(score.false_alarms is not None for score in record.scores),
        "shown": [(group, odd_tiles(group)) for group in record.shown if len(group.ranks)]
        if form.pictures
        else [],
    }
    return write_page(folder, "anomalies", record.run, context)


def odd_tiles(group: OddPictures) -> list[tuple[Any, ...]]:
    """(original, rebuilt, difference, rank, p, class, truth, path) of each picture."""
    sheets = (tiles(pictures, SIDE) for pictures in (group.originals, group.rebuilt, group.differences))
    paths = group.paths or [""] * len(group.ranks)
    return list(zip(*sheets, group.ranks, group.p_values, group.classes, group.truths, paths, strict=True))
