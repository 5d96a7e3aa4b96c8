"""From tables of paths to tables of pixels to tables of scores: what each machine of a cluster runs, without an engine.

Tables are Arrow's. A picture that cannot be used keeps its row: without pixels and numbers, with the reason.
"""

import dataclasses
import functools
import socket
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vae_tf.data.cache import Shape
from vae_tf.data.pictures import UnusablePicture, read_picture
from vae_tf.data.sources.files import PICTURE_SUFFIXES, is_hidden, suffix

# Rows of a table of paths or pixels: what one task decodes, and the model is given at once.
ROWS = 256
# A store answers in tens of milliseconds; a disk does not mind.
NUM_READERS = 8
PATHS = pa.schema({"path": pa.string()})
PIXELS = pa.schema({"path": pa.string(), "pixels": pa.binary(), "reason": pa.string()})


class SourceNotSeen(Exception):
    """The folder is not there for the machine that was to read it; `args` is the machine's name."""


@dataclasses.dataclass(frozen=True)
class Place:
    """A folder of pictures on a disk or in an object store.

    Args:
        filesystem: An fsspec file system.
        root: The folder in it.
    """

    filesystem: Any
    root: str

    def inside(self, folder: str) -> tuple[list[str], list[str]]:
        """Names of the folders and of the picture files in a folder, in order; hidden and system ones are left out.

        A link to a file, or to nothing, is a file; one to a folder is left out, since it might lead in a circle.
        """
        folders, pictures = [], []
        for entry in self.filesystem.ls(self.path(folder), detail=True):
            name = entry["name"].rstrip("/").rsplit("/", 1)[-1]
            if is_hidden(name) or entry["name"].rstrip("/") == self.path(folder):
                continue
            if entry["type"] == "directory":
                folders.append(name)
            elif suffix(name) in PICTURE_SUFFIXES and self.is_file(entry):
                pictures.append(name)
        return sorted(folders), sorted(pictures)

    def is_file(self, entry: dict[str, Any]) -> bool:
        """Of what is listed and no folder: a pipe or a device is not, since reading it might wait for ever."""
        if not entry.get("islink"):
            return bool(entry["type"] == "file")
        return bool(self.filesystem.isfile(entry["name"]) or not self.filesystem.exists(entry["name"]))

    def path(self, below: str) -> str:
        return f"{self.root}/{below}" if below else self.root

    def read(self, path: str) -> bytes:
        """What is in a picture's file; raises UnusablePicture."""
        try:
            content: bytes = self.filesystem.cat_file(self.path(path))
        except Exception as error:
            raise UnusablePicture(f"the file cannot be read ({type(error).__name__})") from None
        return content


@dataclasses.dataclass(frozen=True)
class Lister:
    """From a table of folders to tables of the pictures in them, and below them where the row says `deep`."""

    place: Place

    def __call__(self, table: pa.Table) -> Iterator[pa.Table]:
        paths: list[str] = []
        for row in table.to_pylist():
            for path in self.below(row["folder"], row["deep"]):
                paths.append(path)
                if len(paths) == ROWS:
                    yield pa.table([paths], schema=PATHS)
                    paths = []
        yield pa.table([paths], schema=PATHS)

    def below(self, folder: str, deep: bool) -> Iterator[str]:
        pending = [folder]
        while pending:
            current = pending.pop()
            folders, pictures = self.place.inside(current)
            prefix = f"{current}/" if current else ""
            yield from (text(prefix + name) for name in pictures)
            if deep:
                pending += [prefix + name for name in reversed(folders)]


def text(path: str) -> str:
    """A path as Unicode; what is not gets backslashes: its row will say that there is no such file."""
    return path.encode("utf-8", "backslashreplace").decode()


