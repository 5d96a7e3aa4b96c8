"""Runs that somebody else made: nothing in them leads elsewhere, and what does not fit is refused in one line."""

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.malicious import pickled
from vae_tf import strangers
from vae_tf.artifacts.npz_files import load_arrays, save_arrays
from vae_tf.artifacts.run import Run
from vae_tf.artifacts.runs import find_run, new_run
from vae_tf.errors import UserError


@pytest.fixture
def run(tmp_path: Path) -> Run:
    made = new_run("faces", {"config": {"data": {"source": "faces"}}, "parent": None}, tmp_path / "runs")
    with made.writing("embed", {"model": "abc"}) as stage:
        save_arrays(stage.folder / "latents.npz", mean=np.arange(6.0))
        stage.results["count"] = 3
    return made


def refused(run: Run, words: str) -> None:
    """Any command begins by finding its run."""
    with pytest.raises(UserError, match=words) as refusal:
        find_run(str(run.folder), trained=False)
    assert "\n" not in refusal.value.message


@pytest.mark.parametrize(
    "name", ["run-folder", ".training.lock", "train.partial", "embed/latents.npz", "embed/more/x"]
)
def test_a_link_out_of_the_run_is_not_followed(run: Run, tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("mine")
    link = run.folder / name
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(os.path.relpath(outside / "file", link.parent))
    refused(run, "is a link that leads out of the run")
    assert (outside / "file").read_text() == "mine"


def test_links_inside_the_run_are_followed_and_circles_are_not(run: Run) -> None:
    (run.folder / "second").symlink_to("embed")
    assert find_run(str(run.folder), trained=False) == run
    (run.folder / "circle").symlink_to("circle")
    refused(run, "circle is a link that leads out")


def test_a_run_may_itself_be_linked_to(run: Run, tmp_path: Path) -> None:
    (tmp_path / "there").symlink_to(run.folder)
    assert find_run(str(tmp_path / "there"), trained=False).record == run.record


def test_pipes_are_not_read(run: Run) -> None:
    os.mkfifo(run.folder / "pipe")
    refused(run, "pipe is neither a file nor a folder")
    os.remove(run.folder / "embed" / "stage.json")
    os.mkfifo(run.folder / "embed" / "stage.json")
    with pytest.raises(UserError, match="is no file"):
        run.stage("embed")


def test_the_lock_of_a_run_leaves_what_it_links_to_alone(run: Run, tmp_path: Path) -> None:
    """Commands that list all runs look whether each is being trained."""
    (tmp_path / "precious").write_text("mine")
    (run.folder / ".training.lock").symlink_to(tmp_path / "precious")
    assert not run.is_training
    assert (tmp_path / "precious").read_text() == "mine"
    (run.folder / ".training.lock").unlink()
    os.mkfifo(run.folder / ".training.lock")
    assert not run.is_training
    os.remove(run.folder / ".training.lock")
    assert not run.is_training


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema_version": 1}, "was written with schema 1; this version reads 2"),
        ({"schema_version": 3}, "was written with schema 3; this version reads 2"),
        ({"schema_version": "2"}, "was written with schema '2'"),
        ({"created": "yesterday"}, "created is 'yesterday', not a number"),
        ({"created": 1e300}, "which is no time"),
        ({"created": float("nan")}, "which is no time"),
        ({"created": True}, "created is True, not a number"),
        ({"command": ["rm"]}, r"command is \['rm'\], not a text"),
        ({"config": []}, r"config is \[\], not an object"),
        ({"parent": {"a": 1}}, "parent is"),
        ({"versions": {"vae_tf": 1}}, "versions are texts"),
        ({"machine": "fast"}, "machine is 'fast', not an object"),
    ],
)
def test_a_run_of_other_types_is_refused(run: Run, change: dict[str, Any], words: str) -> None:
    path = run.folder / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(UserError, match=words):
        _ = run.record


