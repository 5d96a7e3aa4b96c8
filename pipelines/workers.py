"""Training by several processes: joining those of a cluster, and starting some on this machine."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

from pipelines import stopping
from pipelines.console import console, import_tensorflow_quietly, say, warn
from reports.words import plural
from vae_tf.errors import UserError
from vae_tf.training.cluster import Cluster, find_cluster

# A worker that lost the others ends with this code (sysexits' EX_TEMPFAIL): start it again and it goes on.
LOST = 75
MAX_RESTARTS = 5
SECONDS_TO_END = 30.0
# Nodes of a cluster start minutes apart.
SECONDS_TO_COME = float(os.environ.get("VAE_TF_SECONDS_TO_COME", "900"))
SECONDS_BETWEEN_LOOKS = 0.2
# Those that end because another did need no more than this to say so.
SECONDS_TO_FOLLOW = 2.0
# Those that are asked to end keep their state at the next step; Kubernetes and Slurm kill after 30 s.
SECONDS_TO_STOP = 20.0


def found_cluster(num_workers: int) -> Cluster | None:
    """The cluster that this process belongs to.

    Raises:
        UserError: It has another number of workers than were asked for.
    """
    cluster = find_cluster(os.environ)
    if cluster is not None and num_workers not in (1, len(cluster.addresses)):
        raise UserError(
            f"--workers {num_workers}, but {cluster.origin} names {len(cluster.addresses)}.",
            "Leave out --workers where the cluster says who trains.",
        )
    return cluster


def alone() -> Any:
    from vae_tf.training.distribution import Distribution

    return Distribution()


def begin(cluster: Cluster | None) -> Any:
    """Imports TensorFlow, waits for the other workers, and gives the distribution. Only the chief is heard."""
    if cluster is not None:
        if cluster.rank != 0:
            console.quiet = True
        others = plural(len(cluster.addresses) - 1, "other worker")
        say(f"waiting for {others}, named by {cluster.origin} …", style="dim")

    def choose() -> Any:
        from vae_tf.training import distribution

        return distribution.choose(cluster)

    with giving_up(SECONDS_TO_COME if cluster is not None else None):
        return import_tensorflow_quietly(choose)


# Ends its parent unless the pipe between them is closed in time.
WATCHER = """
import os, select, sys
parent, limit = int(sys.argv[1]), float(sys.argv[2])
if not select.select([0], [], [], limit)[0] and os.getppid() == parent:
    os.write(2, f"error: the other workers did not come within {limit:g} s.\\n".encode())
    os.kill(parent, 9)
"""


@contextmanager
def giving_up(limit: float | None) -> Iterator[None]:
    """Kills this process if the block takes longer than `limit` seconds.

    TensorFlow waits for others without end and without letting any Python run, so that another process must watch.
    """
    if limit is None:
        yield
        return
    command = [sys.executable, "-S", "-c", WATCHER, str(os.getpid()), str(limit)]
    with subprocess.Popen(command, stdin=subprocess.PIPE):
        yield


@contextmanager
def losing_workers(distribution: Any) -> Iterator[None]:
    """Ends this process, in which collectives may hang, where the others are gone."""
    import tensorflow as tf

    try:
        yield
    except (
        tf.errors.UnavailableError,
        tf.errors.AbortedError,
        tf.errors.CancelledError,
        tf.errors.DeadlineExceededError,
        tf.errors.FailedPreconditionError,
        tf.errors.InternalError,
    ) as error:
        if distribution.num_workers == 1:
            raise
        print(
            f"error: worker {distribution.rank} lost the others ({type(error).__name__}). "
            "Started again, the same job goes on from its last checkpoint.",
            file=sys.stderr,
        )
        leave(LOST)


def follow(distribution: Any) -> NoReturn:
    """What a worker that is not the chief does: it trains what it is told to, and ends."""
    from pipelines import train

    try:
        with losing_workers(distribution):
            train.join(distribution)
    except train.ChiefStopped:
        print("The chief stopped before training; its output says why.", file=sys.stderr)
    except train.TrainingStopped as stopped:
        leave(stopped.exit_code)
    except UserError as error:
        print(f"error: {error.message}\n  {error.hint}", file=sys.stderr)
        leave(2)
    except stopping.Requested as stop:
        leave(stop.code)
    except BaseException:
        traceback.print_exc()
        leave(1)
    leave(0)


def leave(code: int) -> NoReturn:
    """Ends this process at once: TensorFlow's own end would wait for the others."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def launch(num_workers: int) -> int:
    """Runs this very command as so many workers on this machine, and again where one dies; gives its exit code.

    Raises:
        UserError: Fewer GPUs than workers.
    """
    job = f"workers-{socket.gethostname()}-{os.getpid()}-{time.time_ns()}"
    for attempt in range(MAX_RESTARTS + 1):
        with tempfile.TemporaryDirectory() as folder:
            code, died = Workers(num_workers, job, Path(folder)).run()
        if died is None:
            return code
        if attempt < MAX_RESTARTS:
            warn(f"{died}; all start again from the last checkpoint ({attempt + 1} of {MAX_RESTARTS} times).")
    warn(f"{died}; it was started {MAX_RESTARTS + 1} times, and is given up.")
    return 1


