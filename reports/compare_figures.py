"""Learning curves of several runs in one figure."""

from pathlib import Path
from typing import Any

import numpy as np

from reports.compare_records import Overlaid
from reports.figures import DARK, Figure, Theme, draw_figure, printable
from reports.training_figures import thinned
from reports.words import number, plural

# Those of report.css, and after them other strokes.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#c4609a", "#b57f00", "#3a9bd6", "#8b8000", "#4a4a4a")
DARK_COLORS = ("#4aa8e8", "#f0813c", "#23c297", "#e390bf", "#e69f00", "#9ad4f5", "#f0e442", "#c9c9c9")
STROKES = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (5, 2, 1.5, 2)))


def overlaid(folder: Path | None, name: str, record: Overlaid) -> Figure:
    """One line for each run over the steps of training; the first tenth, often far worse, may fall out of view."""

    def draw(figure: Any, theme: Theme, narrow: bool) -> None:
        axes, settled = figure.subplots(), []
        palette = DARK_COLORS if theme is DARK else COLORS
        for i, (run, steps, values) in enumerate(record.curves):
            at, found = thinned(len(steps)), np.asarray(values, dtype=float)
            axes.plot(
                np.asarray(steps)[at],
                found[at],
                color=palette[i % len(palette)],
                linestyle=STROKES[(i // len(palette)) % len(STROKES)],
                linewidth=1.6,
                label=printable(run),
                # A run that extends another has its curve, too: the shorter ones lie above.
                zorder=10 - i,
            )
            late = found[len(found) // 5 :]
            settled.extend(late[np.isfinite(late)])
        if settled:
            margin = 0.06 * ((max(settled) - min(settled)) or 1.0)
            axes.set_ylim(min(settled) - margin, max(settled) + margin)
        axes.set(xlabel="training step", ylabel="nats, higher is better")
        axes.set_title(printable(record.title))
        figure.legend(loc="outside upper left", ncols=1 if narrow else 3, handlelength=2)

    ends = "; ".join(f"{run} ends at {number(values[-1], 4)}" for run, _, values in record.curves)
    alt = f"{record.title} of {plural(len(record.curves), 'run')}: {ends}."
    return draw_figure(folder, name, draw, alt, 3.2, 3.0 + 0.17 * len(record.curves), mixes_colors=True)
