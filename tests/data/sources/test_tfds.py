"""Sets of TensorFlow Datasets as sources: one built here, and known ones with made-up content."""

import io
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image

from vae_tf.config import DataConfig
from vae_tf.data.cache import choose_shape, open_cache
from vae_tf.data.sources.tfds import TfdsSource
from vae_tf.data.sources.tfds_builder import Request, parse
from vae_tf.errors import UserError

COUNTS = {"train": 12, "test": 5, "validation": 3}
# The order in which a set gives its examples is its own; each of ours says which one it is.
BY_AGE = "attributes/age"


def example(split: str, number: int) -> dict[str, Any]:
    random = np.random.default_rng([number, len(split)])
    return {
        "photo": random.integers(0, 256, (8 + number, 9, 3), dtype=np.uint8),
        "mask": random.integers(0, 2, (8, 8, 1), dtype=np.uint8),
        "deep": random.integers(0, 60_000, (8, 8, 1), dtype=np.uint16),
        "floats": random.random((8, 8, 1), dtype=np.float32),
        "tensor": random.integers(0, 4000, (8, 7), dtype=np.uint16),
        "species": number % 2,
        "breed": number % 3,
        "attributes": {"smiling": bool(number % 3), "age": number},
        "caption": f"é{number}",
        "clip": [np.zeros((8, 8, 3), np.uint8)] * 2,
        "boxes": [],
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A set called tiny_animals, prepared in a folder."""
    import tensorflow_datasets as tfds

    class TinyAnimals(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        name = "tiny_animals"
        VERSION = tfds.core.Version("1.2.3")
        # Nothing is fetched; finding it out by itself takes a package that not everyone has.
        url_infos: ClassVar[dict[str, Any]] = {}

        def _info(self) -> Any:
            kinds = tfds.features
            features = {
                "photo": kinds.Image(shape=(None, None, 3)),
                "mask": kinds.Image(shape=(8, 8, 1)),
                "deep": kinds.Image(shape=(8, 8, 1), dtype=np.uint16),
                "floats": kinds.Image(shape=(8, 8, 1), dtype=np.float32),
                "tensor": kinds.Tensor(shape=(8, 7), dtype=np.uint16),
                "species": kinds.ClassLabel(names=["cat", "dog"]),
                "breed": kinds.ClassLabel(num_classes=3),
                "attributes": {"smiling": np.bool_, "age": np.int64},
                "caption": kinds.Text(),
                "clip": kinds.Video(shape=(None, 8, 8, 3)),
                "boxes": kinds.Sequence(kinds.BBoxFeature()),
            }
            return tfds.core.DatasetInfo(
                builder=self, features=kinds.FeaturesDict(features), supervised_keys=("photo", "species")
            )

        def _split_generators(self, downloads: Any) -> Any:
            return {split: self._generate_examples(split) for split in COUNTS}

        def _generate_examples(self, split: str) -> Any:
            for number in range(COUNTS[split]):
                yield f"{number}", example(split, number)

    root = tmp_path_factory.mktemp("sets")
    TinyAnimals(data_dir=root).download_and_prepare()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFDS_DATA_DIR", str(root))
        yield root


def open_set(text: str, **options: Any) -> TfdsSource:
    return TfdsSource(text, DataConfig(source=text, **options))


def expected(source: TfdsSource, key: str) -> Iterator[tuple[int, Any]]:
    for position, entry in enumerate(source.entries):
        split = entry.path.partition("/")[0]
        yield position, example(split, source.facts[BY_AGE][position])[key]


def test_all_splits_with_their_parts_classes_and_facts(folder: Path) -> None:
    source = open_set("tfds:tiny_animals")
    assert source.name == "tiny_animals"
    parts = {entry.path: entry.part for entry in source.entries}
    assert len(parts) == 20
    assert {p for path, p in parts.items() if path.startswith("train/")} == {None}
    assert parts["test/4"] == "test" and parts["validation/2"] == "validation" and "train/11" in parts
    for position, species in expected(source, "species"):
        assert source.entries[position].label == ("cat", "dog")[species]
    for name in ("smiling", "age"):
        for position, attributes in expected(source, "attributes"):
            assert source.facts[f"attributes/{name}"][position] == attributes[name]
    assert [text for _, text in expected(source, "caption")] == source.facts["caption"]
    assert [str(number) for _, number in expected(source, "breed")] == source.facts["breed"]


def test_encoded_pictures_of_any_size_come_back_from_threads(folder: Path) -> None:
    source = open_set("tfds:tiny_animals")
    with ThreadPoolExecutor(8) as pool:
        pictures = list(pool.map(source.read, range(20)))
    for position, photo in expected(source, "photo"):
        assert np.array_equal(pictures[position], photo)
        assert source.shape(position) == photo.shape
    assert (source.dtype, source.value_range) == ("uint8", None)


@pytest.mark.parametrize(
    ("key", "dtype", "value_range"),
    [
        ("mask", "uint8", (0, 1)),
        ("deep", "uint16", None),
        ("floats", "float32", None),
        ("tensor", "uint16", (0, 4095)),
    ],
)
def test_other_features_keep_their_depth(
    folder: Path, tmp_path: Path, key: str, dtype: str, value_range: tuple[float, float] | None
) -> None:
    source = open_set("tfds:tiny_animals", key=key)
    assert (source.dtype, source.value_range) == (dtype, value_range)
    for position, values in expected(source, key):
        assert np.array_equal(source.read(position), values.reshape(source.shape(position)))
    cache = open_cache(source, choose_shape(source, None, None, "crop"), tmp_path)
    assert cache.images.dtype == dtype and len(cache.positions) == 20
    assert bool(value_range) == any("--range" in note for note in source.notes)
    own = open_set("tfds:tiny_animals", key=key, value_range=(0, 10))
    assert own.value_range == (0, 10) and not any("--range" in note for note in own.notes)


def test_pieces_of_splits(folder: Path) -> None:
    source = open_set("tfds:tiny_animals:1.2.3:train[:50%]+test+train[75%:]")
    paths = [entry.path for entry in source.entries]
    assert paths == [f"train/{i}" for i in range(6)] + [f"test/{i}" for i in range(5)] + [
        "train/6",
        "train/7",
        "train/8",
    ]
    test = open_set("tfds:tiny_animals:test")
    assert [entry.part for entry in test.entries] == [None] * 5
    assert len(open_set("tfds:tiny_animals:all").entries) == 20
    again = open_set("tfds:tiny_animals:test")
    assert again.fingerprint() == test.fingerprint()
    others = [source, open_set("tfds:tiny_animals:test[:4]"), open_set("tfds:tiny_animals:test", key="mask")]
    assert len({test.fingerprint(), *(other.fingerprint() for other in others)}) == 4


@pytest.mark.parametrize(
    ("text", "options", "message", "hint"),
    [
        ("tfds:tiny_animals:trian", {}, "Unknown split 'trian'", "train, test, validation"),
        ("tfds:tiny_animals:train[:x]", {}, "cannot be read", "train"),
        ("tfds:tiny_animals", {"key": "clip"}, "it is a video", "photo (a picture)"),
        ("tfds:tiny_animals", {"key": "boxes"}, "it is a sequence", "photo (a picture)"),
        ("tfds:tiny_animals", {"key": "caption"}, "it is a Text", "photo (a picture)"),
        ("tfds:tiny_animals", {"key": "attributes/age"}, "it is one value", "photo (a picture)"),
        ("tfds:tiny_animals", {"key": "nope"}, "it is no feature", "photo (a picture)"),
        ("tfds:mnisst", {}, "mnisst not found", "mnist"),
        ("tfds:../x", {}, "expected tfds:NAME", "tfds:mnist"),
        ("tfds:", {}, "expected tfds:NAME", "tfds:mnist"),
    ],
)
def test_what_is_not_there(folder: Path, text: str, options: dict[str, Any], message: str, hint: str) -> None:
    with pytest.raises(UserError) as caught:
        open_set(text, **options)
    assert message in caught.value.message and hint in caught.value.hint


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (ConnectionError("no route\nto host"), "Is there a network?"),
        (ModuleNotFoundError("No module named 'cv9'", name="cv9"), "pip install cv9"),
    ],
)
def test_a_set_that_cannot_be_fetched(
    folder: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, hint: str
) -> None:
    import tensorflow_datasets as tfds

    def fail(self: Any, **options: Any) -> None:
        raise error

    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", fail)
    with pytest.raises(UserError, match="preparing it failed") as caught:
        open_set("tfds:mnist")
    assert str(folder) in caught.value.message and hint in caught.value.hint


def test_a_set_that_is_not_on_disk_is_fetched_and_that_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    import tensorflow_datasets as tfds

    with tfds.testing.mock_data(num_examples=6):
        source = open_set("tfds:mnist:train+test")
        assert source.read(0).shape == source.shape(0) == (28, 28, 1)
        assert [entry.part for entry in source.entries] == [None] * 6 + ["test"] * 6
        assert {entry.label for entry in source.entries} <= {str(digit) for digit in range(10)}
        assert "mnist/3.0.1 was fetched" in source.notes[0]
        smiles = open_set("tfds:celeb_a:train")
        assert set(smiles.facts["attributes/Smiling"]) <= {True, False} and len(smiles.facts) >= 50
        with pytest.raises(UserError, match="no feature that is a picture"):
            open_set("tfds:imdb_reviews:train")
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(
    ("text", "request_"),
    [
        ("tfds:mnist", Request("mnist", None, ())),
        ("tfds:mnist:3.0.1", Request("mnist", "3.0.1", ())),
        ("tfds:a/b-1.c:1.0.0:train[:80%]+test", Request("a/b-1.c", "1.0.0", ("train[:80%]", "test"))),
        ("tfds:mnist:train[10:20]", Request("mnist", None, ("train[10:20]",))),
    ],
)
def test_parse(text: str, request_: Request) -> None:
    assert parse(text) == request_


def test_the_package_is_loaded_only_when_it_is_used() -> None:
    code = "import sys, vae_tf.data.sources.tfds; print('tensorflow_datasets' in sys.modules, 'h5py' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False False\n"
    )


def test_a_jpeg_is_decoded_as_a_file_would_be(folder: Path) -> None:
    source = open_set("tfds:tiny_animals")
    content = source._bytes(0)
    assert np.array_equal(source.read(0), np.asarray(Image.open(io.BytesIO(content))))
