"""Runs whose records, scores and arrays somebody changed: whoever reads them ends in one line that names the file."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jinja2 import DictLoader, Environment, StrictUndefined

import cli
from pipelines import export, report
from pipelines.chain import exports
from pipelines.embed import latents_of, write_latents
from pipelines.machine import machine_of
from pipelines.methods import methods_of
from pipelines.run_data import Subject
from reports import page
from reports.records import RunFacts
from tests.golden.test_golden import HERE
from vae_tf.artifacts.json_files import write_json
from vae_tf.artifacts.layout import SCHEMA_VERSION
from vae_tf.artifacts.npz_files import load_arrays, save_arrays
from vae_tf.artifacts.runs import new_run
from vae_tf.artifacts.stage import Stage
from vae_tf.data.dataset import Index
from vae_tf.errors import UserError
from vae_tf.evaluation.latents import Embedding

MACHINE = json.loads((HERE / f"schema-{SCHEMA_VERSION}/runs/00001-golden/run.json").read_text())["machine"]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VAE_TF_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


def changed(document: Any, place: str, value: Any) -> Any:
    """A copy with `value` at a place such as "plan/epochs"."""
    copy = json.loads(json.dumps(document))
    inside, (*way, last) = copy, place.split("/")
    for key in way:
        inside = inside[key]
    inside[last] = value
    return copy


def test_the_machine_of_a_run_is_read_as_it_was_written(root: Path) -> None:
    found = machine_of(new_run("a", {"machine": MACHINE}, root))
    assert json.loads(json.dumps(found)) == MACHINE
    augmented = changed(MACHINE, "plan/augmentation", {"mirror": False, "shift": 2, "brightness": 0.1})
    assert machine_of(new_run("b", {"machine": augmented}, root))["plan"]["augmentation"]["shift"] == 2


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("plan", None),
        ("plan/epochs", "many"),
        ("plan/augmentation", {"run": "code"}),
        ("plan/augmentation", {"shift": "far"}),
        ("precision", {}),
        ("precision/policy", ["float32"]),
        ("num_classes", 1e300),
        ("distribution", 3),
    ],
)
def test_a_machine_of_other_types_is_refused(root: Path, place: str, value: Any) -> None:
    with pytest.raises(UserError, match=r"run\.json is damaged or was changed") as refusal:
        machine_of(new_run("a", {"machine": changed(MACHINE, place, value)}, root))
    assert "\n" not in refusal.value.message


def embedded(root: Path, change: Any = lambda arrays: None) -> Stage:
    """A stage `embed` of two pictures and three latents, its arrays changed."""
    run = new_run("a", {}, root)
    codes = np.zeros((2, 3), np.float32)
    index = Index(["a.png", "b.png"], np.zeros(2, int), ["a"], np.full(2, -1), [], np.zeros(2, np.int8), {})
    with run.writing("embed", {}) as stage:
        write_latents(stage.folder, Embedding(codes, codes, codes, {"on": codes}), index)
        stage.results.update(num_pictures=2, latent=3, kept={"on": "whether it is on"})
        path = stage.folder / "latents.npz"
        arrays = load_arrays(path)
        change(arrays)
        save_arrays(path, **arrays)
    found = run.stage("embed")
    assert found is not None
    return found


def test_latents_are_read_as_they_were_written(root: Path) -> None:
    assert latents_of(embedded(root))["mean"].shape == (2, 3)


@pytest.mark.parametrize(
    "change",
    [
        lambda arrays: arrays.pop("mean"),
        lambda arrays: arrays.pop("on"),
        lambda arrays: arrays.update(mean=np.zeros((3, 3), np.float32)),
        lambda arrays: arrays.update(kl=np.zeros(2, np.float32)),
        lambda arrays: arrays.update(standard_deviation=np.full((2, 3), "wide")),
        lambda arrays: arrays.update(information=np.zeros((2, 3))),
        lambda arrays: arrays.update(label=np.zeros(2)),
        lambda arrays: arrays.update(split=np.zeros(1, int)),
    ],
)
def test_latents_of_another_form_are_refused(root: Path, change: Any) -> None:
    with pytest.raises(UserError, match=r"latents\.npz is damaged or was changed"):
        latents_of(embedded(root, change))


def test_a_listing_goes_on_after_a_run_that_makes_no_sense(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, model in (("odd", {"recipe": ["x"]}), ("whole", {"recipe": "conv", "latent": 3})):
        new_run(name, {"config": {"model": model}}, root)
    assert cli.main(["runs"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "KeyError: 'latent'" in said and "00002-whole" in said and "conv" in said


def test_a_page_of_scores_that_make_no_sense_ends_in_a_line(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = new_run("a", {}, root)
    with run.writing("probe", {"data": "x"}) as writer:
        write_json(writer.folder / "scores.json", {"answer": "yes"})
    stage = run.stage("probe")
    assert stage is not None
    subject = Subject(run, stage)
    monkeypatch.setattr(Subject, "newest", lambda self, kind: stage if kind == "probe" else None)
    assert (
        report.place_of(subject, "probe") == stage.place and report.place_of(subject, "index") == run.folder
    )
    for error in (KeyError("curves"), TypeError("no number"), StopIteration()):

        def read(error: Exception = error) -> None:
            with stage.reading():
                raise error

        monkeypatch.setattr(cli, "app", lambda *arguments, read=read, **options: read())
        assert cli.main([]) == 2
        said = capsys.readouterr().err
        assert f"{stage.place} holds cannot be shown ({type(error).__name__}" in said
        assert "This is a defect, unless somebody changed the run; --debug shows where." in said


@pytest.mark.parametrize("options", [3, 0.5, [[]], "x", {"start": 3}])
def test_a_stage_whose_options_make_no_sense_ends_in_a_line(
    root: Path, monkeypatch: pytest.MonkeyPatch, options: Any
) -> None:
    run = new_run("a", {"config": {"model": {"recipe": "conv", "latent": 3}, "data": {"source": "a"}}}, root)
    with run.writing("interpolation", {"options": options, "data": "x"}):
        pass
    stage = run.stage("interpolation")
    assert stage is not None
    subject = Subject(run, stage)
    monkeypatch.setattr(Subject, "newest", lambda self, kind: stage)
    monkeypatch.setattr(Subject, "is_text", False)
    with pytest.raises(UserError, match=re.escape(f"What {stage.place} holds cannot be shown")):
        methods_of(subject, ["interpolation"], True)


def test_a_page_told_too_little_is_a_failed_lookup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `strangers.telling` knows it, which knows nothing of templates."""
    template = DictLoader({"index.html.j2": "{{ pictures[3] }}"})
    monkeypatch.setattr(page, "_environment", lambda: Environment(loader=template, undefined=StrictUndefined))
    facts = RunFacts(name="a", command="", source="a", date="", versions={}, pages=["index"])
    with pytest.raises(LookupError, match="has no element 3"):
        page.write_page(tmp_path, "index", facts, {"pictures": [1]})


