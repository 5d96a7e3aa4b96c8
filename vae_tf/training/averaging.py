"""An exponential moving average of the weights: what is validated, kept, embedded and exported."""

from typing import Any

import keras
import tensorflow as tf


class WeightAverage:
    """average ← decay·average + (1 − decay)·weight after every step (Polyak & Juditsky 1992).

    The decay rises with the step, min(decay, (1 + t) / (10 + t)), so that the random weights of the beginning
    are forgotten soon. A plain object: Keras saves none of it with the model.

    Args:
        variables: The trainable variables.
        decay: Weight of the past once enough steps were taken.
    """

    def __init__(self, variables: list[Any], decay: float = 0.998) -> None:
        self.decay = decay
        self.variables = variables
        self.averages = [keras.Variable(v.numpy(), dtype="float32", trainable=False) for v in variables]

    def update(self, step: Any) -> None:
        """Takes the weights after step `step` (from 0) into the average; runs inside the graph."""
        t = tf.cast(step, tf.float32)
        share = 1.0 - tf.minimum(self.decay, (1.0 + t) / (10.0 + t))
        for average, variable in zip(self.averages, self.variables, strict=True):
            # average −= share·(average − weight), the product and the sum in one pass over memory.
            tf.raw_ops.ResourceApplyGradientDescent(
                var=average.value.handle, alpha=share, delta=average.value - variable.value, use_locking=True
            )

    def swap(self) -> None:
        """Exchanges weights and averages; call it again to swap back."""
        self._swap()

    @tf.function
    def _swap(self) -> None:
        for average, variable in zip(self.averages, self.variables, strict=True):
            held = tf.identity(variable.value)
            variable.assign(average.value)
            average.assign(held)

    def weights_of(self, model: Any) -> list[Any]:
        """The model's weights as NumPy arrays, in the order of `set_weights`, averages in the place of weights."""
        averages = {id(v): average for v, average in zip(self.variables, self.averages, strict=True)}
        return [averages.get(id(weight), weight).numpy() for weight in model.weights]
