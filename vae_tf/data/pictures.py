"""Encoded bytes to pixels of 8 bits, 16 bits or floats, by Pillow."""

import contextlib
import io
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae_tf.pixels import WHITE, to_unit

# Of cameras the largest have 102 million. What is decoded takes up to 13 bytes for each, see tests/reliability.
LARGEST_NUM_PIXELS = 110_000_000
# Decoders of some formats, and those of animations, hold the picture several times over.
LARGEST_NUM_PIXELS_COPIED = 55_000_000
COPYING_FORMATS = ("WEBP", "AVIF")
# All threads together decode so many at the same time, or a single picture.
NUM_PIXELS_IN_FLIGHT = LARGEST_NUM_PIXELS
# What is larger is brought to another depth in bands of so many: copies of it are what takes memory.
NUM_PIXELS_AT_ONCE = 2**24
# Pillow hands out pixels by copies of copies: in pieces that stay in a core's cache, 12 megapixels take 9 ms, not 66.
NUM_PIXELS_OF_A_BAND = 2**18
# A PNG is a list of chunks, each of which costs time however short; large pictures have some ten thousands.
LARGEST_NUM_CHUNKS = 100_000
# A header may claim billions, and a frame of a large canvas takes a few bytes: of one file's, so many pixels in all.
LARGEST_NUM_FRAMES, LARGEST_NUM_PIXELS_OF_FRAMES = 10_000, 2**32
# Every scan of a JPEG goes over all of it, and takes a few bytes of the file; encoders write up to a dozen.
LARGEST_NUM_SCANS = 64
ORIENTATION_TAG, PHOTOMETRIC_TAG, PLANES_TAG, BITS_TAG, HEIGHT_TAG = 0x0112, 0x0106, 0x011C, 0x0102, 0x0101
GREY_MODES = ("1", "L", "LA", "La", "I;16", "I;16B", "I", "F")

# No others: Pillow hands EPS to an external program, and knows formats that nobody has looked after for years.
FORMATS = ("JPEG", "PNG", "PPM", "BMP", "GIF", "TIFF", "WEBP", "AVIF")
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# In these every frame covers the same canvas, and can only be had after all that come before it.
ONE_CANVAS = ("GIF", "PNG", "WEBP", "AVIF")


class UnusablePicture(Exception):
    """Why one file cannot be used, in one plain line."""


class Taken(threading.local):
    """Whether this thread is within `sharing_memory`, and how many pixels it has taken there."""

    is_asked_for = False
    num_pixels = 0


_taken, _next, _changed, _in_flight = Taken(), threading.Lock(), threading.Condition(), [0]


@contextlib.contextmanager
def sharing_memory() -> Iterator[None]:
    """Within it, a thread that decodes a picture waits until all that are being decoded are not too large together."""
    _taken.is_asked_for = True
    try:
        yield
    finally:
        _taken.is_asked_for = False
        if _taken.num_pixels:
            with _changed:
                _in_flight[0] -= _taken.num_pixels
                _changed.notify_all()
            _taken.num_pixels = 0


def wait_for_memory(size: tuple[int, int]) -> None:
    if not _taken.is_asked_for or _taken.num_pixels:
        return
    count = size[0] * size[1]
    # Only the next in turn looks whether there is room: else many small ones would keep a large one waiting.
    with _next, _changed:
        _changed.wait_for(lambda: not _in_flight[0] or _in_flight[0] + count <= NUM_PIXELS_IN_FLIGHT)
        _in_flight[0] += count
    _taken.num_pixels = count


