"""Learning-rate schedules that Keras lacks."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="vae_tf")
class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """Rises linearly to `rate` over `steps` steps, then stays: it depends on the step only, not on a planned end.

    Args:
        rate: The rate to reach.
        steps: Steps until then.
    """

    def __init__(self, rate: float, steps: int) -> None:
        super().__init__()
        self.rate = rate
        self.steps = steps

    def __call__(self, step: Any) -> Any:
        risen = (ops.cast(step, "float32") + 1.0) / max(self.steps, 1)
        return self.rate * ops.minimum(1.0, risen)

    def get_config(self) -> dict[str, Any]:
        return {"rate": self.rate, "steps": self.steps}


@keras.saving.register_keras_serializable(package="vae_tf")
class Phases(keras.optimizers.schedules.LearningRateSchedule):
    """One schedule after another, each from its own first step.

    Args:
        schedules: One for each phase.
        begins: The step at which each phase after the first begins, increasing.
    """

    def __init__(self, schedules: Any, begins: Any) -> None:
        super().__init__()
        self.schedules = [
            keras.saving.deserialize_keras_object(schedule) if isinstance(schedule, dict) else schedule
            for schedule in schedules
        ]
        self.begins = [int(step) for step in begins]

    def __call__(self, step: Any) -> Any:
        step = ops.cast(step, "float32")
        rate = self.schedules[0](step)
        for begin, schedule in zip(self.begins, self.schedules[1:], strict=True):
            rate = ops.where(step < begin, rate, schedule(ops.maximum(step - begin, 0.0)))
        return rate

    def get_config(self) -> dict[str, Any]:
        schedules = [keras.saving.serialize_keras_object(schedule) for schedule in self.schedules]
        return {"schedules": schedules, "begins": self.begins}
