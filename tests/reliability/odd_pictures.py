"""Small sets of pictures from which some statistic is undefined, each with the outcome that its training must have."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

RANDOM = np.random.default_rng(0)
SIDE = 16
QUICK = ["--recipe", "mlp", "--latent", "3", "--epochs", "2", "--size", str(SIDE)]
QUICK += ["--set", "encoder.widths=[16]", "--set", "decoder.widths=[16]"]


@dataclasses.dataclass(frozen=True)
class Case:
    """What is written into a folder, the options of its training, its exit code and a part of what is said."""

    write: Callable[[Path], Path]
    code: int = 0
    said: str = ""
    options: tuple[str, ...] = ()


def noise(count: int) -> NDArray[np.uint8]:
    return RANDOM.integers(0, 256, (count, SIDE, SIDE, 3), dtype=np.uint8)


def folder_of(classes: dict[str, NDArray[np.uint8]]) -> Callable[[Path], Path]:
    """Pictures of each class in its own folder; "" is no folder."""

    def write(root: Path) -> Path:
        for name, pictures in classes.items():
            (root / name).mkdir(parents=True, exist_ok=True)
            for i, picture in enumerate(pictures):
                Image.fromarray(picture).save(root / name / f"{i:03d}.png")
        return root

    return write


def array_of(values: NDArray[np.float32]) -> Callable[[Path], Path]:
    def write(root: Path) -> Path:
        root.mkdir(parents=True)
        np.save(root / "pictures.npy", values)
        return root / "pictures.npy"

    return write


def floats(count: int = 24) -> NDArray[np.float32]:
    return RANDOM.random((count, SIDE, SIDE, 3)).astype(np.float32)


def spoiled(value: float, which: slice) -> NDArray[np.float32]:
    values = floats()
    values[which, 3, 4, 0] = value
    return values


def constants(count: int) -> NDArray[np.uint8]:
    """Each picture of one colour."""
    return np.broadcast_to(RANDOM.integers(0, 256, (count, 1, 1, 3)), (count, SIDE, SIDE, 3)).astype(np.uint8)


CASES: dict[str, Case] = {
    "NaN in two pictures": Case(array_of(spoiled(np.nan, slice(3, 5)))),
    "Inf in two pictures": Case(array_of(spoiled(np.inf, slice(3, 5)))),
    "NaN in all pictures": Case(
        array_of(spoiled(np.nan, slice(None))), 2, "None of the 24 pictures can be used"
    ),
    "nothing but NaN": Case(array_of(np.full((24, SIDE, SIDE), np.nan, np.float32)), 2, "can be used"),
    "values up to 1e38": Case(array_of(floats() * np.float32(3e38))),
    "values around 1e-40": Case(array_of(floats() * np.float32(1e-40))),
    "one wild value": Case(array_of(spoiled(1e30, slice(3, 4)))),
    "learning rate 1e6": Case(
        folder_of({"a": noise(12), "b": noise(12)}),
        1,
        "no finite number",
        ("--learning-rate", "1e6", "--epochs", "60"),
    ),
    # After one step of 1e6 the loss may still be a number, of twenty digits.
    "learning rate 1e9, one step": Case(
        folder_of({"a": noise(12), "b": noise(12)}),
        1,
        "no finite number",
        ("--learning-rate", "1e9", "--beta", "1e9", "--epochs", "1"),
    ),
    "a density without width": Case(
        folder_of({"": noise(24)}), 1, "no finite number", ("--set", "likelihood.scale=1e-30")
    ),
    "huge weight of the KL": Case(
        folder_of({"a": noise(12), "b": noise(12)}), options=("--beta", "1e6", "--epochs", "40")
    ),
    "no weight of the KL": Case(folder_of({"a": noise(12), "b": noise(12)}), options=("--beta", "0")),
    "equal pictures": Case(folder_of({"": np.repeat(noise(1), 24, 0)}), 2, "All pictures are equal"),
    "two pictures many times": Case(folder_of({"": np.repeat(noise(2), 12, 0)}), 2, "copies"),
    "four pictures many times": Case(folder_of({"a": np.repeat(noise(4), 6, 0)})),
    "each of one colour": Case(folder_of({"a": constants(12), "b": constants(12)})),
    "black but for one pixel": Case(
        folder_of({"": np.eye(256, dtype=np.uint8)[:24].reshape(24, 16, 16, 1).repeat(3, -1)})
    ),
    "no picture": Case(folder_of({"": noise(0)}), 2, "holds no pictures"),
    "one picture": Case(folder_of({"": noise(1)}), 2, "at least 4 are needed"),
    "two pictures": Case(folder_of({"": noise(2)}), 2, "at least 4 are needed"),
    "four pictures": Case(folder_of({"": noise(4)})),
    "four pictures of two classes": Case(folder_of({"a": noise(2), "b": noise(2)})),
    "one class": Case(folder_of({"a": noise(24)})),
    "classes of one": Case(folder_of({f"c{i}": noise(1) for i in range(9)}), 2, "a class of its own"),
    "a class of one": Case(folder_of({"a": noise(20), "b": noise(1)})),
    "classes of one beside others": Case(
        folder_of({"a": noise(20), "b": noise(1), "c": noise(1), "": noise(1)})
    ),
    "one latent": Case(folder_of({"a": noise(12), "b": noise(12)}), options=("--latent", "1")),
    "no validation": Case(folder_of({"a": noise(12), "b": noise(12)}), options=("--split", "80/0/20")),
    "no test": Case(folder_of({"a": noise(12), "b": noise(12)}), options=("--split", "80/20/0")),
    "everything trained on": Case(
        folder_of({"a": noise(12), "b": noise(12)}), options=("--split", "100/0/0")
    ),
    "an autoencoder": Case(folder_of({"a": noise(12), "b": noise(12)}), options=("--recipe", "ae")),
    "a mixture as prior": Case(
        folder_of({"a": noise(12), "b": noise(12)}), options=("--recipe", "mixture-prior")
    ),
}
