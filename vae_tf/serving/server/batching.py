"""Requests that arrive while TensorFlow works wait, and are then computed together.

A lane holds the requests that may be concatenated: same signature of the same version, same dtypes, same shapes but
for axis 0. All methods but `compute` run in the event loop; `compute` runs in a thread.
"""

import asyncio
import contextlib
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from grpc import StatusCode as Code

from vae_tf.serving.server.config_files import BatchingParameters
from vae_tf.serving.server.metrics import Metrics
from vae_tf.serving.server.saved_model import Arrays, Signature
from vae_tf.serving.server.status import ServingError, from_exception

FULL = "The batch scheduling queue to which this task was submitted is full"
STOPPING = "The server is shutting down."


class NoBatch(Exception):
    """An output has another number of rows than the inputs, so that rows of several requests cannot be told apart."""


class Task:
    """One request that waits."""

    __slots__ = ("arrays", "arrived", "deadline", "future", "num_bytes", "rows")

    def __init__(self, arrays: Arrays, deadline: float, future: "asyncio.Future[Arrays]") -> None:
        self.arrays = arrays
        self.rows = common_rows(arrays)
        self.num_bytes = sum(size_of(array) for array in arrays.values())
        self.deadline = deadline
        self.future = future
        self.arrived = time.monotonic()

    @property
    def is_wanted(self) -> bool:
        """Whether somebody still waits for the answer; may be asked from any thread."""
        return not self.future.done() and time.monotonic() < self.deadline


class Lane:
    def __init__(self, model_name: str, signature: Signature, is_joined: bool) -> None:
        self.model_name = model_name
        self.signature = signature
        self.is_joined = is_joined
        self.tasks: deque[Task] = deque()
        self.rows = 0


