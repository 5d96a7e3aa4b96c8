"""Picture files in zip and tar archives, read in place: nothing is ever extracted under a member's name."""

import bz2
import gzip
import hashlib
import lzma
import os
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Literal, Protocol

from vae_tf.data.pictures import UnusablePicture
from vae_tf.data.sources.files import (
    PICTURE_SUFFIXES,
    PictureFiles,
    is_hidden,
    no_pictures,
    note_others,
    suffix,
)
from vae_tf.errors import UserError
from vae_tf.fetched import identity

SINGLE_SUFFIXES = (".zip", ".tar", ".tgz", ".tbz", ".tbz2", ".txz", ".tzst")
DOUBLE_SUFFIXES = (".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst")
# A picture's file may not be larger; a few bytes can claim to become anything.
LARGEST_MEMBER = 512 * 2**20
# A compressed tar of pictures shrinks by a small factor; more than this, and more than this in bytes, is a bomb.
LARGEST_FACTOR, ALWAYS_ALLOWED = 100, 2**30


def is_archive(path: Path) -> bool:
    """Whether a file is named like an archive that can be read here."""
    return path.name.lower().endswith(SINGLE_SUFFIXES + DOUBLE_SUFFIXES)


class ArchiveSource(PictureFiles):
    """Pictures in a zip or tar archive, with classes and groups from the members' paths as in a folder.

    A compressed tar is unpacked once into a nameless temporary file (in `TMPDIR`), since to seek in gzip is to begin
    again. Of a tar that was cut off, the members that are whole are read, and a note says so.

    Args:
        path: The archive.
        group_by: Regular expression whose first capture group, or else the match, is the group.
        frames: "first" takes one frame of each file, "all" makes every frame an entry.

    Raises:
        UserError: The archive cannot be read, holds no pictures, or `group_by` does not fit.
    """

    def __init__(
        self, path: Path, group_by: str | None = None, frames: Literal["first", "all"] = "first"
    ) -> None:
        self.path = path
        self._archive, notes = open_archive(path)
        members: dict[str, Any] = {}
        others = []
        for name, member in self._archive.members():
            parts = [part for part in name.split("/") if part not in ("", ".")]
            if any(part != ".." and is_hidden(part) for part in parts):
                continue
            if member is not None and suffix(name) in PICTURE_SUFFIXES:
                # Of two members of one name the later one counts, as it would when extracted.
                members["/".join(parts)] = member
            else:
                others.append("/".join(parts))
        if not members:
            raise no_pictures(path, others)
        paths = sorted(members)
        self._members = [members[name] for name in paths]
        super().__init__(name_of(path), paths, group_by, frames)
        self.notes = [*notes, *note_others(others), *self.notes]

    def fingerprint(self) -> str:
        text = f"{identity(self.path)}\n{self._how_read()}"
        return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()

    def encoded(self, file: int) -> bytes:
        """Bytes of the member; raises UnusablePicture where it is encrypted, damaged or too large."""
        return self._archive.read(self._members[file])


class Archive(Protocol):
    """What differs between zip and tar; `read` is called from several threads."""

    def members(self) -> Iterator[tuple[str, Any]]:
        """Name of each member that is no folder, and the member; None for links and devices."""
        ...

    def read(self, member: Any) -> bytes:
        """Its bytes; raises UnusablePicture."""
        ...


class ZipArchive:
    def __init__(self, path: Path) -> None:
        self._zip = zipfile.ZipFile(path)

    def members(self) -> Iterator[tuple[str, zipfile.ZipInfo | None]]:
        for member in self._zip.infolist():
            # Some programs write Windows' own separators.
            windows = member.create_system == 0
            name = member.filename.replace("\\", "/") if windows else member.filename
            linked = stat.S_ISLNK(member.external_attr >> 16)
            if not name.endswith("/"):
                yield name, None if linked else member

    def read(self, member: zipfile.ZipInfo) -> bytes:
        if member.flag_bits & 1:
            raise UnusablePicture("encrypted; unpack the archive with its password")
        # What zipfile expands by other methods it does not bound.
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise UnusablePicture("compressed by another method than deflate; pack the archive again")
        check_size(member.file_size)
        try:
            with self._zip.open(member) as file:
                # The size may lie: no more than it is expanded, and then the checksum does not fit.
                return file.read(member.file_size + 1)
        except Exception as error:
            # Anything may be raised about hostile bytes.
            raise UnusablePicture(f"damaged in the archive ({plain(error)})") from None


