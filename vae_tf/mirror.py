"""Runs in an object store and the folder of this machine where they are worked on.

A store has neither rename nor lock nor memory maps. So every file is made in the folder, and given to the store when it
is whole; what another machine made is taken when it is read.
"""

import functools
import json
import os
import shutil
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from vae_tf.errors import UserError
from vae_tf.locks import working_in
from vae_tf.places import is_remote, runs_address, runs_root
from vae_tf.store import NUM_TRANSFERS, Store, StoredObject
from vae_tf.whole import new_folder, renamed

# Inside a run's folder: what the store holds of it, as it was last asked.
KNOWN = ".stored"
LISTING = ".listing.json"


def mirror_of(root: Path) -> "Mirror | None":
    """The store that a folder of runs is worked on for; None where runs are kept in the folder itself."""
    address = runs_address()
    return mirror_at(address, root) if is_remote(address) and root == runs_root() else None


@functools.lru_cache(maxsize=8)
def mirror_at(address: str, folder: Path) -> "Mirror":
    return Mirror(Store(address), folder)


class Mirror:
    """A store of runs and its working folder.

    What lies directly in a run is an item: a folder or a file. A folder with a record (a file of a name that the caller
    says) counts once its record is in the store; so the record is uploaded last.

    Args:
        store: Where the runs are kept.
        folder: Where this machine works on them.
    """

    def __init__(self, store: Store, folder: Path) -> None:
        self.store, self.folder = store, folder

    def refresh(self, files: Iterable[str], record: str) -> list[str]:
        """Learns what the store holds of every folder that has the first of `files`; returns their names.

        Raises:
            StoreError: The store does not answer, or there is no such bucket.
        """
        names = self.store.folders()
        with ThreadPoolExecutor(NUM_TRANSFERS) as pool:
            there = list(pool.map(lambda name: self.refresh_one(name, files, record), names))
        return [name for name, is_there in zip(names, there, strict=True) if is_there]

    def refresh_one(self, name: str, files: Iterable[str], record: str) -> bool:
        """Takes small files and the records of one run, but none of its folders; False where the first file is missing.

        Raises:
            StoreError: The store does not answer.
        """
        first, *_ = files = list(files)
        objects = {item.path: item for item in self.store.objects(name)}
        if first not in objects:
            return False
        for file in files:
            self._take_newer(objects.get(file), name, self.folder / name / file)
        known = self.folder / name / KNOWN
        items = {
            path.split("/")[0] for path in objects if path.count("/") == 1 and path.endswith(f"/{record}")
        }
        for item in items:
            if not (known / f"{item}.json").exists():
                self.store.download(f"{name}/{item}/{record}", known / f"{item}.json")
        for gone in set(self.known_items(name)) - items:
            self.known(name, gone).unlink(missing_ok=True)
        folders = sorted({path.split("/")[0] for path in objects if "/" in path})
        self._note(name, {"num_bytes": sum(item.size for item in objects.values()), "folders": folders})
        return True

    def known(self, name: str, item: str) -> Path:
        """Where the record of a folder in the store is kept; it is there where the store's folder is whole."""
        return self.folder / name / KNOWN / f"{item}.json"

    def known_items(self, name: str) -> list[str]:
        return [file.stem for file in (self.folder / name / KNOWN).glob("*.json") if file.name != LISTING]

    def listing(self, name: str) -> dict[str, Any]:
        """`num_bytes` and `folders` of a run in the store, as it was last asked."""
        path = self.folder / name / KNOWN / LISTING
        found: dict[str, Any] = {"num_bytes": 0, "folders": []}
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else found

    def take(self, name: str, item: str) -> None:
        """Fetches a folder of a run through a temporary sibling, so that a folder that exists is whole.

        Raises:
            StoreError: It cannot be fetched.
        """
        target = self.folder / name / item
        target.parent.mkdir(parents=True, exist_ok=True)
        with working_in(target.parent), new_folder(target) as partial:
            self.store.download_folder(f"{name}/{item}", partial)
            # Another process may have been quicker.
            renamed(partial, target)

    def give(self, name: str, source: Path, last: tuple[str, ...] = (), item: str | None = None) -> None:
        """Uploads a file or folder of a run as it is, and removes what the store held there beside it.

        Args:
            name: Of the run, or of another folder beside the runs; empty for what lies beside them itself.
            source: What to upload.
            last: Files in it that make it count; they go last, in this order.
            item: Its name in the store; the source's own where left out.

        Raises:
            UserError: It cannot be written; what makes it count is then not there.
        """
        path = "/".join(part for part in (name, item or source.name) if part)
        if source.is_file():
            self.store.upload(source, path)
            return
        before = {found.path: found for found in self.store.objects(path)}
        self.store.upload_folder(source, path, last, before)
        gone = [old for old in before if not (source / old).exists()]
        self.store.remove(f"{path}/{old}" for old in gone)

    def remember(self, name: str, item: str, record: Path) -> None:
        """Notes that the store holds a whole folder with this record."""
        known = self.known(name, item)
        known.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(record, known)

    def claim(self, number: str) -> bool:
        """Whether nobody had this number before; it is never given again, even when its run is deleted."""
        return self.store.claim(f"numbers/{number}")

    def drop(self, name: str, first: str = "") -> None:
        """Removes a folder and all in it; the object `first` goes before all others."""
        paths = [f"{name}/{item.path}" for item in self.store.objects(name)]
        early = [path for path in paths if path == f"{name}/{first}"]
        self.store.remove(early)
        self.store.remove(path for path in paths if path not in early)

    def move(self, old: str, new: str, last: str) -> None:
        """Another name for a folder: copied whole, the object `last` at the end, before the old one is removed."""
        paths = [item.path for item in self.store.objects(old)]
        for path in sorted(paths, key=lambda path: path == last):
            self.store.copy(f"{old}/{path}", f"{new}/{path}")
        self.drop(old, last)

    def _take_newer(self, item: StoredObject | None, name: str, target: Path) -> None:
        if item is not None and not (target.exists() and target.stat().st_mtime >= item.modified - 1):
            self.store.download(f"{name}/{item.path}", target)

    def _note(self, name: str, listing: dict[str, Any]) -> None:
        path = self.folder / name / KNOWN / LISTING
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{LISTING}.partial-{os.getpid()}")
        partial.write_text(json.dumps(listing), encoding="utf-8")
        os.replace(partial, path)


def kept_here(error: UserError, path: Path) -> UserError:
    """The error of an upload that failed, with where the work of this machine lies."""
    hint = f"{path} is whole on this machine; the next command on its run gives it to the store again."
    return UserError(error.message.rstrip("."), "\n".join(filter(None, (hint, error.hint))))
