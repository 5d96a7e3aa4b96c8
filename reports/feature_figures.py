"""Figures of features that are on or off."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reports.feature_records import Associations
from reports.figures import DARK, Figure, Theme, draw_figure, printable, shortened
from reports.records import Numbers

SIGNIFICANT = 0.05
LARGEST_NUM_FACTORS = 24


def feature_use(folder: Path | None, share_on: Numbers, probability: Numbers) -> Figure:
    """Share of pictures that have each feature as bars, what the prior has learned as a line."""
    share, prior = np.asarray(share_on, dtype=float), np.asarray(probability, dtype=float)

    def draw(figure: Any, theme: Theme, narrow: bool) -> None:
        axes = figure.subplots()
        places = np.arange(len(share))
        axes.bar(places, share, color=theme.validation, width=0.8, linewidth=0, label="pictures with it on")
        axes.plot(
            places, prior, color=theme.mark, linewidth=1.6, marker="o", markersize=3, label="prior, E π"
        )
        step = max(1, -(-len(share) // (12 if narrow else 32)))
        axes.set_xticks(places[::step])
        axes.set_ylim(0, 1)
        axes.set_xlabel("feature")
        axes.set_ylabel("share of pictures")
        axes.margins(x=0.01)
        figure.legend(loc="outside upper left", ncols=2, handlelength=1.2)

    used = int((share > 0.01).sum())
    alt = f"{used} of {len(share)} features are on in more than 1 % of pictures; the prior falls from left to right."
    return draw_figure(folder, "feature-use", draw, alt, height=2.8)


def features_per_picture(folder: Path | None, num_on: Numbers) -> Figure:
    """How many pictures have how many features on."""
    counts = np.bincount(np.asarray(num_on, dtype=np.int64))

    def draw(figure: Any, theme: Theme, narrow: bool) -> None:
        axes = figure.subplots()
        axes.bar(np.arange(len(counts)), counts, color=theme.validation, width=0.8, linewidth=0)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_xlabel("features on in a picture")
        axes.set_ylabel("pictures")

    low, high = int(np.min(num_on)), int(np.max(num_on))
    alt = f"From {low} to {high} features are on in a picture, {np.mean(num_on):.1f} on average."
    return draw_figure(folder, "features-per-picture", draw, alt, height=2.4)


def heat_map(
    folder: Path | None,
    name: str,
    factors: Sequence[str],
    found: Associations | None,
    used: Sequence[int],
) -> Figure | None:
    """Factors down, features in use across: the share of variance where it is beyond chance; None where nothing is."""
    if found is None or not len(factors) or not len(used):
        return None
    strength = np.asarray(found.strength, dtype=float)[:, used]
    beyond = np.asarray(found.p_values, dtype=float)[:, used] <= SIGNIFICANT
    if not beyond.any():
        return None
    kept = np.where(beyond, strength, 0.0)
    rows = np.flatnonzero(beyond.any(axis=1))
    rows = np.sort(rows[np.argsort(-kept[rows].max(axis=1), kind="stable")[:LARGEST_NUM_FACTORS]]).tolist()

    def draw(figure: Any, theme: Theme, narrow: bool) -> None:
        import seaborn

        axes = figure.subplots()
        background = "#15181b" if theme is DARK else "#ffffff"
        few = len(used) <= (8 if narrow else 20)
        texts = np.where(beyond[rows], np.char.mod("%d", np.rint(100 * strength[rows])), "")
        seaborn.heatmap(
            kept[rows],
            ax=axes,
            vmin=0,
            vmax=max(0.05, float(kept.max())),
            cmap=seaborn.blend_palette([background, theme.heat], as_cmap=True),
            annot=texts if few else False,
            fmt="",
            annot_kws={"size": 8},
            cbar=not few,
            linewidths=1,
            linecolor=theme.grid,
            xticklabels=[str(k) for k in used],
            yticklabels=[printable(shortened(factors[i])) for i in rows],
        )
        axes.grid(False)
        axes.tick_params(length=0)
        axes.tick_params(axis="x", rotation=0, labelsize=8 if len(used) > 12 else 10)
        axes.tick_params(axis="y", rotation=0)
        axes.set_xlabel("feature")

    alt = (
        f"{int(beyond.any(axis=0).sum())} of {len(used)} features in use go with one of {len(factors)} factors "
        "beyond chance."
    )
    height = min(9.0, 1.0 + 0.28 * len(rows))
    return draw_figure(folder, name, draw, alt, height, mixes_colors=True)
