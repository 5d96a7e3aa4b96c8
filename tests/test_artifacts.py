"""The run directory: what exists is whole, what was computed is found again, and runs are found by any handle."""

import dataclasses
import json
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vae_tf.artifacts.hashes import hash_of, hash_of_file
from vae_tf.artifacts.json_files import read_json, write_json
from vae_tf.artifacts.layout import SCHEMA_VERSION
from vae_tf.artifacts.npz_files import load_arrays, save_arrays
from vae_tf.artifacts.run import Run
from vae_tf.artifacts.runs import all_runs, find_run, new_run, rename_run, run_of_job
from vae_tf.artifacts.stage import Stage, finish_stage
from vae_tf.errors import UserError
from vae_tf.places import cache_root, runs_root
from vae_tf.whole import PREFIX, replace_folder


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return new_run("faces conv z30", {"seed": 1}, tmp_path / "runs")


def write(run: Run, kind: str, inputs: dict[str, Any], text: str = "x") -> None:
    with run.writing(kind, inputs) as stage:
        (stage.folder / "file.txt").write_text(text)
        stage.results["text"] = text


def everything(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def finish_training(run: Run) -> None:
    run.partial_train.mkdir()
    finish_stage(run.partial_train, "train", {}, 0.0, {})
    replace_folder(run.partial_train, run.folder / "train")


def test_a_stage_is_whole_with_its_record(run: Run) -> None:
    inputs = {"model": "abc", "size": (2, 3), "path": Path("a/b"), "weights": np.arange(2), "k": np.int64(4)}
    with run.writing("clusters", inputs) as stage:
        assert run.stage("clusters") is None and run.stages("clusters") == []
        (stage.folder / "deep").mkdir()
        (stage.folder / "deep" / "file.txt").write_text("text")
        stage.results["score"] = np.float32(0.5)
    found = run.stage("clusters")
    assert found is not None and found.name == "clusters"
    assert (found.folder / "deep" / "file.txt").read_text() == "text"
    assert found.record["inputs"] == {
        "model": "abc",
        "size": [2, 3],
        "path": "a/b",
        "weights": [0, 1],
        "k": 4,
    }
    assert found.record["results"] == {"score": 0.5}
    assert found.record["started"] <= found.record["finished"]
    assert re.fullmatch("[0-9a-f]{12}", found.hash)
    assert everything(run.folder) == {
        "run.json",
        *(f"clusters{name}" for name in ("", "/stage.json", "/deep", "/deep/file.txt")),
    }


@pytest.fixture
def stage(run: Run) -> Stage:
    """A finished stage with files of several kinds."""
    with run.writing("clusters", {}) as writer:
        (writer.folder / "1" / "variables").mkdir(parents=True)
        for name in (
            "maps.npz",
            "scores.json",
            "table.csv",
            "1/saved_model.pb",
            "1/variables/variables.index",
        ):
            (writer.folder / name).write_bytes(name.encode())
    found = run.stage("clusters")
    assert found is not None
    return found


@pytest.mark.parametrize(
    "name", ["maps.npz", "scores.json", "1/saved_model.pb", "1/variables/variables.index"]
)
@pytest.mark.parametrize("change", [lambda path: path.write_bytes(b"another"), Path.unlink])
def test_a_file_that_is_not_the_one_that_was_written_is_named(stage: Stage, name: str, change: Any) -> None:
    change(stage.place / name)
    with pytest.raises(UserError) as caught:
        _ = stage.folder
    assert str(stage.place / name) in caught.value.message and "made anew" in caught.value.hint


def test_tables_may_be_edited_and_files_put_beside(stage: Stage) -> None:
    (stage.place / "table.csv").write_text("mine")
    (stage.place / "notes.json").write_text("mine")
    assert stage.folder == stage.place


def test_a_stage_that_kept_no_hashes_is_read(stage: Stage) -> None:
    record = {name: value for name, value in stage.record.items() if name != "files"}
    write_json(stage.place / "stage.json", record)
    (stage.place / "maps.npz").write_bytes(b"another")
    assert stage.folder == stage.place


@pytest.mark.parametrize("files", [["maps.npz"], {"maps.npz": 1}, "maps.npz"])
def test_hashes_of_another_form_are_refused(stage: Stage, files: Any) -> None:
    write_json(stage.place / "stage.json", {**stage.record, "files": files})
    with pytest.raises(UserError, match="names with a hash each"):
        _ = stage.folder


def test_a_name_that_leads_out_of_a_stage_is_not_followed(stage: Stage) -> None:
    write_json(stage.place / "stage.json", {**stage.record, "files": {"../../../../../../dev/zero": "0"}})
    with pytest.raises(UserError, match="not the file"):
        _ = stage.folder


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_error_inside_leaves_nothing(run: Run, error: type[BaseException]) -> None:
    before = everything(run.folder)
    with pytest.raises(error), run.writing("embed", {}) as stage:
        (stage.folder / "half.txt").write_text("half")
        raise error
    assert everything(run.folder) == before
    with pytest.raises(TypeError, match="object does not go into JSON"), run.writing("embed", {}) as stage:
        stage.results["thing"] = object()
    assert everything(run.folder) == before


def test_what_a_killed_process_left_is_no_stage(run: Run) -> None:
    for name, kind in ((f"{PREFIX}1-clusters", "clusters"), ("train.partial", "train")):
        (run.folder / name).mkdir()
        finish_stage(run.folder / name, kind, {}, 0.0, {})
    assert run.stages("clusters") == run.stages("train") == []
    assert run.newest("clusters") is None and run.finished("clusters", {}) is None
    assert not run.is_trained
    write(run, "clusters", {})
    assert [stage.name for stage in run.stages("clusters")] == ["clusters"]
    assert {path.name for path in run.folder.iterdir()} == {"run.json", "clusters", "train.partial"}


def test_unchanged_inputs_are_found_and_others_lie_beside(run: Run) -> None:
    write(run, "clusters", {"k": 2, "latents": [0.1, 0.2]}, "two")
    write(run, "clusters", {"k": 3}, "three")
    write(run, "clusters", {"k": 4}, "four")
    stages = {
        text: run.finished("clusters", inputs)
        for text, inputs in [
            ("two", {"latents": (0.1, 0.2), "k": 2}),
            ("three", {"k": 3}),
            ("four", {"k": 4}),
        ]
    }
    for text, stage in stages.items():
        assert stage is not None and (stage.folder / "file.txt").read_text() == text
        assert stage.name == ("clusters" if text == "two" else f"clusters-{hash_of(stage.record['inputs'])}")
    assert run.finished("clusters", {"k": 5}) is None
    assert run.finished("embed", {"k": 2}) is None
    assert [stage.record["results"]["text"] for stage in run.stages("clusters")] == ["two", "three", "four"]
    newest = run.newest("clusters")
    assert newest is not None and newest.record["inputs"] == {"k": 4}
    assert len({stage.hash for stage in run.stages("clusters")}) == 3


def test_two_at_once_do_not_overwrite_each_other(run: Run) -> None:
    with run.writing("clusters", {"k": 2}) as stage:
        (stage.folder / "file.txt").write_text("slow")
        # Another process finishes the same kind in the meantime.
        program = textwrap.dedent("""
            import sys
            from pathlib import Path
            from vae_tf.artifacts.run import Run
            with Run(Path(sys.argv[1])).writing("clusters", {"k": 3}) as stage:
                (stage.folder / "file.txt").write_text("fast")
        """)
        subprocess.run([sys.executable, "-c", program, str(run.folder)], check=True)
    for k, text in [(2, "slow"), (3, "fast")]:
        found = run.finished("clusters", {"k": k})
        assert found is not None and (found.folder / "file.txt").read_text() == text


def test_writes_are_atomic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"old": 1})

    def check_then_fail(source: Any, target: Any) -> None:
        assert read_json(path) == {"old": 1}
        assert json.loads(Path(source).read_text()) == {"new": 2}
        raise OSError("killed here")

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", check_then_fail)
        with pytest.raises(OSError, match="killed here"):
            write_json(path, {"new": 2})
    assert read_json(path) == {"old": 1}
    write_json(path, {"new": 2})
    assert read_json(path) == {"new": 2}
    with pytest.raises(TypeError):
        write_json(path, {"new": object()})
    assert read_json(path) == {"new": 2}


