"""What a run's record keeps beside its configuration: the choices that the machine it began on has made."""

import dataclasses
from typing import Any

from pydantic import BaseModel, TypeAdapter

from vae_tf import strangers
from vae_tf.artifacts.run import Run
from vae_tf.training.plan import Plan
from vae_tf.training.precision import Precision


class Augmented(BaseModel, extra="forbid"):
    """The arguments of `Augmentation`, whose module would bring TensorFlow along."""

    mirror: bool = True
    shift: int = 3
    brightness: float = 0.0


@dataclasses.dataclass(frozen=True)
class Machine:
    """As `train.resolve` makes it."""

    plan: Plan
    precision: Precision
    distribution: dict[str, Any]
    num_examples: int
    num_classes: int
    m1_steps: int
    num_tokens: int = 0


def machine_of(run: Run) -> dict[str, Any]:
    """Plan, precision and numbers of a run.

    Raises:
        UserError: Something is missing, or of another type.
    """
    with strangers.read_from(run.folder / "run.json"):
        machine = TypeAdapter(Machine).validate_python(run.record["machine"])
        TypeAdapter(Augmented | None).validate_python(machine.plan.augmentation)
        return dataclasses.asdict(machine)
