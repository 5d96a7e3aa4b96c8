"""The page of `probe`: what a few labels are worth on each kind of features."""

from pathlib import Path
from typing import Any

import numpy as np

from reports.figures import Figure, Theme, draw_figure, printable
from reports.page import write_page
from reports.records import ProbeRecord
from reports.words import score

MARKERS = "osD^vP*X"


def write_probe(folder: Path, record: ProbeRecord) -> Path:
    """Writes probe.html into `folder`."""
    context = {
        "record": record,
        "chart": accuracy_by_labels(record.run.form.beside(folder), record),
        "best": [best_of(record, column) for column in range(len(record.columns))],
        "cells": [[cell(values) for values in row] for _, row in record.rows],
    }
    return write_page(folder, "probe", record.run, context)


def best_of(record: ProbeRecord, column: int) -> int:
    """The row with the highest mean in this column."""
    return int(np.argmax([np.mean(row[column]) for _, row in record.rows]))


def cell(values: Any) -> str:
    """ "0.82 (0.80 to 0.85)": the mean over draws and their range."""
    mean = score(float(np.mean(values)))
    return mean if len(values) < 2 else f"{mean} ({score(min(values))} to {score(max(values))})"


def accuracy_by_labels(folder: Path | None, record: ProbeRecord) -> Figure:
    """One line for each method over the number of labels, its range over draws shaded."""
    places = np.arange(len(record.columns))

    def draw(figure: Any, theme: Theme, narrow: bool) -> None:
        import seaborn

        axes = figure.subplots()
        colours = seaborn.color_palette("husl", len(record.rows), desat=0.8)
        for (name, row), colour, marker in zip(record.rows, colours, MARKERS, strict=False):
            means = [np.mean(values) for values in row]
            axes.plot(places, means, color=colour, marker=marker, label=printable(name))
            if len(places) > 1:
                low, high = [min(values) for values in row], [max(values) for values in row]
                axes.fill_between(places, low, high, color=colour, alpha=0.12, linewidth=0)
        axes.axhline(record.chance, color=theme.muted, linestyle="--", linewidth=1, label="chance")
        axes.set_xticks(places, list(map(printable, record.columns)))
        axes.set_xlabel("labels of each class")
        axes.set_ylabel("balanced accuracy")
        figure.legend(
            *axes.get_legend_handles_labels(),
            loc="outside lower center" if narrow else "outside right center",
            ncols=2 if narrow else 1,
        )

    alt = "; ".join(f"{name}: {', '.join(cell(values) for values in row)}" for name, row in record.rows)
    return draw_figure(folder, "probe", draw, f"Balanced accuracy by labels of each class. {alt}", 3.6, 5.6)
