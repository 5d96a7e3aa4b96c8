"""One ONNX file per signature, made of the SavedModel by tf2onnx, with smaller weights by onnxruntime's tools."""

import dataclasses
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from vae_tf.serving.formats import NETWORKS
from vae_tf.serving.signatures import Signature

# Read by onnxruntime 1.14 (2023) and later.
OPSET = 18
# What int8 is for: sums over weights. The rest costs little and would lose much.
QUANTISED = ["Conv", "ConvTranspose", "MatMul", "Gemm"]
ROWS_AT_ONCE = 8


def named(signature: Signature) -> Signature:
    """The signature as ONNX can have it: no value has two names, so an output that is called as an input is renamed."""
    outputs = {
        f"output_{name}" if name in signature.inputs else name: fact
        for name, fact in signature.outputs.items()
    }
    return dataclasses.replace(signature, outputs=outputs)


def write(
    saved_model: Path,
    signatures: dict[str, Signature],
    weights: str,
    examples: dict[str, dict[str, NDArray[Any]]],
    folder: Path,
) -> dict[str, str]:
    """Writes NAME.onnx for every signature that ONNX has the operations for.

    Args:
        saved_model: What is converted.
        signatures: {name: Signature} of it, as `named` gives them.
        weights: "float32"; "float16" with arithmetic in float16; "int8" with the activations of weighted sums in
            eight bits, too, their ranges being those of the examples.
        examples: {name: {input: array}}, for "int8".
        folder: Where to; it exists.

    Returns:
        {name: reason} of those left out.

    Raises:
        ValueError: One of the networks cannot be converted, without which the rest is of no use.
    """
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    # Its variables live as long as it does.
    loaded = tf.saved_model.load(str(saved_model))
    left_out: dict[str, str] = {}
    for name, signature in signatures.items():
        model = converted(loaded.signatures[name], signature)
        if unknown := unknown_operations(model.graph):
            reason = f"it has no operation for {', '.join(sorted(unknown))}"
            if name in NETWORKS:
                raise ValueError(reason)
            left_out[name] = reason
            continue
        path = folder / f"{name}.onnx"
        if weights == "float16":
            model = convert_float_to_float16(model, keep_io_types=True)
        onnx.save(model, path)
        if weights == "int8":
            quantise(path, examples[name])
    return left_out


def converted(function: Any, signature: Signature) -> Any:
    """One signature of a SavedModel as an ONNX model."""
    from tf2onnx.convert import from_function

    def call(*values: Any) -> dict[str, Any]:
        answers = function(**dict(zip(signature.inputs, values, strict=True)))
        return {
            name: tf.identity(answers[name if name in answers else name.removeprefix("output_")], name=name)
            for name in signature.outputs
        }

    # tf2onnx advises on every constant that it folds, by print and by log.
    traced = tf.function(call, input_signature=signature.specs, autograph=False)
    return from_function(traced, input_signature=signature.specs, opset=OPSET)[0]


def unknown_operations(graph: Any) -> set[str]:
    """What tf2onnx could not translate, and left as TensorFlow calls it; loops have graphs within."""
    import onnx

    found = {node.op_type for node in graph.node if not onnx.defs.has(node.op_type, domain=node.domain)}
    inner = [attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g")]
    return found.union(*(unknown_operations(one) for one in inner))


def quantise(path: Path, examples: dict[str, NDArray[Any]]) -> None:
    """Replaces a float32 file by one in int8: a scale per filter, activations from the ranges that examples give."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Examples(CalibrationDataReader):
        def __init__(self) -> None:
            self.batches = batches(examples)

        def get_next(self) -> Any:
            return next(self.batches, None)

    with tempfile.TemporaryDirectory() as temporary:
        prepared = Path(temporary, path.name)
        # The symbolic shapes need sympy, and tf2onnx has inferred shapes already.
        quant_pre_process(str(path), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(path),
            Examples(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=QUANTISED,
            per_channel=True,
            weight_type=QuantType.QInt8,
            # Of the pairs, this is the one that CPUs without VNNI compute fast.
            activation_type=QuantType.QUInt8,
        )


def batches(examples: dict[str, NDArray[Any]]) -> Iterator[dict[str, NDArray[Any]]]:
    count = len(next(iter(examples.values())))
    for start in range(0, count, ROWS_AT_ONCE):
        yield {name: np.asarray(rows[start : start + ROWS_AT_ONCE]) for name, rows in examples.items()}
