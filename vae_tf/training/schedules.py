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
