"""The page of features that are on or off: which factor switches which, and what each one draws."""

from pathlib import Path
from typing import Any

import numpy as np

from reports.feature_figures import feature_use, features_per_picture, heat_map
from reports.feature_records import FeaturesRecord, Switched
from reports.images import tiles
from reports.page import write_page
from reports.records import Pictures

MID_GREY = 127.5


def write_features(folder: Path, record: FeaturesRecord) -> Path:
    """Writes features.html into `folder`."""
    beside = record.run.form.beside(folder)
    used = [k for k, share in enumerate(record.share_on) if share > 0.01]
    context = {
        "record": record,
        "expected": float(np.sum(record.probability)),
        "mean_num_on": float(np.mean(record.num_on)),
        "switching": heat_map(beside, "switching", record.factors, record.switching, used),
        "moving": heat_map(beside, "moving", record.factors, record.moving, used),
        "use": feature_use(beside, record.share_on, record.probability),
        "per_picture": features_per_picture(beside, record.num_on),
        "features": [
            (feature, example_tiles(feature) if record.run.form.pictures else [])
            for feature in record.features
        ],
    }
    return write_page(folder, "features", record.run, context)


def example_tiles(feature: Switched) -> list[tuple[Any, ...]]:
    """(off, on, difference, split, path) of each example."""
    if not len(feature.on):
        return []
    sheets = (tiles(p, 96) for p in (feature.off, feature.on, difference(feature.off, feature.on)))
    paths = feature.paths or [""] * len(feature.on)
    return list(zip(*sheets, feature.splits, paths, strict=True))


def difference(off: Pictures, on: Pictures) -> Pictures:
    """What the switch adds, around mid-grey, scaled to its largest change: bright where it brightens."""
    change = on.astype(np.float64) - off
    scale = max(float(np.abs(change).max()), 1.0)
    return np.rint(MID_GREY + MID_GREY * change / scale).astype(np.uint8)
