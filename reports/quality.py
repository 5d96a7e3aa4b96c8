"""How good reconstructions are, as a table that several pages show."""

from collections.abc import Sequence
from typing import Any

from reports.records import Quality


def quality_table(cells: Sequence[Quality]) -> dict[str, Any]:
    """The cells by split and method (rows) and by measure (columns), the best of rivals marked."""
    best = set()
    for cell in cells:
        rivals = [other for other in cells if (other.measure, other.split) == (cell.measure, cell.split)]
        sign = 1 if cell.lower_is_better else -1
        if len(rivals) > 1 and all(sign * cell.value <= sign * rival.value for rival in rivals):
            best.add((cell.split, cell.method, cell.measure))
    return {
        "measures": list(dict.fromkeys(cell.measure for cell in cells)),
        "methods": list(dict.fromkeys(cell.method for cell in cells)),
        "splits": list(dict.fromkeys(cell.split for cell in cells)),
        "cells": {(cell.split, cell.method, cell.measure): cell for cell in cells},
        "best": best,
    }
