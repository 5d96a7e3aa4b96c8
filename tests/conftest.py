"""What all tests share: quiet TensorFlow, two threads, runs and caches in a temporary folder."""

import os
import signal
from pathlib import Path

# Shells start what runs in the background without Ctrl-C, and commands keep to that: some tests ask what it does.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import hypothesis
import numpy as np
import pytest

from tests.object_stores import bucket, gs, gs_endpoint, memory, s3, s3_endpoint  # noqa: F401

# The first example pays for tracing a graph; deadlines would make the machine's load a test result.
hypothesis.settings.register_profile("shared", deadline=None, max_examples=30, derandomize=True)
hypothesis.settings.load_profile("shared")


# Their tests share one run, which takes half a minute to make.
OF_ONE_RUN = {f"tests/pipelines/test_{name}.py" for name in (
    "chain", "evaluation", "explore", "maps", "other_formats", "probe", "sources", "traversals",
)}  # fmt: skip
BY_SINGLE_TESTS = ("tests/conformance/", "tests/reports/")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Tests of a file stay together, so that what they share is made once; those that share nothing dear do not."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.split("::")[0]
            if file in OF_ONE_RUN:
                return "one run"
            return nodeid if file.startswith(BY_SINGLE_TESTS) else file

    return Scheduling(config, log)


@pytest.fixture(autouse=True)
def own_runs(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path_factory.mktemp("runs")
    monkeypatch.setenv("VAE_TF_RUNS", str(root))
    monkeypatch.delenv("VAE_TF_CACHE", raising=False)
    return root


@pytest.fixture
def pictures() -> np.ndarray:
    """Sixteen uint8 pictures [16, 16, 16, 3] with smooth structure that a model can learn."""
    generator = np.random.default_rng(0)
    y, x = np.mgrid[0:16, 0:16] / 15.0
    phase, colour = generator.uniform(0, 3, (16, 1, 1)), generator.uniform(0.3, 1, (16, 1, 1, 3))
    waves = 0.5 + 0.5 * np.sin(4 * x + 3 * y + phase)
    return np.rint(255 * waves[..., None] * colour).astype(np.uint8)
