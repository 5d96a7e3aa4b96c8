"""NumPy's files as named arrays that stay on disk: mapped in place, or unpacked once into a temporary file."""

import dataclasses
import io
import lzma
import math
import re
import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vae_tf.errors import UserError, shortened

# Longer headers than this say nothing about an array of numbers or of text.
LONGEST_HEADER = 1 << 16
CHUNK_BYTES = 1 << 24
LOCAL_HEADER = struct.Struct("<4s22xHH")
UNPACKING_FAILS = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    RuntimeError,
    ValueError,
    OSError,
)


def times(shape: tuple[int, ...]) -> str:
    """(60000, 28, 28) to "60000×28×28"."""
    return "×".join(str(side) for side in shape) or "a single value"


@dataclasses.dataclass(frozen=True)
class StoredArray:
    """An array inside a file, known by its header until it is opened.

    Args:
        shape: As the header says.
        dtype: As the header says.
        open: Gives what can be sliced along the first axis, not loaded; raises UserError.
        problem: Why it cannot be used, the rest of a sentence that starts with its name; "" where it can.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    open: Callable[[], Any]
    problem: str = ""


class Readable(Protocol):
    """A file, plain or unpacked as it is read."""

    def read(self, size: int, /) -> bytes: ...


@dataclasses.dataclass(frozen=True)
class ArrayFile:
    """Named arrays of one file, or of a few that belong together.

    Args:
        name: Short name for runs and pages.
        arrays: In the order of the file.
        paths: Every file they were found in.
        notes: What was found while opening, one sentence each.
    """

    name: str
    arrays: dict[str, StoredArray]
    paths: list[Path]
    notes: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Header:
    """What stands before the numbers: `start` is the position of the first of them, in bytes."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool
    start: int

    @property
    def size(self) -> int:
        """Bytes of header and numbers together."""
        return self.start + math.prod(self.shape) * self.dtype.itemsize


def open_npy(path: Path) -> ArrayFile:
    """The one array of a .npy file, under the file's name without its suffix.

    Raises:
        UserError: Not such a file, or its header promises more or less than it holds.
    """
    try:
        with open(path, "rb") as file:
            array = stored_array(file, path.stat().st_size, lambda header: lambda: mapped(path, header, 0))
    except OSError as error:
        raise UserError(f"{path} cannot be opened ({error.strerror}).") from None
    if array.problem:
        raise UserError(f"{path} {array.problem}.", "Write it anew with numpy.save(path, array).")
    return ArrayFile(path.stem, {path.stem: array}, [path])


def open_npz(path: Path) -> ArrayFile:
    """The arrays of a .npz file; a compressed one is unpacked when it is opened.

    Raises:
        UserError: Not such a file, or without arrays.
    """
    arrays: dict[str, StoredArray] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if member.filename.endswith(".npy"):
                    arrays[member.filename.removesuffix(".npy")] = member_array(path, archive, member)
    except UNPACKING_FAILS as error:
        why = " ".join(str(error).split())
        raise UserError(
            f"{path} is no .npz file that can be read ({why}).", "numpy.savez(path, x=pictures) writes one."
        ) from None
    if not arrays:
        raise UserError(f"{path} holds no arrays.", "numpy.savez(path, x=pictures, y=labels) writes some.")
    return ArrayFile(path.stem, arrays, [path])


