"""The commands with sources, runs and exports in an object store."""

import io
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import cli
from tests.pipelines.bars import QUICK, ROOT
from vae_tf.artifacts.npz_files import load_arrays
from vae_tf.artifacts.runs import find_run
from vae_tf.store import Store


def put_pictures(address):
    """12 pictures of 8×8 in two classes, of three grey levels each."""
    generator = np.random.default_rng(0)
    for number in range(12):
        stream = io.BytesIO()
        Image.fromarray(generator.integers(0, 256, (8, 8), dtype=np.uint8)).save(stream, "PNG")
        Store(address).write(f"{'up' if number % 2 else 'down'}/{number}.png", stream.getvalue())


@pytest.fixture
def places(s3, monkeypatch, tmp_path):
    """A bucket with pictures, and runs in it; this machine's folder."""
    put_pictures(f"{s3}/faces")
    monkeypatch.setenv("VAE_TF_RUNS", f"{s3}/runs")
    monkeypatch.setenv("VAE_TF_CACHE", str(tmp_path / "machine"))
    return s3, tmp_path / "machine"


@pytest.mark.slow
def test_a_run_goes_on_where_another_machine_left_it(places, capsys):
    bucket, machine = places
    store = Store(f"{bucket}/runs")
    assert cli.main(["train", f"{bucket}/faces/", *QUICK, "--epochs", "1", "--augment", "none"]) == 0
    page = "00001-faces-mlp-z2/report/"
    assert f"also at {bucket}/runs/{page}" in capsys.readouterr().out
    there = {item.path for item in store.objects()}
    assert {f"00001-faces-mlp-z2/{name}/stage.json" for name in ("data", "train", "evaluate")} <= there
    assert f"{page}index.html" in there and not any("partial" in name for name in there)
    shutil.rmtree(machine)

    assert cli.main(["runs"]) == 0
    assert "00001-faces-mlp-z2" in capsys.readouterr().out
    assert not list(machine.rglob("vae.keras")), "a list needs no weights"
    assert cli.main(["embed"]) == 0
    shutil.rmtree(machine)
    embedded = find_run(None).stage("embed")
    assert load_arrays(embedded.folder / "latents.npz")["mean"].shape == (12, 2)
    assert cli.main(["show"]) == 0
    assert f"in {bucket}/runs/00001-faces-mlp-z2" in capsys.readouterr().out

    put_pictures(f"{bucket}/faces")
    Store(f"{bucket}/faces").remove(["up/1.png"])
    shutil.rmtree(machine)
    assert cli.main(["interpolation-grid"]) == 2
    assert "have changed since 00001-faces-mlp-z2 read them" in capsys.readouterr().err


def test_a_process_says_nothing_but_its_own_lines(places):
    bucket, _ = places
    process = subprocess.run(
        [sys.executable, "cli.py", "runs"], cwd=ROOT, env=dict(os.environ), capture_output=True, text=True
    )
    assert process.returncode == 0 and not process.stderr
    assert f"There is no run in {bucket}/runs/" in process.stdout


@pytest.mark.parametrize("command", [["runs"], ["show"], ["train", "demo:faces"], ["embed"]])
def test_a_bucket_of_runs_that_is_not_there_is_one_error(s3, monkeypatch, capsys, command, tmp_path):
    monkeypatch.setenv("VAE_TF_RUNS", "s3://no-such-bucket/runs")
    monkeypatch.setenv("VAE_TF_CACHE", str(tmp_path))
    assert cli.main(command) == 2
    error = capsys.readouterr().err
    assert "there is no such bucket" in error and "Traceback" not in error


def test_an_unreachable_place_is_told_before_the_export(s3, capsys):
    assert cli.main(["export", "--to", "s3://no-such-bucket/models/"]) == 2
    assert "s3://no-such-bucket/models cannot be listed" in capsys.readouterr().err
