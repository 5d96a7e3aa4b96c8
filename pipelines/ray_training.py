"""`train --engine ray`: Ray Train places the workers, and starts them again when one of them or its machine dies.

Inside, each is a worker of tf.distribute as any other (`pipelines.workers`): Ray sets TF_CONFIG, the chief alone
writes, and checkpoints are the run's own. All workers must see the same folder of runs.
"""

import contextlib
import dataclasses
import os
import shutil
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from pipelines.console import console, say, warn
from pipelines.ray_cluster import Cluster, connected, first_line
from pipelines.resolve import check_model
from pipelines.text_data import open_for
from pipelines.train import ChiefStopped, TrainingStopped
from pipelines.workers import MAX_RESTARTS
from vae_tf.artifacts.run import Run
from vae_tf.artifacts.runs import run_of_job
from vae_tf.config import Config
from vae_tf.errors import UserError
from vae_tf.places import cache_root, runs_root

# What the chief says, in Ray's own folder of the job.
OUTPUT = "output.txt"
SECONDS_BETWEEN_LOOKS = 0.5


@dataclasses.dataclass(frozen=True)
class Task:
    """What was typed: a new run of `config`, or `resume` or `extend` with a run's name."""

    config: Config | None = None
    name: str | None = None
    resume: str | None = None
    extend: str | None = None
    epochs: int | None = None
    tensorboard: bool = False

    def do(self, distribution: Any) -> Run:
        """Trains with the other workers; gives the run that it was."""
        from pipelines import train as stage

        if not distribution.is_chief:
            return stage.join(distribution)
        if self.resume is not None:
            return stage.resume(self.resume, self.tensorboard, distribution)
        if self.extend is not None:
            return stage.extend(self.extend, int(self.epochs or 0), self.name, self.tensorboard, distribution)
        assert self.config is not None, "a task has one of the three"
        run = stage.start(
            self.config,
            open_for(self.config),
            self.name,
            tensorboard=self.tensorboard,
            distribution=distribution,
        )
        assert run is not None, "only a dry run gives no run"
        return run


@dataclasses.dataclass(frozen=True)
class Job:
    """What every worker is sent, at every start.

    Args:
        task: What to do.
        key: By which a start finds what an earlier one had begun.
        command: What was typed, for the run's record.
    """

    task: Task
    key: str
    command: tuple[str, ...]


def train(task: Task, num_workers: int, address: str | None) -> Run:
    """Trains on a cluster's workers; comes back when the run is finished.

    Raises:
        UserError: A mistake in the task, found here or by the chief; the cluster has no room, or too much died.
        TrainingStopped: A loss that is not finite.
    """
    if task.config is not None:
        task = dataclasses.replace(task, config=from_anywhere(task.config))
        assert task.config is not None, "it was not None"
        check_model(task.config)
        open_for(task.config)
    job = Job(task, f"ray-{socket.gethostname()}-{os.getpid()}-{time.time_ns()}", tuple(sys.argv))
    runs = runs_root().absolute()
    own = runs / f".{job.key}"
    own.mkdir(parents=True)
    try:
        with connected(address, environment=places(runs)) as cluster, hearing(own / OUTPUT):
            check_room(cluster, num_workers, address)
            told = fit(job, num_workers, cluster, own)
    finally:
        shutil.rmtree(own, ignore_errors=True)
    return outcome(told)


@contextlib.contextmanager
def hearing(path: Path) -> Iterator[None]:
    """Shows what the chief says, wherever it runs, while the block lasts."""
    path.touch()
    is_over = threading.Event()

    def follow() -> None:
        with open(path, encoding="utf-8") as file:
            while True:
                last_look = is_over.wait(SECONDS_BETWEEN_LOOKS)
                for line in file:
                    say(line.rstrip("\n"))
                if last_look:
                    return

    thread = threading.Thread(target=follow)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def fit(job: Job, num_workers: int, cluster: Cluster, folder: Path) -> dict[str, Any]:
    """Lets Ray Train run `work` on so many workers, a GPU each where there are any; what the chief gave back."""
    from ray.train import FailureConfig, RunConfig, ScalingConfig, TrainingFailedError
    from ray.train.tensorflow import TensorflowTrainer

    # Ray's types are those of an earlier trainer.
    trainer: Any = TensorflowTrainer(
        cast(Any, work),
        train_loop_config={"job": job},
        scaling_config=ScalingConfig(
            num_workers=num_workers, use_gpu=cluster.num_gpus > 0, placement_strategy="SPREAD"
        ),
        run_config=RunConfig(
            name=folder.name,
            storage_path=str(folder.parent),
            failure_config=FailureConfig(max_failures=MAX_RESTARTS),
        ),
    )
    try:
        told: dict[str, Any] = trainer.fit().return_value
    except TrainingFailedError as error:
        causes = getattr(error, "worker_failures", {}).values()
        for cause in causes:
            if isinstance(cause, UserError):
                raise cause from None
        raise UserError(
            f"The workers failed {MAX_RESTARTS + 1} times, the last time by: "
            + "; ".join(first_line(cause) for cause in causes or [error]),
            "What was reached is kept: `runs` lists it, and train --resume RUN goes on.",
        ) from None
    return told


