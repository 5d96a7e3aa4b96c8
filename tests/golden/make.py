"""Makes the golden runs of the current schema: python -m tests.golden.make tests/golden/schema-2

They are made once, when a schema is released, by the code of that release, and never again: see README.md.
"""

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("lying", "standing")
NUM_PICTURES = 40
OPTIONS = [
    *(
        "--recipe",
        "mlp",
        "--latent",
        "2",
        "--size",
        "8",
        "--epochs",
        "10",
        "--batch-size",
        "4",
        "--seed",
        "7",
    ),
    *("--split", "60/20/20", "--augment", "none", "--learning-rate", "0.02", "--name", "golden"),
    *("--set", "encoder.widths=[8]", "--set", "decoder.widths=[8]"),
]
# What embedding, pages and further training need; all else is made anew from it.
# The interrupted run stands where the first one ended: `whole` in test_golden.py gives it the same state.
KEPT = ("run.json", "data", "train")


def draw(folder: Path) -> Path:
    """Grey pictures of 8×8 pixels, lying and standing bars of ten brightnesses, two of each."""
    for i in range(NUM_PICTURES):
        picture = np.full((8, 8), 20, np.uint8)
        place = i % 7
        picture[place if i % 2 else slice(None), slice(None) if i % 2 else place] = 60 + 4 * i
        path = folder / CLASSES[i % 2 == 0] / f"{i:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)
    return folder


def command(*words: str) -> None:
    import cli

    if code := cli.main(list(words)):
        raise SystemExit(f"{' '.join(words)} ended with {code}")


def leave_interrupted(run: str) -> None:
    """An extension by two epochs that was stopped before its first step."""
    from pipelines import train

    train.work = lambda run, *_: run  # type: ignore[assignment]
    train.extend(run, epochs=2, name="interrupted")


def expected_of(run: str) -> tuple[dict[str, np.ndarray], dict[str, object]]:
    """Latents, pictures decoded from some of them, and scores, as they must be for ever."""
    from pipelines.run_data import load_model
    from vae_tf.artifacts.npz_files import load_arrays
    from vae_tf.artifacts.runs import find_run

    found = find_run(run)
    embedded, evaluated = found.newest("embed"), found.newest("evaluate")
    assert embedded is not None and evaluated is not None
    latents = load_arrays(embedded.folder / "latents.npz")
    arrays = {name: latents[name] for name in ("mean", "standard_deviation", "kl")}
    decoded = np.asarray(load_model(found).decode(arrays["mean"][:4]))
    return {**arrays, "decoded": decoded}, evaluated.record["results"]["scores"]


def make(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as place:
        os.environ["VAE_TF_RUNS"] = str(Path(place, "runs"))
        command("train", str(draw(Path(place, "bars"))), *OPTIONS)
        command("embed", "1")
        arrays, scores = expected_of("1")
        leave_interrupted("1")
        for run in sorted(Path(place, "runs").glob("0000*")):
            for path in run.iterdir():
                if path.name in KEPT:
                    copy = shutil.copytree if path.is_dir() else shutil.copy2
                    (folder / "runs" / run.name).mkdir(parents=True, exist_ok=True)
                    copy(path, folder / "runs" / run.name / path.name)
        shutil.copytree(Path(place, "runs", "cache"), folder / "runs" / "cache")
    for table in folder.rglob("pictures.csv"):
        table.unlink()  # it is for people
    np.savez(folder / "expected.npz", **arrays)
    (folder / "expected.json").write_text(json.dumps(scores, indent=1) + "\n")


if __name__ == "__main__":
    make(Path(sys.argv[1]))
