"""Requests to end: exit codes, nothing half left, and a second request."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
from types import SimpleNamespace

import pytest

import cli
from pipelines import failures, stopping
from pipelines.chain.telling import about
from tests.pipelines.bars import QUICK, ROOT, write_pictures
from vae_tf.artifacts.runs import all_runs, delete_run, new_run


def asked_to_end(number):
    def list_runs():
        os.kill(os.getpid(), number)

    return list_runs


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)]
)
def test_a_command_that_is_asked_to_end_says_so_by_its_exit_code(monkeypatch, capsys, number, code):
    before = [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)]
    monkeypatch.setattr("pipelines.runs.list_runs", asked_to_end(number))
    assert cli.main(["runs"]) == code
    assert capsys.readouterr().err.strip() == "Stopped."
    assert [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)] == before


def test_what_is_half_done_goes(monkeypatch, own_runs):
    run = new_run("faces", {})

    def work():
        with run.writing("embed", {}) as stage:
            (stage.folder / "half.txt").write_text("half")
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("pipelines.runs.list_runs", work)
    assert cli.main(["runs"]) == 143
    assert [path.name for path in run.folder.iterdir()] == ["run.json"]


def test_a_training_notes_the_first_request_and_ends_at_once_at_the_second():
    said = []
    with stopping.noting(lambda: said.append("stopping")) as noted:
        assert not noted()
        os.kill(os.getpid(), signal.SIGTERM)
        assert noted() and noted.exit_code == 143 and said == ["stopping"]
        with pytest.raises(stopping.Requested):
            os.kill(os.getpid(), signal.SIGINT)
        assert noted.exit_code == 143 and said == ["stopping"]


@pytest.mark.slow
def test_a_request_at_the_last_step_is_answered_when_the_training_is_done(own_runs, tmp_path, monkeypatch):
    from vae_tf.training.loop import Loop

    save = Loop.save

    def asked(self):
        save(self)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Loop, "save", asked)
    assert cli.main(["train", str(write_pictures(tmp_path / "bars")), *QUICK]) == 143
    (run,) = all_runs()
    assert run.is_trained and run.stage_names() == ["data", "train"] and not run.report.exists()


def test_nobody_asked_here_means_another_worker_heard_ctrl_c():
    with stopping.noting(lambda: None) as noted:
        assert not noted() and noted.exit_code == 130


def test_signals_that_are_ignored_stay_so():
    # As nohup does with SIGHUP, and a shell's & with SIGINT.
    program = textwrap.dedent("""
        import os, signal
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        from pipelines import stopping
        with stopping.unwinding(), stopping.noting(lambda: None) as noted:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not noted()
    """)
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_other_threads_are_left_alone():
    results = []

    def work():
        with stopping.unwinding(), stopping.noting(lambda: None) as noted:
            results.append(noted())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert results == [False]


class ResourceExhaustedError(Exception):
    """As TensorFlow tells of a full disk."""


ResourceExhaustedError.__module__ = "tensorflow.python.framework.errors_impl"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(28, "No space left on device"), "The disk is full: No space left on device."),
        (
            OSError(28, "No space left on device", "/data/runs/x"),
            "The disk is full: /data/runs/x.",
        ),
        (OSError(27, "File too large"), "A file may not grow further: File too large."),
        (OSError(30, "Read-only file system", "/data/x"), "/data/x: read-only file system."),
        (OSError(13, "Permission denied", "/data/x"), "/data/x: permission denied."),
        (
            ResourceExhaustedError("runs/1/variables; No space left on device"),
            "The disk is full: No space left on device.",
        ),
        (FileNotFoundError(2, "No such file", "/gone/for/good/a.npz"), "/gone is not there."),
        (OSError("odd"), "OSError: odd"),
    ],
)
def test_disks_that_refuse_are_told_in_a_line(monkeypatch, capsys, error, words):
    def fail():
        raise error

    monkeypatch.setattr("pipelines.runs.list_runs", fail)
    assert cli.main(["runs"]) == 1
    said = capsys.readouterr().err
    assert said.splitlines()[0] == f"error: {words}"
    assert "defect" not in said and len(said.splitlines()) > 1


def test_other_errors_are_defects(monkeypatch, capsys):
    def fail():
        raise ValueError("No space left on device")

    monkeypatch.setattr("pipelines.runs.list_runs", fail)
    assert cli.main(["runs"]) == 1
    assert "This is a defect" in capsys.readouterr().err


@pytest.mark.parametrize(("stderr", "said"), [(subprocess.PIPE, "error: The disk is full"), (None, None)])
def test_who_cannot_say_what_was_done_has_not_succeeded(own_runs, stderr, said):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "cli.py", "runs"], cwd=ROOT, stdout=full, stderr=stderr or full, text=True
        )
    assert done.returncode == 1
    assert said is None or done.stderr.startswith(said)


def test_the_outermost_missing_folder_is_named(tmp_path):
    (tmp_path / "runs").mkdir()
    assert failures.first_missing(tmp_path / "runs" / "1" / "train" / "a.npz") == tmp_path / "runs" / "1"
    assert failures.first_missing(tmp_path / "runs" / "a.npz") == tmp_path / "runs" / "a.npz"


def test_a_run_that_is_gone_at_the_end_of_a_command_is_missed(own_runs):
    run = new_run("faces", {})
    subject = SimpleNamespace(run=run, is_own=True)
    delete_run(run)
    with pytest.raises(FileNotFoundError) as missing:
        about(subject)
    assert failures.told(missing.value)[0] == f"{run.folder} is not there."
