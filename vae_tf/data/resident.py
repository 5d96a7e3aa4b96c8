"""Pictures that stay on a GPU while it trains: each batch brings only their positions."""

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

# Bytes: any GPU has so many to spare, and a step that has to wait for the host is longest for small pictures.
LARGEST = 2**30


def fits(images: NDArray[Any], num_replicas: int, device: str) -> bool:
    """Whether stored pictures should stay on the device: on one GPU that can hold them.

    Several would need a copy each. On a CPU the cache's pages are memory already.
    """
    return device == "gpu" and num_replicas == 1 and images.nbytes <= LARGEST


def put(images: NDArray[Any]) -> Any:
    """A tensor of the pictures [N, H, W, C] on the first GPU, or on the CPU where there is none."""
    gpus = tf.config.list_physical_devices("GPU")
    with tf.device("GPU:0" if gpus else "CPU:0"):
        return tf.identity(tf.convert_to_tensor(np.ascontiguousarray(images)))


@tf.function(jit_compile=True)  # type: ignore[untyped-decorator]
def look_up(images: Any, index: Any) -> Any:
    """Rows [B, …] of `images` at `index` [B]; by XLA, since TensorFlow gathers bytes on the CPU alone."""
    return tf.gather(images, index)
