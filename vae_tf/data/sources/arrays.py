"""Pictures in arrays: `.npz`, `.npy`, HDF5 and IDX files. Which arrays are pictures, and what is said of each."""

import dataclasses
import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae_tf.config import DataConfig
from vae_tf.data.pictures import UnusablePicture
from vae_tf.data.sources import array_files, hdf5, idx
from vae_tf.data.sources.array_choice import choose, listing, split_name
from vae_tf.data.sources.array_facts import (
    CLASS_NAMES,
    LABELS,
    Arrays,
    entries_of,
    factorial_columns,
    facts_of,
    plain,
)
from vae_tf.data.sources.array_files import ArrayFile, StoredArray
from vae_tf.data.sources.array_values import (
    Layout,
    layout_of,
    layout_of_rows,
    meaning_of,
    on_white,
    to_dtype,
)
from vae_tf.errors import UserError
from vae_tf.fetched import identity

LARGEST_COLUMN = 1 << 28
# Of Unicode.
LAST_CHARACTER = 0x10FFFF


def is_array_file(path: Path) -> bool:
    """Whether the name is that of a file of arrays: .npz, .npy, HDF5 or IDX; the file is not opened."""
    return path.suffix.lower() in (".npz", ".npy", *hdf5.SUFFIXES) or idx.is_idx_file(path)


def open_arrays(path: Path, config: DataConfig) -> "ArraySource":
    """The pictures of a file of arrays, or of a folder of IDX files (`idx.is_idx_folder`).

    Raises:
        UserError: Damaged, without pictures, or with several arrays that may be them.
    """
    suffix = path.suffix.lower()
    if idx.is_idx_folder(path) or idx.is_idx_file(path):
        file = idx.open_idx(path)
    elif suffix in hdf5.SUFFIXES:
        file = hdf5.open_hdf5(path)
    elif suffix == ".npy":
        file = array_files.open_npy(path)
    else:
        file = array_files.open_npz(path)
    return ArraySource(file, config)


@dataclasses.dataclass(frozen=True)
class Stack:
    """One array of pictures.

    Args:
        key: Its name in the file.
        part: "train", "test" or "validation" where its name says so, else "".
        values: N rows, sliced along the first axis, not in memory.
        layout: How a row becomes a picture.
    """

    key: str
    part: str
    values: Any
    layout: Layout


