"""What exists is whole: processes killed, or asked to end, at each of their writes, and full disks."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from tests.reliability.intact import leftovers
from vae_tf import locks, whole
from vae_tf.artifacts.npz_files import load_arrays, save_arrays
from vae_tf.artifacts.runs import all_runs, new_run
from vae_tf.errors import UserError

# Forks for each write of `work`, and strikes the fork just before it; prints the fork's end.
PROGRAM = """
import os, sys
from pathlib import Path
import numpy as np
from pipelines.stopping import Requested, unwinding
from tests.reliability.blows import strike
from vae_tf import whole
from vae_tf.artifacts.npz_files import save_arrays
from vae_tf.artifacts.run import Run
from vae_tf.artifacts.runs import new_run
from vae_tf.errors import UserError

def work(root):
{work}

for at in range(1, 1000):
    root = Path(sys.argv[1]) / str(at)
    root.mkdir()
    child = os.fork()
    if not child:
        code = 1
        try:
            strike([str(root)], at, "{how}", lambda number: None)
            with unwinding():
                work(root)
            code = 0
        except Requested as request:
            code = request.code
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(code)
    if not code:
        break
"""


def killed_at_each_write(work: str, tmp_path: Path, how: str = "kill") -> list[Path]:
    """The folders in which processes were killed at their first, second, … write; in the last one none was."""
    program = PROGRAM.format(work=textwrap.indent(textwrap.dedent(work), "    "), how=how)
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], check=True, timeout=60, capture_output=True, text=True
    )
    codes = [int(line) for line in done.stdout.split()]
    assert codes[-1] == 0 and set(codes[:-1]) == {{"kill": -9, "term": 143}[how]}, done.stderr
    return [tmp_path / str(at) for at in range(1, len(codes) + 1)]


def test_a_run_and_its_stage_are_whole_or_not_there_wherever_a_process_is_killed(tmp_path: Path) -> None:
    roots = killed_at_each_write(
        """
        run = new_run("faces", {"seed": 1}, root)
        with run.writing("embed", {"model": "abc"}) as stage:
            save_arrays(stage.folder / "latents.npz", mean=np.arange(1000))
            (stage.folder / "latents.csv").write_text("a,b")
            stage.results["n"] = 1
        """,
        tmp_path,
    )
    assert len(roots) > 10
    for root in roots:
        for run in all_runs(root, any_state=True):
            assert run.record["seed"] == 1
            for stage in run.stages("embed"):
                assert np.array_equal(load_arrays(stage.folder / "latents.npz")["mean"], np.arange(1000))
                assert (stage.folder / "latents.csv").read_text() == "a,b"
                assert stage.record["results"] == {"n": 1}
        # Whoever comes next needs nothing of it, and leaves nothing of it.
        run = new_run("faces", {}, root)
        assert [run.name[:5] for run in all_runs(root, any_state=True)] == [
            f"{i:05d}" for i in range(1, int(run.name[:5]) + 1)
        ]
        for run in all_runs(root):
            run.compute("embed", {"model": "other"}, lambda stage: None)
        assert leftovers(root) == []


def test_who_is_asked_to_end_leaves_nothing_half_done_wherever_it_is(tmp_path: Path) -> None:
    roots = killed_at_each_write(
        """
        run = new_run("faces", {}, root, fill=lambda run: run.compute("data", {}, lambda stage: None))
        with run.training_lock():
            run.room("train.partial")
            save_arrays(run.partial_train / "last.npz", mean=np.arange(10))
        with run.writing("embed", {"model": "abc"}) as stage:
            (stage.folder / "latents.csv").write_text("a,b")
        """,
        tmp_path,
        how="term",
    )
    assert len(roots) > 20
    assert [path for root in roots for path in leftovers(root)] == []


def test_a_run_knows_its_pictures_or_is_not_there(tmp_path: Path) -> None:
    roots = killed_at_each_write(
        """
        def fill(run):
            with run.writing("data", {}) as stage:
                (stage.folder / "pictures.csv").write_text("a,b")
        new_run("faces", {}, root, fill=fill)
        """,
        tmp_path,
    )
    runs = [run for root in roots for run in all_runs(root, any_state=True)]
    assert 0 < len(runs) < len(roots)
    assert {run.stage("data") is not None for run in runs} == {True}


def test_a_file_is_the_old_or_the_new_one_wherever_its_writer_is_killed(tmp_path: Path) -> None:
    roots = killed_at_each_write(
        """
        whole.write_text(root / "a.json", "old")
        whole.write_text(root / "a.json", "new" * 100_000)
        """,
        tmp_path,
    )
    found = [(root / "a.json").read_text() if (root / "a.json").exists() else None for root in roots]
    assert set(found) == {None, "old", "new" * 100_000}


@pytest.mark.parametrize("exchange", [True, False])
def test_a_replaced_folder_is_the_old_or_the_new_one(tmp_path: Path, exchange: bool) -> None:
    roots = killed_at_each_write(
        f"""
        if not {exchange}:
            whole.exchanged = lambda first, second: False
        for name in ("old", "new"):
            with whole.new_folder(root / "report") as partial:
                (partial / "index.html").write_text(name)
                (partial / "page.html").write_text(name)
                whole.replace_folder(partial, root / "report")
        """,
        tmp_path,
    )
    seen = set()
    for root in roots:
        pages = sorted((root / "report").glob("*.html"))
        seen.add(tuple(page.read_text() for page in pages))
    # In one step where the system can; else there is a moment without any.
    assert seen == {(), ("old", "old"), ("new", "new")}
    killed_in_second = roots[[bool(list((root / "report").glob("*.html"))) for root in roots].index(True) :]
    if exchange:
        assert all((root / "report" / "page.html").exists() for root in killed_in_second)


def test_a_failed_write_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    save_arrays(path, a=np.arange(3))
    with pytest.raises(OSError, match="full"), whole.new_file(path) as partial:
        partial.write_bytes(b"half")
        raise OSError(28, "full")
    assert np.array_equal(load_arrays(path)["a"], np.arange(3))
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_what_is_renamed_has_reached_the_disk_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    fsync, replace, rename = os.fsync, os.replace, os.rename

    def note_sync(descriptor: int) -> None:
        order.append(f"sync {Path(os.readlink(f'/proc/self/fd/{descriptor}')).name.split('-')[-1]}")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(os, "replace", lambda *names: (order.append("rename"), replace(*names)))
    monkeypatch.setattr(os, "rename", lambda *names: (order.append("rename"), rename(*names)))
    whole.write_text(tmp_path / "a.json", "{}")
    assert order == ["sync a.json", "rename", f"sync {tmp_path.name.split('-')[-1]}"]
    run = new_run("faces", {}, tmp_path)
    order.clear()
    with run.writing("embed", {}) as stage:
        (stage.folder / "latents.csv").write_text("a")
    last = len(order) - 1 - order[::-1].index("rename")
    assert {"sync latents.csv", "sync stage.json", "sync embed"} <= set(order[:last])
    assert order[last + 1 :] == ["sync faces"]


def test_a_swept_link_leaves_what_it_points_to(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").touch()
    (tmp_path / f"{whole.PREFIX}1-x").symlink_to(tmp_path / "precious")
    whole.sweep(tmp_path)
    assert [path.name for path in tmp_path.rglob("*")] == ["precious", "file"]


def test_a_run_deleted_while_a_stage_is_computed_is_not_there_again_as_a_stump(tmp_path: Path) -> None:
    run = new_run("faces", {}, tmp_path)
    with pytest.raises(FileNotFoundError), run.writing("export", {}) as stage:
        import shutil

        shutil.rmtree(run.folder)
        # As TensorFlow does, which makes the folders on the way.
        (stage.folder / "1").mkdir(parents=True)
        (stage.folder / "1" / "saved_model.pb").touch()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_no_half_stage(tmp_path: Path) -> None:
    # A limit on the size of files refuses writes as a full disk does, and needs no disk of its own.
    run = new_run("faces", {}, tmp_path)
    program = textwrap.dedent("""
        import resource, sys
        from pathlib import Path
        import numpy as np
        from vae_tf.artifacts.npz_files import save_arrays
        from vae_tf.artifacts.run import Run
        run = Run(Path(sys.argv[1]))
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        with run.writing("embed", {}) as stage:
            (stage.folder / "small.txt").write_text("a")
            save_arrays(stage.folder / "latents.npz", mean=np.zeros(100_000))
    """)
    failed = subprocess.run([sys.executable, "-c", program, str(run.folder)], capture_output=True, text=True)
    assert "File too large" in failed.stderr
    assert [path.name for path in run.folder.iterdir()] == ["run.json"]


@pytest.mark.parametrize("kinds", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_twenty_processes_that_compute_the_same_stage_agree_on_one(tmp_path: Path, kinds: int) -> None:
    """Of one kind of inputs, and of two that contend for the plain name; five times over."""
    run = new_run("faces", {}, tmp_path)
    program = textwrap.dedent(f"""
        import multiprocessing, os, sys
        from pathlib import Path
        from vae_tf.artifacts.run import Run
        context = multiprocessing.get_context("fork")
        barrier = context.Barrier(20)
        def work(i):
            run = Run(Path(sys.argv[1]))
            for k in range(5):
                def write(stage):
                    barrier.wait()
                    for name in "ab":
                        (stage.folder / name).write_text(str(i))
                    stage.results["i"] = i
                stage = run.compute("clusters", {{"k": {kinds} * k + i % {kinds}}}, write)
                os.write(1, f"{{stage.record['inputs']['k']}} {{stage.record['results']['i']}}\\n".encode())
        processes = [context.Process(target=work, args=(i,)) for i in range(20)]
        [process.start() for process in processes]
        [process.join() for process in processes]
        sys.exit(any(process.exitcode for process in processes))
    """)
    done = subprocess.run(
        [sys.executable, "-c", program, str(run.folder)],
        check=True,
        timeout=60,
        capture_output=True,
        text=True,
    )
    stages = run.stages("clusters")
    assert len(stages) == 5 * kinds
    for stage in stages:
        texts = {(stage.folder / name).read_text() for name in "ab"}
        assert texts == {str(stage.record["results"]["i"])}, "files of one process, and its record"
    told = {tuple(line.split()) for line in done.stdout.splitlines()}
    assert told == {(str(s.record["inputs"]["k"]), str(s.record["results"]["i"])) for s in stages}
    assert leftovers(tmp_path) == []


def test_a_lock_is_gone_with_its_process(tmp_path: Path) -> None:
    program = textwrap.dedent("""
        import os, sys
        from pathlib import Path
        from vae_tf.locks import working_in
        with working_in(Path(sys.argv[1])):
            (Path(sys.argv[1]) / ".partial-1-embed").mkdir()
            print("holds", flush=True)
            sys.stdin.read()
    """)
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "holds\n"
    with pytest.raises(locks.Taken), locks.alone_in(tmp_path, patience=0.1):
        pass
    with locks.working_in(tmp_path):
        assert (tmp_path / ".partial-1-embed").exists(), "its writer lives"
    process.kill()
    process.wait()
    with locks.working_in(tmp_path):
        assert not (tmp_path / ".partial-1-embed").exists()
        assert (tmp_path / locks.LOCK).exists()
    assert list(tmp_path.iterdir()) == []


def test_nobody_enters_while_one_is_alone(tmp_path: Path) -> None:
    # Each adds one to a number in a file, by reading and writing it: without a lock additions are lost.
    (tmp_path / "number.json").write_text("0")
    program = textwrap.dedent("""
        import json, multiprocessing, sys
        from pathlib import Path
        from vae_tf.locks import alone_in
        context = multiprocessing.get_context("fork")
        def work(folder):
            for _ in range(20):
                with alone_in(folder):
                    number = json.loads((folder / "number.json").read_text())
                    (folder / "number.json").write_text(json.dumps(number + 1))
        processes = [context.Process(target=work, args=(Path(sys.argv[1]),)) for _ in range(20)]
        [process.start() for process in processes]
        [process.join() for process in processes]
        sys.exit(any(process.exitcode for process in processes))
    """)
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True, timeout=60)
    assert json.loads((tmp_path / "number.json").read_text()) == 400
    assert [path.name for path in tmp_path.iterdir()] == ["number.json"]


def test_where_a_file_system_knows_no_locks_nothing_is_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(descriptor: int, kind: int) -> None:
        raise OSError(38, "Function not implemented")

    (tmp_path / ".partial-1-embed").mkdir()
    monkeypatch.setattr("fcntl.flock", unknown)
    with locks.working_in(tmp_path):
        pass
    assert (tmp_path / ".partial-1-embed").exists()


def test_a_link_in_the_place_of_a_lock_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / locks.LOCK).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="is no file but a link"), locks.working_in(tmp_path):
        pass
    assert not (tmp_path / "elsewhere").exists()
