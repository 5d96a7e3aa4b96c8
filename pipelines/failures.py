"""What disks and other processes do to a command, in a line and how to mend it."""

import errno
import os
from pathlib import Path

from vae_tf.errors import shortened
from vae_tf.places import cache_root, runs_root

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
REFUSED = (errno.EROFS, errno.EACCES, errno.EPERM)
GONE = (errno.ENOENT,)
# Libraries that raise errors of their own with the system's words in them.
OTHERS = ("tensorflow", "keras", "h5py")


def told(error: Exception) -> tuple[str, str] | None:
    """The line and its mending; None where the error is of another kind."""
    code = code_of(error)
    path = getattr(error, "filename", None)
    name = "" if path is None else os.fsdecode(path) if isinstance(path, str | bytes) else str(path)
    if code in FULL:
        what = "A file may not grow further" if code == errno.EFBIG else "The disk is full"
        return (
            f"{what}: {name or os.strerror(code)}.",
            f"Free some space (runs are in {runs_root()}, decoded pictures in {cache_root()}) and give the same "
            "command again.\nWhat was finished is kept. A training goes on with: python cli.py train --resume RUN",
        )
    if code in REFUSED:
        return (
            f"{name or 'A file'}: {os.strerror(code).lower()}.",
            "Is the folder read-only, or somebody else's?",
        )
    if code in GONE and name:
        return (
            f"{first_missing(Path(name))} is not there.",
            "Was it deleted, moved or renamed while this command was at work? Nothing half done is left of it.",
        )
    if code == errno.ENAMETOOLONG:
        return f"{shortened(name)} is longer than a path can be.", "Is it the path that was meant?"
    if isinstance(error, OSError):
        return f"{type(error).__name__}: {error}", "Is the disk in order?"
    return None


def exit_code(error: Exception) -> int:
    """2 for what somebody named wrongly, 1 for what happened to a command."""
    return 2 if code_of(error) == errno.ENAMETOOLONG else 1


def code_of(error: Exception) -> int | None:
    """The system's number of an error; None where it has none."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    if not isinstance(error, OSError) and not type(error).__module__.startswith(OTHERS):
        return None
    return next((code for code in (*FULL, *REFUSED, *GONE) if os.strerror(code) in str(error)), None)


def first_missing(path: Path) -> Path:
    """The outermost folder on the way to a path that is not there; the path itself where all are."""
    for folder in reversed(path.parents):
        if not folder.exists():
            return folder
    return path
