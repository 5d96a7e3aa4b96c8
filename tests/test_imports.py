"""Imports go one way, and a command imports only what it needs."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HEAVY = {
    "tensorflow", "keras", "sklearn", "umap", "openTSNE", "matplotlib", "seaborn", "scipy", "pandas", "numpy", "PIL",
    "ray", "fsspec",
}  # fmt: skip


def files(folder):
    return sorted((ROOT / folder).rglob("*.py"))


def imports(path, top_level_only=False):
    """Full names of the modules that a file imports."""
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level_only else ast.walk(tree)
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def reaches(names, *packages):
    return {name for name in names if any(name == p or name.startswith(p + ".") for p in packages)}


@pytest.mark.parametrize(
    ("room", "forbidden"),
    [
        ("vae_tf", ("pipelines", "reports", "cli")),
        ("reports", ("pipelines", "cli", "keras", "tensorflow", "vae_tf.data", "vae_tf.parts", "vae_tf.model",
                     "vae_tf.analysis", "vae_tf.evaluation", "vae_tf.training", "vae_tf.serving", "vae_tf.recipes")),
        ("pipelines", ("cli",)),
        ("vae_tf/analysis", ("keras", "tensorflow", "vae_tf.model", "vae_tf.parts", "vae_tf.data", "vae_tf.artifacts")),
        ("vae_tf/parts", ("vae_tf.data", "vae_tf.artifacts", "vae_tf.evaluation", "vae_tf.analysis", "vae_tf.training",
                          "vae_tf.model", "vae_tf.recipes", "vae_tf.serving")),
        ("vae_tf/data", ("vae_tf.model", "vae_tf.parts", "vae_tf.training", "vae_tf.artifacts", "vae_tf.evaluation")),
        ("vae_tf/serving/server", ("keras", "vae_tf.model", "vae_tf.parts", "vae_tf.recipes", "vae_tf.data",
                                   "vae_tf.artifacts", "vae_tf.serving.export", "vae_tf.serving.pictures",
                                   "vae_tf.serving.text")),
        ("vae_tf/evaluation", ("vae_tf.artifacts", "vae_tf.analysis", "vae_tf.training")),
    ],
)  # fmt: skip
def test_rooms_call_downwards_only(room, forbidden):
    found = {str(path.relative_to(ROOT)): reaches(imports(path), *forbidden) for path in files(room)}
    assert found and not {path: names for path, names in found.items() if names}


def test_only_what_is_named_after_ray_imports_it():
    places = {
        path.relative_to(ROOT).as_posix()
        for path in files("vae_tf") + files("reports") + files("pipelines") + [ROOT / "cli.py"]
        if reaches(imports(path), "ray")
    }
    assert places and all(place.startswith("pipelines/ray_") for place in places)


def test_a_rule_would_catch_an_offender(tmp_path):
    path = tmp_path / "offender.py"
    path.write_text("def late():\n    from pipelines import train\n    import keras.ops\n")
    assert reaches(imports(path), "pipelines", "keras") == {"pipelines", "pipelines.train", "keras.ops"}


def test_only_artifacts_knows_the_layout_of_the_run_directory():
    offenders = [
        str(path.relative_to(ROOT))
        for path in files("vae_tf") + files("reports")
        if path.parent != ROOT / "vae_tf/artifacts"
        and ("run.json" in path.read_text() or "stage.json" in path.read_text())
    ]
    assert not offenders


def modules_of(code):
    """Names of the packages that a fresh interpreter has loaded after running `code`."""
    script = f"import sys; sys.argv = ['cli.py']\n{code}\nprint(*{{m.split('.')[0] for m in sys.modules}})"
    process = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(process.stdout.split("\n")[-2].split())


@pytest.mark.parametrize(
    "arguments", [["--help"], ["train", "--help"], ["cluster-report", "--help"]], ids=lambda a: " ".join(a)
)
def test_help_loads_nothing_heavy(arguments):
    assert not modules_of(f"import cli; cli.main({arguments!r})") & HEAVY


def test_every_command_has_help(capsys):
    import cli

    names = [
        command.name or command.callback.__name__.replace("_", "-") for command in cli.app.registered_commands
    ]
    assert {"train", "run", "cluster-report", "runs"} <= set(names)
    for name in names:
        assert cli.main([name, "--help"]) == 0, name
        captured = capsys.readouterr()
        assert "Usage" in captured.out and not captured.err


def test_listing_runs_loads_no_tensorflow():
    loaded = modules_of("import cli; cli.main(['runs'])")
    assert not loaded & (HEAVY - {"numpy"})


def test_analysis_loads_no_tensorflow():
    names = [path.stem for path in files("vae_tf/analysis") if path.stem != "__init__"]
    loaded = modules_of("import " + ", ".join(f"vae_tf.analysis.{name}" for name in names))
    assert not loaded & (HEAVY - {"numpy"})


@pytest.mark.parametrize(
    "code",
    [
        "import cli; cli.main(['runs'])",
        "import cli; cli.main(['show'])",
        "from vae_tf.config import DataConfig; from vae_tf.data.sources import open_source; "
        "open_source(DataConfig(source='demo:faces'))",
        "from vae_tf.artifacts.runs import new_run; new_run('faces', {}).compute('embed', {}, lambda stage: None)",
    ],
)
def test_without_a_remote_path_nothing_remote_is_loaded(code):
    remote = {"fsspec", "s3fs", "gcsfs", "aiohttp", "botocore"}
    assert not modules_of(code) & remote


def test_wrong_folder_is_told_before_tensorflow_is_loaded():
    loaded = modules_of("import cli; cli.main(['train', 'no-such-folder'])")
    assert "tensorflow" not in loaded and "keras" not in loaded


def test_help_is_quick():
    def seconds(*command):
        began = os.times()
        subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, check=True)
        ended = os.times()
        return ended.children_user + ended.children_system - began.children_user - began.children_system

    # Of processor: it only computes, and beside other tests the clock would measure those. What Typer itself takes says
    # how fast the machine is: 0.15 to 0.25 s in all where nothing else runs.
    takes = min(seconds("cli.py", "--help") for _ in range(5))
    typer_takes = min(seconds("-c", "import typer.rich_utils, rich.markdown") for _ in range(5))
    assert takes < 3 * typer_takes
