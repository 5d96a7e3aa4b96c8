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


def normal(shape: Sequence[Any], seed: int, step: Any, purpose: str, rows: int = 0) -> Any:
    """Standard normal float32 noise of `shape`, a pure function of (seed, step, purpose).

    Where replicas share a batch, each draws the noise of the whole and takes its own rows, along the axis `rows`.
    """
    import tensorflow as tf

    return _of_own_rows(tf.random.stateless_normal, shape, tensor_key(seed, step, purpose), rows)


def uniform(shape: Sequence[Any], seed: int, step: Any, purpose: str, rows: int = 0) -> Any:
    """Float32 in [0, 1) of `shape`, a pure function of (seed, step, purpose); rows as in `normal`."""
    import tensorflow as tf

    return _of_own_rows(tf.random.stateless_uniform, shape, tensor_key(seed, step, purpose), rows)


def _of_own_rows(draw: Any, shape: Sequence[Any], key: Any, axis: int) -> Any:
    import tensorflow as tf

    from vae_tf import replicas

    own = replicas.own_rows()
    if own is None:
        return draw(shape, key, alg="philox")
    whole = [*shape[:axis], own.total, *shape[axis + 1 :]]
    return tf.gather(draw(whole, key, alg="philox"), own.positions, axis=axis)
