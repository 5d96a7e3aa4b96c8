"""Seaborn figures as SVG files, each in four variants: light and dark, wide and for a phone."""

import io
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from reports.cluster_records import BicCurve, StabilityCurve
from reports.page import write_asset
from reports.prediction_records import ReliabilityBin
from reports.records import Confusion, CurveSegment, Numbers
from reports.words import number, percent, plural, visible

# What a training curve may hold, and the panel it is drawn in.
SERIES = {
    "loss": ("Objective", "training", "train"),
    "validation_objective": ("Objective", "validation", "validation"),
    "reconstruction": ("Reconstruction", "training", "train"),
    "validation_reconstruction": ("Reconstruction", "validation", "validation"),
    "kl": ("KL", "training", "train"),
    "validation_kl": ("KL", "validation", "validation"),
    "validation_elbo": ("ELBO", "validation", "validation"),
}
USED_NATS = 0.1
LONGEST_LABEL = 24
WIDE, NARROW = 9.6, 4.4  # inches; 100 CSS pixels each


@dataclass(frozen=True)
class Theme:
    """The colours of one variant; they match report.css."""

    text: str
    muted: str
    grid: str
    train: str
    validation: str
    mark: str
    unused: str
    heat: str


LIGHT = Theme("#1c2126", "#5a646e", "#e3e6e8", "#6b7680", "#0b6584", "#b84500", "#b9c0c6", "#0b6584")
DARK = Theme("#e8ebee", "#a0abb5", "#30373d", "#98a4ae", "#6fc3df", "#f0915a", "#4d565e", "#6fc3df")


@dataclass(frozen=True)
class Figure:
    """The addresses of a figure's variants, and what it shows for those who cannot see it."""

    light: str
    dark: str
    narrow_light: str
    narrow_dark: str
    alt: str


Draw = Callable[[Any, Theme, bool], None]


def _style(theme: Theme) -> dict[str, Any]:
    return {
        "text.color": theme.text,
        "axes.labelcolor": theme.muted,
        "axes.edgecolor": theme.grid,
        "axes.titlecolor": theme.text,
        "axes.titlelocation": "left",
        "axes.titlesize": 11,
        "axes.titleweight": "bold",
        "axes.labelsize": 10,
        "axes.grid": True,
        "axes.grid.axis": "y",
        "axes.axisbelow": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.spines.left": False,
        "axes.facecolor": "none",
        "figure.facecolor": "none",
        "grid.color": theme.grid,
        "xtick.color": theme.muted,
        "ytick.color": theme.muted,
        "xtick.labelsize": 10,
        "ytick.labelsize": 10,
        "legend.frameon": False,
        "legend.fontsize": 10,
        "font.size": 10,
        "svg.fonttype": "none",  # real text in the reader's own font
        "svg.hashsalt": "vae_tf",  # the same figure gives the same file
        "text.parse_math": False,  # a "$" in somebody's label is a "$"
    }


def _render(draw: Draw, theme: Theme, size: tuple[float, float], narrow: bool) -> bytes:
    import seaborn
    from matplotlib import rc_context
    from matplotlib.figure import Figure as Canvas

    with warnings.catch_warnings(), rc_context(seaborn.axes_style("white") | _style(theme)):
        # The reader's browser draws the text, so it does not matter which letters our font lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure = Canvas(figsize=size, layout="constrained")
        draw(figure, theme, narrow)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    # Controls in somebody's label would make it no XML.
    svg = visible(buffer.getvalue().decode("utf-8", "replace"))
    return svg.replace("DejaVu Sans", "system-ui").encode("utf-8", "replace")


def draw_figure(
    folder: Path | None,
    name: str,
    draw: Draw,
    alt: str,
    height: float = 3.0,
    narrow_height: float | None = None,
    mixes_colors: bool = False,
) -> Figure:
    """Draws all variants, as files in the report's assets or, without a folder, as part of the page.

    The dark ones are the light ones in other colours, which halves the work, unless `draw` makes colours of its own.
    """

    def light_and_dark(width: str, size: tuple[float, float]) -> tuple[str, str]:
        light = _render(draw, LIGHT, size, width == "narrow")
        dark = _render(draw, DARK, size, width == "narrow") if mixes_colors else _darkened(light)
        return (
            write_asset(folder, f"{name}-{width}-light.svg", light),
            write_asset(folder, f"{name}-{width}-dark.svg", dark),
        )

    wide = light_and_dark("wide", (WIDE, height))
    narrow = light_and_dark("narrow", (NARROW, narrow_height or height))
    return Figure(*wide, *narrow, alt)


