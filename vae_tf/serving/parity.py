"""Proof that an export scores as the run does: loaded in a fresh process without our code and without Keras."""

import dataclasses
import io
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae_tf.serving.signatures import Fact, Signature

# float32 sums in another order; a real mistake (scaling, another layer's weights) is orders larger.
TOLERANCE = 1e-5
# Outputs that move in steps, each with a tolerance of its own.
STEPWISE = ("png_bytes", "p_value")

# Run by `python -I`, so that neither the working directory nor PYTHONPATH can lend it our modules; an entry
# of None makes an import fail (TensorFlow imports Keras by itself where it can).
LOADER = """
import sys
sys.modules.update(keras=None, tf_keras=None, vae_tf=None)
import numpy as np
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto
folder, inputs, outputs = sys.argv[1:]
signatures = tf.saved_model.load(folder).signatures
given = np.load(inputs)
questions, answers = {}, {}
for key in given.files:
    name, argument = key.split("/")
    proto = TensorProto.FromString(given[key].tobytes())
    questions.setdefault(name, {})[argument] = tf.constant(tf.make_ndarray(proto))
for name, arguments in questions.items():
    for output, value in signatures[name](**arguments).items():
        proto = tf.make_tensor_proto(value.numpy()).SerializeToString()
        answers[name + "/" + output] = np.frombuffer(proto, np.uint8)
np.savez(outputs, **answers)
"""


@dataclasses.dataclass(frozen=True)
class Parity:
    """How far one output of one signature lies from the run's own, and how far it may.

    Attributes:
        scale: The largest value, at least 1: what differences of floats are measured by, as float32 has 7 digits.
    """

    signature: str
    output: str
    largest_difference: float
    mean_difference: float
    tolerance: float
    scale: float = 1.0

    @property
    def holds(self) -> bool:
        return self.largest_difference <= self.tolerance

    @property
    def relative(self) -> float:
        """The largest difference by the scale."""
        return self.largest_difference / self.scale


class ParityError(Exception):
    """The export could not be loaded, or does not give the run's outputs."""


def check(
    signatures: dict[str, Signature], folder: Path, given: dict[str, Any], wanted: dict[str, Any]
) -> list[Parity]:
    """Asks the SavedModel in `folder` every signature, and compares its outputs with the run's own.

    Args:
        signatures: What it answers to.
        folder: The SavedModel.
        given: {"signature/input": array}.
        wanted: {"signature/output": array}.

    Raises:
        ParityError: The export cannot be loaded without our code, or differs by more than a tolerance.
    """
    return judge(signatures, answers_of(folder, given), wanted)


def judge(
    signatures: dict[str, Signature],
    answers: dict[str, Any],
    wanted: dict[str, Any],
    relative: float = TOLERANCE,
) -> list[Parity]:
    """Compares {"signature/output": array} with the run's own; raises as `check` does.

    `relative` is the tolerance of floats by their scale.
    """
    missing = set(wanted) ^ set(answers)
    if missing:
        raise ParityError(f"Some outputs were not compared: {', '.join(sorted(missing))}.")
    results = []
    for key, value in wanted.items():
        name, output = key.split("/")
        results.append(compare(key, signatures[name].outputs[output], value, answers[key], relative))
    wrong = [result for result in results if not result.holds]
    if wrong:
        raise ParityError(
            f"The export differs from the run: {wrong[0].signature}/{wrong[0].output} "
            f"by {wrong[0].largest_difference:.2g} (tolerance {wrong[0].tolerance:.2g})."
        )
    return results


def largest_relative(results: list[Parity]) -> float:
    """The largest difference of any output by its scale, but for those that move in steps."""
    return max(result.relative for result in results if result.output not in STEPWISE)


def compare(
    key: str, fact: Fact, wanted: NDArray[Any], answer: NDArray[Any], relative: float = TOLERANCE
) -> Parity:
    """The difference of two arrays: of numbers, of pictures in files (in levels), or of texts (0 or 1)."""
    signature, output = key.split("/")
    if output == "png_bytes":
        answer = np.stack([pixels_of(file) for file in answer])
    if wanted.shape != answer.shape:
        raise ParityError(f"{key} has the shape {answer.shape} instead of {wanted.shape}.")
    scale, tolerance = 1.0, fact.tolerance or 0.0
    if wanted.dtype.kind in "OSU":
        difference = np.array(
            [as_bytes(a) != as_bytes(b) for a, b in zip(wanted, answer, strict=True)], float
        )
    else:
        difference = distance(wanted, answer)
    if wanted.dtype.kind == "f" and fact.tolerance is None:
        # Latents and nats may be large; pictures lie in [0, 1].
        scale = max(1.0, float(np.abs(wanted).max()))
        tolerance = relative * scale
    return Parity(signature, output, float(difference.max()), float(difference.mean()), tolerance, scale)


def distance(wanted: NDArray[Any], answer: NDArray[Any]) -> NDArray[np.float64]:
    """Absolute differences; equal infinities differ by nothing, and what is no number by infinity."""
    a, b = wanted.astype(np.float64), answer.astype(np.float64)
    with np.errstate(invalid="ignore"):
        difference = np.where(a == b, 0.0, np.abs(a - b))
    return np.nan_to_num(difference, nan=np.inf, posinf=np.inf)


def pixels_of(file: bytes) -> NDArray[np.uint8]:
    """The pixels [H, W, C] of an encoded picture, by a decoder that is not TensorFlow's."""
    from PIL import Image

    pixels = np.asarray(Image.open(io.BytesIO(file)))
    return pixels[..., None] if pixels.ndim == 2 else pixels


def as_bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def answers_of(folder: Path, given: dict[str, Any]) -> dict[str, NDArray[Any]]:
    """What the SavedModel in `folder` answers in a fresh process: {"signature/output": array}.

    Raises:
        ParityError: It cannot be loaded, or refuses an input.
    """
    import tensorflow as tf
    from tensorflow.core.framework.tensor_pb2 import TensorProto

    with tempfile.TemporaryDirectory() as temporary:
        inputs, outputs = Path(temporary, "inputs.npz"), Path(temporary, "outputs.npz")
        protos = {key: tf.make_tensor_proto(value).SerializeToString() for key, value in given.items()}
        arrays: dict[str, Any] = {key: np.frombuffer(proto, np.uint8) for key, proto in protos.items()}
        np.savez(inputs, **arrays)
        fresh_process("-c", LOADER, str(folder.resolve()), str(inputs), str(outputs))
        with np.load(outputs) as file:
            return {key: tf.make_ndarray(TensorProto.FromString(file[key].tobytes())) for key in file.files}


def fresh_process(*arguments: str) -> str:
    """What Python prints when it is started with these arguments, in a place where our modules cannot be found.

    Raises:
        ParityError: It ended with an error.
    """
    command = [sys.executable, "-I", *arguments]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    if process.returncode:
        last = process.stderr.strip().splitlines()[-1:] or ["no message"]
        raise ParityError(f"The export cannot be loaded in a fresh process: {last[0]}")
    return process.stdout