def work(settings: dict[str, Any]) -> dict[str, Any]:
    """What every worker of Ray Train does, in a process that Ray has given a TF_CONFIG."""
    from ray.train import get_context

    job: Job = settings["job"]
    # Ray asks for Keras 2 here.
    os.environ.pop("TF_USE_LEGACY_KERAS", None)
    os.environ["VAE_TF_JOB"] = job.key
    share = (os.cpu_count() or 1) // get_context().get_local_world_size()
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(max(1, share)))
    sys.argv = list(job.command)
    console.file = open(Path(os.environ["VAE_TF_RUNS"]) / f".{job.key}" / OUTPUT, "a", buffering=1)  # noqa: SIM115
    try:
        return {"run": together(job).name}
    except ChiefStopped:
        return {}
    except TrainingStopped as stopped:
        return {"run": stopped.run.name, "exit_code": stopped.exit_code}
    except UserError as error:
        if get_context().get_world_rank():
            # The others wait for this one: only a failure ends them.
            raise
        return {"message": error.message, "hint": error.hint}


def together(job: Job) -> Run:
    """Goes on with what an earlier start of the job began, or begins."""
    from pipelines.workers import begin
    from vae_tf.training.cluster import find_cluster

    cluster = find_cluster(os.environ)
    if cluster is not None:
        cluster = dataclasses.replace(cluster, origin="Ray")
    began = run_of_job(job.key)
    if began is not None and began.is_trained:
        return began
    distribution = dataclasses.replace(begin(cluster), job=job.key)
    task = job.task if began is None else Task(resume=began.name, tensorboard=job.task.tensorboard)
    return task.do(distribution)


def outcome(told: dict[str, Any]) -> Run:
    """The finished run, or what the chief says in its place."""
    if "message" in told:
        raise UserError(told["message"], told["hint"])
    run = Run(runs_root() / told["run"])
    if "exit_code" in told:
        raise TrainingStopped(run, told["exit_code"])
    if not run.is_trained:
        raise UserError(
            f"The workers trained {run.name}, which is not in {runs_root()}/ of this machine.",
            "All machines must see the same folder of runs: a shared file system, named by VAE_TF_RUNS.",
        )
    return run


def check_room(cluster: Cluster, num_workers: int, address: str | None) -> None:
    """A cluster elsewhere may grow; this machine does not."""
    what = "GPU" if cluster.num_gpus else "core"
    room = cluster.num_gpus or int(sum(cluster.cpus))
    if num_workers <= room:
        return
    if address is None and "RAY_ADDRESS" not in os.environ:
        raise UserError(
            f"--workers {num_workers}: this machine has {room} {what}s, and each worker takes one.",
            "Take fewer, or name a cluster: --address HOST:PORT.",
        )
    warn(f"{num_workers} workers need a {what} each, and there are {room}: waiting for machines that join.")


def places(runs: Path) -> dict[str, str]:
    """Environment by which workers find runs and decoded pictures where this process has them."""
    return {"VAE_TF_RUNS": str(runs), "VAE_TF_CACHE": str(cache_root().absolute())}


def from_anywhere(config: Config) -> Config:
    """The same configuration for processes in other folders."""
    from pipelines.run_data import absolute

    paths = {name: getattr(config.data, name) for name in ("source", "test", "labels")}
    data = config.data.model_copy(update={name: path and absolute(path) for name, path in paths.items()})
    return config.model_copy(update={"data": data})
