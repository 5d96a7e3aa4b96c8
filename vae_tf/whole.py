"""Files and folders that are whole or not there.

They are written under a name beside their own, brought to the disk, and renamed. What a killed process leaves has such
a name: `sweep` removes it, see `locks.working_in`.
"""

import contextlib
import ctypes
import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

PREFIX = ".partial-"
AT_FDCWD, RENAME_EXCHANGE = -100, 2


def beside(path: Path) -> Path:
    """A name beside `path`, with its suffixes, that no other process has, on whatever machine."""
    return path.with_name(f"{PREFIX}{secrets.token_hex(4)}-{path.name}")


def sweep(folder: Path) -> None:
    """Removes what was being written in a folder; only for whoever knows that nobody writes there now."""
    for path in folder.glob(f"{PREFIX}*"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                path.unlink()


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """A name to write to, which becomes `path` when the block ends without error: readers see the old or the new."""
    partial = beside(path)
    try:
        yield partial
        sync(partial)
        os.replace(partial, path)
        sync(path.parent)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder to fill, with a name beside `path`; removed if it has not been given another when the block ends."""
    partial = beside(path)
    try:
        partial.mkdir()
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    with new_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def sync(path: Path) -> None:
    """Brings a file, or the names in a folder, to the disk, so that they survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # There are file systems that know no fsync of folders.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Brings all that is in a folder to the disk."""
    for parent, _, files in os.walk(folder):
        for name in files:
            sync(Path(parent) / name)
        sync(Path(parent))


def renamed(new: Path, target: Path) -> bool:
    """Whether `new` could take a name that nobody has."""
    try:
        os.rename(new, target)
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR, errno.EISDIR):
            raise
        return False
    sync(target.parent)
    return True


def replace_folder(new: Path, target: Path) -> None:
    """Puts `new` in the place of `target`, in one step where the system can; what was there goes afterwards."""
    while not renamed(new, target):
        if exchanged(new, target):
            shutil.rmtree(new, ignore_errors=True)
            return
        with new_folder(target) as old, contextlib.suppress(FileNotFoundError):
            os.rename(target, old)


def exchanged(first: Path, second: Path) -> bool:
    """Whether two names could change places in one step, which Linux can on most file systems."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    names = os.fsencode(first), os.fsencode(second)
    return int(rename(AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_EXCHANGE)) == 0


def delete_folder(folder: Path) -> None:
    """Takes a folder out of sight at once, then removes it, so that an interruption leaves nothing half there."""
    doomed = beside(folder)
    os.rename(folder, doomed)
    # Whoever sweeps may be quicker.
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(doomed)