class ArraySource:
    """Pictures of one or several arrays; arrays of the same length beside them are classes and facts."""

    def __init__(self, file: ArrayFile, config: DataConfig) -> None:
        self.name = file.name
        self.notes = list(file.notes)
        self._paths = file.paths
        self._stacks = [open_stack(file, *key, bool(config.key)) for key in choose(file, config.key)]
        self.notes += [stack.layout.note for stack in self._stacks if stack.layout.note]
        meaning = meaning_of([stack.values for stack in self._stacks], config.value_range)
        self.dtype, self.value_range = meaning.dtype, meaning.value_range or config.value_range
        self.notes += meaning.notes
        self._starts = np.cumsum([0, *(len(stack.values) for stack in self._stacks)])
        self._describe(file, config.group_by)

    def _describe(self, file: ArrayFile, group_by: str | None) -> None:
        """Fills in `entries` and `facts`."""
        found = facts_of(
            [columns_beside(file, stack, self.notes) for stack in self._stacks], class_names(file)
        )
        self.facts = found.columns | factors(file, self._stacks)
        self.notes += found.notes + notes_on_unusable(file)
        rows = [(stack.part, path) for stack in self._stacks for path in paths_of(stack)]
        self.entries, notes = entries_of(rows, found, group_by)
        self.notes += notes

    def fingerprint(self) -> str:
        digest = hashlib.sha256(repr([(s.key, s.layout) for s in self._stacks]).encode())
        for path in self._paths:
            digest.update(f"{identity(path)}\n".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()

    def read(self, position: int) -> NDArray[Any]:
        number = int(np.searchsorted(self._starts, position, side="right")) - 1
        stack = self._stacks[number]
        try:
            row = np.asarray(stack.values[position - int(self._starts[number])])
        except OSError as error:
            raise UnusablePicture(f"cannot be read from its file ({' '.join(str(error).split())})") from None
        picture = stack.layout.picture(to_dtype(row, self.dtype))
        if stack.layout.channels == 4:
            picture = on_white(picture, self.value_range)
        return np.ascontiguousarray(picture)

    def shape(self, position: int) -> tuple[int, int, int]:
        layout = self._stacks[int(np.searchsorted(self._starts, position, side="right")) - 1].layout
        return layout.height, layout.width, 1 if layout.channels == 1 else 3


def open_stack(file: ArrayFile, key: str, part: str, named: bool) -> Stack:
    array = file.arrays[key]
    if array.problem:
        raise UserError(f"{key} in {file.name} {array.problem}.", listing(file))
    if array.dtype.kind not in "buif":
        raise UserError(f"{key} in {file.name} holds {array.dtype}; numbers were expected.", listing(file))
    if len(array.shape) != 2:
        # The shape is judged before anything is unpacked.
        layout = layout_of(key, array.shape)
        return Stack(key, part, array.open(), layout)
    values = array.open()
    base = split_name(key)[0]
    labelled = any(
        other.shape[:1] == array.shape[:1] and name != key and len(other.shape) == 1
        for name, other in file.arrays.items()
    )
    family = [other.shape for name, other in file.arrays.items() if split_name(name)[0] == base]
    sure = named or labelled or any(len(shape) == 2 and shape[0] > 4 * shape[1] for shape in family)
    return Stack(key, part, values, layout_of_rows(key, values, sure))


def paths_of(stack: Stack) -> list[str]:
    count = len(stack.values)
    width = len(str(count - 1))
    return [f"{stack.part or 'images'}/{number:0{width}d}" for number in range(count)]


def columns_beside(file: ArrayFile, stack: Stack, notes: list[str]) -> tuple[int, Arrays]:
    """The number of pictures, and the arrays of that length in the same group and part, by their names without it."""
    count = len(stack.values)
    columns: Arrays = {}
    group = split_name(stack.key)[0].rpartition("/")[0]
    for key, array in file.arrays.items():
        base, part = split_name(key) if stack.part else (key, "")
        folder, _, name = base.rpartition("/")
        if key == stack.key or array.problem or (folder, part) != (group, stack.part) or is_about_all(name):
            continue
        if array.shape[:1] == (count,) and math.prod(array.shape) * array.dtype.itemsize <= LARGEST_COLUMN:
            columns[name] = read_column(key, array)
        elif len(array.shape) == 1 and name.lower() in LABELS:
            notes.append(f"{key} was not used: {array.shape[0]:,} values for {count:,} pictures.")
    return count, columns


def is_about_all(name: str) -> bool:
    """Whether an array of this name speaks of classes or factors, not of single pictures."""
    return name.lower() in (*CLASS_NAMES, "factor_sizes", "factor_names")


def read_column(key: str, array: StoredArray) -> NDArray[Any]:
    try:
        values = np.asarray(array.open()[:])
    except OSError as error:
        raise UserError(f"{key} cannot be read ({' '.join(str(error).split())}).") from None
    if values.dtype.kind == "U" and values.size:
        native = np.ascontiguousarray(values.astype(values.dtype.newbyteorder("=")))
        if native.view(np.uint32).max() > LAST_CHARACTER:
            raise UserError(f"{key} is damaged: it holds characters that there are not.")
    return values


def small(file: ArrayFile, *names: str) -> NDArray[Any] | None:
    """The first array of one of these names that has one axis and at most 10,000 values."""
    for key, array in file.arrays.items():
        fits = not array.problem and len(array.shape) == 1 and array.shape[0] <= 10_000
        if fits and key.rpartition("/")[2].lower() in names:
            return read_column(key, array)
    return None


def class_names(file: ArrayFile) -> list[str] | None:
    names = small(file, *CLASS_NAMES)
    return [str(name) for name in plain(names)] if names is not None and names.dtype.kind in "UST" else None


def factors(file: ArrayFile, stacks: list[Stack]) -> dict[str, list[int]]:
    """The generative factors of a full factorial; none where the sizes don't multiply to the number of pictures."""
    sizes = small(file, "factor_sizes")
    if sizes is None or len(stacks) > 1:
        return {}
    return factorial_columns(len(stacks[0].values), sizes, small(file, "factor_names")) or {}


def notes_on_unusable(file: ArrayFile) -> list[str]:
    left = [f"{name} {array.problem}" for name, array in file.arrays.items() if array.problem]
    return [f"Not used: {'; '.join(left[:10])}{' …' if len(left) > 10 else ''}."] if left else []
