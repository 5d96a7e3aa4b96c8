"""The formats beside the SavedModel: which there are, what each can hold, and what must be installed for it."""

import dataclasses
import importlib.util

from vae_tf.errors import UserError

WEIGHTS = ("float32", "float16", "int8")
REQUIREMENTS = "requirements-formats.txt"


@dataclasses.dataclass(frozen=True)
class Format:
    """One file format of models.

    Args:
        title: What it is called in sentences.
        engine: Who runs it, here and in the proof.
        packages: What must be importable to write it and to prove it.
        pictures: The signatures that a model of pictures has in it.
        sentences: Those that a model of sentences has; none where it cannot be held.
    """

    title: str
    engine: str
    packages: tuple[str, ...]
    pictures: tuple[str, ...]
    sentences: tuple[str, ...] = ()


NETWORKS = ("encode", "decode", "reconstruct")
FORMATS = {
    "onnx": Format(
        "ONNX",
        "onnxruntime",
        ("onnx", "onnxruntime", "tf2onnx"),
        (*NETWORKS, "score"),
        (*NETWORKS, "score", "log_likelihood"),
    ),
    # LiteRT subtracts no float64, in which `score` sums errors; and its lists, which hold a sentence's words, have no
    # side that varies, as the batch does.
    "litert": Format("LiteRT", "ai-edge-litert", ("ai_edge_litert",), NETWORKS),
}


def check(name: str, weights: str) -> Format:
    """The format, if everything is installed that it needs.

    Raises:
        UserError: A format or weights that do not exist, or packages that are missing.
    """
    if name not in FORMATS:
        raise UserError(
            f"--format {name}: no such format.", f"Choose one of saved-model, {', '.join(FORMATS)}."
        )
    if weights not in WEIGHTS:
        raise UserError(f"--weights {weights}: no such weights.", f"Choose one of {', '.join(WEIGHTS)}.")
    chosen = FORMATS[name]
    missing = [package for package in chosen.packages if importlib.util.find_spec(package) is None]
    if missing:
        raise UserError(
            f"--format {name} needs {', '.join(missing)}, not installed here.",
            f"pip install -r {REQUIREMENTS}",
        )
    return chosen


def offered(name: str, weights: str, is_text: bool) -> tuple[str, ...]:
    """The signatures that a model has in a format.

    Raises:
        UserError: A model of sentences that the format cannot hold, or whose words rounded weights may change.
    """
    chosen = FORMATS[name]
    if not is_text:
        # Thresholds and bounds belong to the weights that they were computed with.
        return tuple(one for one in chosen.pictures if one != "score" or weights == "float32")
    if not chosen.sentences:
        raise UserError(
            f"--format {name}: {chosen.title} cannot hold models of sentences, whose loops over words keep lists "
            "with a varying batch.",
            "--format onnx can.",
        )
    if weights != "float32":
        raise UserError(
            f"--weights {weights}: models of sentences keep float32, since rounded weights may choose another word.",
            "Leave --weights out.",
        )
    return chosen.sentences
