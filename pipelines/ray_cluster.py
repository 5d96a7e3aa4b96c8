"""A Ray cluster: on this machine, or wherever `--address` says."""

import contextlib
import dataclasses
import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import vae_tf
from pipelines.console import held_stderr, say, warn
from reports.words import plural
from vae_tf.errors import UserError

ENGINES = ("local", "ray")
PACKAGES = ("vae_tf", "pipelines", "reports")


@dataclasses.dataclass(frozen=True)
class Cluster:
    """What there is to work with.

    Args:
        cpus: Of each machine that offers any.
        num_gpus: In all.
    """

    cpus: tuple[float, ...]
    num_gpus: int

    @property
    def words(self) -> str:
        machines = plural(len(self.cpus), "machine")
        return f"{machines}, {plural(int(sum(self.cpus)), 'core')}, {plural(self.num_gpus, 'GPU')}"


def check_engine(engine: str, address: str | None) -> bool:
    """Whether Ray is asked for.

    Raises:
        UserError: An unknown engine, an address without Ray, or Ray is not installed.
    """
    if engine not in ENGINES:
        raise UserError(f"--engine {engine}: there is no such engine.", f"Engines are: {', '.join(ENGINES)}.")
    if engine == "local":
        if address is not None:
            raise UserError(f"--address {address} is that of a Ray cluster.", "Say --engine ray, too.")
        return False
    import_ray()
    return True


def import_ray() -> Any:
    # Read when it is imported. A tool that works offline sends nothing anywhere.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    try:
        import ray.data
    except ImportError as error:
        raise UserError(f"--engine ray needs Ray ({error}).", "pip install -r requirements-ray.txt") from None
    for name in ("ray", "ray.data", "ray.train"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return ray


@contextlib.contextmanager
def connected(address: str | None, environment: Mapping[str, str] | None = None) -> Iterator[Cluster]:
    """The cluster at `address` while the block lasts; without one that of RAY_ADDRESS, or this machine's own cores.

    The project's code travels to the machines of the cluster; the packages in requirements-ray.txt must be there.

    Args:
        address: "auto", HOST:PORT, or None.
        environment: Variables that the workers get.

    Raises:
        UserError: Nobody answers at the address.
    """
    ray = import_ray()
    root = Path(vae_tf.__file__).parent.parent
    try:
        with held_stderr():
            ray.init(
                address=address,
                log_to_driver=False,
                logging_level=logging.ERROR,
                runtime_env={
                    "py_modules": [str(root / name) for name in PACKAGES],
                    "env_vars": {"TF_CPP_MIN_LOG_LEVEL": "3", **(environment or {})},
                },
            )
    except (ConnectionError, ValueError, RuntimeError) as error:
        where = address or os.environ.get("RAY_ADDRESS", "this machine")
        raise UserError(
            f"There is no Ray cluster at {where} ({first_line(error)}).",
            "Start one (ray start --head; on other machines ray start --address HEAD:6379), or leave --address out.",
        ) from None
    try:
        cluster = describe(ray.nodes())
        say(f"  Ray {ray.__version__}: {cluster.words}", style="dim")
        yield cluster
    finally:
        ray.shutdown()


def describe(nodes: list[dict[str, Any]]) -> Cluster:
    """The machines that `ray.nodes()` lists and that live."""
    resources = [node["Resources"] for node in nodes if node["Alive"]]
    cpus = tuple(float(one["CPU"]) for one in resources if one.get("CPU"))
    return Cluster(cpus, int(sum(one.get("GPU", 0) for one in resources)))


def first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0] or type(error).__name__


def note_losses(before: Cluster) -> None:
    """Says how many machines went away while the work went on."""
    lost = len(before.cpus) - len(describe(import_ray().nodes()).cpus)
    if lost > 0:
        warn(f"{plural(lost, 'machine')} of the cluster went away; their work was done by the others.")
