"""One trained run for all tests of this folder that only look at it."""

import os
import subprocess
import sys

import pytest

from tests.pipelines.bars import QUICK, ROOT, write_pictures
from vae_tf.artifacts.runs import all_runs


@pytest.fixture(scope="module", autouse=True)
def empty_figures():
    """A report draws fifty figures, which are looked at in tests/reports and drawn in earnest by `trained`."""
    with pytest.MonkeyPatch.context() as patch:
        svg = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>'
        patch.setattr("reports.figures._render", lambda draw, theme, size, narrow: svg)
        yield


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A run of the whole chain: its root, folder and what was printed."""
    root = tmp_path_factory.mktemp("chain")
    folder = write_pictures(root / "bars")
    environment = {**os.environ, "VAE_TF_RUNS": str(root / "runs")}
    command = [
        sys.executable,
        "cli.py",
        "run",
        str(folder),
        *QUICK,
        "--group-by",
        r"(p\d+)",
        "--split",
        "60/20/20",
    ]
    process = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr + process.stdout
    (run,) = all_runs(root / "runs")
    return run, process, root


@pytest.fixture
def in_runs(trained, monkeypatch):
    run, _, root = trained
    monkeypatch.setenv("VAE_TF_RUNS", str(root / "runs"))
    return run
