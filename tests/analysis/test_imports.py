import ast
import subprocess
import sys
from pathlib import Path

import pytest

import vae_tf.analysis

SOURCES = sorted(Path(vae_tf.analysis.__file__).parent.glob("*.py"))
HEAVY = (
    "sklearn",
    "scipy",
    "threadpoolctl",
    "openTSNE",
    "umap",
    "pynndescent",
    "numba",
    "tensorflow",
    "keras",
)


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_the_room_sees_no_tensors_and_no_other_room(source: Path) -> None:
    names = set()
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names.add(node.module or "")
        elif isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
    for name in names:
        root = name.partition(".")[0]
        assert root in {
            *sys.stdlib_module_names,
            "numpy",
            "scipy",
            "sklearn",
            "openTSNE",
            "pynndescent",
            "umap",
            "threadpoolctl",
            "vae_tf",
        }
        if root == "vae_tf":
            assert name in {"vae_tf.errors", "vae_tf.groups"} or name.startswith("vae_tf.analysis")


def test_importing_the_room_imports_nothing_heavy() -> None:
    modules = [f"vae_tf.analysis.{source.stem}" for source in SOURCES if source.stem != "__init__"]
    code = (
        f"import sys, {', '.join(modules)}\n"
        f"print(sorted(set({HEAVY!r}) & {{name.partition('.')[0] for name in sys.modules}}))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.slow
def test_a_map_by_umap_loads_no_tensorflow_and_leaves_it_to_be_loaded() -> None:
    code = (
        "import importlib.util, sys\n"
        "import numpy as np\n"
        "from vae_tf.analysis.projection import project\n"
        "found = project(np.random.default_rng(0).normal(size=(30, 3)), 'umap')\n"
        "print(found.method, 'tensorflow' in sys.modules, importlib.util.find_spec('tensorflow') is not None)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["umap", "False", "True"]
    assert found.stderr == ""
