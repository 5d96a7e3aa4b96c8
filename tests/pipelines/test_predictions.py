"""The stage `predictions` on a small run with hidden labels, and what its page says."""

import csv

import numpy as np
import pytest

import cli
from tests.pipelines.bars import QUICK, write_pictures
from vae_tf.artifacts.json_files import read_json
from vae_tf.artifacts.npz_files import load_arrays
from vae_tf.artifacts.runs import all_runs


@pytest.fixture(scope="module")
def predicted(tmp_path_factory):
    """A run of m2 that saw two labels, with one picture that has none; its folder of runs."""
    root = tmp_path_factory.mktemp("predicted")
    folder = write_pictures(root / "bars")
    (folder / "up" / "p03.png").rename(folder / "stray.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VAE_TF_RUNS", str(root / "runs"))
        quick = [*QUICK[2:], "--set", "encoder.name=mlp", "--set", "decoder.name=mlp", "--recipe", "m2"]
        options = ["--labelled-fraction", "0.15", "--split", "60/20/20", "--augment", "none"]
        assert cli.main(["train", str(folder), *quick, *options]) == 0
        assert cli.main(["predict"]) == 0
    return root / "runs"


def test_every_picture_gets_a_class_and_what_is_known_of_it_is_told(predicted):
    (run,) = all_runs(predicted)
    stage = run.stage("predictions")
    with open(stage.folder / "predictions.csv") as file:
        rows = list(csv.DictReader(file))
    with open(run.folder / "data" / "pictures.csv") as file:
        facts = {row["path"]: row for row in csv.DictReader(file)}
    assert len(rows) == 24
    for row in rows:
        probabilities = np.array([float(row["p_down"]), float(row["p_up"])])
        assert probabilities.sum() == pytest.approx(1.0, abs=1e-4)
        assert row["predicted"] == ["down", "up"][int(probabilities.argmax())]
        fact = facts[row["path"]]
        if not fact["label"]:
            assert row["known"] == "unlabelled" and row["path"] == "stray.png"
        elif fact["split"] == "train":
            assert row["known"] == ("hidden" if fact["label_is_hidden"] == "yes" else "labelled")
        else:
            assert row["known"] == ("unseen" if fact["split"] == "test" else "validation")
    labelled = [row["label"] for row in rows if row["known"] == "labelled"]
    assert sorted(labelled) == ["down", "up"]
    scores = read_json(stage.folder / "scores.json")
    unseen = [row for row in rows if row["known"] == "unseen"]
    right = np.mean([row["predicted"] == row["label"] for row in unseen])
    assert scores["accuracy"]["unseen"]["accuracy"] == pytest.approx(right)
    usual = scores["most_frequent"]
    assert scores["accuracy"]["unseen"]["baseline"] == np.mean([row["label"] == usual for row in unseen])
    assert scores["accuracy"]["unseen"]["low"] < right + 1e-9 and scores["temperature"] == 1.0


def test_the_page_says_what_is_not_known(predicted):
    (run,) = all_runs(predicted)
    page = (run.report / "predictions.html").read_text()
    assert "are too few, 30 are needed" in page and "Samples of each class" in page
    assert 'href="predictions.html"' in (run.report / "index.html").read_text()
    assert "Training sees 2 of" in (run.report / "data.html").read_text()
    grids = load_arrays(run.stage("predictions").folder / "predictions.npz")
    assert grids["samples"].shape[1:] == grids["analogies"].shape[1:] == (2, 16, 16, 3)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--labelled-fraction", "0.01"], "labels for 2 classes"),
        (["--only", "up"], "have only one"),
    ],
)
def test_labels_that_cannot_be_learned_from_are_refused_before_training(
    predicted, monkeypatch, capsys, options, words
):
    monkeypatch.setenv("VAE_TF_RUNS", str(predicted))
    bars = predicted.parent / "bars"
    assert cli.main(["train", str(bars), "--recipe", "m2", *options]) == 2
    assert words in capsys.readouterr().err
    assert len(all_runs(predicted)) == 1
