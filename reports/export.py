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
        "checked": [signature for signature in record.signatures if signature.differences],
    }
    return write_page(folder, "export", record.run, context)


def _answer(record: ExportRecord) -> str:
    differences = [difference for signature in record.signatures for difference in signature.differences]
    if not differences:
        return "The model was exported; its answers have not been compared with the run's own."
    wrong = [difference for difference in differences if not difference.holds]
    if wrong:
        worst = max(difference.largest for difference in wrong)
        return (
            f"The exported model does NOT give the run's own answers: they differ by up to {number(worst)}."
        )
    largest = (
        ""
        if record.largest is None
        else f": no number differs by more than {number(record.largest)} of its scale"
    )
    return f"The exported model gives the run's own answers{largest}."
