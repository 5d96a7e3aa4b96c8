"""The page of `evaluate`: bounds on log p(x), use of the latents, samples against pictures, known factors."""

from pathlib import Path

from reports.images import tiles
from reports.page import write_page
from reports.quality import quality_table
from reports.records import EvaluationRecord


def write_evaluation(folder: Path, record: EvaluationRecord) -> Path:
    """Writes evaluation.html into `folder`."""
    context = {
        "record": record,
        "quality": quality_table(record.quality),
        "strips": [(name, tiles(pictures, 64)) for name, pictures in record.drawn.items()]
        if record.run.form.pictures
        else [],
    }
    return write_page(folder, "evaluation", record.run, context)
