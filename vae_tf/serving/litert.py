"""One LiteRT file with all signatures, which share their weights, converted from the SavedModel by TensorFlow."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf
from numpy.typing import NDArray

from vae_tf.serving.signatures import Signature

FILE = "model.tflite"


def write(
    saved_model: Path,
    signatures: dict[str, Signature],
    weights: str,
    examples: dict[str, dict[str, NDArray[Any]]],
    folder: Path,
) -> dict[str, str]:
    """Writes model.tflite, with nothing left out.

    Args:
        saved_model: What is converted.
        signatures: {name: Signature} of it.
        weights: "float32"; "float16" with arithmetic in float32; "int8" with activations in eight bits, too, their
            ranges being those of the examples. Inputs and outputs are float32 always.
        examples: {name: {input: array}}, for "int8".
        folder: Where to; it exists.
    """
    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved_model), signature_keys=list(signatures))
    if weights != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if weights == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if weights == "int8":
        converter.representative_dataset = lambda: rows(examples)
    (folder / FILE).write_bytes(converter.convert())
    return {}


def rows(examples: dict[str, dict[str, NDArray[Any]]]) -> Iterator[tuple[str, dict[str, NDArray[Any]]]]:
    """(signature, inputs) of one example after the other, as the converter asks for them."""
    for name, inputs in examples.items():
        for i in range(len(next(iter(inputs.values())))):
            yield name, {key: array[i : i + 1] for key, array in inputs.items()}
