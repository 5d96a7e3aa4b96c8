"""What a person reads in the terminal: plain lines, and live progress where there is a terminal to show it."""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import IO, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn

from reports.words import bytes_in_words, visible
from vae_tf.errors import UserError

console = Console(highlight=False, soft_wrap=True)
SECONDS_BETWEEN_LINES = 5.0


def say(text: str, style: str = "") -> None:
    """One line; brackets in file names are text, not markup, and what would steer the terminal is shown as its code."""
    console.print(escape(visible(text)), style=style)


def warn(text: str) -> None:
    say(f"! {text}", style="yellow")


def ask(question: str) -> bool:
    """Raises: UserError: Nobody sits at a terminal to be asked."""
    import sys

    if not sys.stdin.isatty():
        raise UserError(question, "There is no terminal to answer at: give --yes.")
    return console.input(f"{escape(visible(question))} [y/N] ").strip().lower() in ("y", "yes")


def next_step(command: str) -> None:
    say(f"  next: {command}", style="dim")


def seconds(value: float) -> str:
    """ "4.2 s", "3 min 20 s", "2 h 05 min"."""
    if value < 60:
        return f"{value:.1f} s"
    if value < 3600:
        return f"{int(value // 60)} min {int(value % 60):02d} s"
    return f"{int(value // 3600)} h {int(value % 3600 // 60):02d} min"


def describe_estimate(estimate: Any) -> str:
    return (
        f"{seconds(estimate.seconds_per_epoch)} per epoch, {seconds(estimate.seconds)} in all; "
        f"{bytes_in_words(estimate.memory)} of memory"
    )


@contextlib.contextmanager
def counting(description: str) -> Iterator[Callable[[int, int], None]]:
    """A function (done, total) that shows progress; silent where there is no terminal."""
    if not console.is_terminal:
        yield lambda done, total: None
        return
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        console=console,
        transient=True,
    ) as progress:
        task = progress.add_task(description, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


@contextlib.contextmanager
def decoding() -> Iterator[Callable[[int, int], None]]:
    """As `counting`, for pictures: what decoders print about a file is kept back; its reason is told with its name."""
    with held_stderr(), counting("decoding") as progress:
        yield progress


class TrainingDisplay:
    """Epoch, loss and its two terms in nats, validation, pictures per second and time left."""

    def __init__(
        self, num_epochs: int, num_steps: int, stopwatch: Any, noun: str = "picture", has_kl: bool = True
    ) -> None:
        self.noun, self.has_kl = noun, has_kl
        self.num_epochs, self.num_steps = num_epochs, num_steps
        self.stopwatch = stopwatch
        self.started = time.monotonic()
        self.first_step: int | None = None
        self.last_line = 0.0
        self.text = self.short_text = ""
        self.progress: Progress | None = None

    def __enter__(self) -> "TrainingDisplay":
        if console.is_terminal:
            columns = (BarColumn(bar_width=12), TextColumn("{task.description}"))
            self.progress = Progress(*columns, console=console, transient=True)
            self.progress.start()
            self.task = self.progress.add_task("", total=self.num_steps)
        return self

    def __exit__(self, *exception: Any) -> None:
        if self.progress is not None:
            self.progress.stop()

    def __call__(self, event: dict[str, Any]) -> None:
        if self.first_step is None:
            self.first_step = event["step"]
        if not self.stopwatch.is_done:
            self.stopwatch(event)
            if self.stopwatch.is_done:
                say(f"  estimated: {describe_estimate(self.stopwatch.estimate)}", style="dim")
        if event["event"] == "epoch":
            self.text = self.describe(event)
            self.short_text = self.describe_shortly(event)
            if self.progress is None and self.is_due(event):
                self.last_line = time.monotonic()
                say(self.text)
        if self.progress is not None:
            self.progress.update(self.task, completed=event["step"], description=escape(self.live(event)))

    def is_due(self, event: dict[str, Any]) -> bool:
        first_or_last = self.last_line == 0.0 or event["epoch"] == self.num_epochs
        return first_or_last or time.monotonic() - self.last_line > SECONDS_BETWEEN_LINES

    def describe(self, event: dict[str, Any]) -> str:
        parts = [
            f"epoch {event['epoch']}/{self.num_epochs}",
            f"loss {event['loss']:,.1f}",
            f"reconstruction {event['reconstruction']:,.1f}",
        ]
        if self.has_kl:
            parts.append(f"KL {event['kl']:,.1f} nats")
        if "accuracy" in event:
            unseen = f" (validation {event['val_accuracy']:.0%})" if "val_accuracy" in event else ""
            parts.append(f"{event['accuracy']:.0%} of labels right{unseen}")
        if "val_loss" in event:
            best = " (best)" if event["is_best"] else ""
            parts.append(f"validation {event['val_loss']:,.1f}{best}")
        return "  ".join([*parts, *self.pace(event)])

    def pace(self, event: dict[str, Any]) -> list[str]:
        """Pictures per second and time left, once there is something to reckon with."""
        if event["step"] <= (self.first_step or 0):
            return []
        return [f"{event['speed']:,.0f} {self.noun}s/s", f"{seconds(self.left(event))} left"]

    def describe_shortly(self, event: dict[str, Any]) -> str:
        """What fits beside the bar in a terminal of 80 columns; the most wanted first."""
        left = self.pace(event)[1:]
        validation = [f"val {event['val_loss']:,.0f}"] if "val_loss" in event else []
        parts = [f"{event['epoch']}/{self.num_epochs}", *left, f"loss {event['loss']:,.0f}", *validation]
        kl = [f"KL {event['kl']:,.0f}"] if self.has_kl else []
        return "  ".join([*parts, *kl, f"{event['speed']:,.0f}/s"])

    def live(self, event: dict[str, Any]) -> str:
        if self.short_text:
            return self.short_text
        return f"step {event['step']}  loss {event.get('loss', float('nan')):,.1f}"

    def left(self, event: dict[str, Any]) -> float:
        done = event["step"] - (self.first_step or 0)
        if done <= 0:
            return 0.0
        return float((time.monotonic() - self.started) / done * max(self.num_steps - event["step"], 0))


@contextlib.contextmanager
def held_stderr() -> Iterator[IO[bytes]]:
    """Keeps back what is written to standard error, by C++ too; gives the file that takes it."""
    import os
    import sys
    import tempfile

    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield held
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)


def import_tensorflow_quietly(begin: Callable[[], Any] | None = None) -> Any:
    """Imports TensorFlow without the lines that its C++ side prints before any log level is read.

    They would meet every user on every command; where the import fails they are shown.

    Args:
        begin: What is to be done before any operation; its result is returned.
    """
    import os
    import sys

    if "tensorflow" in sys.modules:
        return begin() if begin else None
    # Where there is no GPU, TensorFlow reports its failure to find one as an error.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2" if os.path.exists("/dev/nvidia0") else "3")
    lines = b""
    try:
        with held_stderr() as held:
            try:
                import tensorflow as tf

                begun = begin() if begin else tf.constant(0)
                # Its advice on retracing is for whoever writes the program, not for whoever runs it.
                tf.get_logger().setLevel("ERROR")
            except BaseException:
                held.seek(0)
                lines = held.read()
                raise
    finally:
        os.write(2, lines)
    return begun if begin else None