def test_a_number_that_is_none_is_null(tmp_path: Path) -> None:
    document = {"a": [float("nan"), 1.5], "b": {"c": np.array([np.inf, 2.0])}, "d": "NaN"}
    write_json(tmp_path / "x.json", document)
    assert read_json(tmp_path / "x.json") == {"a": [None, 1.5], "b": {"c": [None, 2.0]}, "d": "NaN"}


def test_replacing_a_folder_leaves_only_the_new_one(tmp_path: Path) -> None:
    for name in ("new", "target"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    replace_folder(tmp_path / "new", tmp_path / "target")
    assert everything(tmp_path) == {"target", "target/new"}


def test_arrays_come_back_as_they_were(tmp_path: Path) -> None:
    arrays = {
        "mean": np.random.default_rng(0).normal(size=(3, 2)).astype(np.float32),
        "index": np.arange(3),
        "path": np.array(["a", "ü,\"'"]),
        "empty": np.zeros((0, 4), np.uint8),
    }
    save_arrays(tmp_path / "a.npz", **arrays)
    loaded = load_arrays(tmp_path / "a.npz")
    assert loaded.keys() == arrays.keys()
    for name, array in arrays.items():
        assert loaded[name].dtype == array.dtype and np.array_equal(loaded[name], array)
    assert everything(tmp_path) == {"a.npz"}


def test_objects_are_neither_pickled_nor_unpickled(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="names holds Python objects"):
        save_arrays(tmp_path / "a.npz", names=np.array(["a", None], dtype=object))
    assert everything(tmp_path) == set()
    np.savez(tmp_path / "b.npz", names=np.array(["a", None], dtype=object))
    with pytest.raises(UserError, match="allow_pickle"):
        load_arrays(tmp_path / "b.npz")


def test_hashes_ignore_the_order_of_keys_only() -> None:
    first = hash_of({"a": 1, "b": [1, 2]})
    assert hash_of({"b": (1, 2), "a": np.int64(1)}) == first
    assert len({first, hash_of({"a": 1, "b": [2, 1]}), hash_of({"a": 2, "b": [1, 2]})}) == 3


def test_files_are_hashed_by_content(tmp_path: Path) -> None:
    for name, content in [("a", b"1"), ("b", b"1"), ("c", b"2")]:
        (tmp_path / name).write_bytes(content)
    hashes = [hash_of_file(tmp_path / name) for name in "abc"]
    # sha256("1") begins so.
    assert hashes[0] == hashes[1] == "6b86b273ff34" != hashes[2]


def test_a_new_run_has_the_next_number_and_a_record(tmp_path: Path) -> None:
    root = tmp_path / "deep" / "runs"
    first = new_run("Faces / conv, Z=30!", {"seed": 3}, root)
    assert first.name == "00001-faces-conv-z-30"
    assert first.record["seed"] == 3 and first.record["schema_version"] == SCHEMA_VERSION
    (root / "00041-gone").mkdir()
    (root / "cache").mkdir()
    second = new_run("???", {}, root)
    assert second.name == "00042-run"
    assert [run.name for run in all_runs(root)] == [first.name, second.name]
    assert not list(root.glob(".*"))


def test_a_claim_left_by_a_killed_process_does_not_stop_new_runs(tmp_path: Path) -> None:
    (tmp_path / f"{PREFIX}00001").mkdir()
    (tmp_path / f"{PREFIX}00001" / "run.json").touch()
    assert new_run("a", {}, tmp_path).name == "00001-a"
    assert [path.name for path in tmp_path.iterdir()] == ["00001-a"]


@pytest.mark.parametrize("name", ["'same'", "f'name{i}'"])
def test_twenty_processes_get_twenty_numbers(tmp_path: Path, name: str) -> None:
    # In a process of its own: forking this one, with TensorFlow's threads, would be unsafe.
    program = textwrap.dedent(f"""
        import multiprocessing, sys
        from pathlib import Path
        from vae_tf.artifacts.runs import new_run
        context = multiprocessing.get_context("fork")
        barrier = context.Barrier(20)
        def work(i):
            barrier.wait()
            new_run({name}, {{"i": i}}, Path(sys.argv[1]))
        processes = [context.Process(target=work, args=(i,)) for i in range(20)]
        [process.start() for process in processes]
        [process.join() for process in processes]
        sys.exit(any(process.exitcode for process in processes))
    """)
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True, timeout=60)
    runs = all_runs(tmp_path)
    assert len({run.name[:5] for run in runs}) == len(runs) == 20
    assert sorted(run.record["i"] for run in runs) == list(range(20))


