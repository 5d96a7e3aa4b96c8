"""A test set of its own: both sources' pictures, in order, with one type and one meaning of black and white."""

import dataclasses
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from vae_tf.data.cache import choose_shape, open_cache
from vae_tf.data.sources.base import Entry
from vae_tf.data.sources.folder import FolderSource
from vae_tf.data.sources.joined import JoinedSource
from vae_tf.errors import UserError


@dataclasses.dataclass
class Constant:
    """Pictures of 8 by 8 pixels, each of one value."""

    values: list[float]
    name: str = "main"
    dtype: str = "uint8"
    value_range: tuple[float, float] | None = None
    labels: tuple[str | None, ...] = ()
    part: str | None = None
    facts: dict[str, list[Any]] = dataclasses.field(default_factory=dict)
    notes: list[str] = dataclasses.field(default_factory=list)

    def __post_init__(self) -> None:
        labels = self.labels or (None,) * len(self.values)
        self.entries = [Entry(f"{i}.png", label, f"g{i}", self.part) for i, label in enumerate(labels)]

    def fingerprint(self) -> str:
        return f"{self.name}{self.values}{self.dtype}"

    def read(self, position: int) -> NDArray[Any]:
        return np.full((8, 8, 1), self.values[position], self.dtype)

    def shape(self, position: int) -> tuple[int, int, int]:
        return 8, 8 + position, 1


def test_pictures_of_both_in_order() -> None:
    main = Constant([1, 2], labels=("a", "b"), facts={"age": [3, 4], "x": ["p", "q"]}, notes=["One."])
    test = Constant([7, 8, 9], "hw", labels=("a", "c", "c"), facts={"age": [5, 6, 7]}, notes=["Two."])
    joined = JoinedSource(main, test)
    assert joined.name == "main"
    assert [entry.path for entry in joined.entries] == ["0.png", "1.png", "hw/0.png", "hw/1.png", "hw/2.png"]
    assert [entry.part for entry in joined.entries] == [None, None, "test", "test", "test"]
    assert [entry.label for entry in joined.entries] == ["a", "b", "a", "c", "c"]
    assert joined.facts == {"age": [3, 4, 5, 6, 7], "x": ["p", "q", None, None, None]}
    assert [int(joined.read(i)[0, 0, 0]) for i in range(5)] == [1, 2, 7, 8, 9]
    assert [joined.shape(i)[1] for i in range(5)] == [8, 9, 8, 9, 10]
    assert (joined.dtype, joined.value_range) == ("uint8", None)
    said = " ".join(joined.notes)
    assert said.startswith("One. hw: Two. ")
    assert "only among the pictures to learn from: b." in said and "of the test part: c." in said
    assert test.entries[0] == Entry("0.png", "a", "g0")


def test_fingerprints_tell_the_two_apart() -> None:
    one, two, three = Constant([1], "a"), Constant([2], "b"), Constant([3], "c")
    prints = {JoinedSource(*pair).fingerprint() for pair in [(one, two), (two, one), (one, three)]}
    assert len(prints) == 3 and JoinedSource(one, two).fingerprint() in prints


def test_paths_stay_unique(tmp_path: Path) -> None:
    main, test = Constant([1, 2]), Constant([3, 4], "hw")
    main.entries[1] = Entry("hw/0.png")
    paths = [entry.path for entry in JoinedSource(main, test).entries]
    assert paths == ["0.png", "hw/0.png", "test-hw/0.png", "test-hw/1.png"]


def test_what_the_main_source_calls_test_is_put_aside() -> None:
    joined = JoinedSource(Constant([1, 2], part="test"), Constant([3], "hw"))
    assert [entry.part for entry in joined.entries] == ["other", "other", "test"]
    assert "2 pictures that main marks as test are put aside." in joined.notes


