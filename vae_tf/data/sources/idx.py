"""IDX files, as MNIST and Fashion-MNIST ship them: `train-images-idx3-ubyte`, alone, gzipped, or four in a folder."""

import gzip
import math
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae_tf.data.sources.array_files import ArrayFile, Header, Readable, StoredArray, mapped, times, unpack
from vae_tf.errors import UserError

PICTURES = re.compile(r"[-.]idx[34](-[a-z]+)?(\.gz)?$", re.IGNORECASE)
PART = re.compile(r"^(?P<before>.*?)(?P<part>train|t10k|test|validation|val)[-_.]images", re.IGNORECASE)
PART_NAMES = {"t10k": "test", "val": "validation"}
DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def is_idx_file(path: Path) -> bool:
    """Whether the name is that of pictures in IDX format; the file is not opened."""
    return PICTURES.search(path.name) is not None


def is_idx_folder(path: Path) -> bool:
    """Whether the folder itself, not one below it, holds pictures in IDX format."""
    try:
        return path.is_dir() and any(is_idx_file(file) for file in path.iterdir())
    except OSError:
        return False


def open_idx(path: Path) -> ArrayFile:
    """One file of pictures with the labels beside it, or those of a folder with its test part.

    Raises:
        UserError: A damaged file, or a folder with several sets.
    """
    if path.is_dir():
        return open_folder(path)
    arrays, paths = pictures_and_labels(path, "")
    return ArrayFile(PICTURES.sub("", path.name), arrays, paths)


def open_folder(folder: Path) -> ArrayFile:
    files: dict[str, Path] = {}
    for file in sorted(folder.iterdir()):
        if is_idx_file(file):
            # The name without .gz comes first in this order, and the unpacked file is the quicker one.
            files.setdefault(file.name.lower().removesuffix(".gz"), file)
    matches = {file: PART.match(file.name) for file in files.values()}
    sets = {match["before"] if match else file.name for file, match in matches.items()}
    if len(sets) > 1:
        raise UserError(
            f"{folder} holds several sets of pictures: {', '.join(path.name for path in matches)}.",
            f"Name one file: {next(iter(matches))}",
        )
    if len(matches) == 1:
        (only,) = matches
        arrays, paths = pictures_and_labels(only, "")
        return ArrayFile(folder.resolve().name, arrays, paths)
    arrays, paths = {}, []
    for file, match in matches.items():
        part = match["part"].lower() if match else ""
        more, found = pictures_and_labels(file, f"_{PART_NAMES.get(part, part)}")
        arrays |= more
        paths += found
    return ArrayFile(folder.resolve().name, arrays, paths)


def pictures_and_labels(path: Path, suffix: str) -> tuple[dict[str, StoredArray], list[Path]]:
    """The arrays `images` and, where there is a file for them, `labels`, each with `suffix`; and their files."""
    arrays, paths = {f"images{suffix}": read_idx(path)}, [path]
    labels = labels_beside(path)
    if labels is not None:
        arrays[f"labels{suffix}"] = read_idx(labels)
        paths.append(labels)
    return arrays, paths


def labels_beside(path: Path) -> Path | None:
    """`train-labels-idx1-ubyte` for `train-images-idx3-ubyte`, with or without .gz."""
    name = re.sub("images", "labels", path.name, flags=re.IGNORECASE)
    name = re.sub(r"idx[34](-[a-z]+)?", "idx1-ubyte", name, flags=re.IGNORECASE).removesuffix(".gz")
    if "idx" in PICTURES.sub("", path.name) or name == path.name:
        return None
    beside = [path.with_name(name), path.with_name(f"{name}.gz")]
    if ".idx" in path.name and "ubyte" not in path.name:
        beside += [path.with_name(name.replace("idx1-ubyte", "idx1") + end) for end in ("", ".gz")]
    return next((file for file in beside if file.is_file()), None)


def read_idx(path: Path) -> StoredArray:
    """The array of one IDX file; a gzipped one is unpacked when it is opened.

    Raises:
        UserError: No IDX file, or its header promises more or less than it holds.
    """
    packed = path.suffix.lower() == ".gz"
    try:
        with gzip.open(path) if packed else open(path, "rb") as file:
            header = read_header(file, path)
        if not packed and path.stat().st_size != header.size:
            raise UserError(
                f"{path} has {path.stat().st_size:,} bytes; {header.size:,} were expected for the shape "
                f"{times(header.shape)} in its header.",
                "It may be cut off: fetch it again.",
            )
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be read ({error}).", "Fetch it again.") from None
    return StoredArray(header.shape, header.dtype, lambda: open_values(path, packed, header))


def read_header(file: Readable, path: Path) -> Header:
    """Two zeros, the type, the number of axes, then their lengths in big-endian order."""
    start = file.read(4)
    if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in DTYPES or not 1 <= start[3] <= 5:
        raise UserError(f"{path} is no IDX file: it begins with {start!r}.", "Fetch it again.")
    lengths = file.read(4 * start[3])
    if len(lengths) < 4 * start[3]:
        raise UserError(f"{path} ends within its header.", "Fetch it again.")
    shape = tuple(int(length) for length in np.frombuffer(lengths, ">u4"))
    if not math.prod(shape):
        raise UserError(f"{path} holds no values: its shape is {times(shape)}.", "Fetch it again.")
    return Header(shape, np.dtype(DTYPES[start[2]]), False, 4 + 4 * len(shape))


def open_values(path: Path, packed: bool, header: Header) -> NDArray[Any]:
    if not packed:
        return mapped(path, header, 0)
    try:
        with gzip.open(path) as file, unpack(file, header.size, str(path)) as unpacked:
            longer = bool(file.read(1))
            array = mapped(unpacked, header, 0)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be unpacked ({error}).", "Fetch it again.") from None
    if longer:
        raise UserError(
            f"{path} holds more values than the shape {times(header.shape)} in its header.", "Fetch it again."
        )
    return array