@contextlib.contextmanager
def keeping_memory() -> Iterator[None]:
    """Within it, Pillow keeps the memory of a picture for the next ones: else the system clears every page of it anew.

    Photographs of 12 megapixels are read 1.4 times as fast.
    """
    from PIL import Image

    core: Any = Image.core  # type: ignore[attr-defined]
    core.set_blocks_max(4 * NUM_PIXELS_IN_FLIGHT // core.get_block_size())
    try:
        yield
    finally:
        core.set_blocks_max(0)


def read_picture(
    source: Path | bytes,
    frame: int | None = None,
    dtype: str = "uint8",
    value_range: tuple[float, float] | None = None,
) -> NDArray[Any]:
    """Pixels [H, W, 1 or 3] of one frame, upright by its EXIF orientation; transparent pixels are laid on white.

    Grey pictures of 16 bits and of floats can keep their depth. Colour has 8 bits per channel: Pillow cuts 16-bit
    colour to its upper 8 bits.

    Args:
        source: A file, or what is in one.
        frame: Position of the frame, from 0; None is the first, or what a HEIC file calls its primary picture.
        dtype: "uint8", "uint16" or "float32". A picture of this depth keeps its values as they are; another's are
            brought to it by `to_depth`.
        value_range: What black and white are in `dtype`, for pictures of another depth.

    Raises:
        UnusablePicture: Empty, truncated, unreadable, not a picture, or too large.
    """
    return to_depth(read_values(source, frame), dtype, value_range)


def read_values(source: Path | bytes, frame: int | None = None) -> NDArray[Any]:
    """As `read_picture`, in the picture's own depth: uint8, uint16 or float32."""
    with plain_reasons(source), open_image(source) as image:
        return frame_values(image, frame)


def picture_shape(source: Path | bytes, frame: int | None = None) -> tuple[int, int, int]:
    """(height, width, channels) from the header alone; channels is 1 for grey modes, else 3."""
    with plain_reasons(source), open_image(source) as image:
        grey = image.mode in GREY_MODES
        if frame is not None and image.format in ONE_CANVAS:
            # A GIF may begin in grey and go on in colour; its pixels will tell.
            grey = grey and image.format != "GIF"
        elif frame is not None:
            image.seek(frame)
            check_size(image)
            grey = image.mode in GREY_MODES
        width, height = image.size
        # Pillow swaps the sides of a TIFF by itself.
        if image.format != "TIFF" and orientation(image) in (5, 6, 7, 8):
            width, height = height, width
        return height, width, 1 if grey else 3


def picture_depth(source: Path | bytes) -> str:
    """ "uint8", "uint16" or "float32", from the header alone: the depth that loses nothing of the first frame."""
    with plain_reasons(source), open_image(source) as image:
        return depth(image)


def count_frames(source: Path | bytes) -> tuple[int, int]:
    """Frames in the file, mostly without decoding them: those that are taken, and all."""
    with plain_reasons(source), open_image(source) as image:
        total = getattr(image, "n_frames", 1)
        width, height = image.size
        most = max(1, LARGEST_NUM_PIXELS_OF_FRAMES // (width * height))
        return min(total, most, LARGEST_NUM_FRAMES), total


def has_frames(source: Path | bytes) -> bool:
    """Whether there are frames after the first; quicker than to count them."""
    with plain_reasons(source), open_image(source) as image:
        return bool(getattr(image, "is_animated", False))


def to_depth(
    values: NDArray[Any], dtype: str, value_range: tuple[float, float] | None = None
) -> NDArray[Any]:
    """Values of another depth spread between the black and the white of `dtype`, or of `value_range` in it.

    8 bits become 16 by a factor of 257, and 16 become 8 by the same: the scale comes from the format; taken from the
    values it would brighten a dark picture. Floats have no scale of their own, and so they must lie in [0, 1].
    """
    if values.dtype.name == dtype:
        return values
    return in_bands(lambda rows: rows_to_depth(rows, dtype, value_range), values)


def in_bands(work: Callable[[NDArray[Any]], NDArray[Any]], values: NDArray[Any]) -> NDArray[Any]:
    """`work` on values [H, …], on a few rows at a time where they are many, as it may make copies of them."""
    num_rows = max(1, NUM_PIXELS_AT_ONCE * len(values) // values.size)
    if num_rows >= len(values):
        return work(values)
    return np.concatenate([work(values[top : top + num_rows]) for top in range(0, len(values), num_rows)])


def rows_to_depth(values: NDArray[Any], dtype: str, value_range: tuple[float, float] | None) -> NDArray[Any]:
    unit = to_unit(values)
    if not (unit.min() >= 0 and unit.max() <= 1):
        found = f"{unit.min():.4g} to {unit.max():.4g}"
        raise UnusablePicture(
            f"values from {found}; beside pictures of {dtype} only those from 0 to 1 have a known scale"
        )
    low, high = value_range or (0.0, WHITE[dtype])
    spread = low + unit.astype(np.float64) * (high - low)
    return (spread if dtype == "float32" else np.rint(spread)).astype(dtype)


@contextlib.contextmanager
def plain_reasons(source: Path | bytes) -> Iterator[None]:
    """Whatever Pillow raises about a file becomes UnusablePicture."""
    try:
        yield
    except UnusablePicture:
        raise
    except Exception as error:
        raise UnusablePicture(reason(source, error)) from None


def open_image(source: Path | bytes) -> Any:
    """The file as Pillow sees it, its pixels not yet decoded; raises what Pillow raises, and UnusablePicture."""
    from PIL import Image, UnidentifiedImageError

    check_chunks(source)
    try:
        image = Image.open(stream_of(source), formats=FORMATS)
    except UnidentifiedImageError:
        start = beginning(source)
        if start[4:8] != b"ftyp" or start[8:12] not in HEIF_BRANDS:
            raise
        image = open_heif(source)
    check_size(image)
    return image


def check_chunks(source: Path | bytes) -> None:
    """Raises: UnusablePicture: A PNG of millions of chunks, over which Pillow would spend minutes."""
    size = len(source) if isinstance(source, bytes) else source.stat().st_size
    if size < 12 * LARGEST_NUM_CHUNKS or not beginning(source).startswith(PNG_SIGNATURE):
        return
    with io.BytesIO(source) if isinstance(source, bytes) else open(source, "rb") as file:
        file.seek(len(PNG_SIGNATURE))
        for _ in range(LARGEST_NUM_CHUNKS):
            if len(head := file.read(8)) < 8:
                return
            file.seek(4 + int.from_bytes(head[:4], "big"), io.SEEK_CUR)
    raise UnusablePicture(f"a PNG of more than {LARGEST_NUM_CHUNKS:,} chunks")


def open_heif(source: Path | bytes) -> Any:
    from PIL import Image

    try:
        import pi_heif
    except ImportError:
        raise UnusablePicture("HEIC, which can be read after: pip install pi-heif") from None
    pi_heif.register_heif_opener()
    return Image.open(stream_of(source), formats=("HEIF",))


def stream_of(source: Path | bytes) -> Path | io.BytesIO:
    return io.BytesIO(source) if isinstance(source, bytes) else source


def beginning(source: Path | bytes) -> bytes:
    if isinstance(source, bytes):
        return source[:12]
    with open(source, "rb") as file:
        return file.read(12)


def depth(image: Any) -> str:
    """What holds the values of an opened picture without loss; signed and 32-bit integers go into floats."""
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PPM", "PNG")):
        return "uint16"
    return "float32" if image.mode in ("I", "F") else "uint8"


def frame_values(image: Any, frame: int | None = None) -> NDArray[Any]:
    """Values [H, W, 1 or 3] of one frame of an opened picture, in its own depth; raises what Pillow raises."""
    if frame is not None:
        is_animation = image.format in ONE_CANVAS
        check_size(image, is_animation)
        try:
            image.seek(frame)
        except EOFError:
            raise UnusablePicture(f"the file ends before frame {frame + 1}") from None
        check_size(image, is_animation)
    check_scans(image)
    check_rows(image)
    if misread(image):
        raise UnusablePicture("a TIFF with separate 16-bit planes, which Pillow does not read correctly")
    wait_for_memory(image.size)
    dtype = depth(image)
    # A TIFF may store white as 0; Pillow minds it for 8 bits only.
    inverted = image.format == "TIFF" and image.tag_v2.get(PHOTOMETRIC_TAG) == 0
    image.load()
    if dtype == "uint8":
        return upright(to_pixels(image), orientation(image))
    values = np.asarray(image)[..., None].astype(dtype, copy=False)
    return upright(65535 - values if inverted and dtype == "uint16" else values, orientation(image))


def check_scans(image: Any) -> None:
    """Raises: UnusablePicture: A JPEG whose few bytes would keep the decoder busy for minutes."""
    if image.format not in ("JPEG", "MPO"):
        return
    place = image.fp.tell()
    image.fp.seek(0)
    num_scans = image.fp.read().count(b"\xff\xda")
    image.fp.seek(place)
    if num_scans > LARGEST_NUM_SCANS:
        raise UnusablePicture(f"{num_scans:,} scans of the picture (at most {LARGEST_NUM_SCANS} are read)")


def check_rows(image: Any) -> None:
    """Raises: UnusablePicture: A TIFF whose strips end before the picture does; Pillow would leave the rest black."""
    if image.format == "TIFF" and image.tile:
        last, height = max(tile[1][3] for tile in image.tile), image.tag_v2[HEIGHT_TAG]
        if last < height:
            raise UnusablePicture(f"damaged (pixels of {last:,} rows of {height:,})")


def misread(image: Any) -> bool:
    """Whether Pillow would take the bytes of 16-bit planes for 8-bit ones: it does where they are not compressed."""
    if image.format != "TIFF" or image.tag_v2.get(PLANES_TAG) != 2 or image.mode in GREY_MODES:
        return False
    return bool(max(image.tag_v2.get(BITS_TAG, (8,))) > 8 and any(tile[0] == "raw" for tile in image.tile))


def orientation(image: Any) -> int:
    """The EXIF orientation, 1 to 8; 1 where it is missing or its block is broken (the pixels may be fine)."""
    try:
        return int(image.getexif().get(ORIENTATION_TAG, 1))
    except Exception:
        return 1


def upright(values: NDArray[Any], orientation: int) -> NDArray[Any]:
    """A view of values [H, W, …] as its EXIF orientation says; Pillow would copy them, and write the block anew."""
    if orientation in (5, 6, 7, 8):
        values = values.swapaxes(0, 1)
    rows = slice(None, None, -1 if orientation in (3, 4, 7, 8) else None)
    columns = slice(None, None, -1 if orientation in (2, 3, 6, 7) else None)
    return values[rows, columns]


def to_pixels(image: Any) -> NDArray[np.uint8]:
    """A decoded Pillow picture of 8 bits or fewer per channel as uint8 [H, W, 1 or 3]."""
    if image.mode in ("LAB", "HSV"):
        raise UnusablePicture(f"its colours are stored as {image.mode}, which is not read")
    width, height = image.size
    num_rows = max(1, NUM_PIXELS_OF_A_BAND // width)
    if num_rows >= height:
        return band_pixels(image)
    pixels = np.empty((height, width, 1 if image.mode in GREY_MODES else 3), np.uint8)
    for top in range(0, height, num_rows):
        rows = pixels[top : top + num_rows]
        rows[:] = band_pixels(image.crop((0, top, width, top + len(rows))))
    return pixels


def band_pixels(image: Any) -> NDArray[np.uint8]:
    """As `to_pixels`, by a few copies of the picture."""
    from PIL import Image

    if image.mode in ("LA", "La", "RGBA", "RGBa", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        flat = Image.alpha_composite(white, rgba)
        image = flat.convert("L" if image.mode in ("LA", "La", "L", "1") else "RGB")
    mode = "L" if image.mode in GREY_MODES else "RGB"
    pixels = np.asarray(image if image.mode == mode else image.convert(mode), dtype=np.uint8)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def check_size(image: Any, is_animation: bool = False) -> None:
    """Raises: UnusablePicture: More pixels than can be decoded in little memory, or none."""
    width, height = image.size
    copied = is_animation or image.format in COPYING_FORMATS
    most = LARGEST_NUM_PIXELS_COPIED if copied else LARGEST_NUM_PIXELS
    if width < 1 or height < 1 or width * height > most:
        kind = "an animation of " if is_animation else f"{image.format} of " if copied else ""
        raise UnusablePicture(f"{kind}{width}×{height} pixels (at most {most:,} can be read)")


def reason(source: Path | bytes, error: Exception) -> str:
    """What is wrong with the file, without Pillow's object addresses and the file's own path."""
    try:
        if not (len(source) if isinstance(source, bytes) else source.stat().st_size):
            return "the file is empty"
    except OSError:
        return "the file cannot be opened"
    if type(error).__name__ == "UnidentifiedImageError":
        tiff = beginning(source)[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
        return "a kind of TIFF that Pillow cannot read" if tiff else "not a picture that Pillow can read"
    if type(error).__name__ == "DecompressionBombError":
        return f"too many pixels (at most {LARGEST_NUM_PIXELS:,} can be read)"
    if isinstance(error, MemoryError):
        return "needs more memory than there is"
    if isinstance(error, PermissionError):
        return "no permission to read it"
    if isinstance(error, IsADirectoryError):
        return "a folder, not a file"
    if isinstance(error, OSError) and error.strerror:
        # As where a header leads to a place before the file's first byte.
        return f"damaged ({error.strerror.lower()})"
    return f"damaged ({' '.join(str(error).split()) or type(error).__name__})"
