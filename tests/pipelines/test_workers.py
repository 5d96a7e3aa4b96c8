"""`train --workers N`: who is started, what happens when one ends, and a whole training in which one is killed."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from pipelines import workers
from tests.pipelines.bars import ROOT
from vae_tf.artifacts.npz_files import load_arrays
from vae_tf.artifacts.runs import all_runs
from vae_tf.errors import UserError
from vae_tf.training.loop import read_metrics

PROGRAM = """
import json, os, signal, sys, time
from pathlib import Path
rank = json.loads(os.environ["TF_CONFIG"])["task"]["index"]
starts = len(list(Path({folder!r}).glob(f"{{rank}}-*")))
(Path({folder!r}) / f"{{rank}}-{{starts}}").write_text(os.environ["VAE_TF_JOB"])
{body}
"""


@pytest.fixture
def launching(tmp_path, monkeypatch):
    """A function from what each worker does to the exit code of two of them."""
    monkeypatch.setattr(workers, "SECONDS_TO_FOLLOW", 0.6)
    monkeypatch.setattr(workers, "SECONDS_BETWEEN_LOOKS", 0.02)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")

    def launch(body):
        program = tmp_path / "program.py"
        program.write_text(PROGRAM.format(folder=str(tmp_path), body=body))
        monkeypatch.setattr(sys, "argv", [str(program)])
        return workers.launch(2)

    return launch


def starts(folder, rank):
    return sorted(path.read_text() for path in folder.glob(f"{rank}-*"))


def test_all_end_well(launching, tmp_path):
    assert launching("") == 0
    assert len(starts(tmp_path, 0)) == len(starts(tmp_path, 1)) == 1


@pytest.mark.parametrize("code", [1, 2, 130])
def test_the_chiefs_code_is_the_commands(launching, tmp_path, code):
    assert launching(f"sys.exit({code}) if rank == 0 else time.sleep(60)") == code
    assert len(starts(tmp_path, 0)) == 1


@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_worker_makes_all_start_again_as_the_same_job(launching, tmp_path, capsys, victim):
    body = f"""
if rank == {victim} and starts == 0:
    os.kill(os.getpid(), signal.SIGKILL)
if starts == 0:
    time.sleep(0.2)
    sys.exit({workers.LOST})
"""
    assert launching(body) == 0
    for rank in (0, 1):
        first, second = starts(tmp_path, rank)
        assert first == second
    assert f"worker {victim} was killed by signal 9" in capsys.readouterr().out


def test_a_worker_that_keeps_dying_is_given_up(launching, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(workers, "MAX_RESTARTS", 2)
    assert launching("os.kill(os.getpid(), signal.SIGKILL) if rank else time.sleep(60)") == 1
    assert len(starts(tmp_path, 0)) == 3
    assert "started 3 times" in capsys.readouterr().out


def test_another_workers_mistake_is_shown_and_not_repeated(launching, tmp_path, capfd):
    assert launching("sys.exit('no such folder') if rank else time.sleep(60)") == 1
    assert "no such folder" in capfd.readouterr().err
    assert len(starts(tmp_path, 1)) == 1


def test_ctrl_c_reaches_the_chief_once(launching, tmp_path):
    body = f"""
caught = []
signal.signal(signal.SIGINT, lambda *_: caught.append(1))
(Path({str(tmp_path)!r}) / f"ready{{rank}}").touch()
end = time.monotonic() + (20 if rank else 5)
while time.monotonic() < end and not caught:
    time.sleep(0.02)
time.sleep(0.2)
sys.exit(130 if rank == 0 and len(caught) == 1 else 3)
"""

    def interrupt():
        while not all((tmp_path / f"ready{rank}").exists() for rank in (0, 1)):
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    assert launching(body) == 130


def test_a_request_to_end_is_no_death(launching, tmp_path):
    threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGTERM)).start()
    assert launching("time.sleep(60)") == 128 + signal.SIGTERM
    assert len(starts(tmp_path, 0)) == 1


def test_workers_share_cores_and_gpus(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert workers.environment_of(["a:1", "a:2"], 1, "job")["TF_NUM_INTRAOP_THREADS"] == "4"
    shares = [workers.gpus_of(["0", "1", "2", "5"], rank, 2)["CUDA_VISIBLE_DEVICES"] for rank in (0, 1)]
    assert shares == ["0,1", "2,5"]


def test_more_workers_than_gpus_are_refused(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    with pytest.raises(UserError, match="1 GPU"):
        workers.launch(2)


def test_asking_for_other_workers_than_the_cluster_has_is_refused(monkeypatch):
    cluster = {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(cluster))
    assert workers.found_cluster(2) == workers.found_cluster(1)
    with pytest.raises(UserError, match="names 2"):
        workers.found_cluster(3)


def start_training(folder, runs):
    options = "--recipe mlp --latent 3 --epochs 40 --batch-size 5 --augment none --workers 2"
    environment = {
        **os.environ,
        "VAE_TF_RUNS": str(runs),
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "-1",
    }
    return subprocess.Popen(
        [sys.executable, "cli.py", "train", str(folder), *options.split(" ")],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_for_epoch(runs, process, epoch):
    while process.poll() is None:
        if any(len(read_metrics(path)) >= epoch for path in runs.glob("*/train.partial/metrics.jsonl")):
            return
        time.sleep(0.05)
    raise AssertionError(process.stdout.read())


def worker_of(launcher, rank):
    """The process id of a worker that a launcher started."""
    children = subprocess.run(["pgrep", "-P", str(launcher.pid)], capture_output=True, text=True, check=True)
    for pid in map(int, children.stdout.split()):
        environment = Path(f"/proc/{pid}/environ").read_text().split("\0")
        config = next(line.partition("=")[2] for line in environment if line.startswith("TF_CONFIG="))
        if json.loads(config)["task"]["index"] == rank:
            return pid
    raise AssertionError("no such worker")


@pytest.mark.slow
def test_a_killed_worker_changes_nothing_in_the_end(tmp_path):
    pictures = np.random.default_rng(0).integers(0, 256, (30, 8, 8, 1), dtype=np.uint8)
    np.savez(tmp_path / "pictures.npz", x=pictures)
    for name in ("undisturbed", "killed"):
        launcher = start_training(tmp_path / "pictures.npz", tmp_path / name)
        if name == "killed":
            wait_for_epoch(tmp_path / name, launcher, 3)
            os.kill(worker_of(launcher, 1), signal.SIGKILL)
        output, _ = launcher.communicate(timeout=500)
        assert launcher.returncode == 0, output
        assert ("all start again" in output) == (name == "killed")
    (undisturbed,), (killed,) = (all_runs(tmp_path / name) for name in ("undisturbed", "killed"))
    lines = [read_metrics(run.folder / "train" / "metrics.jsonl") for run in (undisturbed, killed)]
    assert [line["epoch"] for line in lines[1]] == list(range(1, 41))
    # Two workers' sums are of two numbers, whose order changes nothing: equal to the last bit.
    for a, b in zip(*lines, strict=True):
        assert a["val_loss"] == b["val_loss"]
    states = [load_arrays(run.folder / "train" / "checkpoints" / "last.npz") for run in (undisturbed, killed)]
    for name in states[0].keys() - {"facts"}:
        np.testing.assert_array_equal(states[0][name], states[1][name], err_msg=name)
    distribution = killed.record["machine"]["distribution"]
    # 5 is rounded to what two can share.
    assert distribution["replicas"] == 2 and distribution["batch_size_per_replica"] == 2
    assert killed.record["machine"]["plan"]["batch_size"] == 4
