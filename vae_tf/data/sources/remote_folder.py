"""Picture files below an address in an object store, each read when it is needed; nothing is copied as a whole."""

import hashlib
import os
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from vae_tf.data.pictures import UnusablePicture
from vae_tf.data.sources.files import (
    FRAME_SUFFIXES,
    NUM_DEPTH_PROBES,
    NUM_FRAME_PROBES,
    PICTURE_SUFFIXES,
    PictureFiles,
    is_hidden,
    no_pictures,
    note_others,
    spread,
    suffix,
)
from vae_tf.errors import UserError
from vae_tf.fetched import remote_name
from vae_tf.store import NUM_TRANSFERS, Store, StoredObject, StoreError

# What was read to look at headers is kept, so that decoding need not read it again.
LARGEST_KEPT = 2**30
NUM_SHAPE_PROBES = 400


class RemoteFolderSource(PictureFiles):
    """Pictures below an address such as s3://bucket/faces, by the rules of a folder.

    Args:
        address: Of the folder.
        group_by: Regular expression whose first capture group, or else the match, is the group.
        frames: "first" takes one frame of each file, "all" makes every frame an entry.

    Raises:
        UserError: No such bucket, no permission, no pictures, or `group_by` does not fit.
    """

    # Reading is waiting; as many at a time as the store is asked for elsewhere.
    num_readers = NUM_TRANSFERS

    def __init__(
        self, address: str, group_by: str | None = None, frames: Literal["first", "all"] = "first"
    ) -> None:
        self._store = Store(address)
        self._objects, others = list_pictures(self._store)
        if not self._objects:
            refuse_empty(self._store, others)
        self._kept = Kept()
        paths = [item.path for item in self._objects]
        self._read_ahead(paths, frames)
        super().__init__(remote_name(address), paths, group_by, frames)
        self.notes = [*note_others(others), *self.notes]

    def fingerprint(self) -> str:
        digest = hashlib.sha256(self._store.address.encode())
        for item in self._objects:
            digest.update(f"{item.path}\0{item.size}\0{item.version}\n".encode(errors="surrogateescape"))
        digest.update(self._how_read().encode())
        return digest.hexdigest()

    def encoded(self, file: int) -> bytes:
        """Bytes of the object; raises UnusablePicture where it cannot be read, or has changed since it was listed."""
        kept = self._kept.get(file)
        if kept is not None:
            return kept
        item = self._objects[file]
        try:
            data = self._store.read(item.path)
        except StoreError as error:
            raise UnusablePicture(f"cannot be read from the store: {error.reason}") from None
        if len(data) != item.size:
            raise UnusablePicture("has changed since the folder was listed")
        self._kept.put(file, data)
        return data

    def addresses(self) -> dict[str, str]:
        """The path of each file by its full address."""
        return {f"{self._store.address}/{path}": path for path in self._paths}

    def _read_ahead(self, paths: list[str], frames: str) -> None:
        """Reads at once what will be looked at one by one: the first looks are a few hundred waits otherwise."""
        several = [file for file, path in enumerate(paths) if suffix(path) in FRAME_SUFFIXES]
        looked_at = (
            set(several) if frames == "all" else {several[i] for i in spread(len(several), NUM_FRAME_PROBES)}
        )
        for number in (NUM_SHAPE_PROBES, NUM_DEPTH_PROBES):
            looked_at.update(spread(len(paths), number))

        def read(file: int) -> None:
            if self._kept.has_room:
                try:
                    self.encoded(file)
                except UnusablePicture:
                    # Said when it is its turn.
                    return

        with ThreadPoolExecutor(self.num_readers) as pool:
            list(pool.map(read, sorted(looked_at)))


class Kept:
    """Bytes of files in one nameless temporary file, up to a gibibyte."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115
        self._places: dict[int, tuple[int, int]] = {}
        self._end = 0
        self._lock = threading.Lock()
        self.has_room = True

    def get(self, key: int) -> bytes | None:
        place = self._places.get(key)
        return None if place is None else os.pread(self._file.fileno(), place[1], place[0])

    def put(self, key: int, data: bytes) -> None:
        with self._lock:
            start, self._end = self._end, self._end + len(data)
            self.has_room = self.has_room and self._end <= LARGEST_KEPT
        if not self.has_room:
            return
        try:
            written = os.pwrite(self._file.fileno(), data, start)
        except OSError:
            # A full disk costs a second reading, nothing else.
            self.has_room = False
            return
        if written == len(data):
            self._places[key] = (start, len(data))


def list_pictures(store: Store) -> tuple[list[StoredObject], list[str]]:
    """Picture objects below a store's address in order, and the paths of the others; hidden ones are left out."""
    files, others = [], []
    for item in store.objects():
        parts = item.path.split("/")
        if any(is_hidden(part) for part in parts):
            continue
        if suffix(item.path) in PICTURE_SUFFIXES and all(part not in ("", ".", "..") for part in parts):
            files.append(item)
        else:
            others.append(item.path)
    return files, others


def refuse_empty(store: Store, others: list[str]) -> None:
    """Raises: UserError: The address holds no pictures: it is a single file, there is nothing, or only other files."""
    if others:
        raise no_pictures(store.address, others)
    if store.find() is not None:
        raise UserError(
            f"{store.address} is a single file that is no source of pictures.",
            "Give a folder of pictures, an archive (.zip, .tar …) or arrays (.npz, .npy, .h5).",
        )
    raise UserError(f"There is nothing at {store.address}/.", "Check the address; names are case-sensitive.")
