"""Runs of every released schema are read for ever, with equal latents and scores, or are refused by name."""

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cli
from pipelines.run_data import load_model
from vae_tf.artifacts.json_files import read_json, write_json
from vae_tf.artifacts.layout import SCHEMA_VERSION
from vae_tf.artifacts.npz_files import load_arrays
from vae_tf.artifacts.run import Run
from vae_tf.artifacts.runs import find_run

HERE = Path(__file__).parent
STUB = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>'
TOLERANCE = 1e-5


@pytest.fixture
def golden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the runs of today's schema; the pictures that they were made from are gone."""
    whole(HERE / f"schema-{SCHEMA_VERSION}", tmp_path / "golden")
    monkeypatch.setenv("VAE_TF_RUNS", str(tmp_path / "golden" / "runs"))
    monkeypatch.setattr("reports.figures._render", lambda draw, theme, size, narrow: STUB)
    return tmp_path / "golden"


def whole(kept: Path, target: Path) -> None:
    """A copy of golden runs; the second one, an extension that was interrupted, has the state that the first left."""
    shutil.copytree(kept, target)
    first, second = sorted((target / "runs").glob("0000*"))
    shutil.copytree(first / "train" / "checkpoints", second / "train.partial" / "checkpoints")
    shutil.copy(first / "train" / "metrics.jsonl", second / "train.partial" / "metrics.jsonl")


def different(found: Any, expected: Any, place: str = "") -> list[str]:
    """Where two documents differ; numbers may by the tolerance."""
    if isinstance(expected, dict):
        missing = [f"{place}/{key} is missing" for key in expected if key not in found]
        return missing + [
            d
            for key in expected
            if key in found
            for d in different(found[key], expected[key], f"{place}/{key}")
        ]
    if isinstance(expected, list):
        return [
            d
            for i, (a, b) in enumerate(zip(found, expected, strict=True))
            for d in different(a, b, f"{place}/{i}")
        ]
    if isinstance(expected, float):
        is_same = math.isclose(found, expected, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
        return [] if is_same else [f"{place}: {found} instead of {expected}"]
    return [] if found == expected else [f"{place}: {found!r} instead of {expected!r}"]


def test_there_is_a_golden_run_of_this_schema_and_it_is_small() -> None:
    folder = HERE / f"schema-{SCHEMA_VERSION}"
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    assert sizes and sum(sizes) < 150_000


def test_latents_and_pictures_are_the_recorded_ones(golden: Path) -> None:
    assert cli.main(["embed", "1"]) == 0
    run, expected = find_run("1"), load_arrays(golden / "expected.npz")
    stage = run.newest("embed")
    assert stage is not None
    found = load_arrays(stage.folder / "latents.npz")
    for name in ("mean", "standard_deviation", "kl"):
        np.testing.assert_allclose(found[name], expected[name], rtol=TOLERANCE, atol=TOLERANCE)
    decoded = load_model(run).decode(expected["mean"][:4])
    np.testing.assert_allclose(decoded, expected["decoded"], rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.slow
def test_scores_are_the_recorded_ones_and_pages_come_out(golden: Path) -> None:
    assert cli.main(["report", "1"]) == 0
    run = find_run("1")
    stage = run.newest("evaluate")
    assert stage is not None
    expected = json.loads((golden / "expected.json").read_text())
    assert different(stage.record["results"]["scores"], expected) == []
    pages = {page.name for page in run.report.glob("*.html")}
    assert {"index.html", "data.html", "training.html"} <= pages


@pytest.mark.slow
def test_training_goes_on(golden: Path) -> None:
    """An interrupted training is finished, and a finished one is extended, both from the recorded state."""
    assert cli.main(["train", "--resume", "2"]) == 0
    assert cli.main(["train", "--extend", "1", "--epochs", "2", "--name", "extended"]) == 0
    resumed, extended = (find_run(number) for number in ("2", "3"))
    for ours, theirs in zip(
        load_model(resumed).get_weights(), load_model(extended).get_weights(), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    lines = (resumed.folder / "train" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == list(range(1, 13))


@pytest.mark.parametrize("schema", [1, 3])
def test_runs_of_other_schemas_are_refused_in_a_line(
    golden: Path, schema: int, capsys: pytest.CaptureFixture[str]
) -> None:
    run = find_run("1")
    record = read_json(run.folder / "run.json")
    write_json(run.folder / "run.json", {**record, "schema_version": schema})
    for command in (
        ["embed", "1"],
        ["report", "1"],
        ["show", "1"],
        ["train", "--extend", "1", "--epochs", "1"],
    ):
        assert cli.main(command) == 2
        said = capsys.readouterr().err
        assert f"was written with schema {schema}; this version reads {SCHEMA_VERSION}" in said
        assert "Use the version that wrote it." in said and "Traceback" not in said


@pytest.mark.parametrize("folder", sorted(HERE.glob("schema-*")), ids=lambda folder: folder.name)
def test_older_golden_runs_are_read_or_refused_by_name(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "golden")
    run = Run(next((tmp_path / "golden" / "runs").glob("00001-*")))
    written = json.loads((run.folder / "run.json").read_text())["schema_version"]
    assert folder.name == f"schema-{written}"
    if written == SCHEMA_VERSION:
        assert run.record["schema_version"] == written
    else:
        with pytest.raises(Exception, match=f"was written with schema {written}"):
            _ = run.record
