"""Promise: a file of arrays of any bytes is read, or refused in a line; none runs a program or fills the memory."""

import io
import pickle
import random
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests.reliability.attempts import check, each, figures, read_all
from tests.reliability.bad_files import damaged
from tests.reliability.tries import tries

pytestmark = pytest.mark.timeout(3600)

X = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), dtype=np.uint8)
Y = np.arange(12) % 3


class Trap:
    """A pickle that writes a file when it is read."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return open, (str(self.target), "w")


def npy(array: Any, **options: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


def headed(text: str, data: bytes = bytes(64), version: int = 1) -> bytes:
    """An .npy whose header is this text."""
    packed = text.encode("latin-1") + b"\n"
    return (
        b"\x93NUMPY"
        + bytes([version, 0])
        + struct.pack("<H" if version == 1 else "<I", len(packed))
        + packed
        + data
    )


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return stream.getvalue()


def lying(size: int) -> bytes:
    """A zip whose member claims, here and in its list, to hold `size` bytes."""
    start = headed(f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({(size - 128) // 64}, 8, 8)}}")
    start = start[:10] + start[10:-64].ljust(118) + bytes(64)
    data = zipped({"x.npy": start}, zipfile.ZIP_DEFLATED)
    true = struct.pack("<I", len(start))
    return data.replace(true, struct.pack("<I", min(size, 0xFFFFFFFE)))


def shaped(shape: str, descr: str = "'|u1'", data: bytes = bytes(64)) -> bytes:
    return headed(f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}", data)


def made_on_purpose(trap: Trap) -> Iterator[tuple[str, bytes]]:
    objects = np.array([trap, trap], dtype=object)
    yield "plain.npz", zipped({"x.npy": npy(X), "y.npy": npy(Y)})
    yield "fortran.npy", npy(np.asfortranarray(X))
    yield "objects.npy", npy(objects, allow_pickle=True)
    yield "objects.npz", zipped({"x.npy": npy(objects, allow_pickle=True)})
    yield (
        "objects beside.npz",
        zipped({"x.npy": npy(X), "y.npy": npy(np.array([trap] * 12), allow_pickle=True)}),
    )
    yield (
        "objects as names.npz",
        zipped({"x.npy": npy(X), "y.npy": npy(Y), "class_names.npy": npy(objects, allow_pickle=True)}),
    )
    yield "a pickle.npy", pickle.dumps(trap)
    yield "a pickle.npz", pickle.dumps(trap)
    yield "a pickle inside.npz", zipped({"x.npy": pickle.dumps(trap), "data.pkl": pickle.dumps(trap)})
    record = "[('a', '|u1'), ('b', '|O')]"
    yield "objects in a record.npy", shaped("(4,)", record) + pickle.dumps(trap)
    yield "a call as its type.npy", shaped("(4, 8, 8)", "__import__('os').system('touch /tmp/never')")
    yield "a call as its shape.npy", shaped("(__import__('os').getpid(), 8, 8)")
    yield "a million million.npy", shaped("(1000000000000, 8, 8)")
    yield "more than is counted.npy", shaped(f"({10**40}, 8, 8)")
    yield "thousands of digits.npy", shaped(f"({'9' * 6000}, 8, 8)")
    yield "negative.npy", shaped("(-1, -8, 8)")
    yield "nothing.npy", shaped("(0, 8, 8)")
    yield "no axes.npy", shaped("()")
    yield "values of no bytes.npy", shaped(f"({10**15}, 8, 8)", "'|S0'")
    yield "values of a gigabyte.npy", shaped("(4,)", "'<U250000000'")
    yield "floats as sides.npy", shaped("(2.0, 8, 8)")
    yield "deep.npy", headed("(" * 9000)
    yield "deeper.npy", headed("[" * 60_000, version=2)
    yield (
        "long.npy",
        headed(" " * 60_000 + "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 8, 8)}", version=2),
    )
    yield "version 9.npy", headed("{}", version=9)
    yield "sixty axes.npy", shaped(f"({'1, ' * 60})", data=bytes(1))
    yield "not finite.npy", npy(np.full((4, 8, 8), np.nan))
    yield "huge floats.npy", npy(np.resize([-1.7e308, 1.7e308], (4, 8, 8)))
    yield "integers.npy", npy(np.linspace(-(2**62), 2**62, 4 * 64).astype("i8").reshape(4, 8, 8))
    yield "complex.npy", npy(np.ones((4, 8, 8), complex))
    yield "dates.npy", npy(np.zeros((4, 8, 8), "M8[s]"))
    yield (
        "no such letters.npz",
        zipped({"x.npy": npy(X), "y.npy": shaped("(12,)", "'<U1'", b"\xff\xff\xff\x7f" * 12)}),
    )
    yield (
        "surrogates.npz",
        zipped({"x.npy": npy(X), "y.npy": shaped("(12,)", "'<U1'", b"\0\xd8\0\0" * 6 + b"a\0\0\0" * 6)}),
    )
    yield "paths.npz", zipped({"/etc/x.npy": npy(X), "../../y.npy": npy(Y), "C:\\z.npy": npy(Y)})
    yield (
        "names.npz",
        zipped({"x.npy": npy(X), "<script>alert(1)</script>.npy": npy(Y), "a\nb\x1b[31m.npy": npy(Y)}),
    )
    yield "twice.npz", zipped({"x.npy": npy(X)}) + zipped({"x.npy": npy(X[:4])})
    yield (
        "bomb.npz",
        zipped({"x.npy": shaped("(4000000, 16, 16)", data=bytes(2**30 - 128))}, zipfile.ZIP_DEFLATED),
    )
    for name, method in (("bz2", zipfile.ZIP_BZIP2), ("lzma", zipfile.ZIP_LZMA)):
        yield (
            f"bomb of {name}.npz",
            zipped({"x.npy": shaped("(2000000, 8, 8)", data=bytes(128_000_000))}, method),
        )
    yield "lies of 4 GB.npz", lying(0xFFFFFFFE)
    yield "lies of 1 GB.npz", lying(2**30)
    yield "many members.npz", zipped({f"{i}.npy": b"" for i in range(20_000)})
    yield "nothing inside.npz", zipped({})
    yield "empty.npz", b""
    yield "empty.npy", b""
    yield "train-images-idx3-ubyte", b"\0\0\x08\x03" + struct.pack(">III", 0xFFFFFFFF, 28, 28)
    yield "empty.h5", b""
    yield "only its signature.h5", b"\x89HDF\r\n\x1a\n" + bytes(100)


def hdf5(path: Path) -> bytes:
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=X, chunks=(4, 8, 8, 3), compression="gzip")
        file["y"] = Y
        file["names"] = np.array([b"a", b"b", b"c"])
    return path.read_bytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "arrays").mkdir()
    return tmp_path / "arrays"


@pytest.mark.slow
def test_arrays_made_on_purpose(folder: Path) -> None:
    touched = folder.with_name("touched")
    for name, data in made_on_purpose(Trap(touched)):
        (folder / name).write_bytes(data)
    with h5py.File(folder / "unlimited.h5", "w") as file:
        file.create_dataset("x", (10**9, 64, 64), "f4", chunks=(1, 64, 64), compression="gzip")
        file["x"][0] = 1
    with h5py.File(folder / "links.h5", "w") as file:
        file["x"] = X
        file["self"] = h5py.SoftLink("/")
        file["out"] = h5py.ExternalLink("/etc/passwd", "/")
    with h5py.File(folder / "one piece.h5", "w") as file:
        shape = (2000, 512, 512)
        file.create_dataset("x", shape, "u1", chunks=shape, compression="gzip")[:4] = 1
    with h5py.File(folder / "a long text.h5", "w") as file:
        file["x"] = np.resize(X, (3000, 8, 8, 3))
        file["y"] = ["a" * 2_000_000, *(["b"] * 2999)]
    results = read_all("arrays", folder)
    names = sorted(path.name for path in folder.iterdir())
    print(f"\n{figures(results, ['made on purpose'] * len(results))}\n{each(results, names)}")
    check(results, names)
    assert not touched.exists() and not Path("/tmp/never").exists()


@pytest.mark.slow
def test_damaged_arrays(folder: Path) -> None:
    packed = io.BytesIO()
    np.savez_compressed(packed, x=X, y=Y)
    data = {
        "npy": npy(X),
        "npz": zipped({"x.npy": npy(X), "y.npy": npy(Y)}),
        "packed.npz": packed.getvalue(),
        "idx3-ubyte": b"\0\0\x08\x03" + struct.pack(">III", 12, 8, 8) + X[..., 0].tobytes(),
        "h5": hdf5(folder.with_name("plain.h5")),
    }
    chance, kinds = random.Random(0), []
    for number in range(tries(2000)):
        kind = list(data)[number % len(data)]
        _, changed = damaged(data[kind], chance, data[chance.choice(list(data))])
        (folder / f"{number:05d}-images.{kind}").write_bytes(changed)
        kinds.append(kind)
    results = read_all("arrays", folder)
    print(f"\n{figures(results, kinds)}")
    check(results, [f"{number}, {kind}" for number, kind in enumerate(kinds)])
