"""Thumbnails, grids and the data of the map."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from reports.images import grid, png, resized, sheets, stack, tiles
from reports.interpolation import write_interpolation
from reports.maps import MISSING, encode_points, front_coded, map_data
from reports.records import Pictures
from tests.reports.shapes import shapes
from tests.reports.synthetic import interpolation_record, map_record


def unpack(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "<u2")


def read(data: bytes) -> Pictures:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def flat(colors: np.ndarray, height: int, width: int) -> Pictures:
    return np.broadcast_to(colors[:, None, None], (len(colors), height, width, 3)).astype(np.uint8)


@pytest.mark.parametrize(
    ("total", "height", "width"), [(7, 20, 20), (300, 40, 32), (1500, 160, 120), (10_500, 40, 36)]
)
def test_each_tile_of_a_sheet_is_the_right_picture(total: int, height: int, width: int) -> None:
    colors = np.random.default_rng(0).integers(0, 256, (total, 3))
    layout, encoded = sheets(flat(colors, height, width))
    pages = [read(data) for data in encoded]
    for i in range(0, total, max(1, total // 50)):
        page, k = pages[i // layout.per_sheet], i % layout.per_sheet
        top, left = k // layout.columns * layout.height, k % layout.columns * layout.width
        middle = page[top + layout.height // 2, left + layout.width // 2].astype(int)
        # WebP stores colour at half the resolution, so a flat tile is off by a few levels at most.
        assert abs(middle - colors[i]).max() <= 12
    assert all(max(page.shape) <= 2048 for page in pages)


def test_small_pictures_grow_by_whole_pixels_and_large_ones_shrink() -> None:
    small = shapes(2, side=28)[0]
    large = resized(small, 128)
    assert large.shape == (2, 140, 140, 3)
    np.testing.assert_array_equal(large[:, ::5, ::5], small)
    assert resized(np.zeros((1, 200, 100, 1), np.uint8), 128).shape == (1, 128, 64, 1)
    assert resized(np.zeros((1, 64, 64, 3), np.uint8), 128).shape == (1, 64, 64, 3)


@pytest.mark.parametrize("side", [16, 160])
def test_of_no_pictures_there_are_no_tiles(side: int) -> None:
    """No picture of a class may be misplaced."""
    assert tiles(np.empty((0, side, side, 3), np.uint8)) == []


def test_a_grid_is_read_like_a_page_and_survives_png() -> None:
    pictures = flat(np.arange(15).reshape(5, 3) * 10, 4, 6)
    sheet = grid(pictures, columns=3, gap=1)
    assert sheet.shape == (9, 20, 3)
    np.testing.assert_array_equal(sheet[5:9, 7:13], pictures[4])
    np.testing.assert_array_equal(read(png(sheet)), sheet)


def test_stacks_and_grey_pictures() -> None:
    grey = np.zeros((2, 5, 4, 1), np.uint8)
    assert stack(grey, grey, gap=2).shape == (2, 12, 4, 1)
    assert all(address.startswith("data:image/png;base64,") for address in tiles(grey))


@pytest.mark.parametrize(
    "wrong", [np.zeros((2, 4, 4, 3)), np.zeros((4, 4, 3), np.uint8), np.zeros((1, 4, 4, 2), np.uint8)]
)
def test_what_is_no_picture_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match="uint8"):
        grid(wrong, 1)


def test_points_keep_their_aspect_and_come_back() -> None:
    xy = np.random.default_rng(0).normal(size=(50, 2)) * [10, 1]
    decoded = unpack(encode_points(xy)).reshape(-1, 2).astype(float)
    span = np.ptp(xy[:, 0])
    np.testing.assert_allclose(decoded / 65535 * span, xy - xy.min(0), atol=span / 65535)
    assert decoded[:, 1].max() < 65535 / 3
    assert (unpack(encode_points(np.ones((3, 2)))) == 0).all()


def test_points_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        encode_points(np.array([[0.0, np.nan]]))


def test_columns_come_back_with_their_gaps(tmp_path: Path) -> None:
    record = map_record(60)
    data = map_data(tmp_path, record)
    kinds, groups, errors, _ = data["colors"]
    np.testing.assert_array_equal(unpack(kinds["codes"]), record.color_by[0].values)
    assert (unpack(groups["codes"])[:3] == MISSING).all()
    codes = unpack(errors["codes"]).astype(float)
    assert codes[7] == MISSING
    back = errors["low"] + (errors["high"] - errors["low"]) * codes / 65534
    keep = np.arange(60) != 7
    np.testing.assert_allclose(back[keep], record.color_by[2].values[keep], atol=1e-4)
    assert data["splits"]["labels"] == ["trained on", "unseen", "validation"]
    assert [data["splits"]["names"][code] for code in unpack(data["splits"]["codes"])] == list(record.splits)


def test_a_map_whose_lengths_differ_is_refused(tmp_path: Path) -> None:
    record = map_record(60)
    with pytest.raises(ValueError, match="59 pictures, but 60 values"):
        map_data(tmp_path, type(record)(**{**vars(record), "paths": record.paths[1:]}))


def test_paths_are_front_coded() -> None:
    paths = ["a/001.png", "a/002.png", "", "😀/1", "😀/2", "😁/2"]
    coded, before, decoded = front_coded(paths), b"", []
    for shared, rest in zip(coded[::2], coded[1::2], strict=True):
        before = before[: 2 * shared] + rest.encode("utf-16-le")  # two bytes for each unit of a browser
        decoded.append(before.decode("utf-16-le"))
    assert decoded == paths
    assert coded[2:4] == [4, "2.png"]
    assert coded[8:10] == [3, "2"]


def test_strips_lie_beside_the_page(tmp_path: Path) -> None:
    write_interpolation(tmp_path, interpolation_record())
    names = {path.name for path in (tmp_path / "interpolation").iterdir()}
    assert {"pair-1-linear.png", "pair-1-spherical.png", "classes-1-linear.png", "corners.png"} <= names
    with Image.open(tmp_path / "interpolation/pair-1-linear.png") as strip:
        assert strip.size == (9 * 120, 120)
