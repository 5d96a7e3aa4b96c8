"""Requests to end, as the system sends them: who answers, and what they must not cut in two."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

# Ctrl-C; what make, systemd, Slurm and Kubernetes send; what closed terminals send.
NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def handling(handler: Callable[[int, Any], None]) -> Iterator[None]:
    """Calls `handler` on requests to end, but for those that whoever started this process ignores (nohup)."""
    before: dict[int, Any] = {}
    # Python gives signals to the main thread alone: whoever owns that one answers them.
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.getsignal(number) for number in NUMBERS}
        before = {number: old for number, old in before.items() if old not in (signal.SIG_IGN, None)}
    for number in before:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


@contextmanager
def undivided() -> Iterator[None]:
    """Requests to end are answered after the block, which nobody has to wait for."""
    came: list[int] = []
    try:
        with handling(lambda number, frame: came.append(number)):
            yield
    finally:
        for number in came:
            signal.raise_signal(number)
