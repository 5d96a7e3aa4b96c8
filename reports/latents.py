"""The page of `embed`: what the latent dimensions hold and how to read the numbers elsewhere."""

import json
import math
from pathlib import Path

import numpy as np

from reports.figures import USED_NATS, kl_bars
from reports.images import tiles
from reports.page import write_page
from reports.records import LatentsRecord, LineRecord, Numbers
from reports.words import number, plural, said_of


def write_latents(folder: Path, record: LatentsRecord) -> Path:
    """Writes latents.html into `folder`."""
    form = record.run.form
    kl = None if record.kl_per_dimension is None else np.asarray(record.kl_per_dimension, dtype=float)
    spread = np.asarray(record.spread_per_dimension, dtype=float)
    information = record.information_per_dimension
    told = kl if kl is None or information is None else np.minimum(kl, information)
    order = np.argsort(-(spread if told is None else told), kind="stable")
    context = {
        "record": record,
        "answer": record.answer
        or said_of(_answer(told) if told is not None else _answer_for_codes(spread), record.run.noun),
        "figure_kl": None if kl is None else kl_bars(form.beside(folder), kl, information),
        "npz_literal": json.dumps(record.npz, ensure_ascii=False),
        "dimensions": [
            (
                int(i),
                None if kl is None else float(kl[i]),
                None if information is None else float(information[i]),
                float(spread[i]),
                told is None or bool(told[i] > USED_NATS),
            )
            for i in order
        ],
        "line": line_tiles(record.line) if record.line is not None and form.pictures else [],
        "line_answer": "" if record.line is None else line_in_words(record.line),
        "strips": [
            {
                "dimension": strip.dimension,
                "told": None if told is None else float(told[strip.dimension]),
                "tiles": list(
                    zip(
                        [""] * len(strip.values) if strip.pictures is None else tiles(strip.pictures, 96),
                        strip.values,
                        strip.splits,
                        strip.paths or [""] * len(strip.values),
                        strict=True,
                    )
                ),
            }
            for strip in (record.strips if form.pictures else ())
        ],
    }
    return write_page(folder, "latents", record.run, context)


def line_tiles(line: LineRecord) -> list[tuple[str, float, int]]:
    """Address, latent and number of codes of each step."""
    return list(zip(tiles(line.pictures, 96), line.values, line.counts, strict=True))


def line_in_words(line: LineRecord) -> str:
    """How much of the line has codes on it."""
    steps, holes = len(line.counts), sum(count == 0 for count in line.counts)
    if not holes:
        return f"Each of {steps} equal steps from the lowest code to the highest holds pictures: no holes."
    lie = "1 lies" if holes == 1 else f"{holes} lie"
    return (
        f"Of {steps} equal steps from the lowest code to the highest, {lie} where no picture has its code. "
        "What is decoded there was never trained on, and drawing from it means little."
    )


def _answer_for_codes(spread: Numbers) -> str:
    return (
        f"Every picture is now a code of {plural(len(spread), 'number')}; dimension {int(spread.argmax())} varies "
        "most. "
        "A plain autoencoder knows no uncertainty, so that no KL says how much each dimension carries."
    )


def _answer(told: Numbers) -> str:
    used = int((told > USED_NATS).sum())
    if used == 0:
        return f"None of the {plural(len(told), 'latent dimension')} is in use: they say nothing about a picture."
    largest, total = float(told.max()), len(told)
    how_many = "which carries" if used == total == 1 else f"{'all' if used == total else used} of which carry"
    levels = f": about what it takes to tell {math.exp(largest):.0f} pictures apart" if largest > 1 else ""
    return (
        f"Every picture is now {plural(total, 'number')}, {how_many} something; dimension {int(told.argmax())} "
        f"carries most, {number(largest, 2)} nats{levels}."
    )
