"""What an array of pictures means: which axis is which, and which values are black and white."""

import contextlib
import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae_tf.data.pictures import LARGEST_NUM_PIXELS
from vae_tf.data.sources.array_files import chunks, times
from vae_tf.errors import UserError
from vae_tf.pixels import WHITE

SMALLEST_SIDE = 4
# Eight-bit values that leave two bits unused were never meant to reach 255.
DARKEST_WHITE = 64
# Rows and columns nearer to each other than this may be those of one picture.
LARGEST_PROPORTION = 4
WHOLE_TOLERANCE = 1e-3


@dataclasses.dataclass(frozen=True)
class Layout:
    """How one row of an array becomes a picture.

    Args:
        height, width: Pixels.
        channels: 1, 3, or 4 with transparency.
        channels_first: Stored as [C, H, W].
        note: What was recognised, a sentence; "" for the plain layouts.
    """

    height: int
    width: int
    channels: int
    channels_first: bool = False
    note: str = ""

    def picture(self, row: NDArray[Any]) -> NDArray[Any]:
        """Values [H, W, channels] of a row [H, W], [H, W, C], [C, H, W] or [H·W·C]."""
        if self.channels_first:
            return np.moveaxis(row.reshape(self.channels, self.height, self.width), 0, -1)
        return row.reshape(self.height, self.width, self.channels)


def layout_of(name: str, shape: tuple[int, ...]) -> Layout:
    """The layout of an array of three or four axes; `name` is for the message.

    Raises:
        UserError: No stack of pictures: one picture, or other numbers.
    """
    wanted = "N×H×W or N×H×W×C with 1, 3 or 4 channels were expected."
    if len(shape) == 2 and shape[1] > 1:
        raise UserError(
            f"{name} of shape {times(shape)} looks like a single picture or a table; {wanted}",
            "Stack pictures along a new first axis: numpy.stack(pictures).",
        )
    if len(shape) == 3:
        if shape[2] <= SMALLEST_SIDE:
            raise UserError(
                f"{name} of shape {times(shape)} looks like a single picture; {wanted}",
                "Stack pictures along a new first axis: numpy.stack(pictures).",
            )
        layout = Layout(*shape[1:], 1)
    elif len(shape) == 4 and shape[3] in (1, 3, 4):
        note = f"Transparent pixels of {name} were laid on white." if shape[3] == 4 else ""
        layout = Layout(*shape[1:], note=note)
    elif len(shape) == 4 and shape[1] in (1, 3):
        note = f"{name} is {times(shape)}: the second axis was taken as the channels."
        layout = Layout(shape[2], shape[3], shape[1], True, note)
    elif len(shape) == 4:
        raise UserError(
            f"{name} of shape {times(shape)} has {shape[3]} channels; {wanted}",
            f"Keep those that make a picture, as in {name}[..., :1] for the first alone.",
        )
    else:
        raise UserError(
            f"{name} of shape {times(shape)} is no stack of pictures; {wanted}",
            "Videos and volumes can be cut into pictures: array.reshape(-1, height, width)."
            if len(shape) > 4
            else "",
        )
    if min(layout.height, layout.width) < SMALLEST_SIDE or layout.height * layout.width > LARGEST_NUM_PIXELS:
        raise UserError(
            f"{name} of shape {times(shape)} holds no pictures of a size that can be used; {wanted}"
        )
    return layout


