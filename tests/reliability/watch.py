"""Notes what a process does beyond computing: Python tells of it before it is done (PEP 578)."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# What runs code, or speaks to somebody.
EVENTS = ("os.system", "os.exec", "os.posix_spawn", "os.spawn", "subprocess.Popen", "socket.connect",
          "socket.getaddrinfo", "urllib.Request", "pickle.find_class", "webbrowser.open", "ctypes.dlopen")  # fmt: skip
# What changes a file, and which of its arguments are paths.
CHANGES = {"os.remove": 1, "os.rmdir": 1, "os.rename": 2, "os.link": 2, "os.symlink": 2, "os.mkdir": 1,
           "os.truncate": 1, "os.chmod": 1, "shutil.rmtree": 1, "shutil.move": 2}  # fmt: skip
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# Temporary files of Python's and of TensorFlow's, and what matplotlib remembers of fonts.
TEMPORARY = tempfile.gettempdir()
USUAL = (f"{TEMPORARY}/tmp", f"{TEMPORARY}/__autograph", "/dev/", "/proc/",
         *(f"{Path.home()}/{folder}/matplotlib" for folder in (".config", ".cache")))  # fmt: skip
_watching: list[tuple[list[str], tuple[str, ...]]] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watching:
        return
    noted, allowed = _watching[-1]
    if event in EVENTS:
        noted.append(f"{event} {arguments!r:.200}")
    paths: tuple[Any, ...] = arguments[: CHANGES.get(event, 0)]
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING:
        paths = arguments[:1]
    if event in ("os.remove", "os.rmdir") and arguments[1] != -1:
        paths = (os.path.join(os.readlink(f"/proc/self/fd/{arguments[1]}"), os.fsdecode(arguments[0])),)
    for path in paths:
        if isinstance(path, str | bytes | Path):
            real = os.path.realpath(os.fsdecode(path))
            if real != TEMPORARY and not real.startswith(allowed):
                noted.append(f"{event} {path!r}")


@contextlib.contextmanager
def watched(*allowed: Path) -> Iterator[list[str]]:
    """A list of what is done inside that a model or a run must not bring about.

    Args:
        allowed: Folders in which files may change.
    """
    if not any(hook is _hook for hook in _installed):
        sys.addaudithook(_hook)
        _installed.append(_hook)
    noted: list[str] = []
    _watching.append((noted, (*(str(path.resolve()) for path in allowed), *USUAL)))
    try:
        yield noted
    finally:
        _watching.pop()


_installed: list[Any] = []
