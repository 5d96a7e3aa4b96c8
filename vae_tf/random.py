"""Randomness as a function of (seed, step, purpose), so that a resumed run draws what the undisturbed one draws.

Keras' `SeedGenerator` state is not saved with a model; a stateless draw needs no state to save.
"""

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np


def purpose_key(purpose: str) -> int:
    """A stable 31-bit number for a purpose such as "posterior" (Python's own hash changes per process)."""
    return zlib.crc32(purpose.encode()) & 0x7FFFFFFF


def generator(seed: int, *key: int | str) -> np.random.Generator:
    """A NumPy generator for host-side draws keyed by (seed, *key)."""
    words = [purpose_key(part) if isinstance(part, str) else int(part) for part in key]
    return np.random.default_rng([seed & 0xFFFFFFFF, *words])


def tensor_key(seed: int, step: Any, purpose: str) -> Any:
    """The pair of integers that TensorFlow's stateless operations take as their seed."""
    import tensorflow as tf

    first = tf.constant((seed ^ purpose_key(purpose)) & 0x7FFFFFFF, tf.int64)
    return tf.stack([first, tf.cast(step, tf.int64)])


def normal(shape: Sequence[Any], seed: int, step: Any, purpose: str) -> Any:
    """Standard normal float32 noise of `shape`, a pure function of (seed, step, purpose)."""
    import tensorflow as tf

    return tf.random.stateless_normal(shape, tensor_key(seed, step, purpose), alg="philox")


def uniform(shape: Sequence[Any], seed: int, step: Any, purpose: str) -> Any:
    """Float32 in [0, 1) of `shape`, a pure function of (seed, step, purpose)."""
    import tensorflow as tf

    return tf.random.stateless_uniform(shape, tensor_key(seed, step, purpose), alg="philox")