def _darkened(svg: bytes) -> bytes:
    """A light figure in the colours of the dark theme."""
    dark = {value.encode(): getattr(DARK, name).encode() for name, value in vars(LIGHT).items()}
    return re.sub(b"#[0-9a-f]{6}", lambda found: dark.get(found[0], found[0]), svg)


def learning_curves(
    folder: Path | None, segments: Sequence[CurveSegment], best_epoch: int | None
) -> Figure | None:
    """Objective, reconstruction, KL and ELBO per epoch; borders between runs and the epoch that was kept."""
    segments = [segment for segment in segments if len(segment.epochs)]
    present = {name for segment in segments for name in segment.series if name in SERIES}
    panels = list(dict.fromkeys(SERIES[name][0] for name in SERIES if name in present))
    if not panels:
        return None

    def draw(figure: Any, theme: Theme, narrow: bool) -> None:
        shape = (len(panels), 1) if narrow else (1, len(panels))
        grid = figure.subplots(*shape, squeeze=False, sharex=True)
        drawn: dict[str, Any] = {}
        for axes, panel in zip(grid.flat, panels, strict=True):
            drawn |= _curve_panel(axes, panel, segments, best_epoch, theme)
        for axes in grid[-1]:
            axes.set_xlabel("epoch")
        # One legend above all panels: inside of one it would lie on its lines.
        figure.legend(
            drawn.values(), drawn.keys(), loc="outside upper left", ncols=len(drawn), handlelength=1.2
        )

    epochs = sum(len(segment.epochs) for segment in segments)
    kept = f" The weights of epoch {best_epoch} were kept." if best_epoch is not None else ""
    alt = f"{', '.join(panels)} over {plural(epochs, 'epoch')} in {plural(len(segments), 'run')}.{kept}"
    first, last = (segments[i].series.get("validation_objective", []) for i in (0, -1))
    if len(first) and len(last):
        alt += f" In validation the objective went from {number(first[0])} to {number(last[-1])} nats."
    return draw_figure(folder, "curves", draw, alt, height=2.8, narrow_height=1.9 * len(panels) + 0.3)


def _curve_panel(
    axes: Any, panel: str, segments: Sequence[CurveSegment], best_epoch: int | None, theme: Theme
) -> dict[str, Any]:
    """Draws the series of one panel; returns what a legend has to explain."""
    import seaborn

    drawn: list[Numbers] = []
    for name, (place, label, color) in SERIES.items():
        parts = [(s.epochs, s.series[name]) for s in segments if name in s.series]
        if place != panel or not parts:
            continue
        epochs = np.concatenate([np.asarray(part[0], dtype=float) for part in parts])
        values = np.concatenate([np.asarray(part[1], dtype=float) for part in parts])
        drawn.append(values)
        seaborn.lineplot(
            x=epochs,
            y=values,
            ax=axes,
            label=label,
            color=getattr(theme, color),
            linewidth=1.6,
            errorbar=None,
            legend=False,
        )
        if color == "validation" and best_epoch is not None and best_epoch in epochs:
            best = values[epochs == best_epoch][0]
            axes.plot(best_epoch, best, "o", color=theme.mark, markersize=6, zorder=5, label="kept")
    for _, after in pairwise(segments):
        axes.axvline(after.epochs[0] - 0.5, color=theme.muted, linewidth=1, linestyle=(0, (4, 3)))
    axes.set_title(f"{panel}, nats")
    axes.set_xlabel("")
    axes.set_ylabel("")
    _leave_out_the_start(axes, drawn)
    handles, labels = axes.get_legend_handles_labels()
    return dict(zip(labels, handles, strict=True))


