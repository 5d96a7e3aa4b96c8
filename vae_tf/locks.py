"""Locks between processes, of one machine or of several that share a file system.

A lock is a file that the system keeps locked (flock) until its process ends, however it ends: so no lock is ever
stale. The file is removed by the last that lets go; who has locked a file that is no longer there begins again.
"""

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from vae_tf.errors import UserError
from vae_tf.signals import undivided
from vae_tf.whole import sweep

LOCK = ".lock"
SECONDS_BETWEEN_TRIES = 0.02
# Others may hold a lock for a moment, to look whether anybody does.
PATIENCE = 0.5
UNKNOWN_HERE = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP)


class Taken(Exception):
    """Others hold the lock."""


@contextlib.contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """Keeps others from deleting or renaming a folder while the block writes in it; many may write at once.

    Who finds nobody else at work clears what killed processes left there.
    """
    with contextlib.suppress(Taken), holding(folder / LOCK, patience=0) as is_sure:
        if is_sure:
            sweep(folder)
    with holding(folder / LOCK, shared=True):
        yield


@contextlib.contextmanager
def alone_in(folder: Path, patience: float | None = None) -> Iterator[None]:
    """Keeps others out while the block lasts; what killed processes left is cleared.

    Args:
        folder: Where all who work use `working_in` or this.
        patience: Seconds to wait for the others; None waits until they have ended.

    Raises:
        Taken: Somebody works there still.
    """
    with holding(folder / LOCK, patience=patience) as is_sure:
        if is_sure:
            sweep(folder)
        yield


@contextlib.contextmanager
def holding(path: Path, shared: bool = False, patience: float | None = None) -> Iterator[bool]:
    """Holds a lock, alone or together with others that share it; gives False where the file system knows no locks.

    Raises:
        Taken: Others hold it after `patience` seconds; None waits without end.
        OSError: The file cannot be made.
    """
    descriptor, is_sure = acquire(path, shared, patience)
    try:
        yield is_sure
    finally:
        release(descriptor, path)


def is_held(path: Path) -> bool:
    """Whether a process holds the lock now, alone."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


def acquire(path: Path, shared: bool, patience: float | None) -> tuple[int, bool]:
    end = None if patience is None else time.monotonic() + patience
    while True:
        descriptor = opened(path)
        try:
            is_sure = lock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX, end)
            if is_at(descriptor, path):
                return descriptor, is_sure
        except BaseException:
            release(descriptor, path)
            raise
        os.close(descriptor)


def opened(path: Path) -> int:
    """The lock's file; what a link of its name leads to is not ours to change.

    Raises:
        UserError: A link.
    """
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise UserError(f"{path} is no file but a link.", "Remove it.") from None
        raise


def lock(descriptor: int, kind: int, end: float | None) -> bool:
    while True:
        try:
            fcntl.flock(descriptor, kind if end is None else kind | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if end is not None and time.monotonic() >= end:
                raise Taken from None
            time.sleep(SECONDS_BETWEEN_TRIES)
        except OSError as error:
            if error.errno not in UNKNOWN_HERE:
                raise
            return False


def is_at(descriptor: int, path: Path) -> bool:
    """Whether the open file still has its name."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        # With its folder gone, the next attempt to open it says so.
        return False


def release(descriptor: int, path: Path) -> None:
    """Lets go of a lock, and removes its file where nobody else holds it."""
    with undivided():
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if is_at(descriptor, path):
                path.unlink()
        except OSError:
            # Others hold it, or the folder is gone; either way nothing is left to do.
            pass
        finally:
            os.close(descriptor)
