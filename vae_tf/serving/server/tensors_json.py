"""JSON values ↔ tensors, by the type mapping of TF Serving's REST API."""

import base64
import binascii
import json
import math
from itertools import chain
from typing import Any

import numpy as np
import tensorflow as tf
from grpc import StatusCode as Code
from numpy.typing import NDArray

from vae_tf.serving.server.saved_model import Spec
from vae_tf.serving.server.status import ServingError, invalid

TYPE_NAMES = {
    type(None): "Null",
    dict: "Object",
    list: "Array",
    str: "String",
    int: "Number",
    float: "Number",
}
MAX_RANK = 32
QUOTED_DEPTH = 4
QUOTED = 80  # characters of a value that an error shows


def tensor(value: Any, spec: Spec) -> NDArray[Any]:
    """One dense tensor of nested lists, or of a scalar."""
    leaves, shape = flattened(value)
    return converted(leaves, spec.dtype).reshape(shape)


def flattened(value: Any) -> tuple[list[Any], tuple[int, ...]]:
    """All leaves, and the shape; level by level, so that no Python loop goes over the elements."""
    level, shape = [value], list[int]()
    while level and isinstance(level[0], list):
        if set(map(type, level)) != {list}:
            odd = next(item for item in level if not isinstance(item, list))
            raise invalid(
                f"JSON Value: {quoted(odd)} found at incorrect level: {len(shape) + 1} in the JSON DOM. "
                f"Expected at level: {len(shape) + 2}"
            )
        size = len(level[0])
        if set(map(len, level)) != {size}:
            odd_size = next(len(item) for item in level if len(item) != size)
            raise invalid(
                f"Encountered list at unexpected size: {odd_size} at level: {len(shape)} expected size: {size}"
            )
        shape.append(size)
        if len(shape) > MAX_RANK:
            raise invalid(f"Lists are nested deeper than {MAX_RANK} levels.")
        level = list(chain.from_iterable(level))
    if list in set(map(type, level)):
        raise invalid(f"Encountered list at unexpected level: {len(shape)} expected < {len(shape)}")
    return level, tuple(shape)


def converted(leaves: list[Any], dtype: tf.DType) -> NDArray[Any]:
    types = set(map(type, leaves))
    if dtype == tf.string:
        refuse_other_types(leaves, types, {str, dict}, dtype)
        result = np.empty(len(leaves), object)
        result[:] = [bytes_of(leaf) for leaf in leaves]
        return result
    if dtype == tf.bool:
        refuse_other_types(leaves, types, {bool}, dtype)
        return np.array(leaves, np.bool_)
    if dtype.is_floating and dtype != tf.bfloat16:
        refuse_other_types(leaves, types, {int, float}, dtype)
        return floats(leaves, types, np.dtype(dtype.as_numpy_dtype))
    if dtype.is_integer and not dtype.is_quantized:
        refuse_other_types(leaves, types, {int}, dtype)
        return integers(leaves, dtype)
    raise ServingError(Code.UNIMPLEMENTED, f"Conversion of JSON Value to type: {name_of(dtype)}")


def refuse_other_types(leaves: list[Any], types: set[type], wanted: set[type], dtype: tf.DType) -> None:
    if types - wanted:
        raise type_error(next(leaf for leaf in leaves if type(leaf) not in wanted), dtype)


def floats(leaves: list[Any], types: set[type], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Whole numbers must be representable; decimals are rounded, but not to infinity."""
    largest_whole = 2.0 ** (np.finfo(dtype).nmant + 1) - 1
    try:
        values = np.array(leaves, np.float64)
    except OverflowError:
        values = np.array([math.inf if isinstance(leaf, int) else leaf for leaf in leaves])
    sizes = np.abs(values)
    too_large = (sizes > float(np.finfo(dtype).max)) & (sizes < math.inf)
    if int in types:
        beyond = np.flatnonzero(sizes > largest_whole)
        too_large[beyond] |= np.fromiter((type(leaves[place]) is int for place in beyond.tolist()), bool)
    if too_large.any():
        leaf = leaves[int(np.argmax(too_large))]
        kind = {4: "float", 8: "double"}.get(dtype.itemsize, dtype.name)
        raise invalid(f"Cannot convert JSON value: {quoted(leaf)} to {kind} without loss of precision.")
    return values.astype(dtype)


def integers(leaves: list[Any], dtype: tf.DType) -> NDArray[Any]:
    try:
        return np.array(leaves, dtype.as_numpy_dtype)
    except OverflowError:
        low, high = dtype.min, dtype.max
        raise type_error(next(leaf for leaf in leaves if not low <= leaf <= high), dtype) from None


def bytes_of(leaf: str | dict[str, Any]) -> bytes:
    try:
        if isinstance(leaf, str):
            return leaf.encode()
        if not is_base64(leaf):
            raise invalid(f"JSON Value: {quoted(leaf)} not formatted correctly for base64 data")
        text = "".join(leaf["b64"].split()).rstrip("=")
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise invalid("Unable to base64 decode") from None


def is_base64(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get("b64"), str)


def is_object(value: Any) -> bool:
    return isinstance(value, dict) and not is_base64(value)


def type_error(value: Any, dtype: tf.DType) -> ServingError:
    kind = str(value) if isinstance(value, bool) else TYPE_NAMES[type(value)]
    return invalid(f"JSON Value: {quoted(value)} Type: {kind} is not of expected type: {name_of(dtype)}")


def name_of(dtype: tf.DType) -> str:
    return {tf.float32: "float", tf.float64: "double", tf.float16: "half"}.get(dtype, str(dtype.name))


def shape_text(shape: tuple[int, ...]) -> str:
    return f"[{','.join(map(str, shape))}]"


def quoted(value: Any, depth: int = QUOTED_DEPTH) -> str:
    """A value as an error shows it: as JSON, cut short without first writing all of it."""
    if isinstance(value, dict | list):
        if not depth:
            return "…"
        items = list(value.items() if isinstance(value, dict) else value)[:3]
        inner = ", ".join(
            f'"{item[0][:QUOTED]}": {quoted(item[1], depth - 1)}'
            if isinstance(value, dict)
            else quoted(item, depth - 1)
            for item in items
        )
        inner += ", …" if len(value) > 3 else ""
        text = f"{{{inner}}}" if isinstance(value, dict) else f"[{inner}]"
    else:
        text = json.dumps(value[:QUOTED] if isinstance(value, str) else value)
    return text if len(text) <= QUOTED else text[:QUOTED] + "…"


def jsonable(name: str, array: NDArray[Any], for_orjson: bool) -> Any:
    """Nested lists, or an array that orjson writes by itself."""
    if array.dtype == object:
        result = np.empty(array.size, object)
        result[:] = [text_of(value, name.endswith("_bytes")) for value in array.reshape(-1).tolist()]
        return result.reshape(array.shape).tolist()
    if array.dtype.kind not in "fbiu":
        raise invalid(f"Failed to write JSON value for tensor type: {array.dtype.name}")
    if for_orjson:
        return np.ascontiguousarray(array) if array.shape else array[()]
    if array.dtype.kind == "f":
        # By way of their shortest decimals: 0.2 in float32 is not to be written as 0.20000000298.
        return array.astype(str).astype(np.float64).tolist()
    return array.tolist()


def text_of(value: bytes, is_binary: bool) -> Any:
    return {"b64": base64.b64encode(value).decode()} if is_binary else value.decode(errors="replace")
