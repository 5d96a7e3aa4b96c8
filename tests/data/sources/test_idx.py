"""IDX files: pictures and labels as MNIST ships them, in one file or a folder, and what damaged ones say."""

import gzip
import struct
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from vae_tf.config import DataConfig
from vae_tf.data.sources.arrays import ArraySource, open_arrays
from vae_tf.data.sources.idx import is_idx_file, is_idx_folder
from vae_tf.errors import UserError

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}
PICTURES = np.random.default_rng(0).integers(0, 256, (12, 6, 5), dtype=np.uint8)
LABELS = np.arange(12, dtype=np.uint8) % 2


def encode(array: NDArray[Any]) -> bytes:
    code = CODES[f"{array.dtype.kind}{array.dtype.itemsize}"]
    start = struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape)
    return start + array.astype(array.dtype.newbyteorder(">")).tobytes()


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def open_path(path: Path) -> ArraySource:
    return open_arrays(path, DataConfig(source=str(path)))


@given(
    dtype=st.sampled_from(sorted(CODES)),
    packed=st.booleans(),
    channels=st.sampled_from([None, 1, 3]),
    seed=st.integers(0, 99),
)
@settings(max_examples=40, deadline=None)
def test_every_type_comes_back(dtype: str, packed: bool, channels: int | None, seed: int) -> None:
    shape = (4, 6, 7) if channels is None else (4, 6, 7, channels)
    values = np.random.default_rng(seed).integers(0, 120, shape)
    values.flat[0] = 119
    with tempfile.TemporaryDirectory() as folder:
        name = f"a-idx{len(shape)}-ubyte{'.gz' if packed else ''}"
        source = open_path(write(Path(folder, name), encode(values.astype(dtype))))
        pictures = np.stack([source.read(i) for i in range(4)])
    assert source.dtype == pictures.dtype.name == ("float32" if dtype[0] == "f" else "uint8")
    assert np.array_equal(pictures.reshape(shape), values)


@pytest.mark.parametrize("end", ["", ".gz"])
@pytest.mark.parametrize("style", ["-idx{}-ubyte", ".idx{}-ubyte"])
def test_a_folder_has_a_test_part_and_labels(tmp_path: Path, style: str, end: str) -> None:
    def name(of: str, axes: int) -> Path:
        return tmp_path / f"{of}{style.format(axes)}{end}"

    write(name("t10k-images", 3), encode(PICTURES[:4]))
    write(name("t10k-labels", 1), encode(LABELS[:4]))
    write(name("train-images", 3), encode(PICTURES[4:]))
    write(name("train-labels", 1), encode(LABELS[4:]))
    assert is_idx_folder(tmp_path)
    source = open_path(tmp_path)
    assert source.name == tmp_path.name
    assert [(e.path, e.part) for e in source.entries[:8]] == [(f"train/{i}", None) for i in range(8)]
    assert [(e.path, e.part) for e in source.entries[8:]] == [(f"test/{i}", "test") for i in range(4)]
    assert [e.label for e in source.entries] == [str(i % 2) for i in [*range(4, 12), *range(4)]]
    expected = np.concatenate([PICTURES[4:], PICTURES[:4]])
    assert np.array_equal([source.read(i)[..., 0] for i in range(12)], expected)
    alone = open_path(name("t10k-images", 3))
    assert (alone.name, [e.part for e in alone.entries]) == ("t10k-images", [None] * 4)
    assert [e.label for e in alone.entries] == ["0", "1", "0", "1"]
    assert len({source.fingerprint(), alone.fingerprint(), open_path(tmp_path).fingerprint()}) == 2


def test_a_file_packed_and_unpacked_counts_once(tmp_path: Path) -> None:
    write(tmp_path / "train-images-idx3-ubyte", encode(PICTURES))
    write(tmp_path / "train-images-idx3-ubyte.gz", encode(PICTURES))
    assert len(open_path(tmp_path).entries) == 12


def test_several_sets_must_be_told_apart(tmp_path: Path) -> None:
    for name in ("emnist-letters", "emnist-digits"):
        write(tmp_path / f"{name}-train-images-idx3-ubyte", encode(PICTURES))
    with pytest.raises(UserError, match="several sets") as caught:
        open_path(tmp_path)
    assert "emnist-digits-train-images-idx3-ubyte" in caught.value.hint


def test_names() -> None:
    yes = ["train-images-idx3-ubyte", "a.idx3-ubyte.gz", "a-idx4-float", "a.idx3"]
    assert all(is_idx_file(Path(name)) for name in yes)
    assert not any(
        is_idx_file(Path(name)) for name in ("train-labels-idx1-ubyte", "idx3.png", "a-idx3-ubyte.zip")
    )
    assert not is_idx_folder(Path("no-such-folder"))


GOOD = encode(PICTURES)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "begins with b''"),
        (b"hello world", "begins with b'hell'"),
        (b"\0\0\x0a\x03" + GOOD[4:], "no IDX file"),
        (GOOD[:9], "ends within its header"),
        (GOOD[:-1], "bytes"),
        (GOOD + b"\0", "bytes|more values"),
        (GOOD[:4] + struct.pack(">3I", 10**4, 10**4, 10**4) + GOOD[16:], "bytes"),
        (GOOD[:4] + bytes(12), "holds no values"),
    ],
)
def test_damaged_files(tmp_path: Path, content: bytes, message: str, packed: bool) -> None:
    path = write(tmp_path / f"a-idx3-ubyte{'.gz' if packed else ''}", content)
    with pytest.raises(UserError, match=message) as caught:
        open_path(path)
    assert str(path) in caught.value.message


def test_a_packed_file_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "a-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(GOOD)[:-40])
    with pytest.raises(UserError, match=r"cannot be unpacked|cut off"):
        open_path(path)
    path.write_bytes(b"no gzip")
    with pytest.raises(UserError, match="cannot be read"):
        open_path(path)


FASHION = Path("/usr/share/datasets/fashion-mnist")


@pytest.mark.skipif(not FASHION.is_dir(), reason="Debian's dataset-fashion-mnist is not installed")
def test_fashion_mnist() -> None:
    source = open_path(FASHION)
    assert len(source.entries) == 70_000 and sum(e.part == "test" for e in source.entries) == 10_000
    with gzip.open(FASHION / "t10k-images-idx3-ubyte.gz") as file:
        last = np.frombuffer(file.read()[-784:], np.uint8).reshape(28, 28, 1)
    assert np.array_equal(source.read(69_999), last)
    assert {e.label for e in source.entries} == {str(i) for i in range(10)}
