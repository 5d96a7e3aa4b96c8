"""HDF5 files as sources: datasets by name and by key, and nothing outside the file."""

import threading
import tracemalloc
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from vae_tf.config import DataConfig
from vae_tf.data.cache import choose_shape, open_cache
from vae_tf.data.pictures import UnusablePicture
from vae_tf.data.sources.arrays import ArraySource, open_arrays
from vae_tf.errors import UserError

PICTURES = np.random.default_rng(0).integers(0, 256, (30, 9, 8, 3), dtype=np.uint8)
CHUNKED = {"chunks": (7, 4, 8, 3), "compression": "gzip", "shuffle": True}


def open_file(path: Path, **options: Any) -> ArraySource:
    return open_arrays(path, DataConfig(source=str(path), **options))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "set.h5"


@pytest.mark.parametrize("storage", [{}, CHUNKED])
@pytest.mark.parametrize("dtype", ["u1", ">u2", "<f8"])
def test_pictures_come_back(path: Path, tmp_path: Path, storage: dict[str, Any], dtype: str) -> None:
    values = PICTURES.astype(dtype) * (200 if dtype == ">u2" else 1)
    with h5py.File(path, "w") as file:
        file.create_dataset("images", data=values, **storage)
    source = open_file(path)
    assert source.dtype == {"u1": "uint8", ">u2": "uint16", "<f8": "float32"}[dtype]
    read: list[Any] = [None] * 30

    def work(start: int) -> None:
        for position in range(start, 30, 3):
            read[position] = source.read(position)

    threads = [threading.Thread(target=work, args=(start,)) for start in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert np.array_equal(read, values)
    cache = open_cache(source, choose_shape(source, None, None, "crop"), tmp_path / "cache")
    assert cache.images.dtype == source.dtype and cache.skipped == []


def test_groups_parts_labels_and_names(path: Path) -> None:
    with h5py.File(path, "w") as file:
        for part, pictures in (("test", PICTURES[:9]), ("train", PICTURES[9:])):
            file[f"{part}/images"] = pictures
            file[f"{part}/labels"] = np.arange(len(pictures)) % 2
            file[f"{part}/who"] = [f"é{i}" for i in range(len(pictures))]
        file["class_names"] = ["cat", "dog"]
    source = open_file(path)
    assert [e.part for e in source.entries] == [None] * 21 + ["test"] * 9
    assert [e.label for e in source.entries] == [("cat", "dog")[i % 2] for i in [*range(21), *range(9)]]
    assert source.facts == {"who": [f"é{i}" for i in [*range(21), *range(9)]]}
    assert np.array_equal([source.read(i) for i in (0, 29)], PICTURES[[9, 8]])
    only = open_file(path, key="test/images")
    assert len(only.entries) == 9 and only.entries[1].label == "dog"


def test_the_only_stack_is_taken_and_of_two_none(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["deep/inside/pics"], file["deep/age"], file["scalar"] = PICTURES, np.arange(30), 1
        file["empty"], file["deep/inside/age"] = h5py.Empty("f4"), np.arange(30) / 4
    source = open_file(path)
    assert source.shape(0) == (9, 8, 3) and source.facts == {"age": [i / 4 for i in range(30)]}
    path = path.with_name("two.h5")
    with h5py.File(path, "w") as file:
        file["deep/inside/pics"], file["deep/age"], file["more"] = PICTURES, np.arange(30), PICTURES
    with pytest.raises(UserError, match=r"several arrays .*: deep/inside/pics, more") as caught:
        open_file(path)
    assert "'deep/age': 30 int64" in caught.value.hint


def test_no_other_file_is_opened(path: Path, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["images"] = PICTURES
    (tmp_path / "secret.raw").write_bytes(PICTURES.tobytes())
    layout = h5py.VirtualLayout(PICTURES.shape, "u1")
    layout[:] = h5py.VirtualSource(tmp_path / "secret.h5", "images", PICTURES.shape)
    with h5py.File(path, "w") as file:
        file["link"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "images")
        file["group"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "/")
        file.create_virtual_dataset("virtual", layout)
        raw = [(str(tmp_path / "secret.raw"), 0, PICTURES.nbytes)]
        file.create_dataset("raw", PICTURES.shape, "u1", external=raw)
    for key in (None, "link", "group/images", "virtual", "raw"):
        with pytest.raises(UserError, match=r"other files|no array"):
            open_file(path, key=key)


def test_a_promise_without_values_is_refused(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("nothing", (10**6, 1000, 1000), "u1", chunks=(1, 100, 100))
        file.create_dataset("little", (10**6, 1000, 1000), "u1", chunks=(1, 100, 100))[0, :100, :100] = 7
    for key, reason in (("nothing", "is empty"), ("little", "promises 1,000,000,000,000 bytes")):
        with pytest.raises(UserError, match=reason):
            open_file(path, key=key)


def test_garbage_and_damage(path: Path) -> None:
    for content in (b"", b"no HDF5", b"\x89HDF\r\n\x1a\n" + b"x" * 200):
        path.write_bytes(content)
        with pytest.raises(UserError, match="no HDF5 file"):
            open_file(path)
    with h5py.File(path, "w") as file:
        chunked = file.create_dataset("images", data=PICTURES, chunks=(1, 9, 8, 3), compression="gzip")
        chunk = chunked.id.get_chunk_info(20)
    content = bytearray(path.read_bytes())
    content[chunk.byte_offset : chunk.byte_offset + chunk.size] = bytes(chunk.size)
    path.write_bytes(content)
    source = open_file(path)
    assert np.array_equal(source.read(19), PICTURES[19])
    with pytest.raises(UnusablePicture, match="cannot be read"):
        source.read(20)
    assert source.value_range is None and np.array_equal(source.read(21), PICTURES[21])


def test_a_file_without_datasets(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_group("images")
    with pytest.raises(UserError, match="no datasets"):
        open_file(path)


def test_one_long_text_does_not_widen_all(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["images"] = PICTURES
        file["note"] = ["a" * 3_000_000, *["b"] * (len(PICTURES) - 1)]
    tracemalloc.start()
    source = open_file(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(source.facts["note"][0]) == 3_000_000 and source.facts["note"][1] == "b"
    assert peak < 60_000_000


def test_pieces_too_large_to_unpack_for_one_picture(path: Path) -> None:
    with h5py.File(path, "w") as file:
        whole = file.create_dataset(
            "images", (2000, 512, 512), "u1", chunks=(2000, 512, 512), compression="gzip"
        )
        # A piece as it lies in the file, so that half a gigabyte is not packed here.
        whole.id.write_direct_chunk((0, 0, 0), bytes(1_000_000))
    with pytest.raises(UserError, match="packed in pieces of 524,288,000 bytes"):
        open_file(path)