@pytest.mark.parametrize("text", ["[]", "3", "null", "{", "", "\udc80", '{"a":' * 100_000, "9" * 10_000])
def test_what_is_no_record_is_refused(run: Run, text: str) -> None:
    (run.folder / "run.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UserError, match=r"run\.json is damaged or was changed"):
        _ = run.record


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"hash": "../../"}, "its hash is not that of what it holds"),
        ({"hash": "0123456789ab"}, "its hash is not that of what it holds"),
        ({"inputs": {"model": "other"}}, "its hash is not that of what it holds"),
        ({"results": {"count": 4}}, "its hash is not that of what it holds"),
        ({"results": None}, "results is None, not an object"),
        ({"stage": 3}, "stage is 3, not a text"),
        ({"finished": float("inf")}, "finished is inf, which is no time"),
    ],
)
def test_a_stage_that_was_changed_is_refused(run: Run, change: dict[str, Any], words: str) -> None:
    path = run.folder / "embed" / "stage.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(UserError, match=words):
        run.stage("embed")


def test_whatever_a_stage_holds_its_hash_is_that_of_what_is_read(run: Run) -> None:
    inputs = {
        "a": (1, 2),
        "b": np.float32(0.1),
        "c": np.arange(3),
        "d": Path("x/y"),
        "e": float("inf"),
        "f": "é\udc80",
    }
    with run.writing("clusters", inputs) as stage:
        stage.results.update(
            score=np.float64(1) / 3, names=["a", None], flag=np.bool_(True), sizes={8: 1, 32: 2, 128: 3}
        )
    assert run.stage("clusters") is not None


def test_pictures_are_found_and_deleted_by_fingerprint_alone() -> None:
    path = Path("facts.json")
    assert strangers.checked_fingerprint(path, "0123456789abcdef") == "0123456789abcdef"
    for text in (
        "",
        ".",
        "..",
        "../..",
        "/",
        "/home",
        "runs",
        "fetched",
        "0123456789abcdef/..",
        "0123456789ABCDEF",
        None,
        3,
    ):
        with pytest.raises(UserError, match="is no fingerprint of pictures"):
            strangers.checked_fingerprint(path, text)


def npz(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


def header(shape: str, descr: str = "'<f8'", length: int | None = None) -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}\n".encode()
    return b"\x93NUMPY\x02\x00" + (length or len(text)).to_bytes(4, "little") + text


@pytest.mark.parametrize(
    "content",
    [
        header("(1000000000000000,)"),
        header("(4000000000, 4000000000)"),
        header("(-1,)"),
        header("(2,)", "'|O'"),
        header("(2,)", "__import__('os').system('touch marker')"),
        header("(2,)", "'" + "<f8," * 100_000 + "'"),
        header("(2,)", length=4_294_967_295),
        header("(" * 10_000 + ")" * 10_000),
        b"\x93NUMPY\x09\x09",
        b"",
        b"not an array",
    ],
)
def test_arrays_that_lie_are_refused(tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"evil\.npz is damaged or was changed"):
        load_arrays(npz(tmp_path / "evil.npz", mean=content))
    assert [path.name for path in tmp_path.iterdir()] == ["evil.npz"]


def test_nothing_is_unpickled_or_unpacked(tmp_path: Path) -> None:
    path, marker = tmp_path / "evil.npz", tmp_path / "marker"
    path.write_bytes(pickled(marker))
    with pytest.raises(UserError, match="damaged"):
        load_arrays(path)
    path.write_bytes(b"\x80\x04\x95")
    with pytest.raises(UserError, match="damaged"):
        load_arrays(path)
    np.savez_compressed(path, zeros=np.zeros(1_000_000))
    with pytest.raises(UserError, match="is compressed"):
        load_arrays(path)
    assert not marker.exists()


@pytest.mark.parametrize("depth", [1, 3])
def test_a_run_that_extends_itself_ends_the_chain(tmp_path: Path, depth: int) -> None:
    from pipelines.training_curves import chain_of

    root = tmp_path / "runs"
    made = [new_run("a", {"parent": f"{(i + 1) % depth + 1:05d}-a"}, root) for i in range(depth)]
    assert {run.name for run in chain_of(made[0])} == {run.name for run in made}


def test_names_do_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    import cli
    from pipelines.console import say

    name = "a\x1b]52;c;ZXZpbA==\x07\x1b[2J\u202eb\udc80"
    say(f"skipped {name}")
    cli.complain(f"{name} is missing", f"Put {name} back", 2, False)
    said = capsys.readouterr()
    for text in (said.out, said.err):
        assert "a\\u001b]52;c;ZXZpbA==\\u0007\\u001b[2J\\u202eb\\udc80" in text
        assert all(character.isprintable() or character == "\n" for character in text)
