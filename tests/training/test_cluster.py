"""The environment of Kubernetes, Vertex AI and Slurm, as each documents it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vae_tf.errors import UserError
from vae_tf.training.cluster import expand_counts, expand_hosts, find_cluster


def tf_config(role, index, **cluster):
    return {"TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": role, "index": index}})}


KUBEFLOW = {
    "chief": ["job-chief-0.ns.svc:2222"],
    "worker": ["job-worker-0.ns.svc:2222", "job-worker-1.ns.svc:2222"],
}
# https://cloud.google.com/vertex-ai/docs/training/distributed-training#cluster-variables
VERTEX = {
    "cluster": {
        "workerpool0": ["cmle-training-workerpool0-ab-0:2222"],
        "workerpool1": ["cmle-training-workerpool1-ab-0:2222", "cmle-training-workerpool1-ab-1:2222"],
    },
    "environment": "cloud",
    "task": {"type": "workerpool1", "index": 1, "trial": "TRIAL_ID"},
}
SLURM = {
    "SLURM_JOB_ID": "1234",
    "SLURM_STEP_ID": "0",
    "SLURM_STEP_NUM_TASKS": "5",
    "SLURM_STEP_NODELIST": "n[08-09],big",
    "SLURM_STEP_TASKS_PER_NODE": "2(x2),1",
    "SLURM_PROCID": "4",
}


@pytest.mark.parametrize(("role", "index", "rank"), [("chief", 0, 0), ("worker", 0, 1), ("worker", 1, 2)])
def test_kubeflows_chief_comes_before_its_workers(role, index, rank):
    cluster = find_cluster(tf_config(role, index, **KUBEFLOW))
    assert cluster.rank == rank
    assert cluster.addresses == (*KUBEFLOW["chief"], *KUBEFLOW["worker"])
    assert json.loads(cluster.tf_config)["task"] == {"type": "worker", "index": rank}


def test_without_a_chief_the_first_worker_is():
    assert find_cluster(tf_config("worker", 0, worker=["a:1", "b:1"])).rank == 0


def test_an_evaluator_has_no_rank():
    assert find_cluster(tf_config("evaluator", 0, **KUBEFLOW)).rank is None


@pytest.mark.parametrize(
    "environment",
    [{}, tf_config("worker", 0, worker=["a:1"]), tf_config("chief", 0, chief=["a:1"]), {"TF_CONFIG": "{}"}],
)
def test_one_process_is_no_cluster(environment):
    assert find_cluster(environment) is None


def test_vertex_pools_are_chief_and_workers():
    cluster = find_cluster({"CLUSTER_SPEC": json.dumps(VERTEX), "CLOUD_ML_JOB_ID": "77"})
    assert (cluster.rank, cluster.job, cluster.is_unique) == (2, "77", True)
    assert cluster.addresses[0].startswith("cmle-training-workerpool0")


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"TF_CONFIG": "{not json"}, "cannot be read"),
        ({"TF_CONFIG": "[1]"}, "cannot be read"),
        (tf_config("worker", 2, worker=["a:1", "b:1"]), "no task 'worker' 2"),
        (tf_config("boss", 0, worker=["a:1", "b:1"]), "no task 'boss' 0"),
        (tf_config("worker", 0, worker=["a:1", "b:1"], ps=["c:1"]), "parameter servers"),
        ({**SLURM, "SLURM_STEP_NODELIST": "n[a-b],big"}, "'a-b'"),
        ({**SLURM, "SLURM_STEP_NODELIST": "n1"}, "1 nodes and tasks for 3"),
    ],
)
def test_mistakes_are_named(environment, said):
    with pytest.raises(UserError, match=said) as raised:
        find_cluster(environment)
    assert raised.value.hint


def test_slurm_tasks_have_an_address_each():
    cluster = find_cluster(SLURM)
    hosts = [address.split(":")[0] for address in cluster.addresses]
    ports = [int(address.split(":")[1]) for address in cluster.addresses]
    assert hosts == ["n08", "n08", "n09", "n09", "big"]
    assert ports[0] != ports[1] and min(ports) > 1024 and max(ports) < 32768
    assert cluster.rank == 4 and cluster.is_unique
    again = find_cluster({**SLURM, "SLURM_RESTART_COUNT": "1", "SLURM_PROCID": "0"})
    assert again.job == cluster.job and again.addresses == cluster.addresses


def test_a_batch_script_outside_of_srun_is_no_cluster():
    assert find_cluster({"SLURM_JOB_ID": "1", "SLURM_NTASKS": "4", "SLURM_PROCID": "0"}) is None


node = st.one_of(
    st.from_regex(r"[a-z]{1,4}[0-9]{0,2}", fullmatch=True),
    st.from_regex(r"[a-z]{1,4}\[0[0-4]-1[0-9](,2[0-9])?\]", fullmatch=True),
)


@given(st.lists(node, min_size=1, max_size=4))
def test_hosts_are_those_that_tensorflow_reads(parts):
    from tensorflow.python.distribute.cluster_resolver.slurm_cluster_resolver import expand_hostlist

    text = ",".join(parts)
    assert expand_hosts(text) == expand_hostlist(text)


@given(st.lists(st.from_regex(r"[1-9](\(x[1-9]\))?", fullmatch=True), min_size=1, max_size=4))
def test_counts_are_those_that_tensorflow_reads(parts):
    from tensorflow.python.distribute.cluster_resolver.slurm_cluster_resolver import expand_tasks_per_node

    assert expand_counts(",".join(parts)) == expand_tasks_per_node(",".join(parts))


def test_jobs_are_told_apart_by_the_names_that_schedulers_give():
    plain = find_cluster(tf_config("chief", 0, **KUBEFLOW))
    again = find_cluster(tf_config("worker", 1, **KUBEFLOW))
    other = find_cluster(tf_config("worker", 0, worker=["a:1", "b:1"]))
    named = find_cluster({**tf_config("chief", 0, **KUBEFLOW), "VAE_TF_JOB": "uid-1"})
    assert plain.job == again.job != other.job and not plain.is_unique
    assert named.job == "uid-1" and named.is_unique
