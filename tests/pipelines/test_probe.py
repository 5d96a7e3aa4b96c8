"""The stage `probe` on a trained run, and what its page says."""

import pytest

import cli
from pipelines.probe_record import answer
from vae_tf.artifacts.json_files import read_json


@pytest.mark.parametrize("tuned", [[], pytest.param(["--finetune"], marks=pytest.mark.slow)])
def test_probe_of_a_run(in_runs, capsys, tuned):
    assert cli.main(["probe", "--labels", "1,all", "--draws", "2", *tuned]) == 0
    said = capsys.readouterr().out
    stage = in_runs.newest("probe")
    found = read_json(stage.folder / "scores.json")
    methods = {score["method"] for score in found["scores"]}
    kinds = {f"{name}, {kind}" for name in ("latents", "PCA", "pixels") for kind in ("linear", "5-NN")}
    assert methods == kinds | ({"encoder, fine-tuned", "encoder, from scratch"} if tuned else set())
    assert all(len(s["values"]) == (1 if s["per_class"] is None else 2) for s in found["scores"])
    assert all(0 <= value <= 1 for s in found["scores"] for value in s["values"])
    # Bars lie or stand: whoever sees all labels in pixels knows which.
    assert next(s for s in found["scores"] if s["method"] == "pixels, linear" and s["per_class"] is None)[
        "values"
    ] == [1]
    assert answer(found) in said
    page = (in_runs.report / "probe.html").read_text()
    assert "balanced accuracy" in page.lower() and (not tuned or "encoder, from scratch" in page)


def test_a_wrong_number_of_labels_is_a_users_mistake(capsys):
    assert cli.main(["probe", "--labels", "1,none"]) == 2
    assert "'none' is no number of labels" in capsys.readouterr().err