def stored(joined: JoinedSource, tmp_path: Path, value_range: Any = None) -> list[float]:
    """What the cache keeps of each picture, between 0 for black and 1 for white."""
    cache = open_cache(joined, choose_shape(joined, (8, 8), 1, "crop", value_range), tmp_path)
    white = {"uint8": 255, "uint16": 65535, "float32": 1}[cache.images.dtype.name]
    return [round(float(image[0, 0, 0]) / white, 3) for image in cache.images]


TWELVE_BITS = (0.0, 4095.0)


@pytest.mark.parametrize(
    ("main", "test", "dtype", "kept"),
    [
        (Constant([0, 51]), Constant([13107], "t", "uint16"), "uint16", [0.0, 0.2, 0.2]),
        (Constant([819], "m", "uint16", TWELVE_BITS), Constant([51], "t"), "uint16", [0.2, 0.2]),
        (Constant([51]), Constant([-1.0, 0.0], "t", "float32", (-1.0, 1.0)), "float32", [0.2, 0.0, 0.5]),
        (Constant([819], "m", "uint16", TWELVE_BITS), Constant([0.2], "t", "float32"), "float32", [0.2, 0.2]),
        # Darker pictures from the same camera do not become brighter because they are looked at alone.
        (
            Constant([819], "m", "uint16", TWELVE_BITS),
            Constant([819], "t", "uint16", (0.0, 1023.0)),
            "uint16",
            [0.2, 0.2],
        ),
    ],
)
def test_one_meaning_of_black_and_white(
    main: Constant, test: Constant, dtype: str, kept: list[float], tmp_path: Path
) -> None:
    joined = JoinedSource(main, test)
    assert joined.dtype == dtype == joined.read(0).dtype.name == joined.read(len(main.values)).dtype.name
    assert stored(joined, tmp_path) == kept


def test_the_users_range_holds_for_both(tmp_path: Path) -> None:
    main = Constant([819], "m", "uint16", (0.0, 1023.0))
    test = Constant([819], "t", "uint16", TWELVE_BITS)
    assert stored(JoinedSource(main, test, TWELVE_BITS), tmp_path, TWELVE_BITS) == [0.2, 0.2]
    joined = JoinedSource(main, Constant([51], "t"), TWELVE_BITS)
    assert stored(joined, tmp_path, TWELVE_BITS) == [0.2, 0.2]


def test_ranges_without_a_common_meaning_are_refused() -> None:
    main, test = Constant([0.5], "m", "float32"), Constant([90.0], "t", "float32", (0.0, 255.0))
    with pytest.raises(UserError, match="from 0 to 255, m from 0 to 1") as caught:
        JoinedSource(main, test)
    assert "--range 0:255" in caught.value.hint


def write(root: Path, count: int, seed: int) -> Path:
    root.mkdir(parents=True)
    values = np.random.default_rng(seed).integers(0, 255, (count, 16, 16), dtype=np.uint8)
    for number, pixels in enumerate(values):
        Image.fromarray(pixels).save(root / f"{number}.png")
    return root


def test_folders_and_files_that_both_hold(tmp_path: Path) -> None:
    main, test = write(tmp_path / "faces", 5, 0), write(tmp_path / "homework", 3, 1)
    joined = JoinedSource(FolderSource(main), FolderSource(test))
    assert [entry.path for entry in joined.entries][4:] == ["4.png"] + [f"homework/{i}.png" for i in range(3)]
    for position, entry in enumerate(joined.entries):
        folder = tmp_path if entry.part == "test" else main
        assert np.array_equal(joined.read(position)[..., 0], np.asarray(Image.open(folder / entry.path)))
    with pytest.raises(UserError, match="is what is learnt from itself"):
        JoinedSource(FolderSource(main), FolderSource(main))
    os.link(main / "2.png", test / "again.png")
    with pytest.raises(UserError, match=r"1 of 4 pictures of --test homework .* such as again\.png"):
        JoinedSource(FolderSource(main), FolderSource(test))
    with pytest.raises(UserError, match="3 of 3 pictures of --test part"):
        write(main / "part", 3, 2)
        JoinedSource(FolderSource(main), FolderSource(main / "part"))
