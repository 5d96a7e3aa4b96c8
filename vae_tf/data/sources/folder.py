"""Picture files in a folder, flat or in class subfolders."""

import dataclasses
import functools
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from vae_tf.data.sources.files import (
    PICTURE_SUFFIXES,
    PictureFiles,
    groups_from_paths,
    is_hidden,
    labels_from_folders,
    no_pictures,
    note_others,
    plural,
    suffix,
)
from vae_tf.errors import UserError

__all__ = ["FolderSource", "groups_from_paths", "labels_from_folders", "list_pictures"]


class FolderSource(PictureFiles):
    """Pictures in a folder, flat or in class subfolders.

    The class is the first folder in which the paths differ: `faces/happy/…`, but also `download/images/happy/…`.

    Args:
        root: The folder.
        group_by: Regular expression whose first capture group, or else the match, is the group.
        frames: "first" takes one frame of each file, "all" makes every frame an entry.

    Raises:
        UserError: The folder cannot be opened, holds no pictures, or `group_by` does not fit.
    """

    def __init__(
        self, root: Path, group_by: str | None = None, frames: Literal["first", "all"] = "first"
    ) -> None:
        self.root = root
        listing = list_pictures(root)
        if not listing.files:
            raise no_pictures(root, listing.others)
        self._stats = [status for _, status in listing.files]
        super().__init__(root.resolve().name or "root", [path for path, _ in listing.files], group_by, frames)
        self.notes = [*listing.notes(), *self.notes]

    def fingerprint(self) -> str:
        digest = hashlib.sha256(str(self.root.resolve()).encode(errors="surrogateescape"))
        for path, status in zip(self._paths, self._stats, strict=True):
            digest.update(
                f"{path}\0{status.st_size}\0{status.st_mtime_ns}\n".encode(errors="surrogateescape")
            )
        digest.update(self._how_read().encode())
        return digest.hexdigest()

    def encoded(self, file: int) -> Path:
        return self.root / self._paths[file]


@dataclasses.dataclass
class Listing:
    """What lies below a folder, hidden and system files left out.

    Args:
        files: Path of each picture below the folder, POSIX style and in order, and its size and time.
        others: Paths of what is no picture.
        num_repeated: Links to what is listed already.
        num_closed: Folders that could not be opened.
        num_lost: Files that could not be looked at: gone since, or with too long a path.
    """

    files: list[tuple[str, os.stat_result]] = dataclasses.field(default_factory=list)
    others: list[str] = dataclasses.field(default_factory=list)
    num_repeated: int = 0
    num_closed: int = 0
    num_lost: int = 0

    def notes(self) -> list[str]:
        notes = note_others(self.others)
        if self.num_repeated:
            lead = plural(self.num_repeated, "link leads", "links lead")
            notes.append(f"{lead} to files or folders that were listed already; each was taken once.")
        if self.num_closed:
            could = plural(self.num_closed, "folder", "folders")
            notes.append(f"{could} could not be opened (no permission, or too long a path).")
        if self.num_lost:
            files = plural(self.num_lost, "picture", "pictures")
            notes.append(f"{files} could not be looked at (gone meanwhile, or too long a path).")
        return notes


def list_pictures(root: Path) -> Listing:
    """Picture files below `root`; links are followed, but no file or folder is taken twice.

    What is linked to inside the tree is listed under its own name; a link that leads nowhere is listed, as reading it
    will say why it was skipped.

    Raises:
        UserError: `root` cannot be opened.
    """
    walk = Walk(root)
    folders = [""]
    while folders:
        for folder in sorted(folders):
            walk.below(folder)
        # Linked folders wait until all real ones were visited.
        folders, walk.folder_links = walk.folder_links, []
    walk.follow_file_links()
    walk.listing.files.sort(key=lambda item: item[0])
    return walk.listing


class Walk:
    """One way through a tree: what was found, where it has been, and which links are still to be followed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.listing = Listing()
        self.folder_links: list[str] = []
        self._file_links: list[str] = []
        self._visited: set[tuple[int, int]] = set()

    def below(self, start: str) -> None:
        """Lists what lies below the folder `start`, and puts links aside."""
        # os.walk calls itself for each level, which ends at a thousand.
        pending = [start]
        while pending:
            folder = pending.pop()
            for entry in self._open(folder):
                path = f"{folder}/{entry.name}" if folder else entry.name
                linked = entry.is_symlink()
                if is_folder(entry):
                    (self.folder_links if linked else pending).append(path)
                elif suffix(entry.name) not in PICTURE_SUFFIXES:
                    self.listing.others.append(path)
                elif linked:
                    self._file_links.append(path)
                elif is_file(entry):
                    self._take(path, entry.stat)
                else:
                    # A pipe or a device: opening it might wait for ever.
                    self.listing.others.append(path)

    def _take(self, path: str, status: Callable[[], os.stat_result]) -> None:
        try:
            self.listing.files.append((path, status()))
        except OSError:
            self.listing.num_lost += 1

    def follow_file_links(self) -> None:
        seen = {(status.st_dev, status.st_ino) for _, status in self.listing.files}
        for path in sorted(self._file_links):
            try:
                status = os.stat(self.root / path)
            except OSError:
                # It leads nowhere: reading it will say so.
                self._take(path, functools.partial(os.lstat, self.root / path))
                continue
            if not stat.S_ISREG(status.st_mode):
                self.listing.others.append(path)
            elif (status.st_dev, status.st_ino) in seen:
                self.listing.num_repeated += 1
            else:
                seen.add((status.st_dev, status.st_ino))
                self.listing.files.append((path, status))

    def _open(self, folder: str) -> Iterator[os.DirEntry[str]]:
        """What lies in a folder that was not visited before, hidden names left out."""
        try:
            status = os.stat(self.root / folder)
            if (status.st_dev, status.st_ino) in self._visited:
                self.listing.num_repeated += 1
                return
            self._visited.add((status.st_dev, status.st_ino))
            with os.scandir(self.root / folder) as entries:
                yield from (entry for entry in entries if not is_hidden(entry.name))
        except OSError as error:
            if not folder:
                raise UserError(f"{self.root} cannot be opened ({error.strerror}).") from None
            self.listing.num_closed += 1


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder or leads to one; a link in a circle does not."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def is_file(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a file, or may be one; whoever reads it will tell."""
    try:
        return entry.is_file()
    except OSError:
        return True
