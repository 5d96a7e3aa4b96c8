"""The data of the interactive map: points, colours, paths and thumbnails as the page's script reads them."""

import base64
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reports.images import sheets
from reports.map_records import ColorBy, MapRecord, Reconstructed, Variants
from reports.page import write_asset
from reports.records import Numbers, Pictures
from reports.words import count, score, split_label, trust, visible

MISSING = 65535  # the code of a point without a value; 255 in columns of 8 bits
MANY = 20_000  # numbers of so many points keep 8 bits, lest the page outgrow what people send around
Integers = npt.NDArray[np.integer[Any]]
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
        "tile": _tile(folder, record.pictures, "sheet") if pictures and record.pictures is not None else None,
        "rebuilt": _rebuilt(folder, record.reconstructed, total)
        if pictures and record.reconstructed
        else None,
        "neighbours": _neighbours(record.neighbours),
        "variants": _variants(record.variants, total),
        "projections": [
            {
                "name": visible(projection.name),
                "xy": encode_points(projection.xy),
                "note": " ".join(filter(None, [_trust_words(projection), visible(projection.note)])),
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


def _tile(folder: Path | None, pictures: Pictures, name: str) -> dict[str, Any]:
    layout, encoded = sheets(pictures)
    return {
        "width": layout.width,
        "height": layout.height,
        "columns": layout.columns,
        "perSheet": layout.per_sheet,
        "sheets": [write_asset(folder, f"{name}-{i:03}.webp", data) for i, data in enumerate(encoded)],
    }


def _rebuilt(folder: Path | None, rebuilt: Reconstructed, total: int) -> dict[str, Any]:
    return {
        **_tile(folder, rebuilt.pictures, "rebuilt"),
        "at": _positions(rebuilt.positions, total),
        "count": len(rebuilt.positions),
    }


def _neighbours(positions: Integers | None) -> dict[str, Any] | None:
    if positions is None or not positions.shape[1]:
        return None
    return {"each": positions.shape[1], **_wide(positions.ravel())}


def _variants(variants: Variants | None, total: int) -> dict[str, Any] | None:
    if variants is None or not variants.maps:
        return None
    maps = [{"xy": encode_points(one.xy), "shapeless": one.shapeless} for one in variants.maps]
    return {"maps": maps, "at": _positions(variants.positions, total)}


def variants_in_words(variants: Variants | None, noun: str) -> dict[str, Any]:
    """What the maps at other settings say together, and how to read them."""
    if variants is None or not variants.maps:
        return {"maps": []}
    maps, total = variants.maps, len(variants.positions)
    ours = [one.stability for one in maps if not one.shapeless]
    clouds = [one.stability for one in maps if one.shapeless]
    ends = " to ".join(dict.fromkeys(score(value) for value in (min(ours), max(ours))))
    answer = (
        f"Drawn again from another start, these maps agree to {ends} on which {noun}s lie next to each other"
    )
    answer += f" (1: entirely; unrelated maps: {score(maps[0].chance)})."
    if clouds:
        ends = " to ".join(dict.fromkeys(score(value) for value in sorted((min(clouds), max(clouds)))))
        so = ", so agreement alone shows no structure" if max(clouds) >= min(ours) else ""
        answer += f" Maps of a shapeless cloud agree to {ends}{so}."
    return {
        "maps": maps,
        "answer": answer,
        "how": (
            "Believe what stays when the neighbourhood grows. A group that comes and goes with the setting, or that "
            "looks like those in the shapeless cloud (normally distributed, with the same covariance, mapped in the "
            "same way), is the method’s doing."
        ),
        "note": (
            f"{count(total)} {noun}s. Agreement: mean Jaccard index of each one’s {variants.neighbours} nearest "
            "neighbours on two maps, one started from the principal plane (shown), one at random with another seed. "
            "Trustworthiness: mean of both (Venna & Kaski 2001)."
        ),
    }


def _positions(positions: Integers, total: int) -> dict[str, str] | None:
    """Which of all points something is about; None for every one."""
    return None if len(positions) == total else _wide(positions)


def _wide(positions: Integers) -> dict[str, str]:
    """Positions of up to 24 bits, in two parts; the upper one is "" where it would be zero."""
    upper = positions >> 16
    packed = base64.b64encode(upper.astype(np.uint8).tobytes()).decode("ascii") if upper.any() else ""
    return {"lower": _pack(positions & 65535), "upper": packed}


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
        "neighbours": total if record.neighbours is None else len(record.neighbours),
    }
    for name, length in lengths.items():
        if length != total:
            raise ValueError(f"the map has {total} pictures, but {length} values for {name}")
    for column in record.color_by:
        if column.kind == "category" and len(column.values) and max(column.values) >= len(column.categories):
            raise ValueError(f"{column.name} has values beyond its {len(column.categories)} categories")


def _pack(codes: npt.NDArray[Any], bits: int = 16) -> str:
    return base64.b64encode(codes.astype("<u2" if bits == 16 else "u1").tobytes()).decode("ascii")


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
            "listed": column.listed,
            "names": list(column.categories),
            "codes": _pack(codes),
        }
    values = np.asarray(column.values, dtype=np.float64)
    finite = np.isfinite(values)
    low, high = (float(values[finite].min()), float(values[finite].max())) if finite.any() else (0.0, 0.0)
    bits, missing = (8, 255) if len(values) > MANY else (16, MISSING)
    scaled = np.rint((np.where(finite, values, low) - low) / ((high - low) or 1.0) * (missing - 1))
    codes = np.where(finite, scaled, missing)
    return {
        "name": column.name,
        "kind": "number",
        "listed": column.listed,
        "low": low,
        "high": high,
        "bits": bits,
        "codes": _pack(codes, bits),
    }


def front_coded(paths: Sequence[str]) -> list[Any]:
    """Alternately how many characters a path shares with the one before it, as a browser counts, and its rest."""
    coded: list[Any] = []
    before = ""
    for path in paths:
        shared = 0
        for old, new in zip(before, path, strict=False):
            if old != new:
                break
            shared += 1
        coded += [len(path[:shared].encode("utf-16-le", "surrogatepass")) // 2, path[shared:]]
        before = path
    return coded
