"""Batches from a memory map: indices first, then one gather per batch, stored pixels to the device."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from vae_tf import random


def position_stream(
    count: int, batch_size: int, seed: int, purpose: str = "shuffle"
) -> Callable[[int], NDArray[np.int64]]:
    """A function from a step to the positions of its batch.

    The stream is one permutation of `count` positions after another, permutation e keyed by (seed, purpose, e); step s
    takes positions s·batch_size to (s + 1)·batch_size of it. So every batch is full, no picture is left out,
    and what a step sees depends on nothing but the seed and the step.
    """
    known: dict[int, NDArray[np.int64]] = {}

    def permutation(epoch: int) -> NDArray[np.int64]:
        if epoch not in known:
            for old in [e for e in known if e < epoch - 1]:
                del known[old]
            known[epoch] = random.generator(seed, purpose, epoch).permutation(count)
        return known[epoch]

    def positions(step: int) -> NDArray[np.int64]:
        start, pieces, missing = step * batch_size, [], batch_size
        while missing:
            epoch, offset = divmod(start, count)
            piece = permutation(epoch)[offset : offset + missing]
            pieces.append(piece)
            start, missing = start + len(piece), missing - len(piece)
        return np.concatenate(pieces)

    return positions


@dataclasses.dataclass(frozen=True)
class Replicas:
    """Which of the replicas that share each batch this process feeds: `local` of `total`, from `first` on."""

    total: int
    first: int
    local: int

    def split(self, indices: Any) -> dict[str, Any]:
        """From the indices of a whole batch [B] to those of own rows.

        Replica r takes rows r·m to (r + 1)·m, m = ⌈B / total⌉. Missing ones are padded by the last row again.

        Returns:
            index [local, m], `total`: B, and `key`: the first index of the whole batch.
        """
        size = indices.shape[0] or tf.shape(indices)[0]
        count = (size + self.total - 1) // self.total
        positions = tf.minimum(tf.range(self.first * count, (self.first + self.local) * count), size - 1)
        index = tf.reshape(tf.gather(indices, positions), (self.local, count))
        return {"index": index, "total": tf.convert_to_tensor(size), "key": indices[0]}


def gather(
    images: NDArray[Any] | None, labels: NDArray[np.int64], replicas: Replicas | None = None
) -> Callable[[Any], dict[str, Any]]:
    """A tf.data function from indices [B] to a batch dictionary, or to own rows of it ([local, m, …])."""

    def read(indices: NDArray[np.int64]) -> NDArray[Any]:
        assert images is not None, "see below"
        return np.ascontiguousarray(images[indices])

    constant_labels = tf.constant(labels)

    def batch(indices: Any) -> dict[str, Any]:
        found = {"label": tf.gather(constant_labels, indices), "index": indices}
        if images is None:
            return found
        x = tf.numpy_function(read, [indices], images.dtype, stateful=False)
        return {"x": tf.ensure_shape(x, (*indices.shape, *images.shape[1:])), **found}

    def own_rows(indices: Any) -> dict[str, Any]:
        assert replicas is not None, "see below"
        split = replicas.split(indices)
        return {**batch(split["index"]), **split}

    return batch if replicas is None else own_rows


def training_batches(
    images: NDArray[Any] | None,
    labels: NDArray[np.int64],
    indices: NDArray[np.int64],
    batch_size: int,
    seed: int,
    first_step: int = 0,
    num_labelled: int = 0,
    replicas: Replicas | None = None,
) -> tf.data.Dataset:
    """An endless stream of shuffled batches, beginning at `first_step`.

    Where few pictures have a class, a batch at random would hold hardly one of them: `num_labelled` of them are added
    to each, from a stream of their own, and a batch then says which of its rows were `added`.

    Args:
        images: Stored pixels [N, H, W, C], memory-mapped or not; None where the model has them (`VAE.resident`).
        labels: Class of each picture [N].
        indices: Which of the N pictures to train on.
        batch_size: Pictures per batch; may exceed the number of indices.
        seed: Key of the order.
        first_step: Step of the first batch.
        num_labelled: Labelled pictures added to each batch, unless all or none have a class.
        replicas: Whose rows to read, where several share each batch.
    """
    positions = position_stream(len(indices), batch_size, seed)
    labelled = indices[labels[indices] >= 0]
    num_added = num_labelled if 0 < len(labelled) < len(indices) else 0
    added = position_stream(len(labelled), num_added, seed, "labelled")

    def at_step(step: NDArray[np.int64]) -> NDArray[np.int64]:
        chosen = indices[positions(int(step))]
        return np.concatenate([chosen, labelled[added(int(step))]]) if num_added else chosen

    def select(step: Any) -> Any:
        # In order, one at a time: the stream forgets permutations that lie behind it.
        return tf.ensure_shape(
            tf.numpy_function(at_step, [step], tf.int64, stateful=False), (batch_size + num_added,)
        )

    steps = tf.data.Dataset.counter(start=first_step, dtype=tf.int64)
    found = steps.map(select).map(gather(images, labels, replicas), num_parallel_calls=2)
    # Only M1+M2 asks which rows were added, and it is not trained by several replicas.
    if num_added and replicas is None:
        added_rows = np.arange(batch_size + num_added) >= batch_size
        found = found.map(lambda batch: {**batch, "added": added_rows})
    return untuned(found.prefetch(4))


def ordered_batches(
    images: NDArray[Any],
    labels: NDArray[np.int64],
    indices: NDArray[np.int64],
    batch_size: int,
    replicas: Replicas | None = None,
) -> tf.data.Dataset:
    """The pictures at `indices` once, in order; the last batch may be smaller."""
    dataset = tf.data.Dataset.from_tensor_slices(np.asarray(indices, dtype=np.int64))
    dataset = dataset.batch(batch_size).map(gather(images, labels, replicas), num_parallel_calls=2)
    return untuned(dataset.prefetch(2))


def untuned(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Without tf.data's tuner: all is decided here, and whoever is done with a dataset waits for the tuner's next look.

    It looks after 10 ms, 20 ms, and so on up to a minute: `fit` came back as late as 5 s after its last step of 5.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