def member_array(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> StoredArray:
    def opener(header: Header) -> Callable[[], NDArray[Any]]:
        return lambda: open_member(path, member, header)

    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # What zipfile expands by other methods it does not bound.
        return unusable("is compressed by another method than NumPy's")
    try:
        with archive.open(member) as file:
            return stored_array(file, member.file_size, opener)
    except (*UNPACKING_FAILS, NotImplementedError) as error:
        return unusable(f"is damaged ({' '.join(str(error).split()) or type(error).__name__})")


def stored_array(
    file: IO[bytes], size: int, opener: Callable[[Header], Callable[[], NDArray[Any]]]
) -> StoredArray:
    """The array whose header `file` starts with; `size` is that of header and numbers together, in bytes."""
    try:
        header = read_header(file)
    except Exception as error:
        # NumPy's second sentence advises to trust the file.
        why = re.sub(r" at 0x[0-9a-f]+", "", " ".join(str(error).split()).split(". ")[0])
        return unusable(f"is no array that NumPy wrote ({shortened(why, 200)})")
    known = StoredArray(header.shape, header.dtype, opener(header))
    if header.dtype.hasobject:
        problem = "holds Python objects; these are never unpickled, as that can run any program"
    elif header.size != size:
        problem = (
            f"promises {math.prod(header.shape):,} values of {header.dtype}, {header.size:,} bytes in all, "
            f"but has {size:,} bytes"
        )
    elif header.size == header.start:
        problem = "is empty"
    else:
        return known
    return dataclasses.replace(known, problem=problem)


def unusable(problem: str) -> StoredArray:
    """An array of which nothing is known but that it can't be used."""

    def refuse() -> Any:
        raise UserError(f"This array {problem}.")

    return StoredArray((), np.dtype(object), refuse, problem)


def read_header(file: Readable) -> Header:
    """The header at the start of `file`; raises ValueError, or what NumPy does, for anything else."""
    # A header may claim 4 GB; no more than this is ever read of it.
    start = io.BytesIO(file.read(LONGEST_HEADER))
    version = np.lib.format.read_magic(start)
    if version == (1, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(start)
    elif version == (2, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_2_0(start)
    else:
        raise ValueError(f"version {version[0]}.{version[1]} of the format is not read here")
    if any(side < 0 for side in shape) or len(shape) > 16:
        raise ValueError(f"its shape cannot be {shape}")
    return Header(tuple(int(side) for side in shape), dtype, fortran, start.tell())


def open_member(path: Path, member: zipfile.ZipInfo, header: Header) -> NDArray[Any]:
    """The numbers of a .npz file's member: mapped in place where they are stored as they are."""
    if member.compress_type == zipfile.ZIP_STORED and not member.flag_bits & 1:
        return mapped(path, header, start_of_member(path, member))
    try:
        with (
            zipfile.ZipFile(path) as archive,
            archive.open(member) as file,
            unpack(file, header.size, f"{member.filename} in {path}") as unpacked,
        ):
            return mapped(unpacked, header, 0)
    except UNPACKING_FAILS as error:
        why = " ".join(str(error).split())
        raise UserError(f"{member.filename} in {path} cannot be unpacked ({why}).") from None


def start_of_member(path: Path, member: zipfile.ZipInfo) -> int:
    """Where a member's own bytes begin: after a second header whose length only it knows."""
    with open(path, "rb") as file:
        file.seek(member.header_offset)
        start = file.read(LOCAL_HEADER.size)
    if len(start) < LOCAL_HEADER.size or not start.startswith(b"PK\x03\x04"):
        raise UserError(f"{path} is damaged: {member.filename} is not where it should be.")
    _, name_length, extra_length = LOCAL_HEADER.unpack(start)
    return member.header_offset + LOCAL_HEADER.size + int(name_length) + int(extra_length)


def mapped(file: Path | IO[bytes], header: Header, offset: int) -> NDArray[Any]:
    """The numbers behind the header at `offset`, left on disk, in C order; the file may be closed afterwards."""
    try:
        array = np.memmap(
            file, header.dtype, "r", offset + header.start, header.shape, "F" if header.fortran else "C"
        )
    except (OSError, ValueError) as error:
        raise UserError(f"{file} cannot be read: it is shorter than its header says ({error}).") from None
    return in_c_order(array) if header.fortran and array.ndim > 1 else array


def in_c_order(array: NDArray[Any]) -> NDArray[Any]:
    """A copy on disk with each picture in one piece: in Fortran order its pixels lie spread over the whole file."""
    with temporary_file(array.nbytes, "An array in Fortran order") as file:
        file.truncate(array.nbytes)
        copy = np.memmap(file, array.dtype, "r+", 0, array.shape)
    for rows in chunks(array):
        copy[rows] = array[rows]
    copy.flags.writeable = False
    return copy


def chunks(array: Any) -> Iterator[slice]:
    """Slices of the first axis, of about `CHUNK_BYTES` each."""
    row_bytes = array.dtype.itemsize * math.prod(array.shape[1:])
    rows = max(1, CHUNK_BYTES // max(1, row_bytes))
    for start in range(0, len(array), rows):
        yield slice(start, min(start + rows, len(array)))


def unpack(file: Readable, size: int, what: str) -> IO[bytes]:
    """The next `size` bytes of `file` in an anonymous temporary file; `what` is named where they are too few.

    Raises:
        UserError: Fewer bytes, or no room for them.
    """
    target = temporary_file(size, what)
    missing = size
    try:
        while missing:
            piece = file.read(min(missing, CHUNK_BYTES))
            if not piece:
                raise UserError(f"{what} is cut off: {size - missing:,} of {size:,} bytes are there.")
            target.write(piece)
            missing -= len(piece)
        target.flush()
    except BaseException:
        target.close()
        raise
    return target


def temporary_file(size: int, what: str) -> IO[bytes]:
    """A file without a name, gone when it is closed and unmapped; told early where `size` bytes don't fit."""
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    if size > free:
        raise UserError(
            f"{what} needs {size:,} bytes of temporary space once unpacked; {folder} has {free:,}.",
            "Name another place for temporary files: TMPDIR=/large/disk python cli.py …",
        )
    return tempfile.TemporaryFile(dir=folder)
