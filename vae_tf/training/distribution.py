"""Training on several devices and machines by tf.distribute: who computes which rows, and who writes."""

import contextlib
import dataclasses
import functools
import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from vae_tf import replicas
from vae_tf.data.batches import Replicas
from vae_tf.errors import UserError
from vae_tf.recipes import find_recipe
from vae_tf.replicas import Rows
from vae_tf.training.cluster import Cluster
from vae_tf.training.optimizer import Adam

LONGEST_MESSAGE = 4096
# Kinds of models, as recipes name them.
REFUSED = {
    "factor": "its discriminator looks at whole batches with an optimiser of its own",
    "vae-gan": "its discriminator looks at whole batches with an optimiser of its own",
    "m1-m2": "it changes what it learns within the graph, where replicas cannot meet",
}


@dataclasses.dataclass(frozen=True)
class Distribution:
    """This process's place among those that train one model.

    Args:
        strategy: A `tf.distribute.Strategy`; None where one device computes whole batches.
        num_workers: Processes.
        rank: Of this process, from 0; 0 is the chief, which alone writes.
        reason: Why it is so, in one plain line.
        job: What a job that is started again finds its unfinished run by; None: nobody starts it again.
    """

    strategy: Any = None
    num_workers: int = 1
    rank: int = 0
    reason: str = "one device"
    job: str | None = None

    @property
    def is_chief(self) -> bool:
        return self.rank == 0

    @property
    def num_replicas(self) -> int:
        """Devices that share each batch, of all workers."""
        return 1 if self.strategy is None else int(self.strategy.num_replicas_in_sync)

    @property
    def replicas(self) -> Replicas | None:
        """Whose rows this process reads; None: all."""
        if self.strategy is None:
            return None
        local = self.num_replicas // self.num_workers
        return Replicas(self.num_replicas, self.rank * local, local)

    def describe(self, batch_size: int) -> dict[str, Any]:
        """What a run keeps of it."""
        return {
            "strategy": name_of(self.strategy),
            "reason": self.reason,
            "workers": self.num_workers,
            "replicas": self.num_replicas,
            "batch_size_per_replica": -(-batch_size // self.num_replicas),
        }

    def build(self, make: Callable[[], Any]) -> Any:
        """What `make` builds, its variables copied to every replica; each replica then changes its own copy.

        All copies stay equal, since all replicas compute the same update from the same sums: so variables need no
        exchange of their own, and may change inside a `tf.cond`.
        """
        if self.strategy is None:
            return make()
        with self.strategy.scope(), tf.variable_creator_scope(create_without_aggregation):
            return make()

    def for_recipe(self, name: str, precision: str) -> "Distribution":
        """How a recipe is trained here: on one device where it must be and can be.

        Raises:
            UserError: Several workers cannot train it, or not in this arithmetic.
        """
        kind = find_recipe(name).model
        if self.strategy is None or (kind not in REFUSED and precision != "mixed_float16"):
            return self
        if kind in REFUSED:
            reason, hint = f"recipe {name} is for one device: {REFUSED[kind]}", "choose another --recipe"
        else:
            reason, hint = "mixed_float16 scales its loss on one device", "choose --precision float32"
        if self.num_workers == 1:
            return Distribution(reason=f"one device of {self.num_replicas}: {reason}")
        raise UserError(f"Several workers cannot train this: {reason}.", f"Train with one worker, or {hint}.")

    def take_over(self, model: Any, steps_per_execution: int) -> None:
        """Makes `fit` of a compiled model run its steps on every replica."""
        if self.strategy is None:
            return
        # Keras would shard the dataset, and average figures that are the whole batch's already.
        model._distribute_strategy = None
        model.train_function = self._train_function(model, steps_per_execution)
        model.test_function = self._test_function(model, steps_per_execution)

    # Keras' steps need no rewriting of their Python, which would take longer than tracing them.
    @tf.autograph.experimental.do_not_convert
    def _on_replicas(self, step: Callable[[Any], Any], batch: dict[str, Any]) -> None:
        """One step, of which every replica computes its rows."""
        own = self.replicas
        assert own is not None, "there are several"

        @tf.autograph.experimental.do_not_convert
        def work(batch: dict[str, Any]) -> None:
            replica = tf.distribute.get_replica_context().replica_id_in_sync_group
            mine = {name: batch[name][replica - own.first] for name in ("x", "label", "index")}
            count = mine["x"].shape[0] or tf.shape(mine["x"])[0]
            with replicas.computing(Rows(replica * count, count, batch["total"])):
                step({**mine, "key": batch["key"]})

        self.strategy.run(work, args=(batch,))

    def _train_function(self, model: Any, num_steps: int) -> Callable[[Any], dict[str, Any]]:
        @tf.function
        def execute(iterator: Any) -> None:
            for _ in tf.range(num_steps):
                self._on_replicas(model.train_step, next(iterator))

        def function(iterator: Any) -> dict[str, Any]:
            execute(iterator)
            return {metric.name: metric.result() for metric in model.metrics}

        return function

    def _test_function(self, model: Any, num_steps: int) -> Callable[[Any], dict[str, Any]]:
        @tf.function(reduce_retracing=True)
        def execute(batch: dict[str, Any]) -> None:
            self._on_replicas(model.test_step, batch)

        def function(iterator: Any) -> dict[str, Any]:
            # Validation may end within an execution.
            for _, batch in zip(range(num_steps), iterator, strict=False):
                execute(batch)
            return {metric.name: metric.result() for metric in model.metrics}

        return function

    def sum(self, values: Any) -> Any:
        """The sum over workers of an array of numbers; every worker must call it."""
        values = np.asarray(values, np.int32)
        if self.num_workers == 1:
            return values
        found: Any = self._sum_of_workers(tf.constant(values)).numpy()
        return found

    @functools.cached_property
    def _sum_of_workers(self) -> Callable[[Any], Any]:
        own = self.replicas
        assert own is not None, "there are several workers"

        def of_replica(values: Any) -> Any:
            # The first of a worker's replicas speaks for it.
            replica = tf.distribute.get_replica_context().replica_id_in_sync_group
            return tf.where(tf.equal(replica, own.first), values, tf.zeros_like(values))

        @tf.function
        def add(values: Any) -> Any:
            found = self.strategy.run(of_replica, args=(values,))
            return self.strategy.reduce(tf.distribute.ReduceOp.SUM, found, axis=None)

        return add

    def anyone(self, flag: bool) -> bool:
        """Whether any worker says yes; every worker must ask."""
        return bool(self.sum(int(flag)) > 0)

    @contextlib.contextmanager
    def preparing(self) -> Iterator[None]:
        """What the chief does while the others wait for what it tells them; they are told if it fails."""
        try:
            yield
        except BaseException:
            if self.num_workers > 1:
                self.tell({})
            raise

    def check_agreement(self, step: int) -> None:
        """Raises: UserError: Workers would go on from different steps."""
        if self.sum(step) != step * self.num_workers:
            raise UserError(
                f"Worker {self.rank} found step {step} in the run's checkpoints, and others found another.",
                "All workers must see the same folder of runs: a shared file system, named by VAE_TF_RUNS.",
            )

    def tell(self, message: dict[str, Any] | None = None) -> dict[str, Any]:
        """What the chief says to all workers, which wait for it here; only the chief gives a message."""
        text = json.dumps(message).encode() if self.is_chief else b""
        if len(text) > LONGEST_MESSAGE:
            raise ValueError(f"A message of {len(text)} bytes; at most {LONGEST_MESSAGE} are exchanged.")
        found = self.sum(np.frombuffer(text.ljust(LONGEST_MESSAGE, b"\0"), np.uint8))
        told: dict[str, Any] = json.loads(found.astype(np.uint8).tobytes().rstrip(b"\0"))
        return told


def name_of(strategy: Any) -> str:
    if strategy is None:
        return "one device"
    # Their classes have further names within TensorFlow.
    several = isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
    return "MultiWorkerMirroredStrategy" if several else type(strategy).__name__


def choose(cluster: Cluster | None) -> Distribution:
    """The distribution that the machine and the environment ask for. Of several workers, each must call it before any
    operation of TensorFlow; it returns when all have come.
    """
    if cluster is None:
        gpus = tf.config.list_logical_devices("GPU")
        if len(gpus) < 2:
            return Distribution()
        return Distribution(tf.distribute.MirroredStrategy(), reason=f"{len(gpus)} GPUs on this machine")
    assert cluster.rank is not None, "an evaluator does not train"
    os.environ["TF_CONFIG"] = cluster.tf_config
    num_workers = len(cluster.addresses)
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    reason = f"{num_workers} workers, by {cluster.origin}"
    return Distribution(strategy, num_workers, cluster.rank, reason, cluster.job)


class ReplicatedAdam(Adam):
    """Adam for gradients that are already the whole batch's: each replica updates its own copy of the weights.

    Keras' own would clip the gradients of one replica's rows, and then sum them.
    """

    def _backend_update_step(self, grads: Any, trainable_variables: Any, learning_rate: Any) -> None:
        for gradient, variable in zip(grads, trainable_variables, strict=True):
            self.update_step(gradient, variable.value, learning_rate)


def create_without_aggregation(next_creator: Callable[..., Any], **arguments: Any) -> Any:
    synchronization, aggregation = tf.VariableSynchronization.ON_WRITE, tf.VariableAggregation.NONE
    return next_creator(**{**arguments, "synchronization": synchronization, "aggregation": aggregation})
