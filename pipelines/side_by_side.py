"""Independent computations at the same time, each in a process of its own."""

from collections.abc import Callable, Mapping
from typing import Any

# As `joblib.delayed` makes them: a function that can be imported, and arguments that pickle.
Task = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]


def results_of(tasks: Mapping[str, Task], apart: bool) -> dict[str, Any]:
    """What each task returns, by its name.

    Args:
        tasks: The longest first, so that no core is left with it when the others are done.
        apart: Whether on all cores, a task on one thread each. A process takes seconds to begin, so that it pays for
            minutes of work; without it the tasks are done here, one after the other.
    """
    if not apart:
        return {name: function(*given, **options) for name, (function, given, options) in tasks.items()}
    from joblib import Parallel

    # Arrays go to the workers by value: maps of files, joblib's way for large ones, can be read only, which some of
    # scikit-learn's loops refuse.
    found = Parallel(n_jobs=-1, max_nbytes=None)(tasks.values())
    return dict(zip(tasks, found, strict=True))
