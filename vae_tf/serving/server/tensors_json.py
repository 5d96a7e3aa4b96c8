"""JSON ↔ tensors as TF Serving's REST API defines it: rows ("instances") or columns ("inputs").

orjson does the work; what it refuses and TF Serving allows (NaN, Infinity) goes through Python's own module.
"""

import base64
import binascii
import dataclasses
import json
import math
from collections.abc import Mapping
from itertools import chain
from typing import Any

import numpy as np
import orjson
import tensorflow as tf
from numpy.typing import NDArray

from vae_tf.serving.server.saved_model import Arrays, Spec
from vae_tf.serving.server.status import Code, ServingError, invalid

TYPE_NAMES = {type(None): "Null", dict: "Object", list: "Array", str: "String", int: "Number", float: "Number"}
MAX_RANK = 32
QUOTED = 80  # characters of a value that an error shows


@dataclasses.dataclass(frozen=True)
class PredictBody:
    """A parsed body: the signature that it names ("" for the default), whether it is in rows, and its values."""

    signature_name: str
    is_rows: bool
    values: Any


def parse_body(body: bytes) -> dict[str, Any]:
    """Raises: ServingError: It is no JSON object."""
    if not body:
        raise invalid("JSON Parse error: The document is empty")
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = parse_with_infinities(body)
    if not isinstance(document, dict):
        raise invalid(f"JSON Value: {quoted(document)} Is not object")
    return document


def parse_with_infinities(body: bytes) -> Any:
    try:
        return json.loads(body)
    except json.JSONDecodeError as error:
        raise invalid(f"JSON Parse error: Invalid value. {error.msg} at offset: {error.pos}") from None
    except (UnicodeDecodeError, RecursionError, ValueError) as error:
        raise invalid(f"JSON Parse error: Invalid value. {type(error).__name__}") from None


def signature_name_of(document: Mapping[str, Any]) -> str:
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid(
            f"JSON Value: {quoted(document)} not formatted correctly. 'signature_name' key must be a string value."
        )
    return name


def parse_predict(body: bytes) -> PredictBody:
    """Raises: ServingError: No JSON object, or not exactly one of "instances" and "inputs"."""
    document = parse_body(body)
    name = signature_name_of(document)
    if "instances" in document and "inputs" in document:
        raise invalid(
            f"JSON Value: {quoted(document)} Not formatted correctly expecting only one of 'inputs' or 'instances' "
            "keys to exist "
        )
    if "inputs" in document:
        return PredictBody(name, False, document["inputs"])
    if "instances" not in document:
        raise invalid("Missing 'inputs' or 'instances' key")
    rows = document["instances"]
    if not isinstance(rows, list):
        raise invalid(f"JSON Value: {quoted(document)} Excepting 'instances' to be an list/array")
    if not rows:
        raise invalid(f"JSON Value: {quoted(document)} No values in 'instances' array")
    return PredictBody(name, True, rows)


def arrays_of(body: PredictBody, inputs: Mapping[str, Spec]) -> Arrays:
    """The signature's input arrays.

    Raises:
        ServingError: A name, a type or a shape does not fit.
    """
    return arrays_of_rows(body.values, inputs) if body.is_rows else arrays_of_columns(body.values, inputs)


def arrays_of_columns(values: Any, inputs: Mapping[str, Spec]) -> Arrays:
    if not isinstance(values, dict) or is_base64(values):
        if len(inputs) > 1:
            raise invalid(
                "inputs is a plain value/list, but expecting an object as multiple input tensors required as per "
                "tensorinfo_map"
            )
        return {name: tensor(values, spec) for name, spec in inputs.items()}
    missing = [name for name in inputs if name not in values]
    if missing:
        raise invalid(f"Missing named input: {missing[0]} in 'inputs' object.")
    return {name: tensor(values[name], spec) for name, spec in inputs.items()}


def arrays_of_rows(rows: list[Any], inputs: Mapping[str, Spec]) -> Arrays:
    are_objects = is_object(rows[0])
    if not are_objects and len(inputs) > 1:
        raise invalid(
            "instances is a plain list, but expecting list of objects as multiple input tensors required as per "
            "tensorinfo_map"
        )
    for position, row in enumerate(rows):
        if is_object(row) != are_objects:
            expected = "object but got list" if are_objects else "value/list but got object"
            raise invalid(f"Expecting {expected} at item {position} of input list")
        if are_objects and row.keys() != inputs.keys():
            raise invalid(
                f"Failed to process element: {position} of 'instances' list. JSON object: {quoted(row)} "
                f"keys must be equal to: {','.join(inputs)}"
            )
    if not are_objects:
        return {name: tensor_of_rows(rows, spec) for name, spec in inputs.items()}
    return {name: tensor_of_rows([row[name] for row in rows], spec, name) for name, spec in inputs.items()}


