"""Arrays as every stage keeps them."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae_tf import strangers
from vae_tf.artifacts.json_files import check_file
from vae_tf.whole import new_file


def save_arrays(path: Path, /, **arrays: Any) -> None:
    """An .npz that loads without pickle; readers see the old one or the new one.

    Raises:
        TypeError: An array of Python objects, which only pickle could store.
    """
    for name, array in arrays.items():
        if np.asarray(array).dtype.hasobject:
            raise TypeError(f"{name} holds Python objects; save numbers or text.")
    with new_file(path) as partial:
        np.savez(partial, **arrays)


def load_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of an .npz as `save_arrays` writes them; nothing is unpickled or unpacked.

    Raises:
        FileNotFoundError: There is none.
        UserError: It holds something else.
    """
    check_file(path)
    try:
        with zipfile.ZipFile(path) as archive:
            # What is stored as it is cannot become larger than the file in memory.
            packed = [
                item.filename for item in archive.infolist() if item.compress_type != zipfile.ZIP_STORED
            ]
        if packed:
            raise ValueError(f"{strangers.said(packed[0])} is compressed")
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        for name, array in arrays.items():
            if not isinstance(array, np.ndarray):
                raise ValueError(f"{strangers.said(name)} is no array")
        return arrays
    except FileNotFoundError:
        raise
    except Exception as error:
        # NumPy and zipfile raise whatever the bytes bring them to, MemoryError among them.
        raise strangers.damaged(path, " ".join(str(error).split())[:200] or type(error).__name__) from None
