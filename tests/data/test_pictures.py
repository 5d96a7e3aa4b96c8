"""From files to pixels: formats, depths, transparency, orientation, and what is said of unusable files."""

import builtins
import io
import re
import struct
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageOps

from tests.reliability.bad_files import exif, many_scans
from vae_tf.data import pictures
from vae_tf.data.pictures import (
    LARGEST_NUM_PIXELS,
    LARGEST_NUM_SCANS,
    UnusablePicture,
    picture_depth,
    picture_shape,
    read_picture,
    sharing_memory,
    to_depth,
)

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


def tiff(
    values: NDArray[Any],
    order: Literal["<", ">"],
    white_is_zero: bool = False,
    orientation: int = 1,
    bits: int = 0,
) -> bytes:
    """An uncompressed grey TIFF of [H, W] values in the byte order "<" or ">", written by hand."""
    data = values.astype(values.dtype.newbyteorder(order)).tobytes()
    height, width = values.shape
    kind = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    tags = {256: width, 257: height, 258: bits or 8 * values.itemsize, 259: 1, 262: 0 if white_is_zero else 1}
    tags |= {273: 8, 274: orientation, 277: 1, 278: height, 279: len(data), 339: kind}
    entries = b"".join(
        struct.pack(f"{order}HHI", tag, 4, 1) + struct.pack(f"{order}I", value)
        for tag, value in sorted(tags.items())
    )
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8 + len(data))
    return head + data + struct.pack(f"{order}H", len(tags)) + entries + bytes(4)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int32", "float32"])
def test_tiffs_written_by_hand(order: Literal["<", ">"], dtype: str) -> None:
    values = (DEEP.astype(np.int32) - (20_000 if dtype.startswith("i") else 0)).astype(dtype)
    kept = {"uint8": "uint8", "uint16": "uint16"}.get(dtype, "float32")
    data = tiff(values, order)
    assert picture_depth(data) == kept
    found = read_picture(data, dtype=kept)
    assert found.dtype == kept and np.array_equal(found[..., 0], values.astype(kept))
    assert picture_shape(data) == (12, 17, 1)


def test_white_may_be_zero() -> None:
    deep = read_picture(tiff(DEEP, "<", white_is_zero=True), dtype="uint16")
    assert np.array_equal(deep[..., 0], 65535 - DEEP)
    assert np.array_equal(read_picture(tiff(GREY, "<", white_is_zero=True))[..., 0], 255 - GREY)


@pytest.mark.parametrize("order", ["<", ">"])
def test_deep_tiffs_are_upright(order: Literal["<", ">"]) -> None:
    data = tiff(DEEP, order, orientation=6)
    assert np.array_equal(read_picture(data, dtype="uint16")[..., 0], np.rot90(DEEP, -1))
    assert picture_shape(data) == (17, 12, 1)


def test_a_kind_of_tiff_that_pillow_cannot_read_says_so() -> None:
    with pytest.raises(UnusablePicture, match="a kind of TIFF that Pillow cannot read"):
        read_picture(tiff(GREY.astype(np.float64), "<"))


