"""Runs that somebody else made: links, records and names are looked at before they are followed or believed.

What a stranger may bring is a folder of JSON, arrays and a model; the model's own file is looked at in `model_file.py`.
"""

import contextlib
import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vae_tf.errors import UserError

HINT = "Ask whoever made it for a whole copy, or train anew."
# A document that is whole may still meet a mistake of ours, and nothing here can tell the two apart.
OR_DEFECT = "If nobody has changed it, this is a defect; --debug shows where."
# What records hold, where they hold it; JSON knows no more types than these.
RUN = {
    "created": float,
    "command": str,
    "config": dict,
    "machine": dict,
    "versions": dict,
    "parent": str,
    "job": str,
}
STAGE = {"stage": str, "hash": str, "inputs": dict, "results": dict, "started": float, "finished": float}
MAY_BE_NOTHING = ("parent", "job")
HASH = re.compile("[0-9a-f]{12}")
FINGERPRINT = re.compile("[0-9a-f]{16}")
# What code that expects one form makes of another; StopIteration is the lookup of `next`.
UNFIT = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError, StopIteration)
LATEST = 253_402_300_799  # the last second of the year 9999, beyond which no calendar goes


def damaged(path: Path, why: str, hint: str = HINT) -> UserError:
    return UserError(f"{path} is damaged or was changed: {why}.", hint)


def in_words(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


@contextlib.contextmanager
def read_from(path: Path) -> Iterator[None]:
    """What a document of another form than expected raises inside becomes one line that names the file.

    Raises:
        UserError: As said.
    """
    try:
        yield
    except UNFIT as error:
        raise damaged(path, in_words(error), f"{HINT}\n{OR_DEFECT}") from error


@contextlib.contextmanager
def telling(place: Path) -> Iterator[None]:
    """Around what shows a stage: what it does not expect becomes one line that names the stage.

    Who asked for a page of a run of their own has met a mistake of ours, who opened a stranger's a changed run.

    Raises:
        UserError: As said.
    """
    try:
        yield
    except UNFIT as error:
        raise UserError(
            f"What {place} holds cannot be shown ({in_words(error)}).",
            "This is a defect, unless somebody changed the run; --debug shows where.",
        ) from error


def check_folder(folder: Path) -> None:
    """Looks at every name in a run, following no link.

    Raises:
        UserError: A link that leads out of the folder or nowhere, a pipe, a device or a socket.
    """
    root = folder.resolve()
    pending = [root]
    while pending:
        # What another process renames or removes meanwhile is no longer there to be looked at.
        with contextlib.suppress(FileNotFoundError), os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.is_symlink():
                    check_link(Path(entry.path), root)
                elif entry.is_dir(follow_symlinks=False):
                    pending.append(Path(entry.path))
                elif not entry.is_file(follow_symlinks=False):
                    raise UserError(
                        f"{entry.path} is neither a file nor a folder.", "Remove it from the run."
                    )


def check_link(link: Path, root: Path) -> None:
    """Raises: UserError: The link leads out of `root`, nowhere, or in a circle."""
    try:
        # Python 3.13 finds no fault with circles unless it is strict.
        inside = link.resolve(strict=True).is_relative_to(root)
    except (OSError, RuntimeError):
        inside = False
    if not inside:
        raise UserError(
            f"{link} is a link that leads out of the run.",
            "Put a copy of what it leads to in its place if you made it; otherwise remove it.",
        )


def check_run(path: Path, record: Any) -> None:
    """Raises: UserError: No record of a run."""
    check_types(path, record, RUN)
    check_time(path, record, "created")
    if not all(isinstance(version, str) for version in record.get("versions", {}).values()):
        raise damaged(path, "versions are texts")


def check_stage(path: Path, record: Any, digest: Any) -> None:
    """Looks at the record of a stage.

    Args:
        path: Where it is.
        record: What is in it.
        digest: The hash of a document, as `artifacts.hashes` makes it.

    Raises:
        UserError: No record of a stage, or another hash than that of what it holds.
    """
    check_types(path, record, STAGE)
    missing = STAGE.keys() - record.keys()
    if missing:
        raise damaged(path, f"{min(missing)} is missing")
    check_time(path, record, "started")
    check_time(path, record, "finished")
    if not HASH.fullmatch(record["hash"]) or record["hash"] != digest([record["inputs"], record["results"]]):
        raise damaged(path, "its hash is not that of what it holds")


def files_of(path: Path, record: dict[str, Any]) -> dict[str, str]:
    """Hashes of a stage's files by their names; none, where it was written by a version that kept none.

    Raises:
        UserError: Something else stands in their place.
    """
    files = record.get("files", {})
    if not isinstance(files, dict) or not all(isinstance(digest, str) for digest in files.values()):
        raise damaged(path, "files are names with a hash each")
    return files


def check_types(path: Path, record: Any, expected: dict[str, type]) -> None:
    """Raises: UserError: No object, or a value of another type than expected."""
    if not isinstance(record, dict):
        raise damaged(path, f"an object was expected, not {said(record)}")
    for name, kind in expected.items():
        value = record.get(name)
        if name not in record or (value is None and name in MAY_BE_NOTHING):
            continue
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not (is_number if kind is float else isinstance(value, kind)):
            words = {dict: "an object", str: "a text", float: "a number"}
            raise damaged(path, f"{name} is {said(value)}, not {words[kind]}")


def check_time(path: Path, record: dict[str, Any], name: str) -> None:
    """Raises: UserError: No seconds since 1970 that a calendar knows."""
    value = record.get(name, 0.0)
    if not (math.isfinite(value) and 0 <= value <= LATEST):
        raise damaged(path, f"{name} is {said(value)}, which is no time")


def checked_fingerprint(path: Path, fingerprint: Any) -> str:
    """The name of a folder in the cache, as `data.cache.cache_key` makes it: nothing else is ever opened or deleted.

    Raises:
        UserError: Something else, such as a path.
    """
    if not (isinstance(fingerprint, str) and FINGERPRINT.fullmatch(fingerprint)):
        raise damaged(path, f"{said(fingerprint)} is no fingerprint of pictures")
    return fingerprint


def said(value: Any) -> str:
    """A value in an error's line: short, and without what would move a terminal's cursor."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
