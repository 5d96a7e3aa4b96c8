"""The page of `predict`: the classes of pictures, how often they are right, and what the model makes of a class."""

from pathlib import Path
from typing import Any

from reports.figures import confusion_matrix, reliability_diagram
from reports.images import tiles
from reports.page import write_page
from reports.prediction_records import ClassGrid, PredictedPictures, PredictionsRecord

SIDE = 64


def write_predictions(folder: Path, record: PredictionsRecord) -> Path:
    """Writes predictions.html into `folder`."""
    form = record.run.form
    beside = form.beside(folder)
    context = {
        "record": record,
        "reliability": reliability_diagram(beside, record.reliability) if record.reliability else None,
        "confusion": confusion_matrix(beside, record.confusion) if record.confusion else None,
        "shown": [(group, predicted_tiles(group)) for group in record.shown] if form.pictures else [],
        "grids": [(grid, class_rows(grid)) for grid in record.grids] if form.pictures else [],
    }
    return write_page(folder, "predictions", record.run, context)


def predicted_tiles(group: PredictedPictures) -> list[tuple[str, str, str, float, str]]:
    """Address, path, class, its probability and the true class of each picture."""
    columns = (group.paths, group.classes, group.probabilities, group.truths)
    return list(zip(tiles(group.pictures, SIDE), *columns, strict=True))


def class_rows(grid: ClassGrid) -> list[dict[str, Any]]:
    """For each row the original's address, if there is one, and an address for each class."""
    originals: list[str | None] = [None] * len(grid.pictures)
    if grid.originals is not None:
        originals = list(tiles(grid.originals, SIDE))
    return [
        {"original": original, "decoded": tiles(row, SIDE)}
        for original, row in zip(originals, grid.pictures, strict=True)
    ]
