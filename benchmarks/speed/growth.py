"""How time and memory grow with the number of pictures, their size and the number of latents.

    python -m benchmarks.speed.growth                     # about 20 minutes

Runs the commands themselves, `train` (one epoch), `embed` and `cluster-report`, on made pictures, over two orders of
magnitude. Seconds are those of the stages as the run records them, memory is the largest that a command held. The
exponent is that of the last step, log(t₂/t₁)/log(n₂/n₁): at small sizes constant costs hide it.
"""

import json
import math
import multiprocessing
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed.machine import describe_machine

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"
# What varies, and what the others are meanwhile.
USUAL = {"pictures": 2_000, "side": 32, "latent": 20}
SERIES = {
    "pictures": (400, 4_000, 40_000),
    "side": (16, 48, 160),
    "latent": (4, 40, 400),
}
STAGES = {"train": "train", "embed": "embed", "clusters": "cluster-report"}


def write_pictures(path: str, count: int, side: int) -> None:
    """uint8 [count, side, side, 3] of eight kinds, each a smooth pattern with noise."""
    generator = np.random.default_rng(0)
    coarse = generator.random((8, 4, 4, 3))
    grown = np.kron(coarse, np.ones((1, -(-side // 4), -(-side // 4), 1)))[:, :side, :side]
    kinds = grown[np.arange(count) % 8] * 255
    images = np.clip(kinds + generator.normal(0, 20, kinds.shape), 0, 255).astype(np.uint8)
    np.savez(path, images=images, labels=np.arange(count) % 8)


def run(command: list[str], folder: Path) -> float:
    """Runs a command; the memory that it held at most, MB."""
    environment = {**os.environ, "VAE_TF_RUNS": str(folder / "runs")}
    process = subprocess.Popen(
        [sys.executable, "cli.py", *command],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"{' '.join(command)} ended with {status}.")
    return usage.ru_maxrss / 1024


def measure(sizes: dict[str, int]) -> dict[str, dict[str, float]]:
    """{stage: {"seconds", "megabytes"}} of a run of such sizes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        size, source = str(sizes["side"]), str(folder / "made.npz")
        # Apart, since what this process holds at most counts as its children's.
        maker = multiprocessing.get_context("spawn").Process(
            target=write_pictures, args=(source, sizes["pictures"], sizes["side"])
        )
        maker.start()
        maker.join()
        train = ["train", source, "--epochs", "1", "--size", size, "--latent"]
        held = {"train": run([*train, str(sizes["latent"])], folder)}
        for stage, command in list(STAGES.items())[1:]:
            held[stage] = run([command], folder)
        (made,) = (folder / "runs").glob("00001-*")
        found = {}
        for stage in STAGES:
            record = json.loads((made / stage / "stage.json").read_text())
            seconds = record["finished"] - record["started"]
            if stage == "train":
                seconds = record["results"]["seconds"]
            found[stage] = {"seconds": seconds, "megabytes": held[stage]}
        return found


def exponent(sizes: tuple[int, ...], values: list[float]) -> float:
    """Of the last step of a series."""
    return math.log(values[-1] / values[-2]) / math.log(sizes[-1] / sizes[-2])


def main() -> None:
    found: dict[str, Any] = {}
    RESULTS.mkdir(exist_ok=True)
    for what, sizes in SERIES.items():
        rows = [measure({**USUAL, what: size}) for size in sizes]
        found[what] = {"sizes": sizes, "rows": rows}
        for stage in STAGES:
            seconds = [row[stage]["seconds"] for row in rows]
            megabytes = [row[stage]["megabytes"] for row in rows]
            print(
                f"{stage:9} {what:9} {sizes}: seconds {[round(s, 1) for s in seconds]}, "
                f"exponent {exponent(sizes, seconds):.2f}; MB {[round(m) for m in megabytes]}",
                flush=True,
            )
        # After each, so that whoever stops it keeps what was measured.
        document = {"machine": describe_machine(), "usual": USUAL, "series": found}
        (RESULTS / "growth.json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