def test_another_schema_is_refused(run: Run) -> None:
    document = read_json(run.folder / "run.json")
    write_json(run.folder / "run.json", {**document, "schema_version": 99})
    with pytest.raises(UserError, match=f"schema 99; this version reads {SCHEMA_VERSION}"):
        _ = run.record


@pytest.fixture
def runs(tmp_path: Path) -> list[Run]:
    """Number 2 has not finished training; 13 is number four."""
    root = tmp_path / "runs"
    made = [new_run(name, {}, root) for name in ("faces-conv-z30", "faces-mlp-z30", "cells-conv-z30")]
    (root / "00012-gone").mkdir()
    made.append(new_run("digits-3", {}, root))
    for i in (0, 2, 3):
        finish_training(made[i])
    return made


def test_runs_are_found_by_number_name_part_and_path(
    runs: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = runs[0].folder.parent
    for text, i in [
        ("1", 0),
        ("00003", 2),
        ("13", 3),
        ("00001-faces-conv-z30", 0),
        ("cells", 2),
        ("digits", 3),
        (str(runs[2].folder), 2),
        (f"{runs[2].folder}/", 2),
    ]:
        assert find_run(text, root).folder == runs[i].folder
    monkeypatch.chdir(root)
    assert find_run("00003-cells-conv-z30", Path("elsewhere")).name == runs[2].name


def test_without_a_name_the_newest_complete_run_is_taken(runs: list[Run]) -> None:
    root = runs[0].folder.parent
    assert find_run(None, root).name == "00013-digits-3"
    unfinished = new_run("later", {}, root)
    assert find_run(None, root).name == "00013-digits-3"
    assert find_run(None, root, trained=False).name == unfinished.name
    finish_training(unfinished)
    assert find_run(None, root).name == unfinished.name


@pytest.mark.parametrize("text", ["30", "5", "0", "²"])
def test_a_number_that_no_run_has_is_not_searched_in_names(runs: list[Run], text: str) -> None:
    with pytest.raises(UserError, match=f"There is no run '{text}'") as caught:
        find_run(text, runs[0].folder.parent)
    for run in runs:
        assert run.name in caught.value.hint


def test_an_empty_name_is_no_part_of_every_name(tmp_path: Path) -> None:
    """Else it would name the run that there is, which `delete` then deletes."""
    finish_training(new_run("faces", {}, tmp_path))
    with pytest.raises(UserError, match="name of a run is empty"):
        find_run("", tmp_path)


def test_several_matches_are_listed(runs: list[Run]) -> None:
    with pytest.raises(UserError, match="Several runs match 'conv'") as caught:
        find_run("conv", runs[0].folder.parent)
    assert caught.value.hint == "Runs: 00001-faces-conv-z30, 00003-cells-conv-z30."


def test_an_unfinished_run_says_how_to_go_on(runs: list[Run]) -> None:
    root = runs[0].folder.parent
    with pytest.raises(UserError, match="has not finished training") as caught:
        find_run("2", root)
    assert "train --resume 00002-faces-mlp-z30" in caught.value.hint
    assert find_run("2", root, trained=False).name == "00002-faces-mlp-z30"


def test_no_run_at_all(tmp_path: Path) -> None:
    for root in (tmp_path, tmp_path / "missing"):
        with pytest.raises(UserError, match="no trained run") as caught:
            find_run(None, root)
        assert "cli.py train" in caught.value.hint
        with pytest.raises(UserError, match="There is no run 'x'"):
            find_run("x", root)


def test_roots_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAE_TF_RUNS", "/a/runs")
    assert runs_root() == Path("/a/runs") and cache_root() == Path("/a/runs/cache")
    monkeypatch.setenv("VAE_TF_CACHE", "/b")
    assert cache_root() == Path("/b")
    monkeypatch.delenv("VAE_TF_RUNS")
    assert runs_root() == Path("runs")


def test_a_whole_name_is_found_among_names_that_it_is_a_part_of(tmp_path: Path) -> None:
    made = [new_run(name, {}, tmp_path) for name in ("faces", "faces-extended", "more-faces")]
    assert [find_run(run.name[6:], tmp_path, trained=False) for run in made] == made
    with pytest.raises(UserError, match="Several runs match 'face'"):
        find_run("face", tmp_path, trained=False)


def test_of_many_runs_the_newest_eight_are_listed(tmp_path: Path) -> None:
    made = [new_run("faces", {}, tmp_path) for _ in range(10)]
    with pytest.raises(UserError) as caught:
        find_run("nobody", tmp_path)
    assert caught.value.hint == f"Runs: {', '.join(run.name for run in made[2:])}."


def test_a_long_name_is_cut(tmp_path: Path) -> None:
    assert new_run("a" * 39 + "bc", {}, tmp_path).name == f"00001-{'a' * 39}b"


def test_a_run_tells_what_was_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["/somewhere/cli.py", "train", "my faces/", "--latent", "3"])
    assert new_run("faces", {}, tmp_path).record["command"] == "python cli.py train 'my faces/' --latent 3"


