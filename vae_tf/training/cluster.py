"""Which machines train together, from what Kubernetes, Vertex AI, Slurm or `--workers` put into the environment."""

import dataclasses
import json
import re
from collections.abc import Mapping

from vae_tf.artifacts.hashes import hash_of
from vae_tf.errors import UserError

# Vertex AI's worker pools, by the roles that it documents for them.
POOLS = {"workerpool0": "chief", "workerpool1": "worker", "workerpool2": "ps", "workerpool3": "evaluator"}
FIRST_PORT, NUM_PORTS = 20_000, 10_000
HOSTS_HINT = "Slurm writes such a list as node[01-03,07],login1."


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The processes that train one model.

    Args:
        addresses: host:port of each worker; the first is the chief, which alone writes.
        rank: Which of them this process is; None: an evaluator, which training has no use for.
        origin: Who says so.
        job: The same for every start of the same job, so that a job started again finds its unfinished run.
        is_unique: Whether no other job, now or later, has this `job`.
    """

    addresses: tuple[str, ...]
    rank: int | None
    origin: str
    job: str
    is_unique: bool = False

    @property
    def tf_config(self) -> str:
        """TF_CONFIG of this process, as `tf.distribute` reads it."""
        task = {"type": "worker", "index": self.rank}
        return json.dumps({"cluster": {"worker": list(self.addresses)}, "task": task})


def find_cluster(environment: Mapping[str, str]) -> Cluster | None:
    """The cluster that a process belongs to; None for a process of its own.

    TF_CONFIG (Kubeflow, Vertex AI, `--workers`) goes before CLUSTER_SPEC (Vertex AI), and both before Slurm.

    Raises:
        UserError: What the environment says cannot be understood, or asks for parameter servers.
    """
    found = from_tf_config(environment) or from_cluster_spec(environment) or from_slurm(environment)
    return None if found is None or len(found.addresses) < 2 else found


def from_tf_config(environment: Mapping[str, str]) -> Cluster | None:
    """What TF_CONFIG says: {"cluster": {"chief": [...], "worker": [...]}, "task": {"type": ..., "index": ...}}."""
    text = environment.get("TF_CONFIG", "")
    return make_cluster("TF_CONFIG", text, {}, environment) if text else None


def from_cluster_spec(environment: Mapping[str, str]) -> Cluster | None:
    """What Vertex AI's CLUSTER_SPEC says: as TF_CONFIG, with worker pools in the place of roles."""
    text = environment.get("CLUSTER_SPEC", "")
    return make_cluster("CLUSTER_SPEC", text, POOLS, environment) if text else None


def make_cluster(
    variable: str, text: str, roles: Mapping[str, str], environment: Mapping[str, str]
) -> Cluster | None:
    try:
        document = json.loads(text)
        cluster = {
            roles.get(name, name): list(map(str, hosts))
            for name, hosts in document.get("cluster", {}).items()
            if hosts
        }
        task = document.get("task", {})
        role, index = str(task.get("type", "")), int(task.get("index", 0))
    except (ValueError, TypeError, AttributeError):
        raise UserError(
            f"{variable} cannot be read: {text[:200]}",
            'It is {"cluster": {"chief": ["host:port"], "worker": [...]}, "task": {"type": "chief", "index": 0}}.',
        ) from None
    role = roles.get(role, role)
    if "ps" in cluster:
        raise UserError(
            f"{variable} asks for parameter servers, and training is synchronous.",
            "Leave out ps: a chief and workers are enough.",
        )
    # "master" is what the chief was called before TensorFlow 2.
    first = [*cluster.get("chief", []), *cluster.get("master", [])]
    addresses = (*first, *cluster.get("worker", []))
    job, is_unique = job_of(environment, hash_of(addresses))
    if role == "evaluator":
        return Cluster(addresses, None, variable, job, is_unique)
    if not addresses:
        return None
    rank = {"chief": 0, "master": 0, "worker": len(first)}.get(role, -1) + index
    if role not in ("chief", "master", "worker") or not 0 <= rank < len(addresses):
        raise UserError(
            f"{variable}: there is no task {role!r} {index} in its cluster.",
            "A task is a chief, worker or evaluator, and its index says which of the listed addresses it has.",
        )
    return Cluster(addresses, rank, variable, job, is_unique)


def job_of(environment: Mapping[str, str], otherwise: str) -> tuple[str, bool]:
    """The job's key, and whether no other job will ever have it."""
    for name in ("VAE_TF_JOB", "CLOUD_ML_JOB_ID"):
        if environment.get(name):
            return environment[name], True
    if "SLURM_JOB_ID" in environment:
        return f"slurm-{environment.get('SLURM_CLUSTER_NAME', '')}-{environment['SLURM_JOB_ID']}", True
    return otherwise, False


def from_slurm(environment: Mapping[str, str]) -> Cluster | None:
    """The tasks of a Slurm step (srun), one worker each; None outside of one."""
    if int(environment.get("SLURM_STEP_NUM_TASKS", "1")) < 2 or "SLURM_PROCID" not in environment:
        return None
    hosts = expand_hosts(environment["SLURM_STEP_NODELIST"])
    counts = expand_counts(environment["SLURM_STEP_TASKS_PER_NODE"])
    if len(hosts) != len(counts):
        raise UserError(
            f"Slurm names {len(hosts)} nodes and tasks for {len(counts)}.", "Set TF_CONFIG by hand instead."
        )
    # Steps of several jobs may share a node: their ports differ.
    number = int(environment["SLURM_JOB_ID"]) * 31 + int(environment.get("SLURM_STEP_ID", "0"))
    port = FIRST_PORT + number * 16 % NUM_PORTS
    addresses = tuple(
        f"{host}:{port + i}" for host, count in zip(hosts, counts, strict=True) for i in range(count)
    )
    job, is_unique = job_of(environment, "")
    return Cluster(addresses, int(environment["SLURM_PROCID"]), "Slurm", job, is_unique)


def expand_hosts(text: str) -> list[str]:
    """Slurm's "node[01-02,07]-ib,login1" to node01-ib, node02-ib, node07-ib and login1.

    Raises:
        UserError: It cannot be understood.
    """
    hosts: list[str] = []
    for part in re.findall(r"(?:[^,\[\]]|\[[^\]]*\])+", text):
        names = [""]
        for plain, ranges in re.findall(r"([^\[\]]+)|\[([^\]]*)\]", part):
            endings = (
                [plain] if plain else [number for one in ranges.split(",") for number in numbers_of(one)]
            )
            names = [name + ending for name in names for ending in endings]
        hosts += names
    return hosts


def numbers_of(text: str) -> list[str]:
    """ "08-10" to 08, 09, 10; "7" to 7."""
    first, _, last = text.partition("-")
    if not first.isdecimal() or not (last or first).isdecimal():
        raise UserError(f"Slurm's list of nodes has {text!r} in it.", HOSTS_HINT)
    return [str(number).zfill(len(first)) for number in range(int(first), int(last or first) + 1)]


def expand_counts(text: str) -> list[int]:
    """Slurm's "2(x3),1" to 2, 2, 2, 1."""
    found = re.findall(r"(\d+)(?:\(x(\d+)\))?", text)
    return [int(count) for count, times in found for _ in range(int(times or 1))]