class Batcher:
    """Args: max_queued_bytes: Of all requests that wait."""

    def __init__(
        self, parameters: BatchingParameters, is_batching: bool, max_queued_bytes: int, metrics: Metrics
    ) -> None:
        self.parameters = parameters
        self.is_batching = is_batching
        self.max_queued_bytes = max_queued_bytes
        self.metrics = metrics
        self.lanes: OrderedDict[Hashable, Lane] = OrderedDict()
        self.num_idle = parameters.num_batch_threads
        self.num_bytes = 0
        self.running: set[Task] = set()
        self.threads = ThreadPoolExecutor(parameters.num_batch_threads, thread_name_prefix="tensorflow")
        self.timer: asyncio.TimerHandle | None = None
        self.is_closed = False

    async def run(self, model_name: str, signature: Signature, arrays: Arrays, deadline: float) -> Arrays:
        """The signature's outputs.

        Args:
            deadline: On the clock of `time.monotonic`, seconds; past it nothing is computed.

        Raises:
            ServingError: The queue is full, the deadline has passed, or the graph refused the arrays.
        """
        task = Task(arrays, deadline, asyncio.get_running_loop().create_future())
        self.add(model_name, signature, task)
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                return await task.future
        except TimeoutError:
            raise ServingError(
                Code.DEADLINE_EXCEEDED, "Deadline exceeded while waiting for the model."
            ) from None

    def add(self, model_name: str, signature: Signature, task: Task) -> None:
        if self.is_closed:
            raise ServingError(Code.UNAVAILABLE, STOPPING)
        is_joined = self.is_batching and signature.is_batchable and task.rows is not None
        shapes = (
            tuple((name, array.shape[1:]) for name, array in sorted(task.arrays.items())) if is_joined else ()
        )
        key = (signature, is_joined, shapes)
        lane = self.lanes.get(key) or Lane(model_name, signature, is_joined)
        capacity = self.parameters.max_enqueued_batches * self.parameters.max_batch_size
        is_full = lane.tasks and lane.rows + (task.rows or 1) > capacity
        if is_full or self.num_bytes + task.num_bytes > self.max_queued_bytes:
            raise ServingError(Code.UNAVAILABLE, FULL)
        self.lanes[key] = lane
        lane.tasks.append(task)
        lane.rows += task.rows or 1
        self.num_bytes += task.num_bytes
        self.metrics.queued.inc()
        self.dispatch()

    def dispatch(self) -> None:
        """Hands batches to idle threads, lane after lane in turn."""
        while self.num_idle:
            key = next((key for key, lane in self.lanes.items() if self.is_ready(lane)), None)
            if key is None:
                break
            lane = self.lanes.pop(key)
            tasks = self.take(lane)
            if lane.tasks:
                self.lanes[key] = lane
            if tasks:
                self.start(lane, tasks)
        self.wake_later()

    def is_ready(self, lane: Lane) -> bool:
        return (
            not lane.is_joined
            or lane.rows >= self.parameters.max_batch_size
            or time.monotonic() >= self.due(lane)
        )

    def due(self, lane: Lane) -> float:
        return lane.tasks[0].arrived + self.parameters.batch_timeout_micros * 1e-6

    def wake_later(self) -> None:
        """Lanes that wait for more requests are looked at again when the first has waited long enough."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        if self.parameters.batch_timeout_micros and self.num_idle and self.lanes:
            wait = min(self.due(lane) for lane in self.lanes.values()) - time.monotonic()
            self.timer = asyncio.get_running_loop().call_later(max(wait, 0.0), self.dispatch)

    def take(self, lane: Lane) -> list[Task]:
        """The tasks of one batch; those that nobody waits for any more are dropped."""
        tasks: list[Task] = []
        rows = 0
        while lane.tasks:
            task = lane.tasks[0]
            size = task.rows or 1
            # One that is larger than a batch is computed alone.
            if tasks and (not lane.is_joined or rows + size > self.parameters.max_batch_size):
                break
            lane.tasks.popleft()
            lane.rows -= size
            self.num_bytes -= task.num_bytes
            self.metrics.queued.dec()
            if task.is_wanted:
                tasks.append(task)
                rows += size
        return tasks

    def start(self, lane: Lane, tasks: list[Task]) -> None:
        self.num_idle -= 1
        self.running.update(tasks)
        now = time.monotonic()
        for task in tasks:
            self.metrics.waiting.labels(lane.model_name).observe((now - task.arrived) * 1e6)
        self.metrics.batch_rows.labels(lane.model_name).observe(sum(task.rows or 1 for task in tasks))
        padded: Callable[[int], int] = self.parameters.padded if lane.is_joined else lambda rows: rows
        loop = asyncio.get_running_loop()
        most = self.parameters.max_batch_size
        work = loop.run_in_executor(self.threads, compute, lane.signature, tasks, padded, most)
        work.add_done_callback(lambda done: self.finish(lane, tasks, done, now))

    def finish(self, lane: Lane, tasks: list[Task], done: "asyncio.Future[Any]", began: float) -> None:
        self.num_idle += 1
        self.running.difference_update(tasks)
        self.metrics.runtime.labels(lane.model_name, "Predict", "TF2").observe(
            (time.monotonic() - began) * 1e6
        )
        results = [done.exception()] * len(tasks) if done.exception() else done.result()
        for task, result in zip(tasks, results, strict=True):
            if task.future.done():
                continue
            if isinstance(result, BaseException):
                task.future.set_exception(from_exception(result))
            else:
                task.future.set_result(result)
        self.dispatch()

    def close(self) -> None:
        """Whoever still waits is told that the server is shutting down; what a thread computes is lost."""
        for task in [*self.running, *(task for lane in self.lanes.values() for task in lane.tasks)]:
            if not task.future.done():
                task.future.set_exception(ServingError(Code.UNAVAILABLE, STOPPING))
        self.is_closed = True
        self.lanes.clear()
        self.threads.shutdown(wait=False, cancel_futures=True)


def compute(
    signature: Signature, tasks: list[Task], padded: Callable[[int], int], most: int
) -> list[Arrays | BaseException]:
    """An answer, or what went wrong, for each task; of one that is larger than a batch, `most` rows at a time."""
    rows = [task.rows or 0 for task in tasks]
    total = sum(rows)
    if len(tasks) > 1 or padded(total) != total:
        try:
            return list(split(signature(joined(tasks, padded(total) - total)), rows, padded(total)))
        except Exception:
            # One bad request must not fail those beside it.
            pass
    return [attempt(signature, task, most) for task in tasks]


def attempt(signature: Signature, task: Task, most: int) -> Arrays | BaseException:
    if not task.is_wanted:
        return unwanted()
    try:
        if signature.is_batchable and (task.rows or 0) > most:
            with contextlib.suppress(NoBatch):
                return in_pieces(signature, task, most)
        return signature(task.arrays)
    except Exception as error:
        return error


def unwanted() -> ServingError:
    return ServingError(Code.CANCELLED, "Nobody waits for this answer.")


def in_pieces(signature: Signature, task: Task, most: int) -> Arrays:
    """Raises: NoBatch: An output has not one row for each row given."""
    assert task.rows is not None
    parts = []
    for first in range(0, task.rows, most):
        if not task.is_wanted:
            raise unwanted()
        piece = {name: array[first : first + most] for name, array in task.arrays.items()}
        size = min(most, task.rows - first)
        parts += split(signature(piece), [size], size)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def joined(tasks: list[Task], num_added: int) -> Arrays:
    """Concatenated along axis 0; the last row is repeated to fill an allowed batch size."""
    result = {}
    for name in tasks[0].arrays:
        parts = [task.arrays[name] for task in tasks]
        if num_added:
            last = next(part for part in reversed(parts) if len(part))[-1:]
            parts.append(np.repeat(last, num_added, axis=0))
        result[name] = np.concatenate(parts) if len(parts) > 1 else parts[0]
    return result


def split(outputs: Arrays, rows: list[int], total: int) -> list[Arrays]:
    """Raises: NoBatch: An output has not one row for each row given."""
    if any(array.shape[:1] != (total,) for array in outputs.values()):
        raise NoBatch
    ends = np.cumsum(rows).tolist()
    return [
        {name: array[end - size : end] for name, array in outputs.items()}
        for size, end in zip(rows, ends, strict=True)
    ]


def common_rows(arrays: Arrays) -> int | None:
    """Size of axis 0, where all have one and the same."""
    sizes = {array.shape[0] if array.ndim else None for array in arrays.values()}
    return sizes.pop() if len(sizes) == 1 else None


def size_of(array: Any) -> int:
    if array.dtype == object:
        return sum(map(len, array.reshape(-1)))
    return int(array.nbytes)
