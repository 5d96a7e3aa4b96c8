"""What folders and archives share: classes and groups from paths, frames, and the depth of the values."""

import abc
import contextlib
import functools
import importlib.util
import os
import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vae_tf.data import pictures
from vae_tf.data.pictures import LARGEST_NUM_FRAMES, LARGEST_NUM_PIXELS_OF_FRAMES, UnusablePicture
from vae_tf.data.sources.base import Entry
from vae_tf.data.sources.reels import Reels
from vae_tf.errors import UserError

# The suffix chooses the files; what is in them may be any of these formats.
STILL_SUFFIXES = (".jpg", ".jpeg", ".jfif", ".bmp", ".pbm", ".pgm", ".ppm", ".pnm", ".pfm")
HEIF_SUFFIXES = (".heic", ".heif")
FRAME_SUFFIXES = (".png", ".apng", ".gif", ".webp", ".tif", ".tiff", ".avif", *HEIF_SUFFIXES)
PICTURE_SUFFIXES = STILL_SUFFIXES + FRAME_SUFFIXES
# Where no pictures are found, a file of these kinds may be what was meant.
OTHER_SOURCES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".npz", ".npy", ".h5", ".hdf5", ".csv")
# Left by operating systems and file servers.
SYSTEM_NAMES = ("thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir", "$recycle.bin", "lost+found")
NUM_FRAME_PROBES, NUM_DEPTH_PROBES, NUM_RANGE_PROBES = 300, 64, 64
NUM_BITS = {"uint8": "8 bits", "uint16": "16 bits", "float32": "floating-point values"}