def test_a_job_finds_the_newest_run_that_it_began(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["cli.py", "train", "a"])
    made = [new_run("faces", {"job": job} if job else {}, tmp_path) for job in ("one", "two", "one", None)]
    assert run_of_job("one", tmp_path) == made[2] and run_of_job("two", tmp_path) == made[1]
    assert run_of_job("three", tmp_path) is None
    monkeypatch.setattr("sys.argv", ["cli.py", "train", "b"])
    assert run_of_job("one", tmp_path) is None


def test_a_renamed_run_keeps_its_number_and_all_that_it_holds(run: Run) -> None:
    write(run, "clusters", {}, "kept")
    renamed = rename_run(run, "Best faces!")
    assert renamed.name == "00001-best-faces" and not run.folder.exists()
    assert everything(renamed.folder) == {"run.json", "clusters", "clusters/file.txt", "clusters/stage.json"}
    assert rename_run(renamed, "best faces") == renamed
    with pytest.raises(UserError, match="is no name for a run"):
        rename_run(renamed, "…")
    with pytest.raises(UserError, match="has no number of its own"):
        rename_run(Run(renamed.folder.rename(run.folder.parent / "mine")), "other")


def test_a_deleted_run_leaves_nothing_even_while_a_stage_is_written(run: Run) -> None:
    with pytest.raises(FileNotFoundError), run.writing("clusters", {}) as stage:
        shutil.rmtree(run.folder)
        stage.folder.mkdir(parents=True)
        (stage.folder / "late.txt").touch()
    assert not run.folder.exists()
    assert run.stage("clusters") is None


