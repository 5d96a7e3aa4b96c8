"""What a command shows while it works: numbers in words, a live line on a terminal, and the words of what failed."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from pipelines import console
from pipelines.console import TrainingDisplay, ask, counting, seconds
from vae_tf.errors import UserError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def terminal(monkeypatch):
    """What is written to a terminal of 80 columns."""
    written = io.StringIO()
    monkeypatch.setattr(console, "console", Console(file=written, force_terminal=True, width=80))
    return written


class Done:
    """A stopwatch that has said what it had to say."""

    is_done = True


EPOCH = {
    "event": "epoch", "epoch": 3, "step": 30, "loss": 1234.5, "reconstruction": 1200.0, "kl": 34.5, "val_loss": 1300.0,
    "is_best": True, "speed": 500.0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("value", "words"),
    [(4.21, "4.2 s"), (59.9, "59.9 s"), (200, "3 min 20 s"), (7500, "2 h 05 min"), (3600, "1 h 00 min")],
)
def test_seconds_in_words(value, words):
    assert seconds(value) == words


def test_a_terminal_shows_steps_then_epochs(terminal):
    with TrainingDisplay(10, 100, Done()) as display:
        display({"event": "step", "step": 10, "loss": 2000.0})
        display.progress.refresh()
        display(EPOCH)
        display.progress.refresh()
    shown = terminal.getvalue()
    assert "step 10  loss 2,000.0" in shown
    assert "3/10" in shown and "loss 1,234" in shown and "val 1,300" in shown


def test_elsewhere_epochs_are_lines_that_are_not_all_written(capsys):
    with TrainingDisplay(10, 100, Done()) as display:
        for epoch in (1, 2, 3, 10):
            display({**EPOCH, "epoch": epoch, "step": 10 * epoch})
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch")]
    assert [line.split()[1] for line in lines] == ["1/10", "10/10"]


def test_what_is_counted_is_shown_on_a_terminal(terminal):
    with counting("decoding") as progress:
        progress(3, 7)
    assert "decoding" in terminal.getvalue() and "3/7" in terminal.getvalue()


def test_nobody_at_a_terminal_is_asked_nothing(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    with pytest.raises(UserError, match="Delete everything"):
        ask("Delete everything?")


def test_what_a_library_wrote_is_shown_where_it_cannot_be_imported(tmp_path):
    package = tmp_path / "tensorflow"
    package.mkdir()
    (package / "__init__.py").write_text(
        "import os\nos.write(2, b'no such instruction\\n')\nraise ImportError('broken')"
    )
    code = "from pipelines.console import import_tensorflow_quietly; import_tensorflow_quietly()"
    found = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert found.returncode == 1
    assert "no such instruction" in found.stderr and "ImportError: broken" in found.stderr