@dataclasses.dataclass(frozen=True)
class Decoder:
    """From a table of paths to one of stored pixels, the same bit for bit as the cache of decoded pictures has.

    A picture of another depth than the run's is brought to it by itself, see `read_picture`: nothing can be concluded
    from pictures that are never seen together.
    """

    place: Place
    shape: Shape

    def __call__(self, table: pa.Table) -> pa.Table:
        if not self.place.filesystem.exists(self.place.root):
            raise SourceNotSeen(socket.gethostname())
        paths = table["path"].to_pylist()
        with ThreadPoolExecutor(NUM_READERS) as pool:
            found = list(pool.map(self.decode, paths))
        pixels = [None if isinstance(one, str) else one for one in found]
        reasons = [one if isinstance(one, str) else None for one in found]
        return pa.table([paths, pixels, reasons], schema=PIXELS)

    def decode(self, path: str) -> bytes | str:
        """Stored pixels of one picture, or the reason why there are none."""
        try:
            encoded = self.place.read(path)
            values = read_picture(encoded, dtype=self.shape.dtype, value_range=self.shape.value_range)
            return shaper_of(self.shape)(values).tobytes()
        except UnusablePicture as error:
            return str(error)


@functools.cache
def shaper_of(shape: Shape) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """What gives pictures their shape, traced once for all tables that a process decodes; never on a GPU."""
    import tensorflow as tf

    from vae_tf.data.cache import shaper

    # It belongs to the model.
    tf.config.set_visible_devices([], "GPU")
    return shaper(shape)


class Scorer:
    """From a table of pixels to one of scores, by a model that travels as the bytes of its file.

    Args:
        model: What is in vae.keras.
        shape: Of the stored pixels.
    """

    def __init__(self, model: bytes, shape: Shape) -> None:
        from vae_tf.evaluation.scores import PictureScorer

        self.shape = shape
        self.scorer = PictureScorer(load_model(model))
        self.schema = score_schema(self.scorer.names, self.scorer.model.latent_dim)

    def __call__(self, table: pa.Table) -> pa.Table:
        usable = np.asarray(table["pixels"].is_valid())
        columns: dict[str, Any] = {"path": table["path"], "reason": table["reason"]}
        if usable.any():
            pixels = b"".join(table["pixels"].drop_null().to_pylist())
            scores = self.scorer(np.frombuffer(pixels, self.shape.dtype).reshape(-1, *self.shape.image_shape))
            for name, values in scores.codes.items():
                columns[name] = spread_lists(values, usable)
            for name in ("kl", "squared_error", "negative_elbo"):
                columns[name] = spread_numbers(getattr(scores, name), usable)
        nothing = {name: pa.nulls(len(usable), self.schema.field(name).type) for name in self.schema.names}
        return pa.table({**nothing, **columns}).cast(self.schema)


def score_schema(codes: Sequence[str], latent_dim: int) -> pa.Schema:
    """Columns of the Parquet files: `path`, lists of d numbers, nats and squared errors, and the `reason` of nulls."""
    return pa.schema(
        {
            "path": pa.string(),
            **{name: pa.list_(pa.float32(), latent_dim) for name in codes},
            **{name: pa.float64() for name in ("kl", "squared_error", "negative_elbo")},
            "reason": pa.string(),
        }
    )


def spread_numbers(values: NDArray[np.float64], usable: NDArray[np.bool_]) -> pa.Array:
    """One value for each usable row, null for the others; null also for what a model does not have (NaN)."""
    rows = np.full(len(usable), np.nan)
    rows[usable] = values
    return pa.array(rows, mask=np.isnan(rows))


def spread_lists(values: NDArray[np.float32], usable: NDArray[np.bool_]) -> pa.Array:
    """One list [d] for each usable row, null for the others."""
    rows = np.zeros((len(usable), values.shape[1]), np.float32)
    rows[usable] = values
    return pa.FixedSizeListArray.from_arrays(rows.ravel(), values.shape[1], mask=pa.array(~usable))


def load_model(content: bytes) -> Any:
    """The model in the bytes of a .keras file."""
    from vae_tf import model_file

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vae.keras"
        path.write_bytes(content)
        return model_file.load(path)
