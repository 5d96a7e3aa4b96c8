"""TensorProto ↔ array, without a Python loop over elements."""

import dataclasses
import math
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from vae_tf.serving.server.status import invalid

MAX_RANK = 32
MAX_BYTES = 2**30  # a few bytes may ask for a huge tensor: its last value is repeated

VALUES = {
    np.dtype(np.float32): "float_val",
    np.dtype(np.float64): "double_val",
    np.dtype(np.int32): "int_val",
    np.dtype(np.int16): "int_val",
    np.dtype(np.int8): "int_val",
    np.dtype(np.uint16): "int_val",
    np.dtype(np.uint8): "int_val",
    np.dtype(np.int64): "int64_val",
    np.dtype(np.uint32): "uint32_val",
    np.dtype(np.uint64): "uint64_val",
    np.dtype(np.bool_): "bool_val",
}
# Packed floats of a message are the array's bytes, behind a tag (field number, length-delimited) and a length.
PACKED = {np.dtype(np.float32): b"\x2a", np.dtype(np.float64): b"\x32"}


@dataclasses.dataclass(frozen=True)
class Layout:
    """What a TensorProto claims to hold."""

    kind: tf.DType
    dtype: np.dtype[Any]
    shape: tuple[int, ...]


def layout_of(proto: Any) -> Layout:
    """Raises: ServingError: There is no such dtype, or the shape is none of an array."""
    try:
        kind = tf.as_dtype(proto.dtype)
        dtype = np.dtype(kind.as_numpy_dtype)
    except (TypeError, KeyError):
        raise invalid(f"Unknown dtype: {proto.dtype}") from None
    shape = tuple(dimension.size for dimension in proto.tensor_shape.dim)
    if proto.tensor_shape.unknown_rank or any(size < 0 for size in shape):
        raise invalid("The shape of a tensor in a request must be fully known.")
    if len(shape) > MAX_RANK or max(shape, default=0) > MAX_BYTES:
        raise invalid(
            f"A tensor of shape {list(shape)} has more than {MAX_RANK} axes, or is larger than any may be."
        )
    if dtype.hasobject and kind != tf.string:
        raise invalid(f"Tensors of {kind.name} are not supported.")
    return Layout(kind, dtype, shape)


def decode(proto: Any, max_bytes: int = MAX_BYTES) -> NDArray[Any]:
    """The array of a TensorProto; strings are an array of `bytes` objects.

    Raises:
        ServingError: The message contradicts itself, or asks for more than `max_bytes`.
    """
    layout = layout_of(proto)
    kind, dtype, shape = layout.kind, layout.dtype, layout.shape
    count = math.prod(shape)
    if count * dtype.itemsize > max_bytes:
        raise invalid(f"A tensor of shape {list(shape)} is larger than {max_bytes:,} bytes.")
    if proto.tensor_content and kind != tf.string:
        if len(proto.tensor_content) != count * dtype.itemsize:
            raise invalid(
                f"tensor_content holds {len(proto.tensor_content)} bytes, but shape {list(shape)} of "
                f"{kind.name} needs {count * dtype.itemsize}."
            )
        return np.frombuffer(proto.tensor_content, dtype).reshape(shape)
    return filled(values_of(proto, kind, dtype), count).reshape(shape)


def values_of(proto: Any, dtype: tf.DType, numpy_dtype: np.dtype[Any]) -> NDArray[Any]:
    if dtype == tf.string:
        values = np.empty(len(proto.string_val), object)
        values[:] = list(proto.string_val)
        return values
    if dtype in (tf.float16, tf.bfloat16):
        return np.array(proto.half_val, np.uint16).view(numpy_dtype)
    if numpy_dtype not in VALUES:
        raise invalid(f"Tensors of {dtype.name} are not supported.")
    values = np.array(getattr(proto, VALUES[numpy_dtype]))
    if numpy_dtype.kind in "iu" and values.size:
        bounds = np.iinfo(numpy_dtype)
        if values.min() < bounds.min or values.max() > bounds.max:
            raise invalid(f"Integers beyond the range of {dtype.name} ({bounds.min} to {bounds.max}).")
    return values.astype(numpy_dtype)


def filled(values: NDArray[Any], count: int) -> NDArray[Any]:
    """The last value stands for all that are left out."""
    if len(values) == count:
        return values
    if len(values) > count:
        raise invalid(f"{len(values)} values for a tensor of {count} elements.")
    last = values[-1] if len(values) else (b"" if values.dtype == object else 0)
    result = np.full(count, last, values.dtype)
    result[: len(values)] = values
    return result


def encode(array: NDArray[Any], proto: Any) -> None:
    """Fills `proto` as TF Serving does: typed values, not `tensor_content`, so that `float_val` can be read."""
    dtype = tf.string if array.dtype == object else tf.as_dtype(array.dtype)
    proto.dtype = dtype.as_datatype_enum
    for size in array.shape:
        proto.tensor_shape.dim.add().size = size
    if dtype == tf.string:
        proto.string_val.extend(array.reshape(-1).tolist())
    elif array.dtype in PACKED:
        proto.MergeFromString(
            PACKED[array.dtype] + varint(array.nbytes) + array.astype(array.dtype.newbyteorder("<")).tobytes()
        )
    elif dtype in (tf.float16, tf.bfloat16):
        proto.half_val.extend(array.reshape(-1).view(np.uint16).tolist())
    elif array.dtype in VALUES:
        getattr(proto, VALUES[array.dtype]).extend(array.reshape(-1).tolist())
    else:
        raise invalid(f"Tensors of {dtype.name} are not supported.")


def varint(number: int) -> bytes:
    """A length as protocol buffers write it: 7 bits a byte, the lowest first."""
    result = bytearray()
    while number > 0x7F:
        result.append(number & 0x7F | 0x80)
        number >>= 7
    result.append(number)
    return bytes(result)
