"""The page of `evaluate`: bounds on log p(x), use of the latents, samples against pictures, known factors."""

from pathlib import Path

from reports.evaluation_records import EvaluationRecord
from reports.figures import kl_bars
from reports.images import tiles
from reports.overview import units_in_words
from reports.page import write_page
from reports.quality import quality_table


def write_evaluation(folder: Path, record: EvaluationRecord) -> Path:
    """Writes evaluation.html into `folder`."""
    kl = record.kl_per_dimension
    context = {
        "record": record,
        "quality": quality_table(record.quality),
        "strips": [(name, tiles(pictures, 64)) for name, pictures in record.drawn.items()]
        if record.run.form.pictures
        else [],
        "kl": None if kl is None else kl_bars(record.run.form.beside(folder), kl),
        "units": "" if kl is None else units_in_words(kl, record.run.noun),
    }
    return write_page(folder, "evaluation", record.run, context)