class PictureFiles(abc.ABC):
    """Pictures in encoded files; a subclass says where the bytes are.

    A file of several frames is one entry, its first frame, or one entry per frame: `cat.gif#0001` is the first, as
    people count. The frames of one file always share their group.
    """

    def __init__(
        self, name: str, paths: list[str], group_by: str | None, frames: Literal["first", "all"]
    ) -> None:
        self.name = name
        self.facts: dict[str, list[Any]] = {}
        self.notes: list[str] = []
        self._paths = paths
        self._frames = frames
        self._reels = Reels(self.encoded)
        labels = labels_from_folders(paths)
        groups, notes = groups_from_paths(paths, group_by)
        self.notes += notes
        counts = self._count_frames() if frames == "all" else [1] * len(paths)
        if frames == "first":
            self._note_further_frames()
        self.entries: list[Entry] = []
        self._places: list[tuple[int, int | None]] = []
        for file, (path, label, group, count) in enumerate(zip(paths, labels, groups, counts, strict=True)):
            if count == 1:
                self.entries.append(Entry(path, label, group))
                self._places.append((file, None))
                continue
            for frame in range(count):
                self.entries.append(Entry(f"{path}#{frame + 1:04d}", label, path if group is None else group))
                self._places.append((file, frame))

    @abc.abstractmethod
    def encoded(self, file: int) -> Path | bytes:
        """Where the file at this position of the paths is, or what is in it; raises UnusablePicture."""

    @functools.cached_property
    def dtype(self) -> str:
        """The depth of most of up to 64 files, by their headers."""
        depths: Counter[str] = Counter()
        for file in spread(len(self._paths), NUM_DEPTH_PROBES):
            with contextlib.suppress(UnusablePicture):
                depths[pictures.picture_depth(self.encoded(file))] += 1
        total = depths.total()
        chosen = next((dtype for dtype in ("uint16", "float32") if 2 * depths[dtype] > total), "uint8")
        for dtype, count in depths.items():
            if dtype == chosen != "uint8":
                share = "The pictures" if count == total else f"{count} of {total} pictures looked at"
                self.notes.append(f"{share} have {NUM_BITS[dtype]} per pixel; none of it is lost.")
            elif dtype != chosen:
                self.notes.append(
                    f"{count} of {total} pictures looked at have {NUM_BITS[dtype]} per pixel; "
                    f"they are brought to {NUM_BITS[chosen]}, which most have."
                )
        return chosen

    @functools.cached_property
    def value_range(self) -> tuple[float, float] | None:
        """Black and white where the values of up to 64 pictures of the source's depth leave much of it unused."""
        if self.dtype == "uint8":
            return None
        extremes = list(self._extremes())
        if not extremes:
            return None
        low, high = min(low for low, _ in extremes), max(high for _, high in extremes)
        if self.dtype == "uint16":
            bits = next(bits for bits in (10, 12, 14, 16) if high < 2**bits)
            if bits == 16:
                return None
            white = 2**bits - 1
            self.notes.append(
                f"16-bit values up to {high:,.0f} in a sample: read as {bits} bits, 0 to {white:,} "
                "(--range changes it)."
            )
            return 0.0, float(white)
        if (low >= 0 and 0.5 < high <= 1) or low == high:
            return None
        self.notes.append(
            f"Values from {low:,.6g} to {high:,.6g} in a sample: these are black and white (--range changes it)."
        )
        return low, high

    def read(self, position: int) -> NDArray[Any]:
        """Values [H, W, 1 or 3] of `dtype`; raises UnusablePicture."""
        return pictures.to_depth(self._values(position), self.dtype, self.value_range)

    def shape(self, position: int) -> tuple[int, int, int]:
        file, frame = self._places[position]
        return pictures.picture_shape(self.encoded(file), frame)

    def file_bytes(self, position: int) -> bytes | None:
        """The encoded file of a picture that is one file's only or first; None for a further frame."""
        file, frame = self._places[position]
        if frame is not None:
            return None
        encoded = self.encoded(file)
        return encoded if isinstance(encoded, bytes) else encoded.read_bytes()

    def _values(self, position: int) -> NDArray[Any]:
        file, frame = self._places[position]
        if frame is None:
            return pictures.read_values(self.encoded(file))
        return self._reels.read(file, frame)

    def _extremes(self) -> Iterator[tuple[float, float]]:
        """Smallest and largest finite value of each of a sample of the pictures that have the source's depth."""
        for position in spread(len(self.entries), NUM_RANGE_PROBES):
            with contextlib.suppress(UnusablePicture):
                values = self._values(position)
                finite = values[np.isfinite(values)]
                if values.dtype == self.dtype and finite.size:
                    yield float(finite.min()), float(finite.max())

    def _count_frames(self) -> list[int]:
        def count(file: int) -> tuple[int, int]:
            try:
                return pictures.count_frames(self.encoded(file))
            except UnusablePicture:
                # Reading it will say why.
                return 1, 1

        several = [file for file, path in enumerate(self._paths) if suffix(path) in FRAME_SUFFIXES]
        counts, num_cut = [1] * len(self._paths), 0
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for file, (taken, total) in zip(several, pool.map(count, several), strict=True):
                counts[file] = taken
                num_cut += taken < total
        found = [number for number in counts if number > 1]
        if found:
            self.notes.append(
                f"{plural(len(found), 'file holds', 'files hold')} {sum(found):,} frames; "
                "those of one file are never divided between training and testing."
            )
        if num_cut:
            self.notes.append(
                f"Of {plural(num_cut, 'file', 'files')} the first frames were taken: at most {LARGEST_NUM_FRAMES:,} "
                f"of one, and {LARGEST_NUM_PIXELS_OF_FRAMES:,} pixels in all."
            )
        return counts

    def _note_further_frames(self) -> None:
        """Says how many files hold more than was taken: for many files, by a sample, as each must be opened."""
        several = [file for file, path in enumerate(self._paths) if suffix(path) in FRAME_SUFFIXES]
        probes = spread(len(several), NUM_FRAME_PROBES)
        found = 0
        for probe in probes:
            with contextlib.suppress(UnusablePicture):
                found += pictures.has_frames(self.encoded(several[probe]))
        if found:
            held = plural(found, "file holds", "files hold")
            if len(probes) < len(several):
                held = f"{found} of {len(probes)} files looked at hold"
            self.notes.append(f"{held} several frames; the first was taken, --frames all takes each.")

    def _how_read(self) -> str:
        """What changes the pictures though the files stay the same, for the fingerprint."""
        heif = any(suffix(path) in HEIF_SUFFIXES for path in self._paths)
        readable = heif and importlib.util.find_spec("pi_heif") is not None
        return ("frames" if self._frames == "all" else "") + ("heif" if readable else "")


def spread(count: int, most: int) -> list[int]:
    """Up to `most` positions spread evenly over `count`."""
    return sorted({int(position) for position in np.linspace(0, count - 1, min(count, most))})


def suffix(path: str) -> str:
    return os.path.splitext(path)[1].lower()


def is_hidden(name: str) -> bool:
    """Whether a file or folder is hidden, or the system's own."""
    return name.startswith(".") or name.lower() in SYSTEM_NAMES


def plural(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def note_others(others: list[str]) -> list[str]:
    """What to say of the files that are no pictures."""
    kinds = Counter(suffix(path) for path in others).most_common(5)
    listed = ", ".join(f"{count:,} {kind or 'without suffix'}" for kind, count in kinds)
    return (
        [f"{plural(len(others), 'other file was', 'other files were')} left alone ({listed})."]
        if others
        else []
    )


def no_pictures(place: Path | str, others: list[str]) -> UserError:
    """The error of a place without pictures; it names a file in it that may have been meant."""
    hint = f"Formats read here: {', '.join(PICTURE_SUFFIXES)}, in any subfolder."
    meant = next((path for path in sorted(others) if suffix(path) in OTHER_SOURCES), None)
    if meant is not None:
        hint += f"\nIt holds {meant!r}: was that meant?"
    return UserError(f"{place} holds no pictures.", hint)


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
