"""Bodies of TF Serving's REST API: rows ("instances") or columns ("inputs") in, "predictions" or "outputs" out.

orjson does the work; what it refuses and TF Serving allows (NaN, Infinity) goes through Python's own module.
"""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from vae_tf.serving.server.saved_model import Arrays, Spec
from vae_tf.serving.server.status import ServingError, invalid
from vae_tf.serving.server.tensors_json import is_base64, is_object, jsonable, quoted, shape_text, tensor


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