def test_stages_on_other_pictures_never_take_the_plain_name(run: Run) -> None:
    with run.writing("embed", {"of": "others"}, plain_name=False):
        pass
    assert run.stage_names() == [f"embed-{hash_of({'of': 'others'})}"]
    write(run, "embed", {"of": "its own"})
    assert run.stage_names() == ["embed", f"embed-{hash_of({'of': 'others'})}"]


def test_a_folder_without_its_record_gives_way(run: Run) -> None:
    write(run, "clusters", {"k": 2}, "old")
    write(run, "clusters", {"k": 3}, "old")
    for name in run.stage_names():
        (run.folder / name / "stage.json").unlink()
    write(run, "clusters", {"k": 3}, "new")
    found = run.finished("clusters", {"k": 3})
    assert found is not None and found.name == f"clusters-{hash_of({'k': 3})}"
    assert (found.folder / "file.txt").read_text() == "new"


def test_a_run_that_is_trained_is_neither_deleted_nor_renamed_nor_trained(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vae_tf.artifacts.run.PATIENCE", 0.02)
    with run.training_lock():
        assert run.is_training
        for held in (Run(run.folder).training_lock, Run(run.folder).alone):
            with pytest.raises(UserError, match="is being trained by another process"), held():
                pass
    with run.working(), pytest.raises(UserError, match="is writing into"), run.alone():
        pass
    with run.alone():
        assert not run.is_training


def test_a_run_in_a_folder_is_its_own_store(run: Run) -> None:
    write(run, "clusters", {}, "kept")
    (run.report / "assets").mkdir(parents=True)
    (run.partial_train / "checkpoints").mkdir(parents=True)
    before = everything(run.folder)
    for step in (run.take_report, run.take_checkpoints, run.give_what_is_missing):
        step()
    assert everything(run.folder) == before and run.has_begun


def test_json_holds_what_numpy_dataclasses_and_paths_hold_and_nothing_else(tmp_path: Path) -> None:
    @dataclasses.dataclass
    class Point:
        x: Any

    document = {
        "point": Point(np.float32(0.5)),
        "numbers": np.arange(3),
        "path": Path("a") / "b",
        "none": np.nan,
    }
    write_json(tmp_path / "file.json", document)
    expected = {"point": {"x": 0.5}, "numbers": [0, 1, 2], "path": "a/b", "none": None}
    assert read_json(tmp_path / "file.json") == expected
    for wrong in (Point, {1, 2}, object()):
        with pytest.raises(TypeError, match="does not go into JSON"):
            write_json(tmp_path / "wrong.json", {"wrong": wrong})
    assert not (tmp_path / "wrong.json").exists()