def test_separate_planes_of_sixteen_bits_are_refused_as_pillow_would_misread_them() -> None:
    planes = [(DEEP // (1 + plane)) for plane in range(3)]
    data = b"".join(plane.astype("<u2").tobytes() for plane in planes)
    size, after = DEEP.nbytes, 8 + len(data)
    tags = {256: [17], 257: [12], 258: [16] * 3, 259: [1], 262: [2], 273: [8 + i * size for i in range(3)]}
    tags |= {277: [3], 278: [12], 279: [size] * 3, 284: [2]}
    entries, extra = b"", b""
    for tag, values in tags.items():
        packed = struct.pack(f"<{len(values)}I", *values)
        if len(values) > 1:
            extra += packed
            packed = struct.pack("<I", after + len(extra) - len(packed))
        entries += struct.pack("<HHI", tag, 4, len(values)) + packed
    head = b"II*\0" + struct.pack("<I", after + len(extra))
    tiff_file = head + data + extra + struct.pack("<H", len(tags)) + entries + bytes(4)
    assert picture_shape(tiff_file) == (12, 17, 3)
    with pytest.raises(UnusablePicture, match="separate 16-bit planes"):
        read_picture(tiff_file)


def test_a_float_map_is_upright(tmp_path: Path) -> None:
    values = RANDOM.random((12, 17)).astype("<f4")
    data = b"Pf\n17 12\n-1.0\n" + values[::-1].tobytes()
    assert picture_depth(data) == "float32"
    assert np.array_equal(read_picture(data, dtype="float32")[..., 0], values)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


LOSSLESS: dict[str, dict[str, Any]] = {
    "bmp": {},
    "ppm": {},
    "tiff": {},
    "webp": {"lossless": True},
    "png": {},
}


@pytest.mark.parametrize("kind", LOSSLESS)
def test_formats_without_loss_are_read_exactly(kind: str) -> None:
    colour, grey = Image.fromarray(COLOUR), Image.fromarray(GREY)
    assert np.array_equal(read_picture(saved(colour, kind, **LOSSLESS[kind])), COLOUR)
    found = read_picture(saved(grey, kind, **LOSSLESS[kind]))
    assert np.array_equal(found, np.repeat(GREY[..., None], found.shape[-1], -1))
    if kind not in ("ppm", "bmp"):
        alpha = np.dstack([COLOUR, np.where(GREY > 127, 255, 0).astype(np.uint8)])
        found = read_picture(
            saved(
                Image.fromarray(alpha), kind, **LOSSLESS[kind], **({"exact": True} if kind == "webp" else {})
            )
        )
        assert np.array_equal(found, np.where(GREY[..., None] > 127, COLOUR, 255))


def test_palettes_and_cmyk_in_gif_and_tiff() -> None:
    palette = Image.fromarray(COLOUR).quantize(32)
    for kind in ("gif", "tiff", "bmp"):
        assert np.array_equal(read_picture(saved(palette, kind)), np.asarray(palette.convert("RGB")))
    ink = np.dstack([COLOUR, np.zeros_like(GREY)])
    assert np.array_equal(read_picture(saved(Image.fromarray(ink, "CMYK"), "tiff")), 255 - COLOUR)


@pytest.mark.parametrize("kind", ["heif", "avif"])
def test_heic_and_avif_are_near_what_was_saved(kind: str) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    y, x = np.mgrid[0:64, 0:96]
    smooth = np.stack([2 * x, 3 * y, x + y], -1).astype(np.uint8)
    data = saved(Image.fromarray(smooth), kind, quality=95)
    assert picture_shape(data) == (64, 96, 3)
    assert np.abs(read_picture(data).astype(int) - smooth).mean() < 3


def test_without_its_wheel_heic_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: Any, **named: Any) -> Any:
        if name == "pi_heif":
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(UnusablePicture, match="pip install pi-heif"):
        read_picture(b"\0\0\0\x18ftypheic" + bytes(100))


def test_formats_that_call_other_programs_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for data in (saved(Image.fromarray(COLOUR), "eps"), saved(Image.fromarray(COLOUR), "tga")):
        with pytest.raises(UnusablePicture, match="not a picture"):
            read_picture(data)


@pytest.mark.parametrize("low_high", [None, (0.0, 4095.0)])
def test_other_depths_are_spread_between_black_and_white(low_high: tuple[float, float] | None) -> None:
    levels = np.arange(256, dtype=np.uint8)
    white = 65535.0 if low_high is None else low_high[1]
    assert np.array_equal(to_depth(levels, "uint16", low_high), np.rint(levels / 255 * white))
    assert np.array_equal(to_depth(to_depth(levels, "uint16"), "uint8"), levels)
    every = np.arange(65536, dtype=np.uint16)
    assert np.array_equal(to_depth(every, "uint8"), np.rint(every / 257))
    assert np.allclose(to_depth(levels, "float32", (-1.0, 1.0)), levels / 127.5 - 1, atol=1e-6)
    for wrong in (np.nan, -0.1, 1.1):
        with pytest.raises(UnusablePicture):
            to_depth(np.array([0.5, wrong], np.float32), "uint16", low_high)


KINDS = ("png", "jpeg", "gif", "bmp", "ppm", "tiff", "webp", "avif", "heif")


@pytest.fixture(scope="module")
def originals() -> dict[str, bytes]:
    pytest.importorskip("pillow_heif").register_heif_opener()
    image = Image.fromarray(RANDOM.integers(0, 256, (24, 24, 3), dtype=np.uint8))
    return {kind: saved(image, kind) for kind in KINDS} | {"deep": tiff(DEEP, ">")}


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=250, deadline=10_000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from([*KINDS, "deep"]),
    keep=st.floats(0.0, 1.0),
    flips=st.lists(st.tuples(st.floats(0.0, 0.999), st.integers(0, 255)), max_size=6),
)
def test_mutated_bytes_raise_nothing_else(
    originals: dict[str, bytes], kind: str, keep: float, flips: list[tuple[float, int]]
) -> None:
    data = bytearray(originals[kind])
    for where, value in flips:
        data[int(where * len(data))] = value
    for mutated in (bytes(data), bytes(data[: int(keep * len(data))])):
        for function in (picture_shape, picture_depth, read_picture):
            try:
                function(mutated)
            except UnusablePicture as error:
                assert "\n" not in str(error)


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
    "half a PGM": ("a.pgm", lambda: b"P5 16 16 255\n" + bytes(20), "damaged"),
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
        with pytest.raises(UnusablePicture, match="15000×7334 pixels"):
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


