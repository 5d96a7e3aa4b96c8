"""The page of `export`: what the SavedModel answers to, and how far its answers lie from the run's own."""

from pathlib import Path

from reports.page import write_page
from reports.records import ExportRecord
from reports.words import number


def write_export(folder: Path, record: ExportRecord) -> Path:
    """Writes export.html into `folder`."""
    context = {
        "record": record,
        "answer": record.answer or _answer(record),
        "signatures": [
            (s, [("takes", tensor) for tensor in s.inputs] + [("gives", tensor) for tensor in s.outputs])
            for s in record.signatures
        ],
        "total": sum(size for _, size in record.sizes),
        "checked": any(signature.difference is not None for signature in record.signatures),
    }
    return write_page(folder, "export", record.run, context)


def _answer(record: ExportRecord) -> str:
    checked = [s for s in record.signatures if s.difference is not None]
    if not checked:
        return "The model was exported; its answers have not been compared with the run's own."
    largest = max(s.difference for s in checked if s.difference is not None)
    passed = all(
        s.difference <= s.tolerance for s in checked if s.difference is not None and s.tolerance is not None
    )
    if passed:
        return (
            "Loaded in a fresh process without this project or Keras, the exported model gives the run's own "
            f"answers: the largest difference is {number(largest)}."
        )
    return f"The exported model does NOT give the run's own answers: they differ by up to {number(largest)}."