class Workers:
    """Processes of one training on this machine; the first is the chief, and is heard.

    Args:
        num: How many.
        job: See `Cluster`.
        folder: Where the others' output goes, to be shown if one fails.
    """

    def __init__(self, num: int, job: str, folder: Path) -> None:
        self.folder = folder
        addresses = [f"127.0.0.1:{port}" for port in free_ports(num)]
        gpus = visible_gpus()
        if gpus and len(gpus) < num:
            raise UserError(
                f"--workers {num}: this machine has {len(gpus)} GPUs, and workers cannot share one.",
                "Leave out --workers: one process uses all GPUs of a machine.",
            )
        self.processes = [
            self.start(rank, {**environment_of(addresses, rank, job), **gpus_of(gpus, rank, num)})
            for rank in range(num)
        ]

    def start(self, rank: int, environment: dict[str, str]) -> subprocess.Popen[bytes]:
        command, environment = [sys.executable, *sys.argv], {**os.environ, **environment}
        # A group of its own: Ctrl-C reaches this process alone, which passes it on once.
        if rank == 0:
            return subprocess.Popen(command, env=environment, process_group=0)
        with open(self.log(rank), "wb") as output:
            return subprocess.Popen(command, env=environment, stdout=output, stderr=output, process_group=0)

    def log(self, rank: int) -> Path:
        return self.folder / f"{rank}.log"

    def run(self) -> tuple[int, str | None]:
        """Waits for the end: (exit code, None), or (1, who died) if starting again will help."""
        try:
            with passing_signals_on(self.processes) as received:
                code, died = self.wait(received)
                # Who was asked to end is not started again.
                return (128 + received[0], None) if died and received else (code, died)
        finally:
            self.kill()

    def wait(self, received: list[int]) -> tuple[int, str | None]:
        chief, *others = self.processes
        while chief.poll() is None and not any(process.poll() for process in others):
            time.sleep(SECONDS_BETWEEN_LOOKS)
            if {signal.SIGTERM, signal.SIGHUP} & set(received):
                # Who waits for others in TensorFlow does not hear it.
                self.give_time(SECONDS_TO_STOP)
                self.kill()
        self.give_time(SECONDS_TO_END if chief.returncode == 0 else SECONDS_TO_FOLLOW)
        if chief.returncode == 0:
            return 0, None
        codes = [process.poll() for process in self.processes]
        # The first that ended by a decision of its own says what happened; the rest only followed.
        for rank, code in enumerate(codes):
            if code is not None and code > 0 and code != LOST:
                if rank > 0:
                    sys.stderr.write(self.log(rank).read_text(errors="replace"))
                return code, None
        rank, code = next((r, c) for r, c in sorted(enumerate(codes), key=is_follower) if c)
        how = f"was killed by signal {-code}" if code < 0 else "lost the others"
        return 1, f"worker {rank} {how}"

    def give_time(self, limit: float) -> None:
        """Lets those that still run end by themselves."""
        end = time.monotonic() + limit
        while time.monotonic() < end and any(process.poll() is None for process in self.processes):
            time.sleep(SECONDS_BETWEEN_LOOKS)

    def kill(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()


def is_follower(item: tuple[int, int | None]) -> bool:
    """Whether a worker ended because others had."""
    return item[1] is None or item[1] >= 0


@contextmanager
def passing_signals_on(processes: list[subprocess.Popen[bytes]]) -> Iterator[list[int]]:
    """Ctrl-C goes to the chief, which stops all at the same step; a request to end goes to all. Gives what came."""
    received: list[int] = []

    def handle(number: int, frame: Any) -> None:
        received.append(number)
        for process in processes[:1] if number == signal.SIGINT else processes:
            with suppress(ProcessLookupError):
                process.send_signal(number)

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def free_ports(num: int) -> list[int]:
    """Ports of the loopback interface that nobody listens on now."""
    sockets = [socket.socket() for _ in range(num)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def environment_of(addresses: list[str], rank: int, job: str) -> dict[str, str]:
    cluster = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": rank}}
    threads = str(max(1, (os.cpu_count() or 1) // len(addresses)))
    own = {name: os.environ.get(name, threads) for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")}
    return {"TF_CONFIG": json.dumps(cluster), "VAE_TF_JOB": job, **own}


def visible_gpus() -> list[str]:
    """The GPUs that a process may use, as CUDA_VISIBLE_DEVICES names them."""
    if "CUDA_VISIBLE_DEVICES" in os.environ:
        return [name for name in os.environ["CUDA_VISIBLE_DEVICES"].split(",") if name and name != "-1"]
    found = [path.name.removeprefix("nvidia") for path in Path("/dev").glob("nvidia[0-9]*")]
    return sorted(found, key=int)


def gpus_of(gpus: list[str], rank: int, num: int) -> dict[str, str]:
    """Each worker's share of the GPUs."""
    each = len(gpus) // num
    return {"CUDA_VISIBLE_DEVICES": ",".join(gpus[rank * each : (rank + 1) * each])} if gpus else {}
