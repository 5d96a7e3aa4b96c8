"""A real Ray cluster of two nodes on this machine, and ways to hurt it."""

import contextlib
import os
import signal
import time

OBJECT_STORE = 100 * 2**20


@contextlib.contextmanager
def cluster_of_two():
    """Two nodes of one core each; gives the cluster and the second node."""
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": OBJECT_STORE, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=node)
    try:
        second = cluster.add_node(**node)
        cluster.wait_for_nodes()
        yield cluster, second
    finally:
        cluster.shutdown()


def kill_one(kind, children_of):
    """SIGKILL for one process of the cluster that Ray calls `kind`."""
    import psutil

    names = {p.pid: " ".join(p.cmdline()) for p in psutil.Process(children_of).children(recursive=True)}
    victims = [pid for pid, name in names.items() if f"ray::{kind}" in name]
    os.kill(victims[-1], signal.SIGKILL)


def wait_until(is_so, seconds=180):
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
