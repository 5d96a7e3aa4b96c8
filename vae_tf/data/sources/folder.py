"""Picture files in a folder, flat or in class subfolders."""

import hashlib
import os
import re
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae_tf.data.sources.base import Entry
from vae_tf.errors import UserError

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".pgm")


class FolderSource:
    """Pictures in a folder, flat or in class subfolders.

    The class is the first folder in which the paths differ: `faces/happy/…`, but also `download/images/happy/…`.
    """

    dtype = "uint8"
    value_range: tuple[float, float] | None = None

    def __init__(self, root: Path, group_by: str | None = None) -> None:
        self.facts: dict[str, list[Any]] = {}
        self.root = root
        self.name = root.resolve().name or "root"
        files, ignored = list_pictures(root)
        self.notes: list[str] = []
        if ignored:
            kinds = ", ".join(f"{n} {suffix or 'without suffix'}" for suffix, n in ignored.most_common(5))
            self.notes.append(f"{sum(ignored.values())} other files were left alone ({kinds}).")
        if not files:
            raise UserError(
                f"{root} holds no pictures.",
                f"Formats read here: {', '.join(PICTURE_SUFFIXES)}, in any subfolder.",
            )
        paths = [path.relative_to(root).as_posix() for path, _ in files]
        self._stats = [stat for _, stat in files]
        labels = labels_from_folders(paths)
        groups, group_notes = groups_from_paths(paths, group_by)
        self.notes += group_notes
        self.entries = [Entry(*row) for row in zip(paths, labels, groups, strict=True)]

    def fingerprint(self) -> str:
        digest = hashlib.sha256(str(self.root.resolve()).encode(errors="surrogateescape"))
        for entry, stat in zip(self.entries, self._stats, strict=True):
            digest.update(
                f"{entry.path}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode(errors="surrogateescape")
            )
        return digest.hexdigest()

    def read(self, position: int) -> NDArray[np.uint8]:
        from vae_tf.data.pictures import read_picture

        return read_picture(self.root / self.entries[position].path)

    def shape(self, position: int) -> tuple[int, int, int]:
        from vae_tf.data.pictures import picture_shape

        return picture_shape(self.root / self.entries[position].path)


def list_pictures(root: Path) -> tuple[list[tuple[Path, os.stat_result]], Counter[str]]:
    """Picture files below `root` in path order, hidden ones left out, and the other files' suffixes counted."""
    found: list[tuple[Path, os.stat_result]] = []
    ignored: Counter[str] = Counter()
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in names:
            path = Path(folder, name)
            if name.startswith("."):
                continue
            if path.suffix.lower() not in PICTURE_SUFFIXES:
                ignored[path.suffix.lower()] += 1
            elif path.is_file():
                found.append((path, path.stat()))
            elif path.is_symlink() and not path.exists():
                # Reading it will fail, and so it is listed with its reason.
                found.append((path, path.lstat()))
    found.sort(key=lambda item: item[0].relative_to(root).as_posix())
    return found, ignored


def labels_from_folders(paths: list[str]) -> list[str | None]:
    """The first folder in which the paths differ is the class; None for all where there is none."""
    folders = [PurePosixPath(path).parts[:-1] for path in paths]
    # A stray picture above the class folders must not make their parent the class of all.
    inside = [list(parts) for parts in folders if parts]
    shared = len(os.path.commonprefix(inside))
    if len({tuple(parts) for parts in inside}) < 2:
        shared = 0 if len(inside) < len(folders) else shared
    return [parts[shared] if len(parts) > shared else None for parts in folders]


def groups_from_paths(paths: list[str], pattern: str | None) -> tuple[list[str | None], list[str]]:
    """The key that `pattern` captures in each path, and what to say about paths that it does not match."""
    if pattern is None:
        return [None] * len(paths), []
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UserError(f"--group-by {pattern}: not a regular expression ({error}).") from None
    matches = [compiled.search(path) for path in paths]
    keys = [None if match is None else match.group(1 if compiled.groups else 0) for match in matches]
    missing = sum(key is None for key in keys)
    if missing == len(paths):
        raise UserError(
            f"--group-by {pattern} matches none of the {len(paths)} paths.",
            f"It is searched in paths such as {paths[0]!r}; its first capture group is the key.",
        )
    notes = (
        [f"--group-by matched no key in {missing} paths; each of these is its own group."] if missing else []
    )
    return keys, notes
