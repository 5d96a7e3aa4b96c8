"""Figures of anomalies."""

from pathlib import Path
from typing import Any

import numpy as np

from reports.anomaly_records import ScoreSpread
from reports.figures import Figure, Theme, draw_figure, printable
from reports.words import count, number

NUM_BINS = 48
# What lies beyond is drawn at the edge: a single picture must not flatten all others.
QUANTILES = (0.002, 0.99)


def score_spread(folder: Path | None, spread: ScoreSpread) -> Figure:
    """One histogram below the other on one axis, the threshold through all of them; what is above it in colour."""
    kinds = {name: np.asarray(values, dtype=float) for name, values in spread.values.items() if len(values)}
    everything = np.concatenate([*kinds.values(), [spread.threshold]])
    low, high = np.quantile(everything, QUANTILES)
    high = max(high, spread.threshold)
    edges = np.linspace(low, high if high > low else low + 1.0, NUM_BINS + 1)

    def draw(figure: Any, theme: Theme, narrow: bool) -> None:
        rows = figure.subplots(len(kinds), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (name, values) in zip(rows, kinds.items(), strict=True):
            clipped = np.clip(values, edges[0], edges[-1])
            below, above = clipped[values <= spread.threshold], clipped[values > spread.threshold]
            axes.hist([below, above], edges, stacked=True, color=[theme.train, theme.mark], linewidth=0)
            axes.axvline(spread.threshold, color=theme.text, linewidth=1.2, linestyle=(0, (4, 3)))
            axes.set_title(f"{printable(name)}: {count(len(above))} of {count(len(values))} above")
            axes.yaxis.get_major_locator().set_params(integer=True, nbins=3)
        rows[-1].set_xlabel(printable(spread.name))

    alt = f"Histograms of the score; above the threshold of {number(spread.threshold)} lie " + ", ".join(
        f"{count(int(np.sum(values > spread.threshold)))} of {count(len(values))} ({name})"
        for name, values in kinds.items()
    )
    return draw_figure(folder, "anomaly-scores", draw, f"{alt}.", height=0.6 + 1.15 * len(kinds))
