"""The page of a training: its curves, what was kept and why, and how far it had come."""

from pathlib import Path

from reports.figures import learning_curves
from reports.page import write_page
from reports.training_figures import choice_figure, kl_over_time, steps_figure
from reports.training_records import TrainingRecord


def write_training(folder: Path, record: TrainingRecord) -> Path:
    """Writes training.html into `folder`."""
    beside = record.run.form.beside(folder)
    chosen = record.choice.chosen if record.choice is not None else None
    context = {
        "record": record,
        "curves": learning_curves(beside, record.curves, chosen),
        "choice": choice_figure(beside, record.choice) if record.choice is not None else None,
        "kl": kl_over_time(beside, record.kl_epochs, record.kl)
        if record.kl is not None and len(record.kl)
        else None,
        "steps": steps_figure(
            beside,
            (record.gradient_epochs, record.gradient_norm, record.largest_gradient_norm),
            (record.rate_epochs, record.learning_rate),
            record.clip,
        )
        if len(record.learning_rate)
        else None,
    }
    return write_page(folder, "training", record.run, context)
