"""What an export answers to, declared once: the graph, its description, the page and the checks are made of it."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Fact:
    """One input or output.

    Args:
        shape: Of the tensor, its first side "batch"; a side that may vary has a name.
        dtype: "float32", "uint8", "string" and so on.
        meaning: In words, with its unit.
        values: What the positions of the last side stand for, where they have names.
        tolerance: By how much a served value may differ from the run's, where that has a reason of its own; levels
            for files of pictures.
    """

    shape: tuple[int | str, ...]
    dtype: str
    meaning: str
    values: tuple[str, ...] = ()
    tolerance: float | None = None

    def spec(self, name: str) -> tf.TensorSpec:
        return tf.TensorSpec(
            [side if isinstance(side, int) else None for side in self.shape], self.dtype, name
        )

    def to_json(self) -> dict[str, Any]:
        named = {"values": list(self.values)} if self.values else {}
        return {"shape": list(self.shape), "dtype": self.dtype, "meaning": self.meaning, **named}


@dataclasses.dataclass(frozen=True)
class Signature:
    """A function of named tensors that draws no random numbers, and gives named tensors of the same batch.

    Args:
        summary: What it is for, in a clause.
        inputs, outputs: {name: Fact}.
        function: From the inputs as keyword arguments to {name: tensor}.
    """

    summary: str
    inputs: dict[str, Fact]
    outputs: dict[str, Fact]
    function: Callable[..., dict[str, Any]]

    @property
    def specs(self) -> list[tf.TensorSpec]:
        return [fact.spec(name) for name, fact in self.inputs.items()]

    def compiled(self) -> "Signature":
        """The same as one `tf.function`: signatures that are made of it share its graph, and are traced quickly."""
        function = tf.function(self.positional(), input_signature=self.specs, autograph=False)
        return dataclasses.replace(
            self, function=lambda **given: function(*(given[name] for name in self.inputs))
        )

    def positional(self) -> Any:
        """The function with its inputs in their order, for `tf.function`."""
        names = list(self.inputs)

        def call(*values: Any) -> dict[str, Any]:
            answers = self.function(**dict(zip(names, values, strict=True)))
            # An output is called what it is declared as, and nothing goes out undeclared.
            return {name: tf.identity(answers[name], name=name) for name in self.outputs}

        return call

    def to_json(self) -> dict[str, Any]:
        return {
            "summary": self.summary,
            "inputs": {name: fact.to_json() for name, fact in self.inputs.items()},
            "outputs": {name: fact.to_json() for name, fact in self.outputs.items()},
        }


def to_text(signatures: dict[str, Signature]) -> str:
    """signatures.json."""
    return (
        json.dumps({name: one.to_json() for name, one in signatures.items()}, indent=1, ensure_ascii=False)
        + "\n"
    )
