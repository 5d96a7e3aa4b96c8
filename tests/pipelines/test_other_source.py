"""Pictures of another source under a run's model: what their values mean, and which of them it has seen."""

import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.other_source import fitting_shape, mark_copies, with_note_on_colours
from vae_tf.artifacts.npz_files import save_arrays
from vae_tf.config import DataConfig
from vae_tf.data.cache import Shape
from vae_tf.data.dataset import Index, Pictures
from vae_tf.errors import UserError

TRAIN, UNSEEN = 0, 2


def shape_for(own: Shape, dtype: str, found: Any = None, asked: Any = None) -> Shape:
    """That of a source with values of `dtype` from `found`, where the user asked for the range `asked`."""
    source: Any = types.SimpleNamespace(name="others", dtype=dtype, value_range=found)
    subject: Any = types.SimpleNamespace(shape=own)
    return fitting_shape(subject, source, DataConfig(source="others", value_range=asked))


def shape(dtype: str, value_range: tuple[float, float] | None = None) -> Shape:
    return Shape(8, 8, 1, "crop", dtype, value_range, ("why",))


def test_values_of_the_same_type_mean_what_they_meant() -> None:
    own = shape("float32", (0.0, 4000.0))
    # The source's own range is another one, and would brighten it.
    found = shape_for(own, "float32", (0.0, 900.0))
    assert found.value_range == (0.0, 4000.0) and found.reasons == ()


def test_what_the_user_says_of_black_and_white_counts() -> None:
    assert shape_for(shape("float32", (0.0, 1.0)), "float32", (0.0, 9.0), (0.0, 10.0)).value_range == (
        0.0,
        10.0,
    )


def test_values_of_another_type_have_a_scale_of_their_own() -> None:
    assert shape_for(shape("uint16", (100.0, 4000.0)), "uint8").value_range is None
    assert shape_for(shape("uint8"), "float32", (0.0, 9.0)).value_range == (0.0, 9.0)


@pytest.mark.parametrize("found", [(5000.0, 6000.0), (-9.0, -1.0)])
def test_values_beyond_all_that_was_learned_are_refused(found: tuple[float, float]) -> None:
    with pytest.raises(UserError, match="lie between") as refusal:
        shape_for(shape("float32", (0.0, 4000.0)), "float32", found)
    assert "0 to 4000" in refusal.value.message and "--range" in refusal.value.hint


def pictures(hashes: list[int], channels: int = 1, found: int = 3) -> Pictures:
    count = len(hashes)
    index = Index(
        [f"{i}.png" for i in range(count)], np.zeros(count, int), ["a"], np.full(count, -1), [],
        np.full(count, UNSEEN, np.int8),
    )  # fmt: skip
    return Pictures(
        np.zeros((count, 8, 8, channels), np.uint8), index, Shape(8, 8, channels, "crop"), [], ["before"], [], "f" * 16,
        [(8, 8, found, count)], np.array(hashes, np.uint64),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("hashes", "words"), [([1, 7], "1 of these pictures was"), ([1, 2, 7, 3], "2 of these")]
)
def test_copies_of_what_was_trained_on_are_not_unseen(tmp_path: Path, hashes: list[int], words: str) -> None:
    """3 is a picture of the run's test part: the model has not learned from it."""
    save_arrays(tmp_path / "hashes.npz", hashes=np.array([1, 2, 3], np.uint64))
    own: Any = types.SimpleNamespace(
        data=types.SimpleNamespace(folder=tmp_path),
        index=types.SimpleNamespace(
            where=lambda part: np.array([0, 1]) if part == "train" else np.array([2])
        ),
    )
    marked = mark_copies(own, pictures(hashes))
    assert marked.index.parts.tolist() == [TRAIN if code in (1, 2) else UNSEEN for code in hashes]
    assert marked.notes[0] == "before" and marked.notes[1].startswith(words)
    unknown = pictures([8, 9])
    assert mark_copies(own, unknown) is unknown


def test_colours_that_become_brightness_are_named() -> None:
    assert "colours became brightness" in with_note_on_colours(pictures([1])).notes[-1]
    for same in (pictures([1], channels=3), pictures([1], found=1)):
        assert with_note_on_colours(same) is same
