"""What stored pixel values mean: uint8 is divided by 255, uint16 by 65535, float32 lies in [0, 1] as it is."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

# The largest value of each stored type; it means white.
WHITE = {"uint8": 255.0, "uint16": 65535.0, "float32": 1.0}


def to_unit(pixels: Any) -> NDArray[np.float32]:
    """Stored pixels of any shape as float32 in [0, 1]."""
    array = np.asarray(pixels)
    white = np.float32(WHITE[array.dtype.name])
    return array.astype(np.float32) / white if white != 1.0 else array


def to_uint8(pixels: Any) -> NDArray[np.uint8]:
    """Stored pixels, or floats in [0, 1] such as a model gives, as uint8 to look at, rounded."""
    array = np.asarray(pixels)
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.uint16:
        array = array.astype(np.float32) / np.float32(65535.0)
    levels: NDArray[np.uint8] = np.clip(np.rint(array.astype(np.float32) * 255.0), 0, 255).astype(np.uint8)
    return levels


def rescale(values: NDArray[Any], value_range: tuple[float, float] | None) -> NDArray[Any]:
    """Values whose `value_range` means black and white, as stored pixels of the same dtype; what lies outside is cut.

    Nothing is lost where 12 bits are spread over 16.
    """
    white = WHITE[values.dtype.name]
    if value_range is None:
        return values
    low, high = value_range
    spread = (values.astype(np.float64) - low) * (white / (high - low))
    if values.dtype != np.float32:
        spread = np.rint(spread)
    return np.clip(spread, 0.0, white).astype(values.dtype)


class EightBitView:
    """Stored pixels of any type as uint8, converted as they are read: for pages over a large memory map."""

    dtype = np.dtype(np.uint8)

    def __init__(self, pixels: NDArray[Any]) -> None:
        self._pixels = pixels
        self.shape = pixels.shape
        self.ndim = pixels.ndim

    def __len__(self) -> int:
        return len(self._pixels)

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        return to_uint8(self._pixels[key])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(to_uint8(self._pixels), dtype=dtype)
