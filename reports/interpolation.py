"""The page of `interpolation-grid`: what lies between two pictures, to scrub through and as PNG files.

Where pictures are left out it says only that: it has nothing else to show.
"""

from pathlib import Path
from typing import Any

from reports.beside import save_animation, save_picture
from reports.images import grid, resized, tiles
from reports.page import write_page
from reports.records import Grid, InterpolationRecord, PathBetween

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
        "corners": [
            plane
            for name, corners in (
                ("corners", record.corners),
                ("corners-spherical", record.corners_spherical),
            )
            if (plane := _grid(beside, name, corners)) is not None
        ],
        "manifold": _grid(beside, "manifold", record.manifold),
    }
    return write_page(folder, "interpolation", record.run, context, scripts=("slider.js", "animation.js"))


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
                **save_picture(folder, PLACE, f"{name}-{key}", grid(large, len(large), gap=0)),
            }
        )
    originals = [
        None if picture is None else tiles(picture.reshape(1, *picture.shape[-3:]), 128)[0]
        for picture in (record.original_a, record.original_b)
    ]
    animation = save_animation(folder, PLACE, name, record.linear)
    return {"name": name, "record": record, "strips": strips, "originals": originals, "animation": animation}


def _grid(folder: Path | None, name: str, record: Grid | None) -> dict[str, Any] | None:
    if record is None:
        return None
    rows, columns = record.pictures.shape[:2]
    pictures = record.pictures.reshape(rows * columns, *record.pictures.shape[2:])
    saved = save_picture(folder, PLACE, name, grid(resized(pictures, 96), columns, gap=0))
    originals = [] if record.originals is None else tiles(record.originals, 96)
    return {"record": record, "rows": rows, "columns": columns, "originals": originals, **saved}
