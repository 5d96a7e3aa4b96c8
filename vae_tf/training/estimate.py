"""How long a training will take and how much memory it holds, from its first steps."""

import dataclasses
import resource
import sys
import time
from typing import Any

from vae_tf.training.plan import Plan

# The first executions trace and compile; and a figure from a moment's work would mislead.
NUM_WARM_UPS = 1
SMALLEST_NUM_TIMED = 2
SMALLEST_SECONDS = 1.0
# A validation picture costs about a forward pass, a training picture a forward and a backward one.
SHARE_OF_VALIDATION = 1 / 3


@dataclasses.dataclass(frozen=True)
class Estimate:
    """Seconds of one epoch with its validation, of the rest of the plan, and bytes of memory held at most."""

    seconds_per_epoch: float
    seconds: float
    memory: int


class Stopwatch:
    """Listens to a training; `estimate` is known after a few executions.

    Args:
        plan: The numbers of the training.
        num_validation: Pictures that each epoch validates on.
    """

    def __init__(self, plan: Plan, num_validation: int) -> None:
        self.plan, self.num_validation = plan, num_validation
        self.estimate: Estimate | None = None
        self._begun = time.monotonic(), 0
        self._events: list[tuple[float, int]] = []

    def __call__(self, event: dict[str, Any]) -> None:
        if self.estimate is None and event["event"] == "batch":
            self._events.append((time.monotonic(), int(event["step"])))
            self.estimate = self._reckon()

    @property
    def is_done(self) -> bool:
        return self.estimate is not None

    def finish(self) -> Estimate:
        """The estimate, from however little there was to time."""
        return self.estimate or self._reckon_from([self._begun, *self._events][-2:])

    def _reckon(self) -> Estimate | None:
        timed = self._events[NUM_WARM_UPS:]
        if len(timed) <= SMALLEST_NUM_TIMED or timed[-1][0] - timed[0][0] < SMALLEST_SECONDS:
            return None
        return self._reckon_from(timed)

    def _reckon_from(self, timed: list[tuple[float, int]]) -> Estimate:
        elapsed, steps = timed[-1][0] - timed[0][0], max(timed[-1][1] - timed[0][1], 1)
        per_picture = elapsed / steps / self.plan.batch_size
        validation = per_picture * self.num_validation * SHARE_OF_VALIDATION
        per_epoch = per_picture * self.plan.batch_size * self.plan.steps_per_epoch + validation
        left = (self.plan.num_steps - timed[-1][1]) / self.plan.steps_per_epoch
        return Estimate(per_epoch, per_epoch * left, memory_held())


def memory_held() -> int:
    """Bytes of memory that this process has held at most, the mapped cache included."""
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return held if sys.platform == "darwin" else held * 1024