def test_an_export_that_came_with_a_run_is_looked_through(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TensorFlow Serving, to which it is handed, runs whatever it holds."""
    from tensorflow.core.protobuf import saved_model_pb2

    run, evil = new_run("a", {}, root), saved_model_pb2.SavedModel()
    evil.meta_graphs.add().graph_def.node.add(name="harm", op="WriteFile")
    with run.writing("export", {"data": "x"}) as writer:
        (writer.folder / "1").mkdir()
        (writer.folder / "1" / "saved_model.pb").write_bytes(evil.SerializeToString())
    stage = run.stage("export")
    assert stage is not None
    monkeypatch.setattr(Subject, "model_inputs", {})
    monkeypatch.setattr(Subject, "compute", lambda self, kind, inputs, work: stage)
    with pytest.raises(UserError, match="has the operation WriteFile, which reaches beyond the model"):
        export.export(Subject(run, stage))


def test_the_name_that_was_typed_is_the_one_placed(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a signature is left out of ONNX, its name is said, and takes nobody's place."""
    run, placed = new_run("a", {}, root), []
    results = {
        "engine": "onnxruntime", "checked_on": "1", "largest_difference": 0.0, "mean_difference": 0.0,
        "tolerance": {"largest": 1, "mean": 1}, "left_out": {"score": "why"}, "squared_errors": None, "num_bytes": 1,
        "saved_model_bytes": 1, "speeds": {},
    }  # fmt: skip
    with run.writing("export-onnx", {}) as writer:
        writer.results.update(results)
    stage = run.stage("export-onnx")
    assert stage is not None
    monkeypatch.setattr(exports, "started_with", lambda text: run)
    monkeypatch.setattr(exports, "show_page", lambda *arguments: None)
    monkeypatch.setattr("vae_tf.serving.formats.check", lambda *names: type("Title", (), {"title": "ONNX"}))
    monkeypatch.setattr("pipelines.run_data.own_pictures", lambda run: Subject(run, stage))
    monkeypatch.setattr("pipelines.other_formats.export_as", lambda *arguments: stage)
    monkeypatch.setattr("pipelines.other_formats.place", lambda *arguments: placed.append(arguments[-1]))
    exports.export_as(None, "onnx", "float32", str(tmp_path / "to"), "faces")
    assert placed == ["faces"]
