"""Embedding by Ray: pictures per second, and what all its processes hold, against the number of pictures.

    python -m benchmarks.speed.ray_embedding              # about 5 minutes on two cores

The command itself on PNG files of 64×64, on a cluster that it starts on this machine. Memory is sampled twice a second:
the private pages of every process that the command began (RssAnon), and Ray's object store (pages shared in /dev/shm).
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

from benchmarks.speed.machine import describe_machine

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"
COUNTS = (2_000, 8_000, 32_000)
PER_FOLDER = 1_000


def write_pictures(folder: Path, first: int, last: int) -> None:
    """Smooth patterns with noise as PNG files, about 8 kB each, a thousand to a folder."""
    generator = np.random.default_rng(first)
    for i in range(first, last):
        place = folder / f"{i // PER_FOLDER:04d}"
        place.mkdir(parents=True, exist_ok=True)
        coarse = Image.fromarray(generator.integers(0, 256, (8, 8, 3), np.uint8))
        smooth = np.asarray(coarse.resize((64, 64), Image.Resampling.BICUBIC)).astype(float)
        noisy = smooth + generator.normal(0, 8, smooth.shape)
        Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(place / f"{i:06d}.png")


def held(process: psutil.Process) -> tuple[int, int]:
    """Private bytes of a process and all that it began, and the largest share of the object store that one maps."""
    private, shared = 0, 0
    for one in [process, *process.children(recursive=True)]:
        try:
            lines = Path(f"/proc/{one.pid}/status").read_text().splitlines()
        except OSError:
            continue
        found = dict(line.split(":", 1) for line in lines if line.startswith("Rss"))
        # One that has ended, and is not yet buried, holds nothing.
        private += int(found.get("RssAnon", "0 kB").split()[0]) * 1024
        shared = max(shared, int(found.get("RssShmem", "0 kB").split()[0]) * 1024)
    return private, shared


def run(command: list[str], environment: dict[str, str]) -> dict[str, float]:
    """Seconds of a command, and the most that its processes held together, MB."""
    began, most = time.perf_counter(), [0, 0]
    process = psutil.Popen(
        [sys.executable, "cli.py", *command], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL
    )
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.5):
            most[:] = map(max, most, held(process))

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = process.wait()
    seconds = time.perf_counter() - began
    done.set()
    watcher.join()
    if code:
        raise RuntimeError(f"{' '.join(command)} ended with {code}.")
    return {"seconds": seconds, "megabytes": most[0] / 1e6, "store_megabytes": most[1] / 1e6}


def main() -> None:
    found = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = {**os.environ, "VAE_TF_RUNS": str(folder / "runs")}
        write_pictures(folder / "few", 0, 1_000)
        run(["train", str(folder / "few"), "--epochs", "1", "--size", "64"], environment)
        written = 0
        for count in COUNTS:
            write_pictures(folder / "many", written, count)
            written = count
            target = ["--engine", "ray", "--to", str(folder / f"scores-{count}")]
            found[f"{count}"] = run(["embed", "1", str(folder / "many"), *target], environment)
            print(count, {what: round(value, 1) for what, value in found[f"{count}"].items()}, flush=True)
            RESULTS.mkdir(exist_ok=True)
            document = {"machine": describe_machine(), "counts": found}
            (RESULTS / "ray.json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
