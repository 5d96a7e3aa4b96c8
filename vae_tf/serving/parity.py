"""Proof that an export scores as the run does: loaded in a fresh process without our code and without Keras."""

import dataclasses
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae_tf.sentence import SentenceVAE
from vae_tf.serving import pictures, text

# float32 sums in another order; a real mistake (scaling, another layer's weights) is orders larger.
TOLERANCE = 1e-4

# Run by `python -I`, so that neither the working directory nor PYTHONPATH can lend it our modules; an entry
# of None makes an import fail (TensorFlow imports Keras by itself where it can).
LOADER = """
import sys
sys.modules.update(keras=None, tf_keras=None, vae_tf=None)
import numpy as np
import tensorflow as tf
folder, inputs, outputs = sys.argv[1:]
signatures = tf.saved_model.load(folder).signatures
given = np.load(inputs)
questions, answers = {}, {}
for key in given.files:
    name, argument = key.split("/")
    questions.setdefault(name, {})[argument] = tf.constant(given[key])
for name, arguments in questions.items():
    for output, value in signatures[name](**arguments).items():
        answers[name + "/" + output] = value.numpy()
np.savez(outputs, **answers)
"""


@dataclasses.dataclass(frozen=True)
class Parity:
    """Largest absolute difference of one output of one signature, and the largest value it could have had."""

    signature: str
    output: str
    largest_difference: float
    mean_difference: float
    tolerance: float

    @property
    def holds(self) -> bool:
        return self.largest_difference <= self.tolerance


class ParityError(Exception):
    """The export could not be loaded, or does not give the run's outputs."""


def check(model: Any, folder: Path, examples: NDArray[Any]) -> list[Parity]:
    """Compares every signature's outputs on pictures [N, H, W, C], or tokens [N, T], with the model's own.

    Raises:
        ParityError: The export cannot be loaded without our code, or differs by more than the tolerance.
    """
    given, wanted = (text if isinstance(model, SentenceVAE) else pictures).questions(model, examples)
    answers = answers_of(folder, given)
    results = [compare(key, wanted[key], answers[key]) for key in wanted]
    wrong = [result for result in results if not result.holds]
    if wrong:
        raise ParityError(
            f"The export differs from the run: {wrong[0].signature}/{wrong[0].output} "
            f"by {wrong[0].largest_difference:.2g} (tolerance {wrong[0].tolerance:.2g})."
        )
    return results


def compare(key: str, wanted: NDArray[np.float32], answer: NDArray[np.float32]) -> Parity:
    signature, output = key.split("/")
    difference = np.abs(wanted.astype(np.float64) - answer)
    # Latents may be large; pictures lie in [0, 1].
    tolerance = TOLERANCE * max(1.0, float(np.abs(wanted).max()))
    return Parity(signature, output, float(difference.max()), float(difference.mean()), tolerance)


def answers_of(folder: Path, given: dict[str, Any]) -> dict[str, NDArray[Any]]:
    """What the SavedModel in `folder` answers in a fresh process: {"signature/output": array}."""
    with tempfile.TemporaryDirectory() as temporary:
        inputs, outputs = Path(temporary, "inputs.npz"), Path(temporary, "outputs.npz")
        np.savez(inputs, **given)
        command = [sys.executable, "-I", "-c", LOADER, str(folder.resolve()), str(inputs), str(outputs)]
        process = subprocess.run(command, capture_output=True, text=True, check=False)
        if process.returncode:
            last = process.stderr.strip().splitlines()[-1:] or ["no message"]
            raise ParityError(f"The export cannot be loaded in a fresh process: {last[0]}")
        with np.load(outputs) as file:
            return {name: file[name] for name in file.files}
