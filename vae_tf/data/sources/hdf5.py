"""HDF5 files as named arrays that stay on disk. Nothing outside the file is opened, whatever it links to."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np

from vae_tf.data.sources.array_files import ArrayFile, StoredArray
from vae_tf.errors import UserError

SUFFIXES = (".h5", ".hdf5", ".hdf")
# No filter that HDF5 brings along packs numbers more than deflate does.
LARGEST_PACKING = 1100
UNPACKED_WITHOUT_DOUBT = 1 << 28


@dataclasses.dataclass(frozen=True)
class Texts:
    """A dataset of texts of any length, read as NumPy's texts of any length: one long text must not widen all."""

    dataset: Any

    def __getitem__(self, key: Any) -> Any:
        return np.asarray(self.dataset.asstr(errors="replace")[key], dtype=np.dtypes.StringDType())


def open_hdf5(path: Path) -> ArrayFile:
    """The datasets of an HDF5 file under their full names, `group/images`.

    Links to other files are not followed: only what lies in the file itself is visited.

    Raises:
        UserError: No HDF5 file, or one without datasets.
    """
    import h5py

    arrays: dict[str, StoredArray] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            arrays[name] = stored_dataset(item)

    try:
        # The datasets keep the file open for as long as they are in use.
        h5py.File(path, "r").visititems(visit)
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        why = " ".join(str(error).split())
        raise UserError(f"{path} is no HDF5 file that can be read ({why}).") from None
    if not arrays:
        raise UserError(f"{path} holds no datasets.", "Links to other files are not followed.")
    return ArrayFile(path.stem, arrays, [path])


def stored_dataset(dataset: Any) -> StoredArray:
    import h5py

    dtype, shape = dataset.dtype, dataset.shape
    if shape is None:
        return StoredArray((), dtype, lambda: dataset, "is empty")
    if h5py.check_string_dtype(dtype) is not None and dtype.hasobject and len(shape) == 1:
        return StoredArray(shape, np.dtype(np.str_), lambda: Texts(dataset), problem_of(dataset))
    return StoredArray(shape, dtype, lambda: dataset, problem_of(dataset))


def problem_of(dataset: Any) -> str:
    """Why a dataset is not read: what it holds lies in other files, is nothing, or no plain numbers or text."""
    import h5py

    if dataset.is_virtual or dataset.external:
        return "keeps its values in other files, which are not opened"
    if dataset.dtype.hasobject and h5py.check_string_dtype(dataset.dtype) is None:
        return "holds references or rows of different lengths"
    size = math.prod(dataset.shape) * dataset.dtype.itemsize
    stored = dataset.id.get_storage_size()
    if size == 0 or stored == 0:
        return "is empty"
    if size > max(UNPACKED_WITHOUT_DOUBT, LARGEST_PACKING * stored):
        return f"promises {size:,} bytes but stores {stored:,}"
    chunk = math.prod(dataset.chunks or ()) * dataset.dtype.itemsize
    if chunk > UNPACKED_WITHOUT_DOUBT:
        return f"is packed in pieces of {chunk:,} bytes, each of which must be unpacked for a single picture"
    return ""