class TarArchive:
    """An uncompressed tar: members lie in it as they are, and so threads read them by their offsets."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._members: list[tarfile.TarInfo] = []
        file.seek(0)
        with tarfile.open(fileobj=file, mode="r:") as archive:
            self.whole = self._list(archive)

    def members(self) -> Iterator[tuple[str, tarfile.TarInfo | None]]:
        for member in self._members:
            if not member.isdir():
                yield member.name, member if member.isreg() and not member.issparse() else None

    def read(self, member: tarfile.TarInfo) -> bytes:
        check_size(member.size)
        data = os.pread(self._file.fileno(), member.size, member.offset_data)
        if len(data) < member.size:
            raise UnusablePicture("the archive ends before this file does")
        return data

    def _list(self, archive: tarfile.TarFile) -> bool:
        """Finds the members, and says whether the archive has a proper end."""
        try:
            for member in archive:
                # A negative size would lead back to where the reader was before.
                if member.size < 0:
                    return False
                self._members.append(member)
        except Exception:
            # Anything may be raised about hostile bytes; what was found before them is kept.
            return False
        return os.pread(self._file.fileno(), tarfile.BLOCKSIZE, archive.offset) == bytes(tarfile.BLOCKSIZE)


def open_archive(path: Path) -> tuple[Archive, list[str]]:
    """The archive at `path`, by its first bytes whatever its name, and what to say of it.

    Raises:
        UserError: It cannot be read.
    """
    try:
        with open(path, "rb") as head:
            start = head.read(6)
        # One that unpacks itself begins with a program.
        if start.startswith(b"PK") or suffix(path.name) == ".zip":
            return ZipArchive(path), []
        opener = next((opener for magic, opener in OPENERS.items() if start.startswith(magic)), None)
        file, reached_end = unpack(path, opener) if opener else (path.open("rb"), True)
        archive = TarArchive(file)
    except UserError:
        raise
    except Exception as error:
        # Anything may be raised about hostile bytes.
        raise UserError(
            f"{path} cannot be read as an archive: {plain(error)}.",
            "It may be cut off or damaged; fetch or pack it again.",
        ) from None
    if archive.whole and reached_end:
        return archive, []
    return archive, [f"{path.name} has no proper end: it is cut off or damaged, and pictures may be missing."]


def open_zstandard(path: Path) -> IO[bytes]:
    try:
        from compression import zstd
    except ImportError:
        raise UserError(
            f"{path} is compressed by Zstandard, which Python reads from 3.14 on.",
            f"Unpack it first: zstd -d {path}",
        ) from None
    opened: IO[bytes] = zstd.open(path)
    return opened


OPENERS: dict[bytes, Callable[[Path], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\0": lzma.open,
    b"\x28\xb5\x2f\xfd": open_zstandard,
}


def unpack(path: Path, opener: Callable[[Path], Any]) -> tuple[IO[bytes], bool]:
    """The compressed file at `path` in a temporary file without a name, and whether its end was reached.

    Raises:
        UserError: There is no room, or it grows beyond all measure.
    """
    largest = max(ALWAYS_ALLOWED, LARGEST_FACTOR * path.stat().st_size)
    target = tempfile.TemporaryFile()  # noqa: SIM115
    with opener(path) as packed:
        while True:
            try:
                # `read` would lose what it had gathered when it meets the cut.
                piece = packed.read1(2**20)
            except Exception:
                # Cut off or damaged: what came before it is kept.
                return target, False
            if not piece:
                return target, True
            if target.tell() + len(piece) > largest:
                raise UserError(
                    f"{path} unpacks to more than {largest:,} bytes; no archive of pictures does."
                )
            write(target, piece, path)


def write(target: IO[bytes], piece: bytes, path: Path) -> None:
    try:
        target.write(piece)
        target.flush()
    except OSError as error:
        raise UserError(
            f"{path} could not be unpacked to {tempfile.gettempdir()}: {plain(error)}.",
            "Name another place for temporary files: TMPDIR=/large/disk python cli.py …",
        ) from None


def check_size(size: int) -> None:
    if not 0 <= size <= LARGEST_MEMBER:
        raise UnusablePicture(f"{size:,} bytes (at most {LARGEST_MEMBER:,} are read)")


def name_of(path: Path) -> str:
    """Its name without what says that it is an archive."""
    name = path.name
    for ending in sorted(DOUBLE_SUFFIXES + SINGLE_SUFFIXES, key=len, reverse=True):
        if name.lower().endswith(ending):
            return name[: -len(ending)] or name
    return name


def plain(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split()).rstrip(".") or type(error).__name__
