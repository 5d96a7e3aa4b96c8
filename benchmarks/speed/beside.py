"""Pictures per second of every contestant, visited in rounds, so that what else the machine does falls on all alike.

    python -m benchmarks.speed.beside --seconds 3 --rounds 5

Writes benchmarks/results/beside.json: for each workload, contestant and task the speeds of all rounds, of which
`report.py` makes medians and ratios.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.speed.machine import describe_machine
from benchmarks.speed.workloads import CPU_WORKLOADS, GPU_WORKLOADS, WORKLOADS, Workload

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"
TASKS = ("train", "forward", "embed")


def contestants(workload: Workload) -> dict[str, list[str]]:
    """Name to module and arguments."""
    ours, torch = "benchmarks.speed.ours", "benchmarks.speed.hand_written"
    found = {
        "vae_tf": [ours, "auto"],
        "vae_tf float32": [ours, "float32"],
        "PyTorch": [torch, "eager"],
        "PyTorch channels-last": [torch, "channels-last"],
        "PyTorch channels-last bfloat16": [torch, "channels-last,bfloat16"],
        "PyTorch compiled": [torch, "channels-last,compiled"],
        "PyTorch compiled bfloat16": [torch, "channels-last,compiled,bfloat16"],
        "pythae": ["benchmarks.speed.pythae_trainer"],
        "Keras' example": ["benchmarks.speed.keras_example"],
    }
    if workload.kind == "mlp":
        # A dense network has no layout of channels.
        del found["PyTorch channels-last"]
    if workload.kind == "patch":
        # Its blocks are ours; Keras' example has none like them.
        del found["Keras' example"]
    return found


class Contestant:
    """A process that waits for orders; see `contestant.serve`."""

    def __init__(self, workload: Workload, command: list[str]) -> None:
        module, *arguments = command
        self.batch_size = workload.batch_size
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, workload.name, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
        )
        self.facts = self._answer()
        self.batches: dict[str, int] = {}

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("@"):
                answer: dict[str, Any] = json.loads(line[1:])
                return answer
        raise RuntimeError(f"{' '.join(map(str, self.process.args))} ended.")  # type: ignore[arg-type]

    def order(self, task: str, batches: int) -> float:
        """Seconds that so many batches of a task took."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"task": task, "batches": batches}) + "\n")
        self.process.stdin.flush()
        return float(self._answer()["seconds"])

    def speed(self, task: str, seconds: float) -> float:
        """Pictures per second over about so many seconds; the first time, compilation is left out."""
        if task not in self.batches:
            # Steps that are executed together come together.
            unit = int(self.facts.get("steps_per_execution", 1)) if task == "train" else 1
            self.order(task, unit)
            count, taken = unit, self.order(task, unit)
            # What a call costs once must not count: so long a call as is measured, not many short ones.
            while taken < 0.8 * seconds and count < 100_000:
                count = unit * -(-int(count * min(seconds / taken, 8)) // unit)
                taken = self.order(task, count)
            self.batches[task] = count
        count = self.batches[task]
        return count * self.batch_size / self.order(task, count)

    def stop(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(30)


def peaks() -> dict[str, float]:
    """Operations per second of a product of square matrices, the best of ten, in this machine's fastest hands."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    size = 8192 if device == "cuda" else 2048
    found = {}
    for name in ("float32", "bfloat16"):
        a = torch.randn(size, size, device=device, dtype=getattr(torch, name))
        best = 0.0
        for _ in range(10):
            began = time.perf_counter()
            # Summed, so that the product must be there.
            (a @ a).float().sum().item()
            best = max(best, 2 * size**3 / (time.perf_counter() - began))
        found[name] = best
    return found


def measure(workload: Workload, seconds: float, rounds: int, gpu: bool = False) -> dict[str, Any]:
    """{contestant: {"weights", "speeds": {task: [pictures per second]}}}, and says them as they come."""
    racing: dict[str, Contestant] = {}
    found: dict[str, Any] = {}
    for name, command in contestants(workload).items():
        if gpu and (name == "pythae" or "float32" in name or name.startswith("Keras")):
            continue
        racing[name] = Contestant(workload, command)
        found[name] = {**racing[name].facts, "speeds": {task: [] for task in TASKS}}
    for _ in range(rounds):
        for task in TASKS:
            for name, contestant in racing.items():
                found[name]["speeds"][task].append(contestant.speed(task, seconds))
    for name, contestant in racing.items():
        contestant.stop()
        medians = {task: statistics.median(found[name]["speeds"][task]) for task in TASKS}
        print(
            f"{workload.name:14} {name:32} {found[name]['weights']:>10,} weights "
            + " ".join(f"{task} {speed:,.0f}/s" for task, speed in medians.items()),
            flush=True,
        )
    return found


def measured_before(path: Path) -> dict[str, Any]:
    """The workloads that the file holds, where they were measured on such a machine with such packages."""
    if not path.exists():
        return {}
    document, here = json.loads(path.read_text()), describe_machine()
    same = all(document["machine"][name] == here[name] for name in here if name != "load")
    return dict(document["workloads"]) if same else {}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workload", action="append", choices=list(WORKLOADS))
    parser.add_argument("--gpu", action="store_true", help="only who runs on a GPU, and larger pictures")
    options = parser.parse_args()
    names = options.workload or (GPU_WORKLOADS if options.gpu else CPU_WORKLOADS)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / ("gpu.json" if options.gpu else "beside.json")
    measured = measured_before(path)
    for name in names:
        measured[name] = measure(WORKLOADS[name], options.seconds, options.rounds, options.gpu)
        document = {
            "machine": describe_machine(),
            "seconds": options.seconds,
            "workloads": {each: measured[each] for each in WORKLOADS if each in measured},
            "peak": peaks(),
        }
        # After each, so that whoever stops it keeps what was measured.
        path.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
