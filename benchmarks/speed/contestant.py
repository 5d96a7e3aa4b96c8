"""What every contestant's process does: build, then carry out tasks as they are told, one line of JSON each.

A contestant is a dictionary of tasks ("train", "forward", "embed"), each a function of how many batches to do. It runs
in a process of its own, so that no two share threads or memory, and waits without computing while others run.
"""

import json
import sys
import time
from collections.abc import Callable

Tasks = dict[str, Callable[[int], None]]


def serve(tasks: Tasks, facts: dict[str, object]) -> None:
    """Answers {"task", "batches"} with {"seconds"}, until the input ends; the first answer is `facts`."""
    say({"tasks": list(tasks), **facts})
    for line in sys.stdin:
        order = json.loads(line)
        began = time.perf_counter()
        tasks[order["task"]](order["batches"])
        say({"seconds": time.perf_counter() - began})


def say(document: dict[str, object]) -> None:
    # Libraries print, too: what is ours begins with a mark.
    print("@" + json.dumps(document), flush=True)
