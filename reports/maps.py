"""The data of the interactive map: points, colours, paths and thumbnails as the page's script reads them."""

import base64
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reports.images import sheets
from reports.page import write_asset
from reports.records import ColorBy, MapRecord, Numbers, Pictures
from reports.words import split_label, trust

MISSING = 65535  # the code of a point without a value
_TOP = 65534
_ORDER = {"train": 0, "test": 1, "validation": 2}


def map_data(
    folder: Path | None, record: MapRecord, pictures: bool = True, noun: str = "picture"
) -> dict[str, Any]:
    """Writes the sheets of thumbnails and returns what the script needs to know, ready for JSON.

    Without `pictures` there are no sheets, and a picture is called by its position instead of its path; `noun` is what
    to call one.
    """
    _check(record)
    total = len(record.paths)
    names = sorted(set(record.splits), key=lambda name: (_ORDER.get(name, len(_ORDER)), name))
    return {
        "count": total,
        "noun": noun,
        "tile": _tile(folder, record.pictures) if pictures and record.pictures is not None else None,
        "projections": [
            {
                "name": projection.name,
                "xy": encode_points(projection.xy),
                "note": " ".join(filter(None, [_trust_words(projection), projection.note])),
            }
            for projection in record.projections
        ],
        "colors": [_column(column if pictures else numbered(column)) for column in record.color_by],
        "splits": {
            "names": names,
            "labels": [split_label(name) for name in names],
            "codes": _pack(np.array([names.index(split) for split in record.splits])),
        },
        "paths": front_coded(record.paths if pictures else [f"{noun} {i + 1}" for i in range(total)]),
    }


def _tile(folder: Path | None, pictures: Pictures) -> dict[str, Any]:
    layout, encoded = sheets(pictures)
    return {
        "width": layout.width,
        "height": layout.height,
        "columns": layout.columns,
        "perSheet": layout.per_sheet,
        "sheets": [write_asset(folder, f"sheet-{i:03}.webp", data) for i, data in enumerate(encoded)],
    }


def numbered(column: ColorBy) -> ColorBy:
    """The column with numbers for categories that may name a person or a file."""
    if column.kind == "number" or column.public:
        return column
    return replace(column, categories=[f"{column.name} {i + 1}" for i in range(len(column.categories))])


def _trust_words(projection: Any) -> str:
    value = projection.trustworthiness
    return "" if value is None else trust(value, projection.neighbours)


def _check(record: MapRecord) -> None:
    total = len(record.paths)
    lengths = {
        "pictures": total if record.pictures is None else len(record.pictures),
        "splits": len(record.splits),
        **{projection.name: len(projection.xy) for projection in record.projections},
        **{column.name: len(column.values) for column in record.color_by},
    }
    for name, length in lengths.items():
        if length != total:
            raise ValueError(f"the map has {total} pictures, but {length} values for {name}")
    for column in record.color_by:
        if column.kind == "category" and len(column.values) and max(column.values) >= len(column.categories):
            raise ValueError(f"{column.name} has values beyond its {len(column.categories)} categories")


def _pack(codes: npt.NDArray[Any]) -> str:
    return base64.b64encode(codes.astype("<u2").tobytes()).decode("ascii")


def encode_points(xy: Numbers) -> str:
    """Base64 of little-endian uint16 x, y, x, y, …; one scale for both axes, so that distances stay true."""
    points = np.asarray(xy, dtype=np.float64)
    if not np.isfinite(points).all():
        raise ValueError("a map's points must be finite")
    low = points.min(axis=0)
    span = float((points.max(axis=0) - low).max()) or 1.0
    return _pack(np.rint((points - low) / span * 65535))


def _column(column: ColorBy) -> dict[str, Any]:
    if column.kind == "category":
        codes = np.where(column.values < 0, MISSING, column.values)
        return {
            "name": column.name,
            "kind": "category",
            "names": list(column.categories),
            "codes": _pack(codes),
        }
    values = np.asarray(column.values, dtype=np.float64)
    finite = np.isfinite(values)
    low, high = (float(values[finite].min()), float(values[finite].max())) if finite.any() else (0.0, 0.0)
    scaled = np.rint((np.where(finite, values, low) - low) / ((high - low) or 1.0) * _TOP)
    codes = np.where(finite, scaled, MISSING)
    return {"name": column.name, "kind": "number", "low": low, "high": high, "codes": _pack(codes)}


def front_coded(paths: Sequence[str]) -> list[Any]:
    """Alternately how many characters a path shares with the one before it, and the rest of it."""
    coded: list[Any] = []
    before = ""
    for path in paths:
        shared = 0
        for old, new in zip(before, path, strict=False):
            if old != new:
                break
            shared += 1
        coded += [shared, path[shared:]]
        before = path
    return coded
