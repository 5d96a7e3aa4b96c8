"""What befalls a process at its n-th write: it is killed, asked to end, or its folder is taken away."""

import os
import shutil
import signal
import sys
from collections.abc import Callable

SIGNALS = {"kill": signal.SIGKILL, "term": signal.SIGTERM, "int": signal.SIGINT}
# Audit events of Python that change what is on the disk; the first argument is a path.
CHANGES = {"os.rename", "os.mkdir", "os.rmdir", "os.remove", "os.link", "os.symlink", "os.truncate"}
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def strike(
    below: list[str], at: int | None, how: str, count: Callable[[int], None], target: str = ""
) -> None:
    """From here on counts what this process writes below these folders, and strikes just before the write `at`.

    Args:
        below: Folders whose changes count.
        at: From 1 on; None only counts.
        how: A name of `SIGNALS`, or "remove", by which `target` is deleted as by `rm -r`.
        count: Told of the number of each write.
        target: What is deleted.
    """
    written = 0
    is_striking = False

    def hook(event: str, arguments: tuple) -> None:
        nonlocal written, is_striking
        if is_striking or not is_write(event, arguments, below):
            return
        written += 1
        count(written)
        if written != at:
            return
        if how in SIGNALS:
            os.kill(os.getpid(), SIGNALS[how])
        elif how == "remove":
            is_striking = True
            shutil.rmtree(target, ignore_errors=True)
            is_striking = False

    sys.addaudithook(hook)


def is_write(event: str, arguments: tuple, below: list[str]) -> bool:
    if event == "open":
        path, _, flags = arguments
        if not isinstance(flags, int) or not flags & WRITES:
            return False
    elif event in CHANGES:
        path = arguments[0]
    else:
        return False
    if not isinstance(path, str | bytes):
        return False
    path = os.fsdecode(path)
    folder = arguments[-1]
    if event in ("os.rmdir", "os.remove") and isinstance(folder, int) and folder >= 0:
        path = os.path.join(os.readlink(f"/proc/self/fd/{folder}"), path)
    return os.path.abspath(path).startswith(tuple(below))
