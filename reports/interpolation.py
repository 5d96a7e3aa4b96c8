"""The page of `interpolation-grid`: what lies between two pictures, to scrub through and as PNG files.

Where pictures are left out it says only that: it has nothing else to show.
"""

from pathlib import Path
from typing import Any

from reports.images import data_uri, grid, png, resized, tiles
from reports.page import write_page
from reports.records import Grid, InterpolationRecord, PathBetween, Pictures

PLACE = "interpolation"


def write_interpolation(folder: Path, record: InterpolationRecord) -> Path:
    """Writes interpolation.html into `folder`, and the strips and grids as PNG files beside it."""
    if not record.run.form.pictures:
        return write_page(folder, "interpolation", record.run, {})
    beside = record.run.form.beside(folder)
    context = {
        "record": record,
        "pairs": [_path(beside, f"pair-{i}", pair) for i, pair in enumerate(record.pairs, 1)],
        "means": [_path(beside, f"classes-{i}", pair) for i, pair in enumerate(record.class_means, 1)],
        "corners": _grid(beside, "corners", record.corners),
        "manifold": _grid(beside, "manifold", record.manifold),
    }
    return write_page(folder, "interpolation", record.run, context, scripts=("slider.js",))


def _path(folder: Path | None, name: str, record: PathBetween) -> dict[str, Any]:
    kinds = [("linear", "straight line", record.linear)]
    if record.spherical is not None:
        kinds.append(("spherical", "along the sphere", record.spherical))
    strips = []
    for key, words, frames in kinds:
        large = resized(frames, 128)
        strips.append(
            {
                "key": key,
                "words": words,
                "frames": len(large),
                "frame_width": large.shape[2],
                "frame_height": large.shape[1],
                **_save(folder, f"{name}-{key}", grid(large, len(large), gap=0)),
            }
        )
    originals = [
        None if picture is None else tiles(picture.reshape(1, *picture.shape[-3:]), 128)[0]
        for picture in (record.original_a, record.original_b)
    ]
    return {"name": name, "record": record, "strips": strips, "originals": originals}


def _grid(folder: Path | None, name: str, record: Grid | None) -> dict[str, Any] | None:
    if record is None:
        return None
    rows, columns = record.pictures.shape[:2]
    pictures = record.pictures.reshape(rows * columns, *record.pictures.shape[2:])
    saved = _save(folder, name, grid(resized(pictures, 96), columns, gap=0))
    return {"record": record, "rows": rows, "columns": columns, **saved}


def _save(folder: Path | None, name: str, picture: Pictures) -> dict[str, Any]:
    if folder is None:
        address = data_uri(picture, exact=True)
    else:
        address = f"{PLACE}/{name}.png"
        (folder / PLACE).mkdir(parents=True, exist_ok=True)
        (folder / address).write_bytes(png(picture))
    return {"address": address, "width": picture.shape[1], "height": picture.shape[0]}
