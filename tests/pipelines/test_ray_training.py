"""`train --engine ray` on a real cluster of two nodes: a worker that dies costs time, and nothing else."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from pipelines import ray_training
from pipelines.run_data import load_model
from tests.pipelines.bars import ROOT, write_pictures
from tests.pipelines.ray_clusters import cluster_of_two, kill_one, wait_until
from vae_tf.artifacts.runs import all_runs, find_run, new_run
from vae_tf.config import parse_config
from vae_tf.errors import UserError
from vae_tf.places import runs_root
from vae_tf.training.loop import read_metrics

pytest.importorskip("ray", reason="pip install -r requirements-ray.txt")

NUM_EPOCHS = 40


def saving_at_every_step(settings):
    """What a worker does, but for the half minute between two checkpoints."""
    from pipelines import ray_training
    from vae_tf.training import loop

    loop.SECONDS_BETWEEN_SAVES = 0.0
    return ray_training.work(settings)


def small_task(folder):
    document = {
        "data": {"source": str(folder)},
        "model": {
            "recipe": "mlp",
            "latent": 2,
            "settings": {"encoder.widths": [16], "decoder.widths": [16]},
        },
        "training": {"epochs": NUM_EPOCHS, "batch_size": 10, "precision": "float32"},
    }
    return ray_training.Task(parse_config(document))


def train_here(folder):
    """The same training by two workers that no Ray has started and nobody kills."""
    options = ["--recipe", "mlp", "--latent", "2", "--epochs", str(NUM_EPOCHS), "--batch-size", "10"]
    options += ["--precision", "float32", "--set", "encoder.widths=[16]", "--set", "decoder.widths=[16]"]
    command = [
        sys.executable,
        "cli.py",
        "train",
        str(folder),
        *options,
        "--workers",
        "2",
        "--name",
        "undisturbed",
    ]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr + process.stdout
    return find_run("undisturbed")


@pytest.mark.slow
def test_a_killed_worker_leaves_the_run_as_undisturbed_workers_do(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(ray_training, "work", saving_at_every_step)
    # Threads share out sums, and so decide their last digits.
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "1")
    write_pictures(tmp_path / "bars")
    told = {}

    def kill_in_the_middle():
        def epochs():
            return sum(len(read_metrics(run.partial_train / "metrics.jsonl")) for run in all_runs())

        wait_until(lambda: epochs() >= 5)
        kill_one("RayTrainWorker", os.getpid())
        told["at the death"] = epochs()

    with cluster_of_two() as (cluster, _):
        killer = threading.Thread(target=kill_in_the_middle, daemon=True)
        killer.start()
        disturbed = ray_training.train(small_task(tmp_path / "bars"), 2, cluster.address)
        killer.join()
    undisturbed = train_here(tmp_path / "bars")
    assert 5 <= told["at the death"] < NUM_EPOCHS
    assert f"run {disturbed.name} goes on" in capsys.readouterr().out
    lines = read_metrics(disturbed.folder / "train" / "metrics.jsonl")
    assert [line["epoch"] for line in lines] == list(range(1, NUM_EPOCHS + 1))
    for ours, theirs in zip(
        load_model(disturbed).get_weights(), load_model(undisturbed).get_weights(), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)
    machine = disturbed.record["machine"]["distribution"]
    assert (machine["workers"], machine["replicas"]) == (2, 2)
    assert {run.name for run in all_runs()} == {undisturbed.name, disturbed.name}
    assert not list(runs_root().glob(".ray*"))


def test_a_mistake_is_told_before_a_cluster_is_asked(tmp_path, monkeypatch):
    monkeypatch.setattr(ray_training, "connected", None)
    with pytest.raises(UserError, match="no folder"):
        ray_training.train(small_task(tmp_path / "nowhere"), 2, None)
    bad = parse_config(
        {"data": {"source": str(write_pictures(tmp_path / "bars"))}, "model": {"recipe": "mpl"}}
    )
    with pytest.raises(UserError, match="mpl"):
        ray_training.train(ray_training.Task(bad), 2, None)


def test_this_machine_has_room_or_says_so(monkeypatch, capsys):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    cluster = ray_training.Cluster((2.0,), 0)
    ray_training.check_room(cluster, 2, None)
    with pytest.raises(UserError, match="has 2 cores"):
        ray_training.check_room(cluster, 3, None)
    ray_training.check_room(cluster, 3, "head:6379")
    assert "waiting for machines" in capsys.readouterr().out
    with pytest.raises(UserError, match="has 1 GPUs"):
        ray_training.check_room(ray_training.Cluster((16.0,), 1), 2, None)


def test_what_the_chief_says_is_shown_as_it_comes(tmp_path, capsys):
    with ray_training.hearing(tmp_path / "output.txt"):
        with open(tmp_path / "output.txt", "a", encoding="utf-8") as file:
            file.write("epoch 1/2\n[bold]no markup[/]\n")
        wait_until(lambda: "no markup" in capsys.readouterr().out, 10)
        with open(tmp_path / "output.txt", "a", encoding="utf-8") as file:
            file.write("the last words\n")
    assert capsys.readouterr().out == "the last words\n"


def test_what_the_chief_gave_back_becomes_its_run_or_its_error():
    run = new_run("small", {})
    with pytest.raises(UserError, match="too few"):
        ray_training.outcome({"message": "too few", "hint": "take more"})
    with pytest.raises(UserError, match="not in"):
        ray_training.outcome({"run": run.name})
    with pytest.raises(ray_training.TrainingStopped) as stopped:
        ray_training.outcome({"run": run.name, "exit_code": 1})
    assert stopped.value.exit_code == 1 and stopped.value.run == run