def tensor_of_rows(rows: list[Any], spec: Spec, name: str = "") -> NDArray[Any]:
    try:
        return tensor(rows, spec)
    except ServingError as error:
        raise explained(rows, spec, name) or error from None


def explained(rows: list[Any], spec: Spec, name: str) -> ServingError | None:
    """Which row is to blame."""
    first = None
    for position, row in enumerate(rows):
        try:
            shape = tensor(row, spec).shape
            if first is not None and shape != first:
                raise invalid(f"Expecting shape {shape_text(first)} but got: {shape_text(shape)}")
            first = shape
        except ServingError as error:
            key = f" key: {name}" if name else ""
            return ServingError(
                error.code,
                f"Failed to process element: {position}{key} of 'instances' list. "
                f"Error: {error.code.name}: {error.message}",
            )
    return None


def tensor(value: Any, spec: Spec) -> NDArray[Any]:
    """One dense tensor of nested lists, or of a scalar."""
    leaves, shape = flattened(value)
    return converted(leaves, spec.dtype).reshape(shape)


def flattened(value: Any) -> tuple[list[Any], tuple[int, ...]]:
    """All leaves, and the shape; level by level, so that no Python loop goes over the elements."""
    level, shape = [value], []
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
        return floats(leaves, np.dtype(dtype.as_numpy_dtype))
    if dtype.is_integer and not dtype.is_quantized:
        refuse_other_types(leaves, types, {int}, dtype)
        return integers(leaves, dtype)
    raise ServingError(Code.UNIMPLEMENTED, f"Conversion of JSON Value to type: {name_of(dtype)}")


def refuse_other_types(leaves: list[Any], types: set[type], wanted: set[type], dtype: tf.DType) -> None:
    if types - wanted:
        raise type_error(next(leaf for leaf in leaves if type(leaf) not in wanted), dtype)


def floats(leaves: list[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Whole numbers must be representable; decimals are rounded, but not to infinity."""
    largest_whole = 2.0 ** (np.finfo(dtype).nmant + 1) - 1
    try:
        values = np.array(leaves, np.float64)
    except OverflowError:
        values = np.array([math.inf if isinstance(leaf, int) else leaf for leaf in leaves])
    for position in np.flatnonzero(np.abs(values) > largest_whole):
        leaf = leaves[position]
        too_large = isinstance(leaf, int) or float(np.finfo(dtype).max) < abs(leaf) < math.inf
        if too_large:
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


def quoted(value: Any) -> str:
    """A value as an error shows it: as JSON, cut short without first writing all of it."""
    if isinstance(value, dict | list):
        items = list(value.items() if isinstance(value, dict) else value)[:3]
        inner = ", ".join(f'"{item[0]}": {quoted(item[1])}' if isinstance(value, dict) else quoted(item) for item in items)
        inner += ", …" if len(value) > 3 else ""
        text = f"{{{inner}}}" if isinstance(value, dict) else f"[{inner}]"
    else:
        text = json.dumps(value[:QUOTED] if isinstance(value, str) else value)
    return text if len(text) <= QUOTED else text[:QUOTED] + "…"


def answer(outputs: Mapping[str, NDArray[Any]], is_rows: bool) -> bytes:
    """The body that answers: "predictions" for rows, "outputs" for columns.

    Raises:
        ServingError: Rows were asked for, and the outputs have none.
    """
    # orjson would write NaN as null.
    is_finite = all(np.isfinite(array).all() for array in outputs.values() if array.dtype.kind == "f")
    columns = {name: jsonable(name, outputs[name], is_finite) for name in sorted(outputs)}
    if is_rows:
        check_rows({name: outputs[name].shape for name in columns})
        rows: Any = next(iter(columns.values()))
        if len(columns) > 1:
            rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        document = {"predictions": rows}
    else:
        document = {"outputs": columns if len(columns) > 1 else next(iter(columns.values()))}
    if is_finite:
        return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
    return json.dumps(document).encode()


def check_rows(shapes: Mapping[str, tuple[int, ...]]) -> None:
    size = None
    for name, shape in shapes.items():
        if not shape:
            raise invalid(f"Tensor name: {name} has no shape information ")
        if size not in (None, shape[0]):
            raise invalid(f"Tensor name: {name} has inconsistent batch size: {shape[0]} expecting: {size}")
        size = shape[0]


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
