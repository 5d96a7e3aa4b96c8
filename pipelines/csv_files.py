"""Tables for spreadsheets, in which no name can become a formula."""

import csv
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

# What makes a spreadsheet take a cell for a formula (OWASP, "CSV injection").
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")
NUMBER = re.compile(r"[+-]?\d+(\.\d+)?(e[+-]?\d+)?", re.IGNORECASE)


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """UTF-8 with one row per line; what `harmless` makes of every value."""
    with open(path, "w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([harmless(name) for name in columns])
        writer.writerows([harmless(value) for value in row] for row in rows)


def harmless(value: Any) -> Any:
    """A text as it is, or behind an apostrophe where a spreadsheet would calculate it; floats to six digits."""
    if isinstance(value, float):
        return f"{value:.6g}"
    is_formula = isinstance(value, str) and value.startswith(FORMULA_SIGNS) and not NUMBER.fullmatch(value)
    return f"'{value}" if is_formula else value
