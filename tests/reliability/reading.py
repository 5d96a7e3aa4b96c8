"""Reads what lies in a folder as the commands do, one thing after the other, and says what each took.

    python -m tests.reliability.reading pictures|frames|arrays|tables|texts FOLDER

A process of its own, as a decoder that hangs or crashes can only be seen from outside. One line of JSON for each: its
position, seconds of computing, the bytes by which the process grew at most, and the reason where it was refused. What
takes minutes by the clock, computing or waiting, ends the process.
"""

import faulthandler
import functools
import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from vae_tf.config import DataConfig
from vae_tf.data.cache import Shape, choose_shape, decoder, open_cache
from vae_tf.data.labels import apply_labels
from vae_tf.data.sentences import load_sentences, open_sentences
from vae_tf.data.sources.arrays import open_arrays
from vae_tf.data.sources.base import Entry
from vae_tf.data.sources.folder import FolderSource
from vae_tf.errors import UserError

SHAPE = Shape(32, 32, 3, "crop")
NAMES = [f"{kind}/{number:03d}.png" for kind in "ab" for number in range(20)]
# What computes for 10 s may take several times as long where others compute beside it.
LONGEST_WAIT = 180
Attempt = Callable[[], str | None]


class Listed:
    """A source that lists its pictures, for a table to name."""

    def __init__(self) -> None:
        self.name, self.notes, self.facts = "listed", list[str](), dict[str, list[object]]()
        self.entries = [Entry(name) for name in NAMES]


def each_picture(folder: Path, frames: str = "first") -> list[Attempt]:
    """Gives the reasons of those that could not be used."""
    source = FolderSource(folder, frames=frames)  # type: ignore[arg-type]
    decode = decoder(source, SHAPE)

    def reason(position: int) -> str | None:
        result = decode(position)
        return result if isinstance(result, str) else None

    return [functools.partial(reason, position) for position in range(len(source.entries))]


def each_file(read: Callable[[Path], None]) -> Callable[[Path], list[Attempt]]:
    """Gives the messages of those that are a user's mistake."""

    def attempt(path: Path) -> str | None:
        try:
            read(path)
        except UserError as error:
            return error.message
        return None

    return lambda folder: [functools.partial(attempt, path) for path in sorted(folder.iterdir())]


def read_arrays(path: Path) -> None:
    source = open_arrays(path, DataConfig(source=str(path)))
    open_cache(source, choose_shape(source, (16, 16), None, "crop"), path.parent.with_name("cache"))


def read_table(path: Path) -> None:
    source = Listed()
    apply_labels(source, DataConfig(source="x", labels=str(path)))  # type: ignore[arg-type]
    json.dumps([source.notes, source.facts], allow_nan=False)
    longest = max((len(note) for note in source.notes), default=0)
    assert longest < 5_000, "a note that nobody can read"


def read_text(path: Path) -> None:
    config = DataConfig(source=str(path))
    load_sentences(config, 0, open_sentences(config))


KINDS: dict[str, Callable[[Path], list[Attempt]]] = {
    "pictures": each_picture,
    "frames": functools.partial(each_picture, frames="all"),
    "arrays": each_file(read_arrays),
    "tables": each_file(read_table),
    "texts": each_file(read_text),
}


def memory(name: str) -> int:
    """VmRSS, or VmHWM, its highest since `forget_highest`, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


def forget_highest() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def main(kind: str, folder: str) -> None:
    warnings.filterwarnings("ignore", module=r"PIL\.")
    faulthandler.dump_traceback_later(LONGEST_WAIT, exit=True)
    started = time.process_time()
    attempts = KINDS[kind](Path(folder))
    print(json.dumps({"listed": len(attempts), "seconds": time.process_time() - started}), flush=True)
    for position, attempt in enumerate(attempts):
        print(json.dumps({"begun": position}), flush=True)
        faulthandler.dump_traceback_later(LONGEST_WAIT, exit=True)
        forget_highest()
        before, started = memory("VmRSS"), time.process_time()
        reason = attempt()
        seconds, grew = time.process_time() - started, memory("VmHWM") - before
        told = {"position": position, "reason": reason, "seconds": seconds, "bytes": grew}
        print(json.dumps(told), flush=True)
        faulthandler.cancel_dump_traceback_later()


if __name__ == "__main__":
    main(*sys.argv[1:])
