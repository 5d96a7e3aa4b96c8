"""What a replica knows of the others: which rows of a batch are its own, and what all rows together come to.

Where several devices or machines compute one batch, each encodes and decodes its own rows with its rows of the batch's
noise. Then every replica learns the terms of all rows and computes the same loss of them, so that an objective that
looks at a batch as a whole (a total correlation, a covariance) sees the very batch that one device would see. Outside
of that, on one device, each function here gives back what it was given.
"""

import contextlib
import dataclasses
import math
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import tensorflow as tf

# Where the rows lie in the fields of `ElboTerms` that have samples first; in all others they come first.
ROWS_COME_SECOND = ("z", "log_px", "log_qz", "log_pz", "stopped_log_qz")


@dataclasses.dataclass(frozen=True)
class Rows:
    """A replica's rows of a batch. The last ones may be padding, so that all replicas have equally many.

    Args:
        first: Position of the first of them in the batch.
        count: How many they are, padding included.
        total: Rows of the whole batch, without padding.
    """

    first: Any
    count: Any
    total: Any

    @property
    def positions(self) -> Any:
        """Position in the batch of each own row [count]; of padding, that of the batch's last row."""
        return tf.minimum(self.first + tf.range(self.count), self.total - 1)


# Replicas of one process are traced in threads of their own.
_current = threading.local()


@contextlib.contextmanager
def computing(rows: Rows) -> Iterator[None]:
    """While the block runs (is traced), this thread computes these rows of a batch that others share."""
    _current.rows = rows
    try:
        yield
    finally:
        _current.rows = None


def own_rows() -> Rows | None:
    """None where one device computes whole batches."""
    return getattr(_current, "rows", None)


def whole(x: Any) -> Any:
    """Numbers of own rows [rows, …] to float32 numbers of the whole batch [total, …], the same at every replica.

    Its gradient is that of the own rows alone: the sum over replicas of gradients of the same loss is the loss's.
    """
    rows = own_rows()
    if rows is None:
        return x
    context = tf.distribute.get_replica_context()
    x = tf.cast(x, tf.float32)
    last = rows.count * context.num_replicas_in_sync - rows.first - rows.count
    margins = [[rows.first, last], *[[0, 0]] * (len(x.shape) - 1)]
    # Everyone adds zeros to the others' rows, which changes no digit of them.
    all_rows = context.all_reduce(tf.distribute.ReduceOp.SUM, tf.pad(tf.stop_gradient(x), margins))
    # x − x is 0, and lets the gradient through.
    return (tf.stop_gradient(all_rows) + tf.pad(x - tf.stop_gradient(x), margins))[: rows.total]


def whole_terms(terms: Any, rows_come_second: Sequence[str] = ROWS_COME_SECOND) -> Any:
    """`ElboTerms` of own rows to those of the whole batch, without the decoder's output; one exchange for all."""
    if own_rows() is None:
        return terms

    def swapped(fields: dict[str, Any]) -> dict[str, Any]:
        return {
            name: tf.transpose(value, (1, 0, *range(2, len(value.shape))))
            if name in rows_come_second and value is not None
            else value
            for name, value in fields.items()
        }

    names = [field.name for field in dataclasses.fields(terms) if field.name != "output"]
    found = whole_structure(swapped({name: getattr(terms, name) for name in names}))
    return dataclasses.replace(terms, output=None, **swapped(found))


def whole_structure(values: Any) -> Any:
    """As `whole`, of each tensor [rows, …] in a structure that may hold None, too."""
    flat = tf.nest.flatten(values)
    shapes = [tuple(x.shape[1:]) for x in flat if x is not None]
    sizes = [math.prod(shape) for shape in shapes]
    flattened = [tf.reshape(x, (tf.shape(x)[0], size)) for x, size in zip(known(flat), sizes, strict=True)]
    columns = tf.split(whole(tf.concat(flattened, axis=1)), sizes, axis=1)
    restored = iter([tf.reshape(x, (-1, *shape)) for x, shape in zip(columns, shapes, strict=True)])
    return tf.nest.pack_sequence_as(values, [None if x is None else next(restored) for x in flat])


def known(values: list[Any]) -> list[Any]:
    """Those that are not None."""
    return [value for value in values if value is not None]


def summed(gradients: list[Any]) -> list[Any]:
    """Gradients of the loss along each replica's own rows to those of the loss; None stays None."""
    if own_rows() is None:
        return gradients
    dense = [tf.convert_to_tensor(gradient) for gradient in known(gradients)]
    sums = iter(tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, dense))
    return [None if gradient is None else next(sums) for gradient in gradients]