def layout_of_rows(name: str, values: Any, sure: bool) -> Layout:
    """The layout of pictures stored as rows of numbers [N, D].

    Args:
        name: For messages.
        values: What can be sliced along the first axis.
        sure: Whether rows are pictures for other reasons (they have labels); else shapes like one picture's are
            refused.

    Raises:
        UserError: Not the rows of square pictures, or it can't be told.
    """
    count, length = values.shape
    advice = (
        f"Give the pictures their shape: {name}.reshape(-1, height, width) or (-1, height, width, channels)."
    )
    if not sure and max(count, length) <= LARGEST_PROPORTION * min(count, length):
        raise UserError(
            f"{name} of shape {times(values.shape)} may be one picture, or {count} pictures in rows.",
            f"{advice} If they are rows, --key {name} says so.",
        )
    side = math.isqrt(length)
    if side >= SMALLEST_SIDE and side * side == length:
        return Layout(side, side, 1, note=f"Rows of {length:,} numbers were taken as {side}×{side} pictures.")
    side = math.isqrt(length // 3)
    if side >= SMALLEST_SIDE and 3 * side * side == length:
        return colour_rows(name, values, side, advice)
    raise UserError(f"{name} has rows of {length:,} numbers, which are no square picture.", advice)


def colour_rows(name: str, values: Any, side: int, advice: str) -> Layout:
    """Whether rows of 3·side² numbers hold three planes, as CIFAR's do, or pixels of three.

    One row of pixels further down a picture changes less than a third of a row, or three rows, do; of the two
    readings the one whose step down the picture changes less is right.
    """
    rows = np.asarray(values[:200], dtype=np.float64)
    planes = rows.reshape(-1, 3, side, side)
    down_planes = float(np.abs(np.diff(planes, axis=2)).mean())
    down_pixels = float(np.abs(np.diff(rows.reshape(-1, side, side, 3), axis=1)).mean())
    said = f"Rows of {rows.shape[1]:,} numbers were taken as {side}×{side} colour pictures"
    if down_planes < 0.8 * down_pixels:
        return Layout(side, side, 3, True, f"{said}, one plane after the other, as in CIFAR.")
    if down_pixels < 0.8 * down_planes:
        return Layout(side, side, 3, note=f"{said}, the three channels of a pixel side by side.")
    raise UserError(
        f"{name} has rows of {rows.shape[1]:,} numbers whose order of colours can't be told.", advice
    )


@dataclasses.dataclass(frozen=True)
class Meaning:
    """The type that pictures get, their values of black and white (None: the type's own), and what to say."""

    dtype: str
    value_range: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()


def meaning_of(arrays: list[Any], given: tuple[float, float] | None = None) -> Meaning:
    """What the values of all `arrays`, of one dtype, mean; `given` is the user's black and white.

    Raises:
        UserError: No numbers, or different types.
    """
    dtypes = {str(array.dtype.newbyteorder("=")): array.dtype for array in arrays}
    if len(dtypes) > 1:
        raise UserError(
            f"The pictures' arrays have different types: {', '.join(dtypes)}.",
            "Save them with one: array.astype.",
        )
    ((name, dtype),) = dtypes.items()
    if dtype.kind == "b":
        return Meaning("uint8", given, ("False is black and True is white.",))
    if dtype.kind in "ui":
        return meaning_of_integers(arrays, name, given)
    if dtype.kind == "f":
        return Meaning("float32", given) if given else meaning_of_floats(arrays)
    raise UserError(f"The pictures are of type {name}; numbers were expected.")


def meaning_of_integers(arrays: list[Any], name: str, given: tuple[float, float] | None) -> Meaning:
    # The scan may stop where more of it can't change the verdict.
    enough = {"uint8": DARKEST_WHITE, "uint16": (1 << 14)}.get(name, math.inf)
    span = Span(0, 0)
    for span in spans(arrays):
        if span.high >= enough:
            break
    low, high = int(span.low), int(span.high)
    top = max(high, given[1]) if given else high
    if low < 0 or top > WHITE["uint16"]:
        note = f"Values {low:,} to {high:,} ({name}) are kept as float32"
        if given or low == high:
            return Meaning("float32", given, (f"{note}.",))
        return Meaning(
            "float32", (low, high), (f"{note}: {low:,} is black, {high:,} white ({changes('MIN:MAX')}).",)
        )
    dtype = "uint8" if top <= WHITE["uint8"] else "uint16"
    notes = () if dtype == name else (f"Values up to {high:,} ({name}) are kept as {dtype}.",)
    if given:
        return Meaning(dtype, given, notes)
    if dtype == "uint8":
        value_range, said = darker_white(high)
        return Meaning(dtype, value_range, (*notes, *said))
    bits = next(bits for bits in (10, 12, 14, 16) if high < 1 << bits)
    if bits == 16:
        return Meaning(dtype, None, notes)
    said = (
        f"Values up to {high:,}: read as {bits} bits, {(1 << bits) - 1:,} is white ({changes('0:65535')}).",
    )
    return Meaning(dtype, (0, (1 << bits) - 1), (*notes, *said))


def meaning_of_floats(arrays: list[Any]) -> Meaning:
    *_, span = Span(math.inf, -math.inf), *spans(arrays)
    low, high = span.low, span.high
    if low >= high or (low >= 0 and high <= 1):
        return Meaning("float32")
    if low >= -1 and high <= 1:
        return Meaning(
            "float32", (-1, 1), (f"Values between −1 and 1: −1 is black, 1 white ({changes('0:1')}).",)
        )
    if low >= 0 and 1.5 < high <= 255 and span.whole:
        value_range, said = darker_white(round(high))
        whole = "Whole numbers of up to 255: 255 is white (--range 0:1 changes it)."
        return Meaning("float32", value_range or (0, 255), said or (whole,))
    said = (f"Values {low:.4g} to {high:.4g}: {low:.4g} is black, {high:.4g} white ({changes('MIN:MAX')}).",)
    return Meaning("float32", (low, high), said)


def darker_white(high: int) -> tuple[tuple[float, float] | None, tuple[str, ...]]:
    """The largest value as white where 255 is far from reached, and what to say."""
    if not 0 < high < DARKEST_WHITE:
        return None, ()
    return (0, high), (f"Values 0 to {high}: {high} is taken as white ({changes('0:255')}).",)


def changes(example: str) -> str:
    return f"--range {example} changes it"


@dataclasses.dataclass(frozen=True)
class Span:
    """Smallest and largest finite value so far, and whether all were whole numbers."""

    low: float
    high: float
    whole: bool = True


def spans(arrays: list[Any]) -> Iterator[Span]:
    """The span of all values up to each chunk's end; what is not finite is passed over."""
    span = Span(math.inf, -math.inf)
    for array in arrays:
        for rows in chunks(array):
            values = readable(array, rows)
            if values.dtype.kind == "f":
                with np.errstate(over="ignore"):
                    values = values.astype(np.float32)
                values = values[np.isfinite(values)]
            if not values.size:
                continue
            whole = span.whole and (
                values.dtype.kind != "f" or bool((np.abs(values - np.rint(values)) <= WHOLE_TOLERANCE).all())
            )
            span = Span(min(span.low, values.min().item()), max(span.high, values.max().item()), whole)
            yield span


def readable(array: Any, rows: slice) -> NDArray[Any]:
    """These rows without those that are damaged in their file; they are told one by one when they are read."""
    try:
        return np.asarray(array[rows])
    except OSError:
        found = [np.zeros((0, *array.shape[1:]), array.dtype)]
        for row in range(rows.start, rows.stop):
            with contextlib.suppress(OSError):
                found.append(np.asarray(array[row : row + 1]))
        return np.concatenate(found)


def to_dtype(values: NDArray[Any], dtype: str) -> NDArray[Any]:
    """Stored values of any kind as the `dtype` that `meaning_of` chose, in the machine's byte order."""
    if values.dtype.kind == "b":
        return values.astype(np.uint8) * np.uint8(255)
    with np.errstate(over="ignore"):
        converted: NDArray[Any] = values.astype(dtype)
    return converted


def on_white(picture: NDArray[Any], value_range: tuple[float, float] | None) -> NDArray[Any]:
    """Values [H, W, 4], the fourth being opacity from black's value (none) to white's (full), as [H, W, 3]."""
    black, white = value_range or (0.0, WHITE[picture.dtype.name])
    opacity = np.clip((picture[..., 3:].astype(np.float64) - black) / (white - black), 0.0, 1.0)
    mixed = opacity * picture[..., :3] + (1.0 - opacity) * white
    flat: NDArray[Any] = (mixed if picture.dtype == np.float32 else np.rint(mixed)).astype(picture.dtype)
    return flat