def _leave_out_the_start(axes: Any, drawn: Sequence[Numbers]) -> None:
    """The first epochs are often a hundred times worse than the rest and would flatten all that matters."""
    settled = [values[max(1, len(values) // 20) :] for values in drawn if len(values) >= 5]
    finite = [part[np.isfinite(part)] for part in settled]
    if not finite or not all(len(part) for part in finite):
        return
    low, high = min(part.min() for part in finite), max(part.max() for part in finite)
    margin = 0.06 * ((high - low) or 1.0)
    bottom, top = axes.get_ylim()
    axes.set_ylim(max(bottom, low - margin), min(top, high + margin))


def kl_bars(folder: Path | None, kl: Numbers, information: Numbers | None = None) -> Figure:
    """KL per latent dimension, most used first, with the line below which a unit counts as unused.

    Where it is known, what of the KL is information about the example is drawn solid, and decides.
    """
    told = np.asarray(kl if information is None else np.minimum(information, kl))
    order = np.argsort(-told, kind="stable")
    used = int((told > USED_NATS).sum())

    def draw(figure: Any, theme: Theme, narrow: bool) -> None:
        axes = figure.subplots()
        colors = [theme.validation if told[i] > USED_NATS else theme.unused for i in order]
        places = np.arange(len(order))
        if information is not None:
            axes.bar(
                places, kl[order], color=theme.unused, width=0.8, linewidth=0, alpha=0.5,
                label="rest of the KL",
            )  # fmt: skip
        axes.bar(
            places, told[order], color=colors, width=0.8, linewidth=0, label="information",
        )  # fmt: skip
        if information is not None:
            figure.legend(loc="outside upper left", ncols=2, handlelength=1.2)
        axes.axhline(USED_NATS, color=theme.mark, linewidth=1.2, linestyle=(0, (4, 3)))
        # Beside the bars, since the last of them may be higher than the line.
        axes.text(
            1.01,
            USED_NATS,
            "0.1 nat",
            color=theme.mark,
            transform=axes.get_yaxis_transform(),
            ha="left",
            va="center",
        )
        step = max(1, -(-len(order) // (12 if narrow else 32)))
        axes.set_xticks(np.arange(0, len(order), step), [str(i) for i in order[::step]])
        axes.set_xlabel("latent dimension, most used first")
        axes.set_ylabel("KL, nats")
        axes.margins(x=0.01)

    most = f"; dimension {order[0]} carries most, {told[order[0]]:.2f} nats" if len(order) else ""
    alt = f"{used} of {len(order)} latent dimensions lie above the line of 0.1 nat{most}."
    return draw_figure(folder, "kl", draw, alt, height=2.6, narrow_height=2.6)


def bic_curves(folder: Path | None, curves: Sequence[BicCurve]) -> Figure:
    """BIC for each number of clusters tried, one panel for each method, the chosen k marked."""

    def draw(figure: Any, theme: Theme, narrow: bool) -> None:
        shape = (len(curves), 1) if narrow else (1, len(curves))
        grid = figure.subplots(*shape, squeeze=False)
        for axes, curve in zip(grid.flat, curves, strict=True):
            axes.plot(curve.k, curve.bic, "-o", color=theme.train, markersize=4, linewidth=1.6)
            index = list(curve.k).index(curve.chosen)
            axes.plot(curve.chosen, curve.bic[index], "o", color=theme.mark, markersize=8)
            axes.annotate(
                f"k = {curve.chosen}",
                (curve.chosen, curve.bic[index]),
                (0, -9),
                textcoords="offset points",
                color=theme.mark,
                ha="center",
                va="top",
            )
            axes.margins(y=0.25)
            axes.set_title(f"{printable(curve.method)}: BIC (lower is better)")
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.set_xlabel("number of clusters k")

    found = ", ".join(f"{curve.method} chose k = {curve.chosen}" for curve in curves)
    alt = f"BIC against the number of clusters: {found}."
    return draw_figure(folder, "bic", draw, alt, height=2.7, narrow_height=2.3 * len(curves))


def stability_curve(folder: Path | None, curve: StabilityCurve) -> Figure:
    """How far two subsamples give the same clusters, for each number of clusters."""

    def draw(figure: Any, theme: Theme, narrow: bool) -> None:
        axes = figure.subplots()
        axes.fill_between(curve.k, curve.lowest, curve.mean, color=theme.validation, alpha=0.18, linewidth=0)
        axes.plot(
            curve.k,
            curve.mean,
            "-o",
            color=theme.validation,
            markersize=4,
            linewidth=1.6,
            label="mean; shaded down to the lowest",
        )
        axes.plot(
            curve.k,
            curve.noise,
            ":",
            color=theme.muted,
            linewidth=1.6,
            label="one normal cloud of the same spread",
        )
        axes.set_ylim(min(0.0, float(np.min(curve.lowest))) - 0.03, 1.05)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_xlabel("number of clusters k")
        axes.set_title("agreement of two subsamples (1: the same clusters)")
        figure.legend(loc="outside upper left", ncols=1 if narrow else 2, handlelength=1.6)

    best = int(np.argmax(curve.mean))
    alt = (
        "Adjusted Rand index between the clusters of two subsamples against k: "
        + ", ".join(f"{value:.2f} at k = {k}" for k, value in zip(curve.k, curve.mean, strict=True))
        + f"; highest at k = {curve.k[best]}."
    )
    return draw_figure(folder, "stability", draw, alt, height=3.0, narrow_height=3.2)


def reliability_diagram(folder: Path | None, bins: Sequence[ReliabilityBin]) -> Figure:
    """How often predictions of each probability are right; on the dotted line they are as sure as they should be."""

    def draw(figure: Any, theme: Theme, narrow: bool) -> None:
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], ":", color=theme.muted, linewidth=1.4)
        confidence, accuracy = [b.confidence for b in bins], [b.accuracy for b in bins]
        axes.plot(confidence, accuracy, "-", color=theme.validation, linewidth=1.6)
        largest = max(b.num for b in bins)
        sizes = [20 + 160 * b.num / largest for b in bins]
        axes.scatter(confidence, accuracy, s=sizes, color=theme.validation, zorder=3)
        axes.set(xlim=(0, 1.03), ylim=(-0.03, 1.05), xlabel="probability of the predicted class")
        axes.set_title("share that is right")

    alt = "Share of right predictions against their probability: " + "; ".join(
        f"{percent(b.accuracy)} right at {percent(b.confidence)} ({plural(b.num, 'picture')})" for b in bins
    )
    return draw_figure(folder, "reliability", draw, alt, height=3.6, narrow_height=3.4)


def printable(text: str) -> str:
    """A folder's name, or what a stranger's run says, may hold what an SVG file can't."""
    return "".join(character if character.isprintable() else "�" for character in text)


def shortened(name: str) -> str:
    """A class's name as an axis can hold it."""
    return name if len(name) <= LONGEST_LABEL else name[: LONGEST_LABEL - 1] + "…"


def confusion_matrix(folder: Path | None, confusion: Confusion) -> Figure:
    """Counts as a heat map, written into the cells while there are few."""
    counts = np.asarray(confusion.counts)
    rows, columns = counts.shape

    def draw(figure: Any, theme: Theme, narrow: bool) -> None:
        import seaborn

        axes = figure.subplots()
        background = "#15181b" if theme is DARK else "#ffffff"
        seaborn.heatmap(
            counts,
            ax=axes,
            cmap=seaborn.blend_palette([background, theme.heat], as_cmap=True),
            annot=max(rows, columns) <= (8 if narrow else 16),
            fmt="g",
            cbar=False,
            linewidths=1 if max(rows, columns) <= 20 else 0,
            square=max(rows, columns) <= 6,
            linecolor=background,
            xticklabels=[printable(shortened(name)) for name in confusion.columns],
            yticklabels=[printable(shortened(name)) for name in confusion.rows],
        )
        axes.grid(False)
        axes.set_anchor("W")
        axes.tick_params(length=0)
        axes.tick_params(axis="y", rotation=0)
        if sum(map(len, confusion.columns)) > (24 if narrow else 80):
            axes.tick_params(axis="x", rotation=90)

    # Names that stand upright under the columns need room of their own.
    longest = max((len(shortened(name)) for name in confusion.columns), default=0)
    height = min(9.0, 0.9 + (0.6 if rows <= 6 else 0.38) * rows + 0.05 * longest)
    alt = confusion.finding or confusion.title
    return draw_figure(folder, "confusion", draw, alt, height, mixes_colors=True)
