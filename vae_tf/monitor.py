"""What training watches inside the graph: plain objects, so that Keras saves none of it with the model."""

from typing import Any

import tensorflow as tf

TERMS = ("reconstruction", "kl", "gradient")


class Health:
    """Remembers the first step whose loss was not finite, and which term it was."""

    def __init__(self) -> None:
        self.first_bad_step = tf.Variable(-1, dtype=tf.int64, trainable=False)
        self.first_bad_term = tf.Variable(-1, dtype=tf.int64, trainable=False)

    def record(self, step: Any, finite: Any) -> None:
        """`finite`: boolean vector over `TERMS`; only the first bad step is kept."""
        is_first = tf.logical_and(self.first_bad_step < 0, tf.logical_not(tf.reduce_all(finite)))
        term = tf.argmin(tf.cast(finite, tf.int32), output_type=tf.int64)
        self.first_bad_step.assign(tf.where(is_first, tf.cast(step, tf.int64), self.first_bad_step))
        self.first_bad_term.assign(tf.where(is_first, term, self.first_bad_term))

    def reset(self) -> None:
        self.first_bad_step.assign(-1)
        self.first_bad_term.assign(-1)

    def failure(self) -> tuple[int, str] | None:
        """(step, term) of the first non-finite loss, or None."""
        step = int(self.first_bad_step.numpy())
        return None if step < 0 else (step, TERMS[int(self.first_bad_term.numpy())])


class Average:
    """Mean and largest value of what is recorded between two resets, elementwise; not-finite values are left out.

    Args:
        shape: Of one value.
    """

    def __init__(self, shape: tuple[int, ...] = ()) -> None:
        self.total = tf.Variable(tf.zeros(shape), trainable=False)
        self.highest = tf.Variable(tf.zeros(shape), trainable=False)
        self.count = tf.Variable(0.0, trainable=False)

    def record(self, value: Any, count: Any = 1.0) -> None:
        """`value`: not negative; the mean of `count` observations."""
        value, count = tf.cast(value, tf.float32), tf.cast(count, tf.float32)
        is_finite = tf.reduce_all(tf.math.is_finite(value))
        self.total.assign_add(tf.where(is_finite, value * count, tf.zeros_like(value)))
        self.highest.assign(tf.where(is_finite, tf.maximum(self.highest, value), self.highest))
        self.count.assign_add(tf.where(is_finite, count, 0.0))

    def reset(self) -> None:
        for variable in (self.total, self.highest, self.count):
            variable.assign(tf.zeros_like(variable))

    @property
    def mean(self) -> Any:
        """None where nothing was recorded."""
        count = float(self.count.numpy())
        return None if count == 0.0 else self.total.numpy() / count
