"""Pictures for a page: tiles, strips, grids and the sheets of thumbnails that the map looks into."""

import io
import math
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from PIL import Image

from reports.page import data_address
from reports.records import Pictures

SMALL = 48  # up to this side a picture's own pixels are shown as squares instead of being blurred
SHEET_SIDE = 2048


def checked(pictures: Pictures) -> Pictures:
    """The pictures themselves, if they are uint8 [N, H, W, 1 or 3]."""
    if pictures.dtype != np.uint8 or pictures.ndim != 4 or pictures.shape[-1] not in (1, 3):
        raise ValueError(f"pictures must be uint8 [N, H, W, 1 or 3], not {pictures.dtype} {pictures.shape}")
    return pictures


def to_image(picture: Pictures) -> Image.Image:
    """One picture [H, W, C] as a Pillow image."""
    return Image.fromarray(picture[..., 0] if picture.shape[-1] == 1 else picture)


def resized(pictures: Pictures, side: int) -> Pictures:
    """Pictures whose longer side is about `side`: small ones by whole factors, larger ones only shrunk."""
    height, width = checked(pictures).shape[1:3]
    longest = max(height, width)
    if longest <= SMALL:
        factor = max(1, round(side / longest))
        return pictures.repeat(factor, axis=1).repeat(factor, axis=2)
    if longest <= side:
        return pictures
    return shrunk(pictures, max(1, round(width * side / longest)), max(1, round(height * side / longest)))


def shrunk(pictures: Pictures, width: int, height: int) -> Pictures:
    """Pictures of exactly this size, every pixel the mean of those that it stands for; none give none."""
    small = np.empty((len(pictures), height, width, pictures.shape[-1]), np.uint8)
    for one, place in zip(pictures, small, strict=True):
        place[:] = np.asarray(to_image(one).resize((width, height), Image.Resampling.BOX)).reshape(
            place.shape
        )
    return small


def png(picture: Pictures) -> bytes:
    """One picture [H, W, C] as a PNG file."""
    buffer = io.BytesIO()
    to_image(picture).save(buffer, "PNG")
    return buffer.getvalue()


def webp(picture: Pictures, quality: int = 88) -> bytes:
    """One picture [H, W, C] as a WebP file."""
    buffer = io.BytesIO()
    to_image(picture).save(buffer, "WEBP", quality=quality, method=4)
    return buffer.getvalue()


def data_uri(picture: Pictures, exact: bool) -> str:
    """One picture [H, W, C] as an address that holds it; `exact` where its pixels are to be seen."""
    return data_address("png", png(picture)) if exact else data_address("webp", webp(picture))


def tiles(pictures: Pictures, side: int = 128) -> list[str]:
    """An address for each picture, for pages that show a few dozen of them."""
    exact = max(pictures.shape[1:3]) <= SMALL
    return [data_uri(picture, exact) for picture in resized(pictures, side)]


def stack(*rows: Pictures, gap: int = 2) -> Pictures:
    """The pictures of all rows one below the other: [N, rows × H, W, C]; the gap is white."""
    white = np.full_like(rows[0][:, :gap], 255)
    parts = [part for row in rows for part in (white, checked(row))][1:]
    return np.concatenate(parts, axis=1)


def grid(pictures: Pictures, columns: int, gap: int = 2) -> Pictures:
    """All pictures in one [H, W, C], reading order; the gap and the cells left over are white."""
    total, height, width, channels = checked(pictures).shape
    rows = math.ceil(total / columns)
    canvas = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, channels), 255, np.uint8)
    for index, picture in enumerate(pictures):
        top, left = (index // columns) * (height + gap), (index % columns) * (width + gap)
        canvas[top : top + height, left : left + width] = picture
    return canvas


@dataclass(frozen=True)
class SheetLayout:
    """Where a picture's tile lies: `columns` to a row, `per_sheet` to a sheet, reading order."""

    width: int
    height: int
    columns: int
    per_sheet: int


def thumbnail_side(total: int) -> int:
    """Large thumbnails for few pictures; 100,000 must still fit into a folder that people send around."""
    return 128 if total <= 1_000 else 64 if total <= 10_000 else 32


def thumbnail_size(total: int, height: int, width: int, side: int = 0) -> tuple[int, int]:
    """Width and height of the thumbnails of `total` pictures of one size, at most `side` where it is given."""
    scale = min(1.0, (side or thumbnail_side(total)) / max(height, width))
    return max(1, round(width * scale)), max(1, round(height * scale))


def sheets(pictures: Pictures, side: int = 0) -> tuple[SheetLayout, Iterator[bytes]]:
    """The layout of the thumbnails, and their WebP sheets one after the other."""
    height, width = checked(pictures).shape[1:3]
    tile_width, tile_height = thumbnail_size(len(pictures), height, width, side)
    columns = max(1, min(SHEET_SIDE // tile_width, math.ceil(math.sqrt(len(pictures)))))
    layout = SheetLayout(tile_width, tile_height, columns, columns * max(1, SHEET_SIDE // tile_height))
    exact = (tile_height, tile_width) == (height, width) and max(height, width) <= SMALL
    return layout, _encode_sheets(pictures, layout, exact)


def _encode_sheets(pictures: Pictures, layout: SheetLayout, exact: bool) -> Iterator[bytes]:
    def encode(start: int) -> bytes:
        part = pictures[start : start + layout.per_sheet]
        if part.shape[1:3] != (layout.height, layout.width):
            part = shrunk(part, layout.width, layout.height)
        return webp(grid(part, layout.columns, gap=0), quality=90 if exact else 70)

    # Pillow compresses outside of Python's lock.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(encode, range(0, len(pictures), layout.per_sheet))
