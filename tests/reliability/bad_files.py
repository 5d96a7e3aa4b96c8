"""Files that are no good pictures: good ones that were damaged, and those that somebody made on purpose."""

import io
import os
import random
import socket
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vae_tf.data.sources.demo import DemoFaces

SIDE = 48


def real_pictures() -> list[NDArray[np.uint8]]:
    """A few real faces, where VAE_TF_DATA names a folder of data; else drawn ones."""
    if (data := os.environ.get("VAE_TF_DATA")) is not None:
        files = sorted(Path(data, "faces", "london", "smiling").glob("*.png"))[:6]
        return [np.asarray(Image.open(file).convert("RGB").resize((SIDE, SIDE))) for file in files]
    faces = DemoFaces(num_people=6, per_person=1, size=SIDE)
    return [faces.read(i) for i in range(6)]


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def originals() -> dict[str, tuple[str, bytes]]:
    """Every format and kind of pixels that is read: (suffix, bytes) by name."""
    faces = [Image.fromarray(face) for face in real_pictures()]
    face, grey = faces[0], faces[1].convert("L")
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    rgba = face.copy()
    rgba.putalpha(grey)
    palette = face.quantize(32)
    turned = Image.Exif()
    turned[0x0112], turned[0x010F], turned[0x8769] = 6, "a camera", {0x9003: "2026:01:01 00:00:00"}
    floats = Image.fromarray(np.asarray(grey).astype(np.float32) / 255)
    made = {
        "jpeg": ("jpg", encoded(face, "JPEG", exif=turned)),
        "progressive jpeg": ("jpg", encoded(face, "JPEG", progressive=True)),
        "grey jpeg": ("jpeg", encoded(grey, "JPEG")),
        "cmyk jpeg": ("jpg", encoded(face.convert("CMYK"), "JPEG")),
        "png": ("png", encoded(face, "PNG", exif=turned)),
        "rgba png": ("png", encoded(rgba, "PNG")),
        "palette png": ("png", encoded(palette, "PNG", transparency=b"\0\x80\xff")),
        "16-bit png": ("png", encoded(deep, "PNG")),
        "1-bit png": ("png", encoded(face.convert("1"), "PNG")),
        "animated png": ("png", encoded(face, "PNG", save_all=True, append_images=faces[1:])),
        "ppm": ("ppm", encoded(face, "PPM")),
        "pgm": ("pgm", encoded(grey, "PPM")),
        "16-bit pgm": ("pgm", encoded(deep, "PPM")),
        "pfm": ("pfm", encoded(floats, "PPM")),
        "bmp": ("bmp", encoded(face, "BMP")),
        "palette bmp": ("bmp", encoded(palette, "BMP")),
        "gif": ("gif", encoded(palette, "GIF", transparency=3)),
        "animated gif": ("gif", encoded(face, "GIF", save_all=True, append_images=faces[1:])),
        "tiff": ("tif", encoded(face, "TIFF")),
        "lzw tiff": ("tif", encoded(face, "TIFF", compression="tiff_lzw")),
        "deflated tiff": ("tiff", encoded(rgba, "TIFF", compression="tiff_adobe_deflate")),
        "jpeg tiff": ("tif", encoded(face, "TIFF", compression="jpeg")),
        "16-bit tiff": ("tif", encoded(deep, "TIFF")),
        "float tiff": ("tif", encoded(floats, "TIFF")),
        "pages of tiff": ("tif", encoded(face, "TIFF", save_all=True, append_images=faces[1:])),
        "webp": ("webp", encoded(face, "WEBP", exif=turned)),
        "lossless webp": ("webp", encoded(rgba, "WEBP", lossless=True)),
        "animated webp": ("webp", encoded(face, "WEBP", save_all=True, append_images=faces[1:])),
        "avif": ("avif", encoded(face, "AVIF")),
    }
    try:
        import pillow_heif
    except ImportError:
        return made
    pillow_heif.register_heif_opener()
    return made | {"heic": ("heic", encoded(face, "HEIF"))}


