"""Which requests are too much for one: rows, answers, pixels; told before anything of that size is made."""

import io
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from vae_tf.serving.server.limits import Limits
from vae_tf.serving.server.saved_model import Arrays, Signature, Spec
from vae_tf.serving.server.status import invalid

# What TensorFlow decodes; Pillow must not be asked to look for anything else in a stranger's bytes.
FORMATS = ("JPEG", "PNG", "GIF", "BMP")
STARTS = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM")


def check_rows(signature: Signature, given: Mapping[str, Any], limits: Limits) -> None:
    """Raises: ServingError: The tensors, which may be no more than a dtype and a shape, ask for too large an answer."""
    rows = max((open_size(signature.inputs[name], each.shape) for name, each in given.items()), default=1)
    check_num_rows(rows, limits)
    num_bytes = rows * sum(row_bytes(spec) for spec in signature.outputs.values())
    if num_bytes > limits.answer:
        raise invalid(
            f"The answer to {rows:,} rows would be {num_bytes:,} bytes; {limits.answer:,} at a time can be asked for."
        )


def check_num_rows(rows: int, limits: Limits) -> None:
    if rows > limits.rows:
        raise invalid(f"The request has {rows:,} rows; {limits.rows:,} at a time can be asked for.")


def open_size(spec: Spec, shape: tuple[int, ...]) -> int:
    """The product of those sizes that the signature leaves open; of the first where it says nothing of the shape."""
    if spec.shape is None:
        return shape[0] if shape else 1
    return math.prod(size for size, fixed in zip(shape, spec.shape, strict=True) if fixed is None)


def row_bytes(spec: Spec) -> int:
    return math.prod(size for size in spec.shape or () if size is not None) * spec.dtype.size


def num_pixels(arrays: Arrays, limits: Limits) -> int:
    """Of all pictures, by their headers; what is no picture is left to the graph to refuse.

    Raises:
        ServingError: There are more than one request may hold.
    """
    files = [value for array in arrays.values() if array.dtype == object for value in array.reshape(-1)]
    total = sum(map(size_of_picture, files))
    if total > limits.pixels:
        raise invalid(f"The pictures have {total:,} pixels; {limits.pixels:,} at a time can be decoded.")
    return total


def size_of_picture(file: bytes) -> int:
    if not file.startswith(STARTS):
        return 0
    try:
        with Image.open(io.BytesIO(file), formats=FORMATS) as picture:
            return int(np.prod(picture.size, dtype=np.int64))
    except Image.DecompressionBombError:
        return 2**40
    except Exception:
        # Damaged in any of the ways that Pillow's readers trip over.
        return 0
