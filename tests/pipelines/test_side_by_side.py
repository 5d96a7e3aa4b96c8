"""Tasks give the same apart as one after the other, and their mistakes arrive."""

import operator
import os
import subprocess
import sys
import time
from pathlib import Path

import joblib
import numpy as np
import pytest
from joblib import delayed

from pipelines.side_by_side import results_of
from vae_tf.analysis.clustering import k_means
from vae_tf.errors import UserError

ROOT = Path(__file__).parents[2]
POINTS = np.random.default_rng(0).normal(size=(60, 3)) + 9 * (np.arange(60)[:, None] % 2)


@pytest.mark.parametrize("apart", [False, True])
def test_each_result_has_the_name_of_its_task(apart):
    tasks = {
        "sum": delayed(operator.add)(2, 3),
        "text": delayed(int)("ff", base=16),
        "clusters": delayed(k_means)(POINTS, 2),
    }
    found = results_of(tasks, apart)
    assert list(found) == ["sum", "text", "clusters"]
    assert (found["sum"], found["text"]) == (5, 255)
    assert len(set(found["clusters"][::2])) == len(set(found["clusters"][1::2])) == 1
    assert found["clusters"][0] != found["clusters"][1]


@pytest.mark.parametrize("apart", [False, True])
def test_a_mistake_is_told_as_it_was(apart):
    with pytest.raises(UserError, match=r"k-means with 61 clusters needs 1 ≤ k ≤ N = 60\."):
        results_of({"wrong": delayed(k_means)(POINTS, 61), "right": delayed(k_means)(POINTS, 2)}, apart)


@pytest.mark.parametrize(("num_tasks", "num_processes"), [(3, 3), (7, 4)])
def test_there_are_few_processes_and_each_has_one_thread(monkeypatch, num_tasks, num_processes):
    monkeypatch.setattr(joblib, "cpu_count", lambda: 64)
    found = results_of({f"task {i}": delayed(where)() for i in range(num_tasks)}, apart=True)
    assert os.getpid() not in {process for process, _ in found.values()}
    assert {threads for _, threads in found.values()} == {"1"}
    from joblib.externals.loky import get_reusable_executor

    assert len(get_reusable_executor(reuse=True)._processes) == num_processes


def where() -> tuple[int, str | None]:
    return os.getpid(), os.environ.get("OMP_NUM_THREADS")


def test_who_is_killed_leaves_nobody_computing():
    code = "import time; from joblib import delayed; from pipelines.side_by_side import results_of;"
    code += "results_of({'long': delayed(time.sleep)(600), 'other': delayed(time.sleep)(600)}, apart=True)"
    killed = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    try:
        sleepers = wait_for(lambda: [child for child in children_of(killed.pid) if is_sleeping(child)])
    finally:
        killed.kill()
        killed.wait()
    wait_for(lambda: not any(Path(f"/proc/{child}").exists() for child in sleepers))


def children_of(process: int) -> list[int]:
    text = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [int(child) for child in text.split()]


def is_sleeping(process: int) -> bool:
    return b"popen_loky" in Path(f"/proc/{process}/cmdline").read_bytes()


def wait_for(look, seconds=60):
    """What `look` finds, as soon as it finds something."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end
        time.sleep(0.1)
    return found
