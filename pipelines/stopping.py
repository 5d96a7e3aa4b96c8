"""What commands do when they are asked to end: they unwind, or note it and come to a good end first."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from vae_tf.signals import handling

CTRL_C = 128 + signal.SIGINT


class Requested(SystemExit):
    """Unwinds a command; `code` is what shells expect after the signal that came, such as 143 after SIGTERM."""

    code: int

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)


@contextmanager
def unwinding() -> Iterator[None]:
    """Lets requests to end unwind the block, so that nothing half done is left."""

    def handle(number: int, frame: Any) -> None:
        raise Requested(number)

    with handling(handle):
        yield


class Noted:
    """Whether a request came, and the exit code that goes with it; Ctrl-C's where another worker was asked."""

    exit_code = CTRL_C

    def __init__(self) -> None:
        self.has_come = False

    def __call__(self) -> bool:
        return self.has_come


@contextmanager
def noting(said: Callable[[], None]) -> Iterator[Noted]:
    """Notes the first request and calls `said`; a second one unwinds the block at once."""
    noted = Noted()

    def handle(number: int, frame: Any) -> None:
        if noted.has_come:
            raise Requested(number)
        noted.has_come, noted.exit_code = True, 128 + number
        said()

    with handling(handle):
        yield noted