def damaged(data: bytes, chance: random.Random, other: bytes) -> tuple[str, bytes]:
    """What was done to the bytes, and what they became; `other` is another file's."""
    kind = chance.choice(
        (
            "truncated",
            "bits flipped",
            "bytes inserted",
            "bytes removed",
            "header changed",
            "spliced",
            "zeroed",
        )
    )
    changed = bytearray(data)
    at = chance.randrange(len(data))
    if kind == "truncated":
        return kind, data[:at]
    if kind == "bits flipped":
        for _ in range(chance.randint(1, 50)):
            changed[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    elif kind == "bytes inserted":
        changed[at:at] = chance.randbytes(chance.choice((1, 2, 16, 400)))
    elif kind == "bytes removed":
        del changed[at : at + chance.choice((1, 2, 16, 400))]
    elif kind == "header changed":
        for _ in range(chance.randint(1, 4)):
            changed[chance.randrange(min(80, len(data)))] = chance.choice((0, 1, 0x7F, 0x80, 0xFF))
    elif kind == "spliced":
        changed[at:] = other[min(at, len(other)) :]
    else:
        changed[at : at + 64] = bytes(len(changed[at : at + 64]))
    return kind, bytes(changed)


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(
    width: int, height: int, *further: bytes, bits: int = 8, colour: int = 2, whole: bool = False
) -> bytes:
    """A PNG of zeros; only its first bytes where it need not be whole. `further` chunks come before its pixels."""
    squeeze = zlib.compressobj(9)
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    row = bytes(1 + (width * channels * bits + 7) // 8)
    rows = [squeeze.compress(row) for _ in range(height if whole else 1)] + [squeeze.flush()]
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    return start + b"".join(further) + chunk(b"IDAT", b"".join(rows)) + chunk(b"IEND", b"")


def tiff(
    width: int, height: int, further: dict[int, tuple[int, int, int]] | None = None, next_page: int = 0
) -> bytes:
    """A TIFF of one byte per pixel with hardly any; `further` has entries {tag: (type, count, value)}."""
    tags = {256: (4, 1, width), 257: (4, 1, height), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1)}
    tags |= {273: (4, 1, 8), 277: (3, 1, 1), 278: (4, 1, height), 279: (4, 1, 64)} | (further or {})
    entries = b"".join(struct.pack("<HHII", tag, *tags[tag]) for tag in sorted(tags))
    page = struct.pack("<H", len(tags)) + entries + struct.pack("<I", next_page)
    return b"II*\0" + struct.pack("<I", 72) + bytes(64) + page


def gif(width: int, height: int, frame: tuple[int, int, int, int]) -> bytes:
    """A GIF whose screen and whose one frame (left, top, width, height) claim what they like."""
    screen = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    return screen + b"," + struct.pack("<HHHHB", *frame, 0) + b"\x02\x02\x4c\x01\0;"


def many_scans(num_scans: int, side: int) -> bytes:
    """A progressive JPEG whose last scan comes `num_scans` times: each must go over all the picture."""
    data = encoded(Image.new("RGB", (side, side), (90, 120, 30)), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    table = data.rindex(b"\xff\xc4", 0, last)
    return data[:-2] + data[table:-2] * num_scans + b"\xff\xd9"


def exif(entries: list[tuple[int, int, int, bytes]]) -> bytes:
    """A block of EXIF of (tag, type, count, four bytes of value or offset)."""
    packed = b"".join(struct.pack("<HHI", tag, kind, count) + value for tag, kind, count, value in entries)
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + packed + bytes(4)


def made_on_purpose() -> Iterator[tuple[str, bytes]]:
    """File names, and what is in the files: bombs, odd shapes, broken blocks."""
    face = Image.fromarray(real_pictures()[0])
    yield "empty.png", b""
    yield "one byte.jpg", b"\xff"
    yield "text.png", b"just a note\n"
    yield "html.gif", b"GIF89a<script>alert(1)</script>"
    yield "program.bmp", b"MZ" + bytes(300)
    for suffix, start in (
        ("jpg", b"\xff\xd8\xff"),
        ("png", b"\x89PNG\r\n\x1a\n"),
        ("webp", b"RIFF\xff\xff\xff\xffWEBP"),
    ):
        yield f"only a signature.{suffix}", start
    yield "bomb.png", png(60_000, 60_000)
    yield "bomb.gif", gif(60_000, 60_000, (0, 0, 60_000, 60_000))
    yield "frame beyond the screen.gif", gif(8, 8, (60_000, 60_000, 5_000, 5_000))
    yield "bomb.tif", tiff(60_000, 60_000)
    yield "bomb of a byte.tif", tiff(60_000, 60_000, {258: (3, 1, 1)})
    yield (
        "bomb.bmp",
        b"BM" + struct.pack("<IIIIiiHHIIiiII", 0, 0, 54, 40, 60_000, -60_000, 1, 24, 0, 0, 0, 0, 0, 0),
    )
    yield "bomb.ppm", b"P6 60000 60000 255\n" + bytes(100)
    yield "digits.ppm", b"P2 " + b"9" * 10_000_000
    yield "comments.pgm", b"P5\n" + b"#\n" * 2_000_000 + b"4 4 255\n" + bytes(16)
    yield "spaces.pgm", b"P2 1000 1000 255 " + b" " * 20_000_000
    yield "one pixel.png", encoded(face.resize((1, 1)), "PNG")
    yield "one pixel.gif", encoded(face.resize((1, 1)), "GIF")
    yield "wide.png", encoded(face.resize((60_000, 1)), "PNG")
    yield "high.png", encoded(face.resize((1, 60_000)), "PNG")
    yield "high.jpg", encoded(face.resize((1, 60_000)), "JPEG")
    zeros = b"a\0\0" + zlib.compress(bytes(2**28), 1)
    yield "unpacks to a long text.png", png(8, 8, chunk(b"zTXt", zeros), whole=True)
    yield "unpacks to a large profile.png", png(8, 8, chunk(b"iCCP", zeros), whole=True)
    yield "a million chunks.png", png(8, 8, chunk(b"tEXt", b"a\0b") * 1_000_000, whole=True)
    yield "no palette.png", png(8, 8, colour=3, whole=True)
    yield "page after itself.tif", tiff(8, 8, next_page=72)
    yield "four billion values.tif", tiff(8, 8, {273: (4, 0xFFFFFFFF, 8)})
    yield "strip outside.tif", tiff(8, 8, {273: (4, 1, 0xFFFFFFF0)})
    yield "no samples.tif", tiff(8, 8, {277: (3, 1, 0)})
    yield "many samples.tif", tiff(8, 8, {277: (3, 1, 65535)})
    huge = exif([(0x010F, 2, 0xFFFFFFF0, b"\x08\0\0\0"), (0x0112, 3, 1, b"\x06\0\0\0")])
    yield "huge exif.jpg", encoded(face, "JPEG", exif=huge)
    yield (
        "circular exif.jpg",
        encoded(face, "JPEG", exif=exif([(0x8769, 4, 1, b"\x08\0\0\0"), (0x0112, 3, 1, b"\x06\0\0\0")])),
    )
    yield "text as orientation.jpg", encoded(face, "JPEG", exif=exif([(0x0112, 2, 4, b"abc\0")]))
    yield "orientation 99.jpg", encoded(face, "JPEG", exif=exif([(0x0112, 3, 1, b"\x63\0\0\0")]))
    yield (
        "half a rational.jpg",
        encoded(
            face, "JPEG", exif=exif([(0x0112, 3, 1, b"\x06\0\0\0"), (0x011A, 5, 1, b"\xf0\xff\xff\xff")])
        ),
    )
    yield "garbage exif.webp", encoded(face, "WEBP", exif=b"garbage")
    yield "many scans.jpg", many_scans(3000, 1000)
    yield (
        "sixty thousand frames.gif",
        encoded(face, "GIF")[:-1] + gif(8, 8, (0, 0, 4, 4))[19:-1] * 60_000 + b";",
    )


def bombs_that_fit() -> Iterator[tuple[str, bytes]]:
    """Small files of pictures just below the largest that is read, of the kinds that cost most."""
    from vae_tf.data.pictures import LARGEST_NUM_PIXELS, LARGEST_NUM_PIXELS_COPIED, LARGEST_NUM_SCANS

    side, copied = int(LARGEST_NUM_PIXELS**0.5), int(LARGEST_NUM_PIXELS_COPIED**0.5)
    yield "colour.png", png(side, side, whole=True)
    yield "transparent.png", png(side, side, colour=6, whole=True)
    yield (
        "palette.png",
        png(side, side, chunk(b"PLTE", bytes(6)), chunk(b"tRNS", b"\x80"), colour=3, whole=True),
    )
    yield "deep.png", png(side, side, bits=16, colour=0, whole=True)
    yield "deep colour.png", png(side, side, bits=16, colour=6, whole=True)
    yield "grey.png", png(side, side, colour=0, whole=True)
    yield "line.png", png(LARGEST_NUM_PIXELS // 100, 100, whole=True)
    turned = exif([(0x0112, 3, 1, b"\x06\0\0\0")])
    yield "turned.png", png(side, side, chunk(b"eXIf", turned[6:]), colour=6, whole=True)
    black = Image.new("RGB", (side, side))
    yield "baseline.jpg", encoded(black, "JPEG")
    yield "progressive.jpg", encoded(black, "JPEG", progressive=True, subsampling=0)
    yield "deflated.tif", encoded(black, "TIFF", compression="tiff_adobe_deflate")
    yield "black.gif", encoded(black.convert("P"), "GIF")
    yield "scans.jpg", many_scans(LARGEST_NUM_SCANS - 12, side)
    yield "floats.tif", encoded(Image.new("F", (side, side)), "TIFF", compression="tiff_adobe_deflate")
    yield "cmyk.jpg", encoded(Image.new("CMYK", (side, side)), "JPEG", progressive=True, subsampling=0)
    if "heic" in originals():
        yield "colour.heic", encoded(black, "HEIF", quality=10, chroma=444)
    black = Image.new("RGB", (copied, copied))
    yield "lossy.webp", encoded(black, "WEBP", method=0)
    yield "transparent.webp", encoded(black.convert("RGBA"), "WEBP", lossless=True, method=0, quality=0)
    yield "colour.avif", encoded(black, "AVIF", speed=10, subsampling="4:4:4")
    yield "transparent.avif", encoded(black.convert("RGBA"), "AVIF", speed=10)


def animations_that_fit() -> Iterator[tuple[str, bytes]]:
    """Small files of three frames just below the largest that are read."""
    from vae_tf.data.pictures import LARGEST_NUM_PIXELS, LARGEST_NUM_PIXELS_COPIED

    side, copied = int(LARGEST_NUM_PIXELS**0.5), int(LARGEST_NUM_PIXELS_COPIED**0.5)
    for disposal in range(4):
        yield f"disposal {disposal}.gif", animated_gif(copied, 3, disposal)
        yield f"disposal {disposal}.png", animated_png(copied, 3, disposal % 3, blend=disposal // 2)
    black = Image.new("RGB", (copied, copied))
    white = Image.new("RGB", (copied, copied), "white")
    options = {"save_all": True, "append_images": [white, black]}
    yield "frames.webp", encoded(black, "WEBP", lossless=True, method=0, quality=0, **options)
    yield "frames.avif", encoded(black, "AVIF", speed=10, **options)
    black = Image.new("RGB", (side, side))
    pages = {"save_all": True, "append_images": [black, black]}
    yield "pages.tif", encoded(black, "TIFF", compression="tiff_adobe_deflate", **pages)


def animated_gif(side: int, count: int, disposal: int) -> bytes:
    """A GIF of one black frame `count` times, black being transparent."""
    data = encoded(Image.new("P", (side, side)), "GIF")
    start = data.index(b",")
    control = b"!\xf9\x04" + bytes([disposal << 2 | 1, 0, 0, 0, 0])
    return data[:start] + (control + data[start:-1]) * count + b";"


def animated_png(side: int, count: int, disposal: int, blend: int) -> bytes:
    """An APNG of one transparent frame `count` times."""

    def control(number: int) -> bytes:
        place = struct.pack(">IIIIHHBB", side, side, 0, 0, 1, 10, disposal, blend)
        return chunk(b"fcTL", struct.pack(">I", number) + place)

    first = png(side, side, chunk(b"acTL", struct.pack(">II", count, 0)), control(0), colour=6, whole=True)
    start, end = first.index(b"IDAT") + 4, first.rindex(b"IEND") - 8
    further = b"".join(
        control(2 * i + 1) + chunk(b"fdAT", struct.pack(">I", 2 * i + 2) + first[start:end])
        for i in range(count - 1)
    )
    return first[:-12] + further + first[-12:]


ODD_NAMES = [
    b"two\nlines.png",
    b"carriage\rreturn.png",
    b"tab\t\x01\x1b[31mred.png",
    b"'quote\" `back` $(touch x).png",
    b"<script>alert(1)</script>.png".replace(b"/", b"\xe2\x88\x95"),
    b"<img src=x onerror=alert(1)>.png",
    b"&amp;&lt;{{7*7}}{% raw %}[bold].png",
    b"=cmd|' !A0.png",
    b"-rf.png",
    b"#0001.png",
    b"not utf-8 \xff\xfe\xc3.png",
    b"half a surrogate \xed\xa0\x80.png",
    "\u202eevil\u202c \u200b\ufeff.png".encode(),
    "e\u0301 é 微笑 😀.png".encode(),
    b"a" * 251 + b".png",
    b" .png",
    b"%2e%2e%2f.png",
    b"nan.png",
]


def write_odd_names(folder: Path) -> list[bytes]:
    """A good picture under every odd name, each of its own colour."""
    for number, name in enumerate(ODD_NAMES):
        pixels = np.roll(real_pictures()[number % 6], 2 * number, axis=1)
        with open(os.path.join(os.fsencode(folder), name), "wb") as file:
            Image.fromarray(pixels).save(file, "PNG")
    return ODD_NAMES


def write_odd_entries(folder: Path) -> None:
    """What is no file though its name says so: loops of links, pipes, sockets, folders, links that lead nowhere.

    One link leads to the parent of `folder`.
    """
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "back").symlink_to("..")
    (folder / "itself").symlink_to(".")
    (folder / "nowhere.png").symlink_to("missing.png")
    (folder / "to a device.png").symlink_to("/dev/zero")
    (folder / "folder.png").mkdir()
    os.mkfifo(folder / "pipe.png")
    (folder / "to a pipe.png").symlink_to("pipe.png")
    here = os.getcwd()
    os.chdir(folder)
    try:
        # The address of a socket may have 108 bytes only.
        with socket.socket(socket.AF_UNIX) as made:
            made.bind("socket.png")
    finally:
        os.chdir(here)
