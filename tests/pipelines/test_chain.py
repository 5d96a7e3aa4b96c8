"""The commands as a user runs them, on a small folder with one broken file."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cli
from tests.pipelines.bars import QUICK, ROOT, write_pictures
from vae_tf.artifacts.json_files import read_json, write_json
from vae_tf.artifacts.layout import SCHEMA_VERSION
from vae_tf.artifacts.npz_files import load_arrays
from vae_tf.artifacts.runs import all_runs
from vae_tf.errors import UserError


def test_every_stage_leaves_its_record_and_page(trained):
    run, process, _ = trained
    for stage in ("data", "train", "evaluate", "embed", "clusters", "classes", "interpolation", "export"):
        assert run.stage(stage) is not None, stage
    for page in ("index", "latents", "clusters", "classes", "interpolation", "export"):
        assert (run.report / f"{page}.html").exists()
        assert f"{page}.html" in process.stdout
    assert process.stdout.strip().splitlines()[-1].endswith("report/index.html")
    assert process.stdout.count("next: ") >= 5
    assert not list(run.folder.rglob("*partial*"))


def test_nothing_but_our_own_lines_is_printed(trained):
    _, process, _ = trained
    assert not process.stderr.strip(), process.stderr


def test_broken_file_is_skipped_counted_and_listed(trained):
    run, process, _ = trained
    assert "1 file could not be used" in process.stdout
    assert "up/broken.png: not a picture that Pillow can read" in process.stdout
    facts = read_json(run.folder / "data" / "facts.json")
    assert facts["skipped"] == [["up/broken.png", "not a picture that Pillow can read"]]
    assert "up/broken.png" in (run.report / "index.html").read_text()


def test_run_records_what_decided_it(trained):
    run, _, _ = trained
    record = run.record
    assert record["schema_version"] == SCHEMA_VERSION
    assert record["config"]["model"]["latent"] == 2
    assert record["config"]["data"]["size"] == [16, 16]
    assert set(record["versions"]) >= {"tensorflow", "keras", "vae_tf"}
    assert "run" in record["command"]
    with open(run.folder / "data" / "pictures.csv") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 24
    assert record["config"]["training"]["batch_size"] == sum(row["split"] == "train" for row in rows)
    parts = {}
    for row in rows:
        parts.setdefault(row["group"], set()).add(row["split"])
    assert all(len(split) == 1 for split in parts.values())
    assert {row["split"] for row in rows} == {"train", "validation", "test"}


def test_latents_are_the_models_own(trained):
    import keras

    import vae_tf.model  # noqa: F401
    from vae_tf.data.pictures import read_picture

    run, _, root = trained
    arrays = load_arrays(run.folder / "embed" / "latents.npz")
    model = keras.models.load_model(run.folder / "train" / "vae.keras")
    files = [root / "bars" / path for path in arrays["path"]]
    parameters = model.encode(np.stack([read_picture(path) for path in files]))
    np.testing.assert_allclose(arrays["mean"], parameters["mean"], atol=1e-5)
    deviation = np.exp(0.5 * np.asarray(parameters["log_variance"]))
    np.testing.assert_allclose(arrays["standard_deviation"], deviation, rtol=1e-4)
    names = [Path(path).parts[0] for path in arrays["path"]]
    assert [str(arrays["class_names"][label]) for label in arrays["label"]] == names


def test_scores_of_evaluation_are_those_of_the_model(trained):
    import keras

    import vae_tf.model  # noqa: F401
    from vae_tf.data.pictures import read_picture

    run, _, root = trained
    scores = read_json(run.folder / "evaluate" / "scores.json")
    arrays = load_arrays(run.folder / "embed" / "latents.npz")
    model = keras.models.load_model(run.folder / "train" / "vae.keras")
    for part, number in (("train", 0), ("test", 2)):
        files = [root / "bars" / path for path in arrays["path"][arrays["split"] == number]]
        x = np.stack([read_picture(path) for path in files])
        mse = np.mean((np.asarray(model.reconstruct(x)) - x / 255.0) ** 2)
        assert scores[part]["vae"]["mse"]["value"] == pytest.approx(mse, rel=1e-4)
        assert scores[part]["num"] == len(files)


def test_classes_are_tested_and_the_headline_is_plain(trained):
    run, process, _ = trained
    scores = read_json(run.folder / "classes" / "scores.json")
    assert "up and down" in scores["headline"] or "down and up" in scores["headline"]
    assert scores["headline"] in process.stdout
    assert not {"NN", "ARI", "AMI"} & set(scores["headline"].replace(",", " ").split())
    assert {row["space"] for row in scores["statistics"]} == {"VAE latents", "PCA", "pixels"}
    assert "within groups" in scores["design"]
    arrays = load_arrays(run.folder / "classes" / "out_of_fold.npz")
    np.testing.assert_allclose(arrays["probabilities"].sum(axis=1), 1)
    assert np.sum(scores["confusion"]) == len(arrays["positions"]) == sum(scores["class_counts"])
    page = (run.report / "classes.html").read_text()
    assert "Typical and misplaced" in page and "What could have been seen at all?" in page


def test_each_cluster_has_a_generated_average(trained):
    import keras

    import vae_tf.models  # noqa: F401

    run, _, _ = trained
    arrays = load_arrays(run.folder / "clusters" / "maps.npz")
    latents = load_arrays(run.folder / "embed" / "latents.npz")["mean"]
    model = keras.models.load_model(run.folder / "train" / "vae.keras")
    for i, average in enumerate(arrays["averages"]):
        centre = latents[arrays["k_means"] == i].mean(axis=0, keepdims=True)
        np.testing.assert_allclose(average, 255 * np.asarray(model.decode(centre))[0], atol=1)
    assert len(arrays["averages"]) == arrays["k_means"].max() + 1


def test_stage_is_not_computed_again_but_other_options_lie_beside_it(in_runs, capsys):
    before = (in_runs.folder / "embed" / "stage.json").stat().st_mtime_ns
    assert cli.main(["embed"]) == 0
    assert "made before" in capsys.readouterr().out
    assert (in_runs.folder / "embed" / "stage.json").stat().st_mtime_ns == before
    first = in_runs.stage("interpolation")
    assert cli.main(["interpolation-grid", "--steps", "5", "--from", "up/p00", "--to", "down/p00"]) == 0
    stages = in_runs.stages("interpolation")
    assert len(stages) == 2 and stages[0] == first and stages[1].name.startswith("interpolation-")
    frames = load_arrays(stages[1].folder / "frames.npz")
    assert frames["pair0_linear"].shape == (5, 16, 16, 3)
    assert frames["manifold"].shape == (15, 15, 16, 16, 3)
    assert (stages[1].folder / "pair0_linear.png").exists()


def test_samples_and_reconstructions_are_written_as_png(in_runs, trained, tmp_path, capsys):
    assert cli.main(["sample", "-n", "9", "--to", str(tmp_path / "s.png")]) == 0
    assert Image.open(tmp_path / "s.png").size[0] >= 3 * 16
    files = [str(trained[2] / "bars" / "up" / name) for name in ("p01.png", "p02.png", "broken.png")]
    assert cli.main(["reconstruct", *files, "--to", str(tmp_path / "r.png")]) == 0
    assert "broken.png: not a picture" in capsys.readouterr().out
    picture = np.asarray(Image.open(tmp_path / "r.png"))
    np.testing.assert_array_equal(picture[:16, :16], np.asarray(Image.open(files[0])))


def test_decoded_pictures_are_made_again_when_the_cache_is_gone(in_runs, trained):
    import shutil

    cache = trained[2] / "runs" / "cache"
    (key,) = cache.iterdir()
    held = np.fromfile(key / "pixels.raw", np.uint8)
    shutil.rmtree(key)
    assert cli.main(["report"]) == 0
    np.testing.assert_array_equal(np.fromfile(key / "pixels.raw", np.uint8), held)


def test_extension_is_a_child_that_goes_on(in_runs, capsys):
    assert cli.main(["train", "--extend", in_runs.name, "--epochs", "2", "--tensorboard"]) == 0
    child = all_runs()[-1]
    assert list((child.folder / "train" / "tensorboard").rglob("*tfevents*"))
    assert child.record["parent"] == in_runs.name
    lines = [json.loads(line) for line in (child.folder / "train" / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4]
    page = (child.report / "index.html").read_text()
    assert in_runs.name in page and "Extends" in page
    assert f"VAE after 2 epochs ({in_runs.name})" in page
    subprocess.run(["rm", "-r", str(child.folder)], check=True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "faces-that-are-not-there"], "make-faces faces-that-are-not-there"),
        (["train"], "demo:faces"),
        (["train", "demo:cats"], "demo:faces"),
        (["train", "demo:faces", "--recipe", "convv"], "conv, mlp"),
        (["train", "demo:faces", "--latent", "0"], "latent"),
        (["train", "demo:faces", "--split", "80-20"], "80/10/10"),
        (["train", "demo:faces", "--size", "big"], "HEIGHTxWIDTH"),
        (["train", "demo:faces", "--precision", "float8"], "mixed_bfloat16"),
        (["train", "demo:faces", "--augment", "flip"], "mirror,shift,brightness"),
        (["train", "demo:faces", "--set", "betta=4"], "AXIS.ARGUMENT"),
        (["train", "demo:faces", "--resume", "x"], "Give one of"),
        (["train", "--extend", "x"], "--epochs"),
        (["train", "--extend", "x", "--epochs", "2", "--latent", "3"], "--latent cannot be changed"),
        (["train", "--resume", "x", "--set", "objective.beta=2"], "--set cannot be changed"),
        (["embed"], "Train one first"),
        (["embed", "nobody"], "There is no run 'nobody'"),
        (["no-such-command"], "No such command"),
        (["embed", "--perplexity", "3"], "No such option"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_users_mistake_ends_with_2_and_says_how_to_mend_it(arguments, words, capsys):
    assert cli.main(arguments) == 2
    captured = capsys.readouterr()
    assert words in captured.err
    assert "Traceback" not in captured.err


def test_debug_shows_the_traceback(capsys):
    assert cli.main(["embed", "nobody", "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_dry_run_writes_no_run(tmp_path, own_runs, capsys):
    folder = write_pictures(tmp_path / "bars", people=6)
    assert cli.main(["train", str(folder), *QUICK, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "dry run" in said and "chosen: 16×16" in said and "--augment" in said
    assert all_runs() == []


@pytest.mark.slow
def test_ctrl_c_keeps_the_state_and_resume_finishes_the_plan(tmp_path, own_runs, capsys):
    folder = write_pictures(tmp_path / "bars")
    command = [sys.executable, "cli.py", "train", str(folder), *QUICK, "--epochs", "100000"]
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, "VAE_TF_RUNS": str(own_runs)}, stdout=subprocess.PIPE, text=True
    )
    for _ in range(600):
        partial = list(own_runs.glob("0*/train.partial/metrics.jsonl"))
        if partial and partial[0].stat().st_size:
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 130
    (run,) = all_runs()
    assert f"train --resume {run.name}" in said
    for name in ("best.npz", "last.npz"):
        assert (run.partial_train / "checkpoints" / name).exists()
    assert cli.main(["embed", run.name]) == 2
    assert f"--resume {run.name}" in capsys.readouterr().err
    record = run.record
    record["machine"]["plan"]["epochs"] = (
        len((run.partial_train / "metrics.jsonl").read_text().splitlines()) + 3
    )
    write_json(run.folder / "run.json", record)
    assert cli.main(["train", "--resume", run.name]) == 0
    assert run.is_trained and not run.partial_train.exists()
    assert run.stage("train").record["results"]["epoch"] == record["machine"]["plan"]["epochs"]


def test_a_run_is_trained_by_one_process_at_a_time(in_runs):
    with in_runs.training_lock():
        assert in_runs.is_training
        with pytest.raises(UserError, match="another process"), in_runs.training_lock():
            pass
    assert not in_runs.is_training


def test_missing_model_is_said_to_be_missing(in_runs, capsys):
    model = in_runs.folder / "train" / "vae.keras"
    held = model.rename(model.with_name("held.keras"))
    try:
        assert cli.main(["sample"]) == 2
        assert "train/vae.keras is missing" in capsys.readouterr().err
    finally:
        held.rename(model)


def test_anomalies_of_a_run_without_a_calibration_part_is_refused_with_the_mending(in_runs, capsys):
    assert cli.main(["anomalies"]) == 2
    assert "Which class is normal?" in capsys.readouterr().err
    assert cli.main(["anomalies", "--normal", "uup"]) == 2
    assert "Classes are: up, down" in capsys.readouterr().err
    assert cli.main(["anomalies", "--normal", "up"]) == 2
    error = capsys.readouterr().err
    assert "no pictures for calibration" in error and "--only up" in error
