"""The input pipeline: what it costs beside tensors that lie in memory, and what memory 200,000 pictures take.

python -m benchmarks.speed.input
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed.machine import describe_machine

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"
NUM_PICTURES, SIDE, BATCH_SIZE, NUM_STEPS = 200_000, 64, 128, 64


def anonymous_memory() -> int:
    """Bytes of this process that are not pages of files."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("/proc/self/status has no RssAnon.")


def made_file(path: Path) -> np.ndarray:
    """A flat file of 200,000 pictures, as the cache writes it, mapped."""
    generator = np.random.default_rng(0)
    with open(path, "wb") as file:
        for _ in range(NUM_PICTURES // 2_000):
            file.write(generator.integers(0, 256, (2_000, SIDE, SIDE, 3), np.uint8).tobytes())
    return np.memmap(path, np.uint8, "r", shape=(NUM_PICTURES, SIDE, SIDE, 3))


def prepared() -> Any:
    from vae_tf import recipes
    from vae_tf.training import loop, precision
    from vae_tf.training.plan import Plan

    chosen = precision.resolve("auto", "conv")
    model = recipes.build("conv", (SIDE, SIDE, 3), 30, precision=chosen.policy, batch_size=BATCH_SIZE)
    loop.prepare(model, Plan(BATCH_SIZE, NUM_STEPS, 1, 1e-3, "constant", 16, None, 0), chosen.jit_compile)
    return model


def cost_of_the_pipeline() -> dict[str, float]:
    """Median seconds of 64 steps, from the cache and from one batch that lies in memory, in turns."""
    import tensorflow as tf

    from vae_tf.data.batches import training_batches, untuned

    model = prepared()
    with tempfile.TemporaryDirectory() as folder:
        images = made_file(Path(folder) / "pixels.raw")
        labels = np.full(NUM_PICTURES, -1)
        batches = training_batches(images, labels, np.arange(NUM_PICTURES), BATCH_SIZE, 0)
        # Without the tuner, for which a dataset's end would wait.
        resident = untuned(tf.data.Dataset.from_tensors(next(iter(batches))).repeat())
        spent: dict[str, list[float]] = {"cache": [], "resident": []}
        for _ in range(6):
            for name, dataset in (("cache", batches), ("resident", resident)):
                began = time.perf_counter()
                model.fit(dataset, steps_per_epoch=NUM_STEPS, epochs=1, verbose=0, shuffle=False)
                spent[name].append(time.perf_counter() - began)
    # The first round traces and compiles.
    return {name: statistics.median(seconds[1:]) for name, seconds in spent.items()}


def memory_of_training() -> dict[str, int]:
    """Anonymous bytes after TensorFlow has trained a few pictures, and at most while it trains 200,000."""
    from vae_tf.data.batches import training_batches

    model = prepared()
    few = np.zeros((BATCH_SIZE, SIDE, SIDE, 3), np.uint8)
    batches = training_batches(few, np.full(BATCH_SIZE, -1), np.arange(BATCH_SIZE), BATCH_SIZE, 0)
    model.fit(batches, steps_per_epoch=32, epochs=1, verbose=0, shuffle=False)
    before = anonymous_memory()
    with tempfile.TemporaryDirectory() as folder:
        images = made_file(Path(folder) / "pixels.raw")
        batches = training_batches(images, np.full(NUM_PICTURES, -1), np.arange(NUM_PICTURES), BATCH_SIZE, 0)
        highest = before
        for _ in range(6):
            model.fit(batches, steps_per_epoch=NUM_STEPS, epochs=1, verbose=0, shuffle=False)
            highest = max(highest, anonymous_memory())
    return {"before": before, "highest": highest, "pictures": int(images.nbytes)}


def memory_of_embedding() -> dict[str, int]:
    """Anonymous bytes at most while 200,000 and while a million pictures are embedded, the latents among them."""
    from vae_tf import recipes
    from vae_tf.data.batches import ordered_batches
    from vae_tf.evaluation import latents

    model = recipes.build("mlp", (16, 16, 1), 10)
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pixels.raw"
        path.write_bytes(np.random.default_rng(0).integers(0, 256, 256_000_000, np.uint8).tobytes())
        images = np.memmap(path, np.uint8, "r", shape=(1_000_000, 16, 16, 1))
        labels = np.full(1_000_000, -1)
        for count in (1_000, 200_000, 1_000_000):
            latents.embed(model, ordered_batches(images, labels, np.arange(count), 1024))
            found[f"{count}"] = anonymous_memory()
    return found


def decoding() -> dict[str, dict[str, float]]:
    """Files per second into a cache of 64×64, by one thread and by all: small JPEG files and photographs."""
    return {
        f"{count} of {side}": files_per_second(count, side) for count, side in ((3_000, 256), (60, 3_464))
    }


def files_per_second(count: int, side: int) -> dict[str, float]:
    from PIL import Image

    from vae_tf.config import DataConfig
    from vae_tf.data import cache
    from vae_tf.data.sources import open_source

    generator = np.random.default_rng(0)
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        pictures = Path(folder) / "pictures"
        pictures.mkdir()
        for i in range(count):
            coarse = Image.fromarray(generator.integers(0, 256, (side // 16, side // 16, 3), np.uint8))
            coarse.resize((side, side), Image.Resampling.BICUBIC).save(pictures / f"{i:04d}.jpg", quality=90)
        shape = cache.Shape(64, 64, 3, "crop")
        cores = len(os.sched_getaffinity(0))
        for round_ in range(3):
            for threads in (1, cores):
                source = open_source(DataConfig(source=str(pictures)))
                os.cpu_count = lambda threads=threads: threads  # type: ignore[assignment]
                began = time.perf_counter()
                cache.build(source, shape, Path(folder) / f"cache-{round_}-{threads}")
                rate = count / (time.perf_counter() - began)
                found[f"{threads}"] = max(found.get(f"{threads}", 0.0), rate)
    return found


TASKS = {
    "decoding": decoding,
    "cost": cost_of_the_pipeline,
    "training": memory_of_training,
    "embedding": memory_of_embedding,
}


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps(TASKS[sys.argv[1]]()))
        return
    found = {}
    for task in TASKS:
        command = [sys.executable, "-m", "benchmarks.speed.input", task]
        finished = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
        found[task] = json.loads(finished.stdout.splitlines()[-1])
        print(task, found[task], flush=True)
    RESULTS.mkdir(exist_ok=True)
    document = {"machine": describe_machine(), **found}
    (RESULTS / "input.json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