def test_a_block_that_cannot_be_written_anew_still_says_how_the_picture_stands() -> None:
    broken = exif([(0x0112, 3, 1, b"\x06\0\0\0"), (0x011A, 5, 1, b"\xf0\xff\xff\xff")])
    data = saved(Image.fromarray(COLOUR), "png", exif=broken)
    assert np.array_equal(read_picture(data), np.rot90(COLOUR, -1))


def test_a_jpeg_of_many_scans_is_refused_before_it_is_decoded() -> None:
    assert read_picture(many_scans(LARGEST_NUM_SCANS // 2, 64)).shape == (64, 64, 3)
    with pytest.raises(UnusablePicture, match="scans of the picture"):
        read_picture(many_scans(LARGEST_NUM_SCANS, 64))


@pytest.mark.parametrize("kind", ["webp", "avif"])
def test_what_is_decoded_by_way_of_copies_may_be_half_as_large(
    kind: str, originals: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vae_tf.data.pictures.LARGEST_NUM_PIXELS_COPIED", 24 * 24 - 1)
    for function in (read_picture, picture_shape):
        with pytest.raises(UnusablePicture, match=f"{kind.upper()} of 24×24 pixels .at most 575 can"):
            function(originals[kind])
    assert read_picture(originals["png"]).shape == (24, 24, 3)


@pytest.mark.parametrize("kind", ["gif", "png"])
def test_frames_of_an_animation_may_be_half_as_large(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [Image.fromarray(np.roll(COLOUR, i, 0)) for i in range(3)]
    data = saved(frames[0], kind, save_all=True, append_images=frames[1:])
    monkeypatch.setattr("vae_tf.data.pictures.LARGEST_NUM_PIXELS_COPIED", COLOUR[..., 0].size - 1)
    assert read_picture(data).shape == COLOUR.shape
    for frame in range(3):
        with pytest.raises(UnusablePicture, match="an animation of 17×12 pixels"):
            read_picture(data, frame)


def every_mode() -> dict[str, bytes]:
    colour, grey = Image.fromarray(COLOUR), Image.fromarray(GREY)
    palette = colour.quantize(16)
    clear = Image.fromarray(np.dstack([COLOUR, GREY]))
    return {
        "colour": saved(colour, "png"),
        "grey": saved(grey, "png"),
        "one bit": saved(grey.convert("1"), "png"),
        "palette": saved(palette, "png"),
        "transparent palette": saved(palette, "png", transparency=bytes(range(0, 256, 16))),
        "transparent colour": saved(clear, "png"),
        "transparent grey": saved(clear.convert("LA"), "png"),
        "a transparent level": saved(grey, "png", transparency=7),
        "ink": saved(colour.convert("CMYK"), "tiff"),
    }


@pytest.mark.parametrize("mode", every_mode())
def test_what_is_read_in_bands_is_what_is_read_at_once(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = read_picture(every_mode()[mode])
    for num_pixels in (1, 40, 100):
        monkeypatch.setattr(pictures, "NUM_PIXELS_OF_A_BAND", num_pixels)
        assert np.array_equal(read_picture(every_mode()[mode]), whole)


@pytest.mark.parametrize(("room", "together"), [(0, 1), (1, 1), (1.9, 1), (2, 2), (3.5, 3)])
def test_threads_decode_no_more_at_a_time_than_memory_is_set_aside_for(
    monkeypatch: pytest.MonkeyPatch, room: float, together: int
) -> None:
    """`room` is that of so many pictures; a single one is read however large it is."""
    monkeypatch.setattr(pictures, "NUM_PIXELS_IN_FLIGHT", int(room * COLOUR.size // 3))
    picture, inside, counted = saved(Image.fromarray(COLOUR), "png"), [0], []
    reached = threading.Barrier(together)

    def read() -> None:
        with sharing_memory():
            read_picture(picture)
            inside[0] += 1
            counted.append(inside[0])
            # So many are inside together, or this would wait for ever.
            reached.wait(10)
            with pytest.raises(UnusablePicture):
                read_picture(b"")
            inside[0] -= 1

    threads = [threading.Thread(target=read) for _ in range(6 * together)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(counted) == 6 * together and max(counted) <= together
    assert read_picture(picture).shape == (12, 17, 3)


def png(*between: bytes) -> bytes:
    """A PNG of one black pixel, with further chunks before its pixels."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(b"\0\0"))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(between) + body + chunk(b"IEND", b"")


@pytest.mark.parametrize("is_file", [True, False])
def test_a_png_of_very_many_chunks_is_refused_and_a_long_one_of_few_is_read(
    tmp_path: Path, is_file: bool
) -> None:
    def given_as(data: bytes) -> Path | bytes:
        (tmp_path / "picture.png").write_bytes(data)
        return tmp_path / "picture.png" if is_file else data

    with pytest.raises(UnusablePicture, match="a PNG of more than 100,000 chunks"):
        read_picture(given_as(png(chunk(b"teSt", b"") * pictures.LARGEST_NUM_CHUNKS)))
    long = png(chunk(b"teSt", bytes(13 * pictures.LARGEST_NUM_CHUNKS)))
    assert read_picture(given_as(long)).tolist() == [[[0]]]


@pytest.mark.parametrize("mode", ["LAB", "HSV"])
def test_colours_that_are_not_read_are_named(mode: str) -> None:
    with pytest.raises(UnusablePicture, match=f"stored as {mode}"):
        pictures.to_pixels(Image.new(mode, (2, 2)))


def test_what_kept_a_file_from_being_read_is_said_in_words(tmp_path: Path) -> None:
    file = tmp_path / "picture.png"
    file.write_bytes(png())
    assert pictures.reason(file, PermissionError(13, "Permission denied")) == "no permission to read it"
    assert pictures.reason(file, IsADirectoryError(21, "Is a directory")) == "a folder, not a file"
    assert pictures.reason(file, MemoryError()) == "needs more memory than there is"
    assert pictures.reason(file, ValueError("  odd\n number ")) == "damaged (odd number)"
    assert pictures.reason(file, OSError(22, "Invalid argument")) == "damaged (invalid argument)"
    assert pictures.reason(file, OSError("image file is truncated")) == "damaged (image file is truncated)"


def test_memory_that_was_kept_is_given_back() -> None:
    core: Any = Image.core
    before = core.get_stats()["freed_blocks"]
    with pictures.keeping_memory():
        read_picture(saved(Image.new("RGB", (600, 600)), "png"))
        assert core.get_stats()["blocks_cached"] > 0
    assert core.get_stats()["blocks_cached"] == 0 and core.get_blocks_max() == 0
    assert core.get_stats()["freed_blocks"] > before
