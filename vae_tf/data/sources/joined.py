"""Two sources as one: pictures to learn from, and a test set of its own."""

import contextlib
import dataclasses
import hashlib
import os
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from vae_tf.data.matching import without_frame
from vae_tf.data.sources.base import Entry, Source
from vae_tf.errors import UserError
from vae_tf.pixels import WHITE, rescale

DEPTHS = ("uint8", "uint16", "float32")
# How far the values of the test pictures may leave the range that was seen in a sample of the others.
TOLERANCE = 0.1


class JoinedSource:
    """The pictures of `main`, then those of `test` as the test part; label files are applied before the joining.

    Test pictures are named by their source: `homework/happy/1.png`. Both get the deeper of the two types, and one
    meaning of black and white.

    Args:
        main: The pictures to learn from. What it marks as test itself is put aside.
        test: The pictures of the test part.
        value_range: The values of black and white, where the user gave them.

    Raises:
        UserError: Both are the same or share files, or their values have no common meaning.
    """

    def __init__(self, main: Source, test: Source, value_range: tuple[float, float] | None = None) -> None:
        self.name = main.name
        self._main, self._test = main, test
        refuse_shared_files(main, test)
        # Sources may look into their files for these, and add to their notes then.
        deeper = max(main, test, key=lambda source: DEPTHS.index(source.dtype))
        self.dtype, self.value_range = deeper.dtype, value_range or deeper.value_range
        if value_range is None and main.dtype == test.dtype:
            check_ranges(main, test)
        prefix = free_prefix(test.name, [entry.path for entry in main.entries])
        kept = [dataclasses.replace(e, part="other") if e.part == "test" else e for e in main.entries]
        tested = [dataclasses.replace(e, path=prefix + e.path, part="test") for e in test.entries]
        self.entries: list[Entry] = [*kept, *tested]
        self.facts: dict[str, list[Any]] = {
            name: [*column_of(main, name), *column_of(test, name)] for name in main.facts | test.facts
        }
        self.notes = [*main.notes, *(f"{test.name}: {note}" for note in test.notes), *self._own_notes(prefix)]

    def fingerprint(self) -> str:
        return hashlib.sha256(
            f"joined {self._main.fingerprint()} {self._test.fingerprint()}".encode()
        ).hexdigest()

    def read(self, position: int) -> NDArray[Any]:
        """Values [H, W, 1 or 3] of `dtype`; raises UnusablePicture."""
        from vae_tf.data.pictures import to_depth

        source, position = self._place(position)
        values = source.read(position)
        if values.dtype == self.dtype:
            return values
        return to_depth(rescale(values, source.value_range), self.dtype, self.value_range)

    def shape(self, position: int) -> tuple[int, int, int]:
        source, position = self._place(position)
        return source.shape(position)

    def file_bytes(self, position: int) -> bytes | None:
        """The encoded file of a picture, where it is one and holds values of the joined depth."""
        source, position = self._place(position)
        read = getattr(source, "file_bytes", None)
        return read(position) if read is not None and source.dtype == self.dtype else None

    def _place(self, position: int) -> tuple[Source, int]:
        beyond = position - len(self._main.entries)
        return (self._main, position) if beyond < 0 else (self._test, beyond)

    def _own_notes(self, prefix: str) -> list[str]:
        main, test = self._main, self._test
        notes = [
            f"{len(test.entries):,} pictures of {test.name} are the test part; their paths begin with {prefix}"
        ]
        if aside := sum(entry.part == "test" for entry in main.entries):
            notes.append(f"{aside:,} pictures that {main.name} marks as test are put aside.")
        if main.dtype != test.dtype:
            notes.append(
                f"{main.name} holds {main.dtype}, {test.name} {test.dtype}: both are brought to {self.dtype}."
            )
        elif self.value_range == main.value_range != test.value_range:
            notes.append(f"Black and white in {test.name} are those of {main.name} (--range changes them).")
        ours, theirs = ({e.label for e in source.entries} - {None} for source in (main, test))
        for names, where in ((ours - theirs, "to learn from"), (theirs - ours, "of the test part")):
            if names and (ours or theirs):
                notes.append(
                    f"Classes only among the pictures {where}: {', '.join(sorted(map(str, names))[:8])}."
                )
        return notes


def column_of(source: Source, name: str) -> list[Any]:
    return source.facts.get(name, [None] * len(source.entries))


def free_prefix(name: str, paths: list[str]) -> str:
    """The name of the test set as a folder that no other picture lies in."""
    prefix = f"{name}/"
    while any(path.startswith(prefix) for path in paths):
        prefix = f"test-{prefix}"
    return prefix


def check_ranges(main: Source, test: Source) -> None:
    """Raises: UserError: The values of `test` run far beyond the black and white of `main`, in the same type."""
    own = (0.0, WHITE[main.dtype])
    low, high = main.value_range or own
    test_low, test_high = test.value_range or own
    margin = TOLERANCE * (high - low)
    if main.value_range != test.value_range and not (low - margin <= test_low and test_high <= high + margin):
        raise UserError(
            f"{test.name} has values from {test_low:g} to {test_high:g}, {main.name} from {low:g} to {high:g}: "
            "their black and white differ.",
            f"Say what both mean, such as --range {min(low, test_low):g}:{max(high, test_high):g}.",
        )


def refuse_shared_files(main: Source, test: Source) -> None:
    """Raises: UserError: A test picture is the same file on disk as one to learn from, by any path or link."""
    if main.fingerprint() == test.fingerprint():
        raise UserError(
            f"--test {test.name} is what is learnt from itself.", "Name other pictures, or leave it out."
        )
    files = set(files_of(main))
    shared = [path for file, path in files_of(test).items() if file in files]
    if shared:
        raise UserError(
            f"{len(shared):,} of {len(test.entries):,} pictures of --test {test.name} are also among those to learn "
            f"from, such as {shared[0]}.",
            f"Move them out of {main.name}, or leave --test out and mark them test in a --split-column.",
        )


def files_of(source: Source) -> dict[Any, str]:
    """What is the same for the same file of a picture, and its path; nothing for sources that are no folder.

    It is device and number on a disk, and the address in a store.
    """
    root: Path | None = getattr(source, "root", None)
    found: dict[Any, str] = {}
    if hasattr(source, "addresses"):
        return dict(source.addresses())
    if root is None:
        return found
    for entry in source.entries:
        with contextlib.suppress(OSError):
            status = os.stat(root / without_frame(entry.path))
            found[status.st_dev, status.st_ino] = entry.path
    return found
