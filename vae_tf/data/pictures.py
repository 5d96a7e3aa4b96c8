"""Encoded bytes to uint8 pixels, by Pillow."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Larger headers are more likely an attack or a mistake than a picture to model.
LARGEST_NUM_PIXELS = 200_000_000
GREY_MODES = ("1", "L", "LA", "La", "I;16", "I;16B", "I", "F")


class UnusablePicture(Exception):
    """Why one file cannot be used, in one plain line."""


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Pixels [H, W, 1 or 3] of the file's first frame, upright by its EXIF orientation.

    Transparent pixels are laid on white. 16-bit grey becomes 8-bit by dividing by 257.

    Raises:
        UnusablePicture: Empty, truncated, unreadable, not a picture, or too large.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as image:
            check_size(image.size)
            image.load()
            return to_pixels(ImageOps.exif_transpose(image))
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
            if image.getexif().get(0x0112, 1) in (5, 6, 7, 8):
                width, height = height, width
            return height, width, 1 if image.mode in GREY_MODES else 3
    except UnusablePicture:
        raise
    except Exception as error:
        raise UnusablePicture(reason(path, error)) from None


def to_pixels(image: Any) -> NDArray[np.uint8]:
    """A Pillow picture of any mode as uint8 [H, W, 1 or 3]."""
    from PIL import Image

    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image).astype(np.float64)
        scale = 257.0 if values.max(initial=0) > 255 else 1.0
        return np.clip(np.rint(values / scale), 0, 255).astype(np.uint8)[..., None]
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
    if isinstance(error, PermissionError):
        return "no permission to read it"
    return f"damaged ({' '.join(str(error).split()) or type(error).__name__})"
