"""Encoded bytes to uint8 pixels, by Pillow."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Larger headers are more likely an attack or a mistake than a picture to model; Pillow itself stops at 178,956,970.
LARGEST_NUM_PIXELS = 150_000_000
ORIENTATION_TAG = 0x0112
GREY_MODES = ("1", "L", "LA", "La", "I;16", "I;16B", "I", "F")


class UnusablePicture(Exception):
    """Why one file cannot be used, in one plain line."""


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Pixels [H, W, 1 or 3] of the file's first frame, upright by its EXIF orientation.

    Transparent pixels are laid on white. 16-bit grey becomes 8-bit by dividing by 257.

    Raises:
        UnusablePicture: Empty, truncated, unreadable, not a picture, or too large.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            check_size(image.size)
            image.load()
            return to_pixels(upright(image))
    except UnusablePicture:
        raise
    except Exception as error:
        raise UnusablePicture(reason(path, error)) from None


def picture_shape(path: Path) -> tuple[int, int, int]:
    """(height, width, channels) from the header alone; channels is 1 for grey modes, else 3."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            check_size(image.size)
            width, height = image.size
            if orientation(image) in (5, 6, 7, 8):
                width, height = height, width
            return height, width, 1 if image.mode in GREY_MODES else 3
    except UnusablePicture:
        raise
    except Exception as error:
        raise UnusablePicture(reason(path, error)) from None


def orientation(image: Any) -> int:
    """The EXIF orientation, 1 to 8; 1 where it is missing or its block is broken (the pixels may be fine)."""
    try:
        return int(image.getexif().get(ORIENTATION_TAG, 1))
    except Exception:
        return 1


def upright(image: Any) -> Any:
    from PIL import ImageOps

    return image if orientation(image) == 1 else ImageOps.exif_transpose(image)


def to_pixels(image: Any) -> NDArray[np.uint8]:
    """A Pillow picture of any mode as uint8 [H, W, 1 or 3]."""
    from PIL import Image

    if image.mode.startswith("I") or image.mode == "F":
        # The scale comes from the format: from the values it would brighten a dark picture 257 times.
        values = np.asarray(image).astype(np.float64) / (1.0 if image.mode == "F" else 257.0)
        return np.clip(np.rint(values), 0, 255).astype(np.uint8)[..., None]
    if image.mode in ("LA", "La", "RGBA", "RGBa", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        flat = Image.alpha_composite(white, rgba)
        image = flat.convert("L" if image.mode in ("LA", "La", "L", "1") else "RGB")
    image = image.convert("L" if image.mode in GREY_MODES else "RGB")
    pixels = np.asarray(image, dtype=np.uint8)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def check_size(size: tuple[int, int]) -> None:
    width, height = size
    if width < 1 or height < 1 or width * height > LARGEST_NUM_PIXELS:
        raise UnusablePicture(f"{width}×{height} pixels (at most {LARGEST_NUM_PIXELS:,} can be read)")


def reason(path: Path, error: Exception) -> str:
    """What is wrong with the file, without Pillow's object addresses and the file's own path."""
    try:
        if path.stat().st_size == 0:
            return "the file is empty"
    except OSError:
        return "the file cannot be opened"
    if type(error).__name__ == "UnidentifiedImageError":
        return "not a picture that Pillow can read"
    if type(error).__name__ == "DecompressionBombError":
        return f"too many pixels (at most {LARGEST_NUM_PIXELS:,} can be read)"
    if isinstance(error, PermissionError):
        return "no permission to read it"
    if isinstance(error, IsADirectoryError):
        return "a folder, not a file"
    return f"damaged ({' '.join(str(error).split()) or type(error).__name__})"
