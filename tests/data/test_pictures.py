"""From files to pixels: formats, depths, transparency, orientation, and what is said of unusable files."""

import io
import re
import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from vae_tf.data.pictures import LARGEST_NUM_PIXELS, UnusablePicture, picture_shape, read_picture

RANDOM = np.random.default_rng(0)
COLOUR = RANDOM.integers(0, 256, (12, 17, 3), dtype=np.uint8)
GREY = RANDOM.integers(0, 256, (12, 17), dtype=np.uint8)
DEEP = RANDOM.integers(0, 65536, (12, 17), dtype=np.uint16)


def check(path: Path, expected: NDArray[np.uint8], tolerance: int = 0) -> None:
    pixels = read_picture(path)
    assert pixels.dtype == np.uint8
    assert pixels.shape == expected.shape == picture_shape(path)
    assert np.abs(pixels.astype(int) - expected.astype(int)).max() <= tolerance


def test_colour_and_grey_png_and_pgm_are_read_exactly(tmp_path: Path) -> None:
    Image.fromarray(COLOUR).save(tmp_path / "c.png")
    check(tmp_path / "c.png", COLOUR)
    for name in ("g.png", "g.pgm"):
        Image.fromarray(GREY).save(tmp_path / name)
        check(tmp_path / name, GREY[..., None])


def test_plain_text_pgm(tmp_path: Path) -> None:
    rows = "\n".join(" ".join(map(str, row)) for row in GREY)
    (tmp_path / "p2.pgm").write_text(f"P2\n# a comment\n17 12\n255\n{rows}\n")
    check(tmp_path / "p2.pgm", GREY[..., None])


def test_jpeg_is_near_what_was_saved(tmp_path: Path) -> None:
    y, x = np.mgrid[0:32, 0:48]
    smooth = np.stack([4 * x, 6 * y, 2 * (x + y)], -1).astype(np.uint8)
    Image.fromarray(smooth).save(tmp_path / "c.jpg", quality=100, subsampling=0)
    check(tmp_path / "c.jpg", smooth, tolerance=4)
    Image.fromarray(smooth[..., 0]).save(tmp_path / "g.jpeg", quality=100)
    check(tmp_path / "g.jpeg", smooth[..., :1], tolerance=4)
    Image.fromarray(smooth).convert("CMYK").save(tmp_path / "k.jpg", quality=100, subsampling=0)
    check(tmp_path / "k.jpg", smooth, tolerance=6)


