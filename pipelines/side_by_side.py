"""Independent computations at the same time, each in a process of its own."""

import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

# As `joblib.delayed` makes them: a function that can be imported, and arguments that pickle.
Task = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]
# Each holds some 0.4 GB before it computes anything (scikit-learn, umap), and few tasks are long.
LARGEST_NUM_PROCESSES = 4


def results_of(tasks: Mapping[str, Task], apart: bool) -> dict[str, Any]:
    """What each task returns, by its name.

    Args:
        tasks: The longest first, so that no core is left with it when the others are done.
        apart: Whether on all cores, a task on one thread each. A process takes seconds to begin, so that it pays for
            minutes of work; without it the tasks are done here, one after the other.
    """
    if not apart:
        return {name: function(*given, **options) for name, (function, given, options) in tasks.items()}
    from joblib import Parallel, cpu_count, parallel_config

    # joblib starts as many processes as it is allowed, however few tasks there are. Arrays go to them by value: maps of
    # files, its way for large ones, can be read only, which some of scikit-learn's loops refuse.
    num_processes = min(len(tasks), cpu_count(), LARGEST_NUM_PROCESSES)
    ending = {"initializer": end_with, "initargs": (os.getpid(),)}
    with parallel_config("loky", n_jobs=num_processes, max_nbytes=None, inner_max_num_threads=1, **ending):
        found = Parallel()(tasks.values())
    return dict(zip(tasks, found, strict=True))


def end_with(parent: int) -> None:
    """In a task's process: ends it once `parent` is gone, which, killed, can tell nobody."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
