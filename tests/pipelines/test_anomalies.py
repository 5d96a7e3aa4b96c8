"""The stage `anomalies` on a small run of one class, by the commands that a person types, and what its page says."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cli
from pipelines.csv_files import harmless
from tests.pipelines.bars import QUICK, write_pictures
from vae_tf.artifacts.json_files import read_json
from vae_tf.artifacts.npz_files import load_arrays
from vae_tf.artifacts.runs import all_runs
from vae_tf.data.splits import PARTS

FORMULA = "=cmd|calc.png"


@pytest.fixture(scope="module")
def normal_run(tmp_path_factory):
    """A run of the class `up` with a calibration part and its anomalies; the folder of everything."""
    root = tmp_path_factory.mktemp("anomalies")
    folder = write_pictures(root / "bars", people=64)
    picture = np.asarray(Image.open(folder / "down" / "p05.png"))
    Image.fromarray(255 - picture).save(folder / FORMULA)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VAE_TF_RUNS", str(root / "runs"))
        options = ["--only", "up", "--group-by", r"(p\d+)", "--augment", "none"]
        assert cli.main(["train", str(folder), *QUICK, *options]) == 0
        assert cli.main(["anomalies", "--samples", "3"]) == 0
    return root


@pytest.fixture
def run(normal_run, monkeypatch):
    monkeypatch.setenv("VAE_TF_RUNS", str(normal_run / "runs"))
    return all_runs(normal_run / "runs")[0]


def read_rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_the_calibration_part_can_promise_what_is_asked_for_by_default(run):
    rows = read_rows(run.folder / "data" / "pictures.csv")
    people = [row["group"] for row in rows if row["split"] == "calibration"]
    assert len(set(people)) >= 19 and {row["label"] for row in rows if row["split"] == "calibration"} == {
        "up"
    }
    shares = run.record["config"]["data"]["split"]
    assert shares[3] > 15 and sum(shares) == 100
    assert "can promise 5\u00a0% of false alarms" in (run.report / "data.html").read_text()
    assert run.record["machine"]["num_examples"] == sum(row["split"] == "train" for row in rows)


def test_every_unseen_picture_is_scored_and_the_threshold_is_that_of_the_calibration_part(run):
    stage = run.stage("anomalies")
    scores, arrays = (
        read_json(stage.folder / "scores.json"),
        load_arrays(stage.folder / "anomalies.npz"),
    )
    rows = read_rows(stage.folder / "scores.csv")
    splits = [row["split"] for row in rows]
    assert set(splits) == {"test", "other"} and [int(row["rank"]) for row in rows] == list(
        range(1, len(rows) + 1)
    )
    n, k = scores["promise"]["num_units"], scores["promise"]["allowed"]
    assert (k, scores["promise"]["rate"]) == (int((n + 1) * 0.05), k / (n + 1)) and n >= 19
    index = read_json(run.folder / "data" / "index.json")
    kept = arrays["calibration_position"]
    assert {index["parts"][i] for i in kept} == {PARTS.index("calibration")}
    assert len({index["groups"][i] for i in kept}) == n == len(kept)
    for name in ("reconstruction", "elbo", "bound", "latent", "pca"):
        calibration = np.sort(arrays[f"calibration_{name}"])
        assert scores["scores"][name]["threshold"] == calibration[-k]
        values = np.array([float(row[f"score_{name}"]) for row in rows])
        p = [(1 + np.sum(calibration >= value)) / (n + 1) for value in arrays[f"score_{name}"]]
        np.testing.assert_allclose(arrays[f"p_{name}"], p)
        assert np.isfinite(values).all()
    order = np.array([float(row["score_reconstruction"]) for row in rows])
    assert (np.diff(order) <= 0).all()
    above = order > scores["scores"]["reconstruction"]["threshold"]
    assert [row["flagged"] for row in rows] == ["yes" if one else "no" for one in above]


def test_the_export_scores_and_judges_as_the_stage_did(run, tmp_path):
    import tensorflow as tf

    assert cli.main(["export", "--to", str(tmp_path / "models"), "--name", "bars"]) == 0
    results = run.newest("export").record["results"]
    assert results["files"] == "the source's own files" and results["largest_difference"] < 1e-5
    judged = [row for row in results["parity"] if row["output"] == "is_anomaly"]
    assert len(judged) == 3 and all(row["largest_difference"] == 0 for row in judged)
    rows = {row["path"]: row for row in read_rows(run.stage("anomalies").folder / "scores.csv")}
    config = run.record["config"]["data"]
    paths = [path for path in rows if path.endswith(".png") and path[0] not in "='"][:20]
    files = [(Path(config["source"]) / path).read_bytes() for path in paths]
    model = tf.saved_model.load(str(tmp_path / "models" / "bars" / "1")).signatures["score_bytes"]
    noise = tf.zeros((len(files), 1, run.record["config"]["model"]["latent"]))
    found = model(image_bytes=tf.constant(files), noise=noise)
    scores = [float(rows[path]["score_reconstruction"]) for path in paths]
    np.testing.assert_allclose(found["anomaly_score"], scores, rtol=1e-4)
    np.testing.assert_allclose(
        found["p_value"], [float(rows[p]["p_reconstruction"]) for p in paths], rtol=1e-4
    )
    assert found["is_anomaly"].numpy().tolist() == [rows[path]["flagged"] == "yes" for path in paths]
    assert {"yes", "no"} == {rows[path]["flagged"] for path in paths}
    assert cli.main(["export", "--to", str(tmp_path / "models"), "--name", "bars", "--version", "1"]) == 2
    assert cli.main(["export", "--to", str(tmp_path / "models"), "--name", "bars"]) == 0
    assert (tmp_path / "models" / "bars" / "2" / "saved_model.pb").exists()


def test_figures_count_only_people_who_were_not_used(run):
    rows = read_rows(run.stage("anomalies").folder / "scores.csv")
    facts = read_rows(run.folder / "data" / "pictures.csv")
    used = {row["group"] for row in facts if row["split"] in ("train", "validation", "calibration")}
    for row in rows:
        if row["group"]:
            assert (row["counted"] == "yes") == (row["group"] not in used)
        truth = {"up": "normal", "down": "abnormal", "": "unknown"}[row["label"]]
        assert row["truth"] == truth
    scores = read_json(run.stage("anomalies").folder / "scores.json")
    tested = {row["group"] for row in facts if row["split"] == "test"}
    alarms = scores["scores"]["reconstruction"]["false_alarms"]
    assert alarms["num"] == len(tested) == scores["scores"]["reconstruction"]["found"]["num"]
    assert "are ranked but not counted" in (run.report / "anomalies.html").read_text()


def test_a_file_name_is_no_formula_and_no_markup(run):
    rows = read_rows(run.stage("anomalies").folder / "scores.csv")
    assert [row["path"] for row in rows if "cmd" in row["path"]] == [f"'{FORMULA}"]
    assert [harmless(value) for value in ("-1", "-a", -1.5, "@x", "a=b", 3)] == [
        "-1", "'-a", "-1.5", "'@x", "a=b", 3,
    ]  # fmt: skip


def test_the_page_is_in_the_report_and_survives_its_rebuilding_without_pictures(run, capsys):
    page = (run.report / "anomalies.html").read_text()
    for words in ("Promised", "Most odd", "Which score says anything?", "Latent distance", "scores.csv"):
        assert words in page, words
    assert 'href="anomalies.html"' in (run.report / "index.html").read_text()
    assert cli.main(["anomalies", "--samples", "3"]) == 0
    assert "nothing has changed since" in capsys.readouterr().out
    assert cli.main(["report", "--no-thumbnails"]) == 0
    bare = (run.report / "anomalies.html").read_text()
    oddest = read_rows(run.stage("anomalies").folder / "scores.csv")[0]["path"].lstrip("'")
    assert oddest in page and oddest not in bare and "scores.csv" in page and "scores.csv" not in bare
    assert "data:image" in page and "data:image" not in bare
    assert "Promised" in bare and "Most odd" not in bare


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--normal", "down"], ["learned from up alone", "--only down"]),
        (["--alpha", "0.001"], ["needs 999 normal", "smallest rate that"]),
        (["--alpha", "1.5"], ["lies between 0 and 1"]),
        (["--score", "elpo"], ["there is no such score", "elbo"]),
    ],
)
def test_what_cannot_be_promised_is_refused(run, capsys, options, words):
    assert cli.main(["anomalies", *options]) == 2
    error = capsys.readouterr().err
    assert all(word in error for word in words) and "Traceback" not in error
    assert len(run.stages("anomalies")) == 1


def test_other_pictures_are_judged_by_the_calibration_part_of_the_run(normal_run, run, tmp_path, capsys):
    other = write_pictures(tmp_path / "shift", people=5)
    (other / "up").rename(other / "good")
    # A picture that set the threshold is not unseen anywhere.
    kept = load_arrays(run.stage("anomalies").folder / "anomalies.npz")["calibration_position"]
    path = read_json(run.folder / "data" / "index.json")["paths"][kept[0]]
    shutil.copy(normal_run / "bars" / path, other / "good" / "copy.png")
    assert cli.main(["anomalies", "1", str(other), "--samples", "2"]) == 0
    assert "say which is, --normal CLASS (down, good)" in capsys.readouterr().out
    options = ["--normal", "good", "--score", "latent", "--samples", "2"]
    assert cli.main(["anomalies", "1", str(other), *options]) == 0
    stages = [stage for stage in run.stages("anomalies") if stage.name != "anomalies"]
    assert len(stages) == 2 and run.stage("anomalies").record["inputs"]["options"]["num_samples"] == 3
    scores = read_json(stages[-1].folder / "scores.json")
    rows = read_rows(stages[-1].folder / "scores.csv")
    assert scores["normal"] == ["up"] and {row["truth"] for row in rows} <= {"normal", "abnormal"}
    assert not any("copy.png" in row["path"] for row in rows)
    pages = list(run.folder.glob("report-shift-*/anomalies.html"))
    assert len(pages) == 1 and "taken in the same way" in pages[0].read_text()


def test_an_autoencoder_has_only_the_scores_that_mean_something(normal_run, monkeypatch, capsys):
    monkeypatch.setenv("VAE_TF_RUNS", str(normal_run / "plain"))
    quick = ["ae" if word == "mlp" else word for word in QUICK]
    networks = ["--set", "encoder.name=mlp", "--set", "decoder.name=mlp"]
    # Without classes all pictures are normal, and a fourth share calibrates.
    folder = str(normal_run / "bars" / "up")
    assert cli.main(["train", folder, *quick, *networks, "--split", "40/10/15/35", "--augment", "none"]) == 0
    assert cli.main(["anomalies", "--score", "bound"]) == 2
    assert "Scores of this run are: reconstruction, latent, pca" in capsys.readouterr().err
    assert cli.main(["anomalies"]) == 0
    (plain,) = all_runs()
    scores = read_json(plain.stage("anomalies").folder / "scores.json")
    assert list(scores["scores"]) == ["reconstruction", "latent", "pca"] and not scores["normal"]
    assert scores["scores"]["pca"]["separation"] is None
    page = (plain.report / "anomalies.html").read_text()
    assert "no ELBO and no bound are shown" in page and "AUROC (Mann" not in page