# The last one is dark: its scale must come from the format, or it would look brighter than its neighbours.
@pytest.mark.parametrize("values", [DEEP, DEEP // 16, DEEP // 300], ids=["full", "middle", "dark"])
def test_sixteen_bits_become_eight_by_a_fixed_factor(tmp_path: Path, values: NDArray[np.uint16]) -> None:
    expected = np.rint(values / 257.0).astype(np.uint8)[..., None]
    Image.fromarray(values).save(tmp_path / "d.png")
    check(tmp_path / "d.png", expected)
    (tmp_path / "d.pgm").write_bytes(b"P5 17 12 65535\n" + values.astype(">u2").tobytes())
    check(tmp_path / "d.pgm", expected)


def test_twelve_bit_pgm_uses_its_own_maximum(tmp_path: Path) -> None:
    values = DEEP // 16
    (tmp_path / "d.pgm").write_bytes(b"P5 17 12 4095\n" + values.astype(">u2").tobytes())
    check(tmp_path / "d.pgm", np.rint(values / 4095.0 * 255.0).astype(np.uint8)[..., None], tolerance=1)


def test_one_bit_and_palette(tmp_path: Path) -> None:
    bits = GREY > 127
    Image.fromarray(bits).save(tmp_path / "b.png")
    check(tmp_path / "b.png", (255 * bits).astype(np.uint8)[..., None])
    palette = Image.fromarray(COLOUR).quantize(16)
    palette.save(tmp_path / "p.png")
    check(tmp_path / "p.png", np.asarray(palette.convert("RGB")))


def over_white(values: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    weight = alpha[..., None] / 255.0
    return np.rint(values * weight + 255.0 * (1.0 - weight)).astype(np.uint8)


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    Image.fromarray(np.dstack([COLOUR, GREY])).save(tmp_path / "rgba.png")
    check(tmp_path / "rgba.png", over_white(COLOUR, GREY), tolerance=1)
    Image.fromarray(np.dstack([COLOUR[..., 0], GREY]), "LA").save(tmp_path / "la.png")
    check(tmp_path / "la.png", over_white(COLOUR[..., :1], GREY), tolerance=1)


def test_a_transparent_colour_is_laid_on_white(tmp_path: Path) -> None:
    grey = GREY.copy()
    grey[0, :5] = 7
    Image.fromarray(grey).save(tmp_path / "g.png", transparency=7)
    check(tmp_path / "g.png", np.where(grey == 7, 255, grey).astype(np.uint8)[..., None])
    palette = Image.fromarray(COLOUR).quantize(8)
    palette.save(tmp_path / "p.png", transparency=3)
    clear = np.asarray(palette)[..., None] == 3
    assert clear.any()
    check(tmp_path / "p.png", np.where(clear, 255, np.asarray(palette.convert("RGB"))).astype(np.uint8))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_pictures_are_upright(tmp_path: Path, orientation: int, suffix: str) -> None:
    path = tmp_path / f"o.{suffix}"
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(COLOUR).save(path, exif=exif)
    with Image.open(path) as image:
        check(path, np.asarray(ImageOps.exif_transpose(image)))
    assert picture_shape(path)[:2] == ((12, 17) if orientation < 5 else (17, 12))


# One orientation by hand: 6 means that the first row is the right-hand side.
def test_orientation_six_turns_clockwise(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(COLOUR).save(tmp_path / "o.png", exif=exif)
    check(tmp_path / "o.png", np.rot90(COLOUR, -1))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_a_broken_exif_block_does_not_cost_the_picture(tmp_path: Path) -> None:
    Image.fromarray(COLOUR).save(tmp_path / "e.png", exif=b"garbage")
    check(tmp_path / "e.png", COLOUR)


def encoded(kind: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(RANDOM.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(stream, kind)
    return stream.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def huge_png(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + data + chunk(b"IEND", b"")


UNUSABLE: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "empty": ("a.png", lambda: b"", "the file is empty"),
    "text": ("a.png", lambda: b"just a note", "not a picture"),
    "half a PNG": ("a.png", lambda: encoded("png")[:2000], "truncated"),
    "half a JPEG": ("a.jpg", lambda: encoded("jpeg")[:2000], "truncated"),
    "JPEG header": ("a.jpg", lambda: encoded("jpeg")[:100], "damaged"),
    "half a PGM": ("a.pgm", lambda: b"P5 16 16 255\n" + bytes(20), "truncated"),
    "zero width": ("a.pgm", lambda: b"P5 0 16 255\n" + bytes(20), "not a picture"),
    "bomb PNG": ("a.png", lambda: huge_png(60_000, 60_000), f"at most {LARGEST_NUM_PIXELS:,}"),
    "bomb PGM": ("a.pgm", lambda: b"P5 99999 99999 255\n0", f"at most {LARGEST_NUM_PIXELS:,}"),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_unusable_files_say_why_in_one_plain_line(tmp_path: Path, case: str) -> None:
    name, content, expected = UNUSABLE[case]
    path = tmp_path / name
    path.write_bytes(content())
    started = time.perf_counter()
    with pytest.raises(UnusablePicture) as caught:
        read_picture(path)
    assert time.perf_counter() - started < 2
    check_line(str(caught.value), path)
    assert expected in str(caught.value)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_header_below_pillows_own_limit_is_refused_by_ours(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(huge_png(15_000, LARGEST_NUM_PIXELS // 15_000 + 1))
    for function in (read_picture, picture_shape):
        with pytest.raises(UnusablePicture, match="15000×10001 pixels"):
            function(tmp_path / "a.png")


def test_what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "x.png").mkdir()
    (tmp_path / "x.png" / "inside").write_text("so that its size is not 0 anywhere")
    functions: tuple[Callable[[Path], Any], ...] = (read_picture, picture_shape)
    for function in functions:
        with pytest.raises(UnusablePicture, match="folder") as caught:
            function(tmp_path / "x.png")
        check_line(str(caught.value), tmp_path)
        with pytest.raises(UnusablePicture, match="cannot be opened"):
            function(tmp_path / "missing.png")


def check_line(text: str, path: Path) -> None:
    assert text == text.strip() and "\n" not in text
    assert not re.search(r"0x[0-9a-f]+|<.*>|Errno", text)
    assert str(path) not in text
