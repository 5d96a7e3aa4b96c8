"""Figures of a training: what the choice of weights saw, the use of each dimension over time, gradients."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reports.figures import Figure, Theme, draw_figure
from reports.records import Numbers
from reports.training_records import Choice
from reports.words import number, plural

USED_NATS = 0.1
# More points than a figure is wide only make its file larger.
MOST_POINTS = 240
MOST_LINES = 64
MOST_LABELS = 5


def thinned(count: int) -> Numbers:
    """Positions of at most 240 of `count` epochs, the first and the last included."""
    return np.unique(np.linspace(0, count - 1, min(count, MOST_POINTS)).astype(int))


def choice_figure(folder: Path | None, choice: Choice) -> Figure:
    """The criterion in every epoch, the best so far as a step line, the chosen epoch marked."""
    epochs, values = np.asarray(choice.epochs), np.asarray(choice.values, dtype=float)
    best = np.fmin.accumulate(values)
    kept = values[list(epochs).index(choice.chosen)] if choice.chosen in epochs else None

    def draw(figure: Any, theme: Theme, narrow: bool) -> None:
        import seaborn

        axes = figure.subplots()
        at = thinned(len(epochs))
        seaborn.lineplot(
            x=epochs[at], y=values[at], ax=axes, color=theme.validation, linewidth=1.6, errorbar=None,
            label="validation objective", legend=False,
        )  # fmt: skip
        axes.step(
            epochs[at], best[at], where="post", color=theme.train, linewidth=1.1, linestyle=(0, (4, 3)),
            label="best so far",
        )  # fmt: skip
        if kept is not None:
            axes.axvline(choice.chosen, color=theme.mark, linewidth=1)
            axes.plot(choice.chosen, kept, "o", color=theme.mark, markersize=7, label="kept", zorder=5)
        settled = values[len(values) // 10 :]
        finite = settled[np.isfinite(settled)]
        if len(values) >= 20 and len(finite):
            margin = 0.06 * ((finite.max() - finite.min()) or 1.0)
            axes.set_ylim(finite.min() - margin, finite.max() + margin)
        axes.set(xlabel="epoch", ylabel="nats, lower is better")
        figure.legend(loc="outside upper left", ncols=3, handlelength=1.4)

    said = f": {number(kept)} nats" if kept is not None else ""
    alt = f"The objective of validation over {plural(len(epochs), 'epoch')}; epoch {choice.chosen} was kept{said}."
    return draw_figure(folder, "choice", draw, alt, height=2.8)


def kl_over_time(folder: Path | None, epochs: Sequence[int], kl: Numbers) -> Figure:
    """KL of each dimension in validation [epochs, d]: those that end in use coloured, the largest named."""
    found, at = np.asarray(kl, dtype=float), thinned(len(epochs))
    order = np.argsort(-found[-1], kind="stable")
    shown = order[:MOST_LINES]

    def draw(figure: Any, theme: Theme, narrow: bool) -> None:
        axes = figure.subplots()
        for j in shown[::-1]:
            color = theme.validation if found[-1, j] > USED_NATS else theme.unused
            axes.plot(np.asarray(epochs)[at], found[at, j], color=color, linewidth=1.2, alpha=0.8)
        axes.axhline(USED_NATS, color=theme.mark, linewidth=1.2, linestyle=(0, (4, 3)))
        places = spread_out(found[-1, shown[:MOST_LABELS]], 0.07 * max(float(found[at].max()), 1e-9))
        for j, place in zip(shown[:MOST_LABELS], places, strict=True):
            axes.annotate(
                str(j), (1.01, place), xycoords=axes.get_yaxis_transform(), va="center", color=theme.text
            )
        axes.set(xlabel="epoch", ylabel="KL, nats")
        axes.margins(x=0.01)

    above = int((found[-1] > USED_NATS).sum())
    named = ", ".join(map(str, order[:3]))
    alt = f"KL of each of {found.shape[1]} dimensions; {above} end above 0.1 nat, the largest are {named}."
    return draw_figure(folder, "kl-over-time", draw, alt, height=3.2)


def spread_out(values: Numbers, gap: float) -> list[float]:
    """Places for labels of falling `values`, each at least `gap` below the one before."""
    places: list[float] = []
    for value in np.asarray(values, dtype=float):
        places.append(min(float(value), places[-1] - gap) if places else float(value))
    return places


def steps_figure(
    folder: Path | None,
    gradients: tuple[Sequence[int], Sequence[float], Sequence[float]],
    rates: tuple[Sequence[int], Sequence[float]],
    clip: float,
) -> Figure:
    """Norm of the gradients (logarithmic) and learning rate, per epoch; gradients are left out where unknown."""
    epochs, mean, largest = (np.asarray(column, dtype=float) for column in gradients)
    rate_epochs, rate = (np.asarray(column, dtype=float) for column in rates)
    panels = ["gradient", "rate"] if len(epochs) else ["rate"]

    def draw(figure: Any, theme: Theme, narrow: bool) -> None:
        shape = (len(panels), 1) if narrow else (1, len(panels))
        grid = dict(zip(panels, figure.subplots(*shape, squeeze=False).flat, strict=True))
        if "gradient" in grid:
            axes, at = grid["gradient"], thinned(len(epochs))
            axes.plot(epochs[at], mean[at], color=theme.validation, linewidth=1.6, label="mean")
            axes.plot(epochs[at], largest[at], color=theme.train, linewidth=1, label="largest")
            axes.axhline(clip, color=theme.mark, linewidth=1.2, linestyle=(0, (4, 3)), label="clipped above")
            axes.set_yscale("log")
            # Its own labels are mathematics, which is text here.
            axes.yaxis.set_major_formatter(lambda value, _: number(value, 1))
            axes.set_title("Norm of the gradients")
            axes.set_xlabel("epoch")
            axes.legend(loc="best", fontsize=9)
        axes, at = grid["rate"], thinned(len(rate))
        axes.plot(rate_epochs[at], rate[at], color=theme.validation, linewidth=1.6)
        axes.set_title("Learning rate")
        axes.set_xlabel("epoch")
        axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 2))

    parts = []
    if len(epochs):
        parts.append(f"Mean norm of the gradients from {number(mean[0])} to {number(mean[-1])}")
    parts.append(f"learning rate from {number(rate[0])} to {number(rate[-1])}")
    alt = f"{'; '.join(parts)}.".capitalize()
    return draw_figure(folder, "steps", draw, alt, height=2.6, narrow_height=2.3 * len(panels))
