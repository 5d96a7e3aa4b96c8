"""Augmentation on the device: a pure function of (pictures, seed, step)."""

import dataclasses
from typing import Any

import tensorflow as tf

from vae_tf import random


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """Mirroring, shifting and brightness, drawn anew for every picture and step.

    Args:
        mirror: Flip left and right with probability ½ (wrong for digits and text).
        shift: Largest shift along each axis, pixels; the border is repeated.
        brightness: Largest factor 1 ± brightness on the pixel values.
    """

    mirror: bool = True
    shift: int = 3
    brightness: float = 0.0

    def __call__(self, x: Any, seed: int, step: Any) -> Any:
        """Float pictures [B, H, W, C] in [0, 1] to their augmented copies of the same shape."""
        size, height, width = tf.shape(x)[0], x.shape[1], x.shape[2]
        if self.mirror:
            flip = random.uniform((size, 1, 1, 1), seed, step, "mirror") < 0.5
            x = tf.where(flip, tf.reverse(x, [2]), x)
        if self.shift:
            moves = random.uniform((2, size, 1), seed, step, "shift", rows=1)
            moves = tf.cast(tf.floor(moves * (2 * self.shift + 1)), tf.int32) - self.shift
            rows = tf.clip_by_value(tf.range(height)[None] + moves[0], 0, height - 1)
            columns = tf.clip_by_value(tf.range(width)[None] + moves[1], 0, width - 1)
            x = tf.gather(x, rows, axis=1, batch_dims=1)
            x = tf.gather(x, columns, axis=2, batch_dims=1)
        if self.brightness:
            factor = random.uniform((size, 1, 1, 1), seed, step, "brightness")
            x = tf.clip_by_value(x * (1.0 + self.brightness * (2.0 * factor - 1.0)), 0.0, 1.0)
        return x
