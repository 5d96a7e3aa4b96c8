"""The pages that only sentences have: the overview of a run on text, and the paths between sentences."""

from collections import Counter
from pathlib import Path

import numpy as np

from reports.figures import kl_bars, learning_curves
from reports.overview import units_in_words
from reports.page import write_page
from reports.text_records import HomotopiesRecord, TextOverviewRecord


def write_text_overview(folder: Path, record: TextOverviewRecord) -> Path:
    """Writes index.html into `folder`."""
    beside = record.run.form.beside(folder)
    kl = None if record.kl_per_dimension is None else np.asarray(record.kl_per_dimension)
    context = {
        "record": record,
        "classes": list(dict.fromkeys(name for split in record.counts for name in split.classes)),
        "curves": learning_curves(beside, record.curves, record.best_epoch),
        "kl": None if kl is None else kl_bars(beside, kl, record.information_per_dimension),
        "units": "" if kl is None else units_in_words(kl, "sentence", record.information_per_dimension),
        "reasons": Counter(reason for _, reason in record.skipped).most_common(),
    }
    return write_page(folder, "index", record.run, context, template="sentences")


def write_homotopies(folder: Path, record: HomotopiesRecord) -> Path:
    """Writes interpolation.html into `folder`; without sentences it says only that there is nothing to show."""
    shown = {"pairs": record.pairs, "means": record.class_means} if record.run.form.pictures else {}
    return write_page(
        folder, "interpolation", record.run, {"record": record, "paths": shown}, template="homotopies"
    )
