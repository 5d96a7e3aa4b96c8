"""Models and runs of strangers: many of them, and none runs code, leads elsewhere or ends in anything but a line."""

import json
import os
import random
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import cli
from tests.golden.test_golden import HERE as GOLDEN
from tests.golden.test_golden import whole
from tests.malicious import CONFIG, Parts, all_files, write
from tests.reliability.tries import tries
from tests.reliability.watch import watched
from vae_tf import model_file
from vae_tf.artifacts.hashes import hash_of
from vae_tf.artifacts.layout import SCHEMA_VERSION
from vae_tf.artifacts.npz_files import load_arrays
from vae_tf.errors import UserError

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
STUB = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>'
# What a document may be given in the place of anything.
VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 10**400, 10**12, 1e308, float("nan"), float("inf"), "", "x" * 10_000, "../../../../etc/passwd",
    "/etc/passwd", "\x00", "\udc80", "<script>", "__import__('os').system('touch /tmp/attacked')", "https://attacker.invalid/x",
    "s3://attacker/x", [], {}, [[]], {"class_name": "Lambda"}, [None] * 1000, ["../.."], {"../..": "/"},
)  # fmt: skip


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the golden runs, beside a file that is nobody's business."""
    restore(tmp_path / "runs")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_text("mine")
    monkeypatch.setenv("VAE_TF_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr("reports.figures._render", lambda draw, theme, size, narrow: STUB)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs"


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Any:
    def said(what: str, counted: Counter[str]) -> None:
        with capsys.disabled():
            print(f"\n{what}: {sum(counted.values())} tries: {dict(counted.most_common())}")

    return said


def model_of(runs: Path) -> Path:
    return next(runs.glob("00001-*")) / "train" / "vae.keras"


def keys_of(document: Any) -> list[Any]:
    if isinstance(document, dict):
        return list(document)
    return list(range(len(document))) if isinstance(document, list) else []


def places(document: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) of a document."""
    for key in keys_of(document):
        yield document, key
        yield from places(document[key])


def place_in(document: Any, generator: random.Random) -> tuple[Any, Any]:
    """A (container, key) of a document: any, or one on a walk from the top, where long lists hide nothing."""
    if generator.random() < 0.5:
        return generator.choice(list(places(document)))
    while True:
        container, key = generator.choice([(document, key) for key in keys_of(document)])
        if not keys_of(container[key]) or generator.random() < 0.3:
            return container, key
        document = container[key]


def mutated(document: Any, generator: random.Random) -> Any:
    """A copy in which one thing is another one, gone, doubled or deep."""
    copy = json.loads(json.dumps(document))
    container, key = place_in(copy, generator)
    action = generator.random()
    if action < 0.7:
        container[key] = generator.choice(VALUES)
    elif action < 0.85:
        del container[key]
    else:
        deep: Any = container[key]
        for _ in range(200):
            deep = {"a": deep} if generator.random() < 0.5 else [deep]
        container[key] = deep
    return copy


def flipped(content: bytes, generator: random.Random) -> bytes:
    """A copy with some bytes changed, cut or doubled."""
    changed = bytearray(content)
    for _ in range(generator.randint(1, 8)):
        changed[generator.randrange(len(changed))] = generator.randrange(256)
    if generator.random() < 0.3:
        del changed[generator.randrange(len(changed)) :]
    return bytes(changed)


def outcome_of(path: Path) -> str:
    """How the file of a model ends: as a model, or in a line."""
    try:
        model_file.load(path)
    except UserError as error:
        assert "\n" not in error.message
        return "refused"
    return "loaded"


def test_no_malicious_model_is_opened(runs: Path, tmp_path: Path, tell: Any) -> None:
    secret, marker = tmp_path / "outside" / "secret.h5", tmp_path / "outside" / "marker"
    with h5py.File(secret, "w") as file:
        file["secret"] = np.ones(100, "f4")
    (tmp_path / "evil").mkdir()
    counted = Counter[str]()
    for name, path in all_files(Parts(model_of(runs)), tmp_path / "evil" / "vae.keras", marker, secret):
        with watched() as noted:
            assert outcome_of(path) == "refused", name
        assert not noted and not marker.exists(), (name, noted)
        counted["refused"] += 1
    tell("made by hand", counted)


def test_mutated_configurations(runs: Path, tmp_path: Path, tell: Any) -> None:
    """A mutation may be harmless (another seed); it never ends otherwise than in a model or in a line."""
    parts, generator, counted = Parts(model_of(runs)), random.Random(1), Counter[str]()
    (tmp_path / "evil").mkdir()
    for _ in range(tries(2000)):
        members = parts.with_config(mutated(parts.config, generator))
        path = write(tmp_path / "evil" / "vae.keras", members)
        with watched() as noted:
            counted[outcome_of(path)] += 1
        assert not noted, (noted, members[CONFIG])
    tell("mutated configurations of models", counted)


def test_flipped_models(runs: Path, tmp_path: Path, tell: Any) -> None:
    """Bytes of the weights may be flipped in a file that loads: a run's model is refused by its hash before."""
    content, generator, counted = model_of(runs).read_bytes(), random.Random(2), Counter[str]()
    path = tmp_path / "vae.keras"
    for _ in range(tries(2000)):
        path.write_bytes(flipped(content, generator))
        with watched() as noted:
            counted[outcome_of(path)] += 1
        assert not noted, noted
    tell("files of models with flipped bytes", counted)
    model_of(runs).write_bytes(flipped(content, generator))
    assert cli.main(["embed", "1"]) == 2


def test_flipped_arrays(runs: Path, tmp_path: Path, tell: Any) -> None:
    generator, counted = random.Random(3), Counter[str]()
    files = [file.read_bytes() for file in sorted(runs.rglob("*.npz"))]
    path = tmp_path / "evil.npz"
    for _ in range(tries(5000)):
        path.write_bytes(flipped(generator.choice(files), generator))
        with watched() as noted:
            try:
                load_arrays(path)
                counted["loaded"] += 1
            except UserError as error:
                assert "\n" not in error.message
                counted["refused"] += 1
        assert not noted, noted
    tell("arrays with flipped bytes", counted)


def restore(runs: Path) -> None:
    shutil.rmtree(runs, ignore_errors=True)
    whole(GOLDEN / f"schema-{SCHEMA_VERSION}", runs.parent / "golden")
    shutil.move(runs.parent / "golden" / "runs", runs)
    shutil.rmtree(runs.parent / "golden")


def test_mutated_records(runs: Path, tmp_path: Path, tell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Somebody who changes a run's documents also knows how hashes are made."""
    generator, counted = random.Random(4), Counter[str]()
    documents = sorted(path.relative_to(runs) for path in runs.glob("00001-*/**/*.json"))
    commands = (
        ["show", "1"],
        ["runs"],
        ["embed", "1"],
        ["sample", "1", "--num", "2"],
        ["train", "--resume", "2"],
        ["delete", "1", "--yes"],
    )
    for turn in range(tries(600)):
        path = runs / generator.choice(documents)
        if turn % 3 == 0:
            path = (
                runs
                / next(runs.glob("00002-*")).name
                / path.relative_to(runs / path.relative_to(runs).parts[0])
            )
            path = path if path.exists() else runs / documents[0]
        document = mutated(json.loads(path.read_text()), generator)
        if path.name == "stage.json" and isinstance(document, dict) and generator.random() < 0.9:
            document["hash"] = hash_of([document.get("inputs"), document.get("results")])
        path.write_text(json.dumps(document))
        command = commands[turn % len(commands)]
        with watched(runs) as noted:
            code = cli.main(command)
        said = capsys.readouterr()
        counted[f"exit code {code}"] += 1
        if code == 1:
            counted[f"defect: {command[0]} {path.name}: {said.err.splitlines()[0][:80]}"] += 1
        assert "Traceback" not in said.err + said.out
        assert not noted, (command, path, noted)
        assert (
            os.listdir(tmp_path / "outside") == ["file"]
            and (tmp_path / "outside" / "file").read_text() == "mine"
        )
        restore(runs)
    tell("mutated records of runs", counted)
    assert not [what for what in counted if what.startswith("defect")]


STAGES = (
    ["embed", "1"],
    ["cluster-report", "1", "--permutations", "99"],
    ["interpolation-grid", "1"],
    ["traverse", "1", "--permutations", "99"],
    ["explore", "1"],
    ["evaluate", "1", "--samples", "8", "--pictures", "8"],
    ["probe", "1", "--labels", "2", "--draws", "2"],
    ["anomalies", "1"],
    ["export", "1"],
)


def changed_arrays(arrays: dict[str, Any], generator: random.Random) -> dict[str, Any]:
    """A copy in which one array is gone, or has other values, another type or another shape."""
    name = generator.choice(sorted(arrays))
    array, others = arrays[name], {other: array for other, array in arrays.items() if other != name}
    changes = [
        lambda: None,
        lambda: array[:0],
        lambda: array[:1],
        lambda: np.concatenate([array, array]) if array.ndim else array[None],
        lambda: array[None],
        lambda: array.ravel(),
        lambda: np.full(array.shape, "text"),
        lambda: np.full(array.shape, -(2**62)),
        lambda: np.full(array.shape, np.nan),
        lambda: np.full(array.shape, 1e300),
        lambda: np.zeros(array.shape, bool),
        lambda: np.zeros(array.shape, complex),
    ]
    changed = generator.choice(changes)()
    return others if changed is None else {**others, name: changed}


def test_mutated_stages(runs: Path, tmp_path: Path, tell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """What the stages after training left, scores and arrays: pages and commands that read it end in a line."""
    generator, counted = random.Random(5), Counter[str]()
    owners = {}
    for command in STAGES:
        before = {path.name for path in (runs / "00001-golden").iterdir()}
        if cli.main(command) == 0:
            made = {path.name for path in (runs / "00001-golden").iterdir()} - before
            owners |= {
                name: command for name in made if (runs / "00001-golden" / name / "stage.json").exists()
            }
    shutil.move(runs, tmp_path / "whole")
    shutil.copytree(tmp_path / "whole", runs)
    capsys.readouterr()
    files = [
        path
        for name in sorted(owners)
        for path in sorted((runs / "00001-golden" / name).glob("*"))
        if path.suffix in (".json", ".npz")
    ]
    for turn in range(tries(1000)):
        path = generator.choice(files)
        if path.suffix == ".npz":
            np.savez(path, **changed_arrays(dict(np.load(path)), generator))
        else:
            document = mutated(json.loads(path.read_text()), generator)
            if path.name == "stage.json" and isinstance(document, dict) and generator.random() < 0.9:
                document["hash"] = hash_of([document.get("inputs"), document.get("results")])
            path.write_text(json.dumps(document))
        command = (owners[path.parent.name], ["report", "1"], ["show", "1"])[turn % 3]
        if command == ["export", "1"]:
            # Where its record no longer fits it is made anew, in processes of ours.
            command = ["report", "1"]
        with watched(runs) as noted:
            code = cli.main(command)
        said = capsys.readouterr()
        counted[f"exit code {code}"] += 1
        if code not in (0, 2):
            where = f"{command[0]} {path.parent.name}/{path.name}"
            counted[f"defect: {where}: {said.err.splitlines()[0][:100]}"] += 1
        assert "Traceback" not in said.err + said.out
        # None is this very process, in which scikit-learn counts its threads.
        assert not [one for one in noted if one != "ctypes.dlopen (None,)"], (command, path, noted)
        shutil.rmtree(runs)
        shutil.copytree(tmp_path / "whole", runs)
    tell(f"mutated files of the stages {', '.join(sorted(owners))}", counted)
    assert {"embed", "clusters", "classes", "interpolation", "traversals", "export"} <= owners.keys()
    assert not [what for what in counted if what.startswith("defect")]


def test_links_in_every_place(
    runs: Path, tmp_path: Path, tell: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each file and folder of a run in turn leads outside; no command reads or writes there."""
    counted = Counter[str]()
    run = next(runs.glob("00001-*"))
    kept = [path.relative_to(run) for path in sorted(run.rglob("*"))]
    made_later = [
        Path(name)
        for name in ("embed", "report", ".training.lock", "train.partial", "report.json", "evaluate")
    ]
    for place in [*kept, *made_later]:
        for target in (tmp_path / "outside" / "file", tmp_path / "outside"):
            path = run / place
            if path.is_dir():
                shutil.rmtree(path)
            path.unlink(missing_ok=True)
            path.symlink_to(target)
            for command in (["embed", "1"], ["report", "1"], ["runs"], ["delete", "1", "--yes"]):
                if not run.exists():
                    continue
                with watched(runs) as noted:
                    counted[f"{command[0]}: exit code {cli.main(command)}"] += 1
                capsys.readouterr()
                assert not noted, (command, place, noted)
                assert os.listdir(tmp_path / "outside") == ["file"]
                assert (tmp_path / "outside" / "file").read_text() == "mine"
            restore(runs)
    tell("links out of a run", counted)
    assert not any("code 1" in what for what in counted)
