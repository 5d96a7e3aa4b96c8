"""`export --format onnx|litert` as a user meets it."""

import pytest

import cli
from vae_tf.artifacts.json_files import read_json
from vae_tf.serving import engines, formats
from vae_tf.serving.parity import ParityError


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--format", "coreml"], "Choose one of saved-model, onnx, litert"),
        (["--format", "onnx", "--weights", "int4"], "Choose one of float32, float16, int8"),
        (["--weights", "int8"], "--weights int8 goes with --format onnx or litert"),
        (["--format", "onnx", "--version", "3"], "--version is for TF Serving"),
    ],
)
def test_what_does_not_go_together_is_told_first(arguments, said, capsys):
    assert cli.main(["export", *arguments]) == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_missing_packages_are_told_in_a_line(monkeypatch, capsys):
    monkeypatch.setattr(formats.importlib.util, "find_spec", lambda name: None)
    assert cli.main(["export", "--format", "litert"]) == 2
    assert "pip install -r requirements-formats.txt" in capsys.readouterr().err


@pytest.mark.slow
def test_a_run_becomes_onnx_with_its_proof_and_its_place_on_the_page(in_runs, monkeypatch, tmp_path, capsys):
    run = in_runs

    def refuse(*arguments):
        raise ParityError("The export differs from the run: decode/pictures by 1.")

    # The tiny run's speed is of no use here.
    monkeypatch.setattr(engines, "speeds_of", lambda *_: {"1": {"format": 2.0, "saved_model": 1.0}})
    with monkeypatch.context() as patch:
        patch.setattr(engines, "prove", refuse)
        assert cli.main(["export", run.name, "--format", "onnx"]) == 2
        assert "Nothing was exported" in capsys.readouterr().err
    assert not run.stages("export-onnx") and not list(run.folder.rglob("*partial*"))

    assert cli.main(["export", run.name, "--format", "onnx", "--to", str(tmp_path / "models")]) == 0
    printed = capsys.readouterr()
    assert (
        "asked by onnxruntime" in printed.out and "MSE of reconstructions" in printed.out and not printed.err
    )
    (stage,) = run.stages("export-onnx")
    files = {path.name for path in (stage.folder / "model").iterdir()}
    names = {"encode", "decode", "reconstruct", "score"}
    assert files == {f"{name}.onnx" for name in names} | {"signatures.json", "parity.json"}
    proof = read_json(stage.folder / "model" / "parity.json")
    assert {row["signature"] for row in proof["parity"]} == names and proof["largest_difference"] < 1e-5
    (placed,) = (tmp_path / "models").iterdir()
    assert placed.name.endswith("-onnx") and {path.name for path in placed.iterdir()} == files
    assert "In other formats" in (run.report / "export.html").read_text()

    # A second copy in the same place would overwrite the first.
    assert cli.main(["export", run.name, "--format", "onnx", "--to", str(tmp_path / "models")]) == 2
    assert "there already" in capsys.readouterr().err and len(run.stages("export-onnx")) == 1
