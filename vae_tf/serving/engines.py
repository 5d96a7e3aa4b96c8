"""A model in another format than a SavedModel: converted, proven against the run by its own engine, and timed."""

import dataclasses
import json
import re
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae_tf.serving import ask_engine, parity
from vae_tf.serving.parity import Parity, ParityError
from vae_tf.serving.signatures import Signature, to_text

Arrays = dict[str, NDArray[Any]]
LONGEST_REASON = 200


@dataclasses.dataclass(frozen=True)
class Tolerance:
    """What weights may change.

    Args:
        largest, mean: Differences of any output from the run's, by the output's scale.
        error: How much worse pictures may be rebuilt: the relative rise of their mean squared error.
    """

    largest: float
    mean: float
    error: float


# float16 keeps 3 digits. int8 keeps 256 levels of weights and of activations: single pixels and latents move, and what
# a user would see is held by the mean and by the error.
TOLERANCES = {
    "float32": Tolerance(parity.TOLERANCE, parity.TOLERANCE, 1e-4),
    "float16": Tolerance(1e-2, 1e-3, 0.01),
    "int8": Tolerance(0.25, 0.03, 0.05),
}


class ConversionError(Exception):
    """The converter refuses the model, said in a line."""


@dataclasses.dataclass(frozen=True)
class Proof:
    """How far a converted model lies from the run's own.

    Attributes:
        differences: Of every output.
        errors: (the run's, the converted model's) mean squared error of reconstructions of the pictures it was asked
            about; None of sentences.
    """

    differences: list[Parity]
    errors: tuple[float, float] | None

    @property
    def largest(self) -> float:
        """The largest difference by its scale."""
        return parity.largest_relative(self.differences)

    @property
    def mean(self) -> float:
        """The largest of the outputs' mean differences by their scale."""
        return max(
            one.mean_difference / one.scale for one in self.differences if one.output not in parity.STEPWISE
        )

    @property
    def rise(self) -> float:
        """The relative rise of the reconstructions' error."""
        return 0.0 if self.errors is None else self.errors[1] / self.errors[0] - 1.0


def named(form: str, signatures: dict[str, Signature]) -> dict[str, Signature]:
    """Signatures with the names of outputs that a format can have."""
    if form != "onnx":
        return signatures
    from vae_tf.serving import onnx

    return {name: onnx.named(signature) for name, signature in signatures.items()}


def convert(
    form: str, saved_model: Path, signatures: dict[str, Signature], weights: str, given: Arrays, folder: Path
) -> dict[str, str]:
    """Writes a SavedModel's signatures in another format, with signatures.json beside them.

    Args:
        form: "onnx" or "litert".
        saved_model: A version folder.
        signatures: Those to take, as `named` gives them.
        weights: "float32", "float16" or "int8".
        given: {"signature/input": array}: examples, by which int8 chooses its ranges.
        folder: Where to; it exists.

    Returns:
        {name: reason} of the signatures that were left out.

    Raises:
        ConversionError: The converter refuses.
    """
    if form == "onnx":
        from vae_tf.serving.onnx import write
    else:
        from vae_tf.serving.litert import write
    examples = {
        name: {key: given[f"{name}/{key}"] for key in signature.inputs}
        for name, signature in signatures.items()
        if weights == "int8"
    }
    try:
        left_out = write(saved_model, signatures, weights, examples, folder)
    except (
        Exception
    ) as error:  # Converters raise what their insides do: ValueError, ConverterError, KeyError …
        raise ConversionError(in_a_line(str(error) or type(error).__name__)) from error
    kept = {name: signature for name, signature in signatures.items() if name not in left_out}
    (folder / "signatures.json").write_text(to_text(kept), encoding="utf-8")
    return left_out


def in_a_line(message: str) -> str:
    """What a converter complains of: the operations that it lacks, where it names them, else its first words."""
    if found := re.search(r"TF Select ops: (.*)", message):
        return f"it has no operation for {found[1].strip()}"
    if found := re.search(r"error: ('tf\.\w+' op [^:\n]*)", message):
        return found[1]
    line = " ".join(message.split()).rstrip(".")
    return line if len(line) <= LONGEST_REASON else line[:LONGEST_REASON] + "…"


def prove(
    form: str, weights: str, signatures: dict[str, Signature], folder: Path, given: Arrays, wanted: Arrays
) -> Proof:
    """Asks the converted model by its own engine, in a fresh process without TensorFlow, Keras or our code.

    Args:
        form, weights, signatures, folder: As for `convert`.
        given: {"signature/input": array}.
        wanted: {"signature/output": array}, the run's own answers, by the names of `signatures`.

    Raises:
        ParityError: It cannot be loaded, or differs by more than its tolerance.
    """
    tolerance = TOLERANCES[weights]
    answers = answers_of(form, folder, given)
    differences = parity.judge(signatures, answers, wanted, tolerance.largest)
    errors = None
    if "reconstruct/pictures" in given:
        pictures = given["reconstruct/pictures"]
        output = next(iter(signatures["reconstruct"].outputs))
        rebuilt = (wanted[f"reconstruct/{output}"], answers[f"reconstruct/{output}"])
        errors = (squared_error(rebuilt[0], pictures), squared_error(rebuilt[1], pictures))
    proof = Proof(differences, errors)
    if proof.mean > tolerance.mean:
        raise ParityError(
            f"The export differs from the run by {proof.mean:.2g} of its scale on average "
            f"(tolerance {tolerance.mean:.2g})."
        )
    if not proof.rise <= tolerance.error:
        raise ParityError(
            f"The export rebuilds pictures worse than the run: squared error {proof.rise:+.1%} "
            f"(tolerance {tolerance.error:+.2%})."
        )
    return proof


def answers_of(form: str, folder: Path, given: Arrays) -> Arrays:
    """{"signature/output": array} by the format's engine; raises ParityError where it cannot be loaded."""
    with tempfile.TemporaryDirectory() as temporary:
        inputs, outputs = Path(temporary, "inputs.npz"), Path(temporary, "outputs.npz")
        arrays: Any = given
        np.savez(inputs, **arrays)
        ask("answers", form, folder, inputs, outputs)
        with np.load(outputs) as file:
            return dict(file)


def speeds_of(form: str, folder: Path, saved_model: Path, given: Arrays) -> dict[str, dict[str, float]]:
    """Examples per second on one thread: {batch size: {"format": …, "saved_model": …}}, both taking turns.

    Of `reconstruct`, since it runs the whole model.
    """
    with tempfile.TemporaryDirectory() as temporary:
        inputs = Path(temporary, "inputs.npz")
        asked: Any = {key: rows for key, rows in given.items() if key.startswith("reconstruct/")}
        np.savez(inputs, **asked)
        printed = ask("speed", form, folder, inputs, saved_model.resolve())
    found: dict[str, dict[str, float]] = json.loads(printed.splitlines()[-1])
    return found


def ask(task: str, form: str, folder: Path, inputs: Path, target: Path) -> str:
    return parity.fresh_process(
        ask_engine.__file__, task, form, str(folder.resolve()), str(inputs), str(target)
    )


def squared_error(a: NDArray[Any], b: NDArray[Any]) -> float:
    return float(np.mean(np.square(a.astype(np.float64) - b)))
