"""The page of `explore`: sliders for the latents, and a dropped picture's reconstruction and neighbours.

The page holds the networks themselves and runs them without a server (static/network.js). Where it comes from the run's
server it asks that for what a file is worth (static/served.js), and for everything where a page cannot run the model.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reports.figures import USED_NATS
from reports.images import sheets
from reports.page import json_for_script, write_asset, write_page
from reports.records import Numbers, Pictures, RunFacts
from reports.words import split_label, visible

NUM_SLIDERS = 12
SCRIPTS = ("network.js", "explore-picture.js", "served.js", "explore.js")


@dataclass(frozen=True, kw_only=True)
class ExploreRecord:
    """The networks (see `vae_tf.serving.operations`), and the pictures among which neighbours are looked for.

    Attributes:
        encode, decode, weights: Of both networks, these [W] in half precision; None where only a server can run them.
        model: What the run's model is called when it is served.
        why_served: Why only a server can run it, in a sentence.
        shape: (height, width, channels) of the model's pictures.
        fit: How a picture is brought to that shape: crop, pad or stretch.
        order: The latent dimensions, those that carry most first; `told` [d] of each: what it tells
            of a picture, in nats.
        average, spread: Mean and standard deviation of the pictures' latents [d].
        samples: Latents drawn from the prior [S, d].
        means: Latents of the N pictures [N, d]; `starts`: positions of those to begin from.
        total: How many pictures there are, of which N are compared with.
        average_drawn: What the model itself draws of `average`; `checked_mean`: its latent of the picture `checked`.
    """

    run: RunFacts
    encode: Sequence[Mapping[str, Any]] | None
    decode: Sequence[Mapping[str, Any]] | None
    weights: npt.NDArray[np.float16] | None
    shape: tuple[int, int, int]
    fit: str
    order: Sequence[int]
    told: Sequence[float] | None
    average: Numbers
    spread: Numbers
    samples: Numbers
    means: Numbers
    pictures: Pictures
    paths: Sequence[str]
    splits: Sequence[str]
    classes: Sequence[str]
    starts: Sequence[int]
    total: int
    average_drawn: Pictures
    checked: Pictures
    checked_mean: Numbers
    model: str = ""
    why_served: str = ""


def write_explore(folder: Path, record: ExploreRecord) -> Path:
    """Writes explore.html into `folder`."""
    if not record.run.form.pictures:
        return write_page(folder, "explore", record.run, {})
    context = {
        "record": record,
        "sliders": min(NUM_SLIDERS, len(record.order)),
        "used": None if record.told is None else sum(told > USED_NATS for told in record.told),
        "data": json_for_script(page_data(record.run.form.beside(folder), record)),
    }
    return write_page(folder, "explore", record.run, context, scripts=SCRIPTS, asks_server=True)


def page_data(beside: Path | None, record: ExploreRecord) -> dict[str, Any]:
    """What the scripts need to know; sheets of thumbnails are written `beside` the page, or into the data."""
    layout, encoded = sheets(record.pictures)
    return {
        "encode": record.encode,
        "decode": record.decode,
        "weights": None if record.weights is None else packed(record.weights),
        "model": record.model,
        "shape": list(record.shape),
        "fit": record.fit,
        "order": list(record.order),
        "sliders": NUM_SLIDERS,
        "average": rounded(record.average),
        "spread": rounded(record.spread),
        "samples": packed(record.samples),
        "means": packed(record.means),
        "paths": [visible(path) for path in record.paths],
        "splits": [split_label(split) for split in record.splits],
        "classes": [visible(name) for name in record.classes],
        "starts": list(record.starts),
        "averageDrawn": plain(record.average_drawn),
        "checked": plain(record.checked),
        "checkedMean": rounded(record.checked_mean),
        "tile": {
            "width": layout.width,
            "height": layout.height,
            "columns": layout.columns,
            "perSheet": layout.per_sheet,
            "sheets": [write_asset(beside, f"sheet-{i:03}.webp", data) for i, data in enumerate(encoded)],
        },
    }


def packed(values: npt.NDArray[Any]) -> str:
    """Base64 of little-endian half-precision numbers."""
    return base64.b64encode(np.asarray(values).astype("<f2").tobytes()).decode("ascii")


def plain(picture: Pictures) -> str:
    """Base64 of the grey levels themselves."""
    return base64.b64encode(picture.tobytes()).decode("ascii")


def rounded(values: Numbers) -> list[float]:
    return [float(f"{value:.5g}") for value in values]
