"""Object stores (s3://, gs://) and web addresses, as fsspec reads and writes them; imported only where one is named."""

import base64
import contextlib
import dataclasses
import datetime
import hashlib
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import Any

from vae_tf.errors import UserError

# What each scheme needs beside fsspec; `memory` is a store inside the process.
PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "http": "aiohttp", "https": "aiohttp", "memory": "fsspec"}
WEB = ("http", "https")
INSTALL = "pip install -r requirements-remote.txt"
HINTS = {
    "s3": "Credentials come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE or the machine's role; "
    "another endpoint from AWS_ENDPOINT_URL.",
    "gs": "Credentials come from GOOGLE_APPLICATION_CREDENTIALS, the machine's account, or: "
    "gcloud auth application-default login",
}
# Transfers at a time: a store answers in tens of milliseconds, whatever the number of cores.
NUM_TRANSFERS = 32


class StoreError(UserError):
    """What a store refused; `reason` is why, in a few words."""

    def __init__(self, what: str, reason: str, hint: str = "") -> None:
        super().__init__(f"{what}: {reason}.", hint)
        self.reason = reason


@dataclasses.dataclass(frozen=True)
class StoredObject:
    """One object.

    Args:
        path: Below the store's address, POSIX style.
        size: Bytes; −1 where a web server does not say.
        version: Changes whenever the bytes do: the store's checksum, else the time of change.
        modified: Seconds since 1970; 0 where unknown.
    """

    path: str
    size: int
    version: str
    modified: float


class Store:
    """What lies below an address such as s3://bucket/runs. Its methods may be called from several threads.

    Raises:
        UserError: A scheme that is not known, or one whose package is missing.
    """

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")
        self.scheme = address.split("://")[0].lower()
        self._files, self._root = connect(self.scheme, self.address)

    def __str__(self) -> str:
        return self.address

    def objects(self, below: str = "") -> list[StoredObject]:
        """Every object in a folder of any depth, by name; none where there is no such folder. Asks the store anew.

        Raises:
            StoreError: No such bucket, no permission, no answer.
        """
        if self.scheme in WEB:
            raise StoreError(f"{self.address} cannot be listed", "a web server gives single files only")
        root = self._full(below)
        with self._explained("cannot be listed"):
            self._files.invalidate_cache()
            found = self._files.find(root, detail=True)
        prefix = root.rstrip("/") + "/"
        return sorted(
            (
                described(name.removeprefix(prefix), details)
                for name, details in found.items()
                # A key that ends in a slash is how consoles draw an empty folder.
                if name.startswith(prefix) and not name.endswith("/")
            ),
            key=lambda item: item.path,
        )

    def folders(self, below: str = "") -> list[str]:
        """Names of the folders directly in a folder; none where there is no such folder.

        Raises:
            StoreError: As `objects`.
        """
        with self._explained("cannot be listed"):
            self._files.invalidate_cache()
            try:
                found = self._files.ls(self._full(below), detail=True)
            except FileNotFoundError as error:
                if says_no_bucket(error):
                    raise
                return []
        names = {item["name"].rstrip("/").rsplit("/", 1)[-1] for item in found if item["type"] == "directory"}
        # A key may be anything; on a disk these would lead elsewhere.
        return sorted(names - {"", ".", ".."})

    def find(self, path: str = "") -> StoredObject | None:
        """The object of this name, or None.

        Raises:
            StoreError: As `objects`.
        """
        with self._explained("cannot be opened"):
            self._files.invalidate_cache()
            try:
                details = self._files.info(self._full(path))
            except FileNotFoundError as error:
                if self.scheme in WEB or says_no_bucket(error):
                    raise
                return None
        return described(path, details) if details["type"] == "file" else None

    def read(self, path: str) -> bytes:
        """Raises: StoreError: It is not there, or may not be read."""
        with self._explained("cannot be read", path):
            data: bytes = self._files.cat_file(self._full(path))
            return data

    def write(self, path: str, data: bytes) -> None:
        """Raises: StoreError: It cannot be written."""
        with self._explained("cannot be written", path):
            self._files.pipe_file(self._full(path), data)

    def claim(self, path: str) -> bool:
        """Makes an empty object that was not there; False where another was quicker.

        Raises:
            StoreError: It cannot be written.
        """
        with self._explained("cannot be written", path):
            try:
                self._files.pipe_file(self._full(path), b"", mode="create")
            except FileExistsError:
                return False
        return True

    def download(self, path: str, target: Path) -> None:
        """Writes an object through a temporary sibling, so that a file that exists is whole.

        Raises:
            StoreError: It is not there, may not be read, or does not fit on the disk.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.partial-{os.getpid()}")
        try:
            with self._explained("cannot be fetched", path):
                self._files.get_file(self._full(path), str(partial))
            os.replace(partial, target)
        finally:
            partial.unlink(missing_ok=True)

    def upload(self, file: Path, path: str) -> None:
        """Raises: StoreError: It cannot be written."""
        with self._explained("cannot be written", path):
            self._files.put_file(str(file), self._full(path))

    def upload_folder(
        self,
        folder: Path,
        below: str,
        last: Iterable[str] = (),
        before: Mapping[str, StoredObject] = MappingProxyType({}),
    ) -> None:
        """Every file of a folder; those named `last` begin when all others are there, in their order.

        Args:
            folder: On this machine.
            below: Where its files go.
            last: Paths in the folder.
            before: What is there already; files of equal checksum are not sent again.

        Raises:
            StoreError: One cannot be written; those named `last` are then not written.
        """
        files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
        late = [name for name in last if name in files]
        changed = [name for name, file in files.items() if not is_same(file, before.get(name))]
        with ThreadPoolExecutor(NUM_TRANSFERS) as pool:
            early = [name for name in changed if name not in late]
            list(pool.map(lambda name: self.upload(files[name], f"{below}/{name}"), early))
        for name in late:
            self.upload(files[name], f"{below}/{name}")

    def download_folder(self, below: str, folder: Path) -> None:
        """Raises: StoreError: As `download`; some files are then missing."""
        paths = [item.path for item in self.objects(below)]
        for path in paths:
            # A key may be anything; no file may be written elsewhere.
            if path.startswith("/") or ".." in path.split("/"):
                raise StoreError(
                    f"{self.address}/{below} cannot be fetched", f"a key leads outside: {path!r}"
                )
        with ThreadPoolExecutor(NUM_TRANSFERS) as pool:
            list(pool.map(lambda path: self.download(f"{below}/{path}", folder / path), paths))

    def copy(self, path: str, target: str) -> None:
        """Raises: StoreError: It cannot be copied."""
        with self._explained("cannot be copied", path):
            self._files.cp_file(self._full(path), self._full(target))

    def remove(self, paths: Iterable[str]) -> None:
        """Raises: StoreError: One cannot be removed."""
        full = [self._full(path) for path in paths]
        if full:
            with self._explained("cannot be changed"):
                self._files.rm(full)

    def _full(self, path: str) -> str:
        return f"{self._root}/{path}" if path else self._root

    @contextlib.contextmanager
    def _explained(self, what: str, path: str = "") -> Iterator[None]:
        place = f"{self.address}/{path}" if path else self.address
        try:
            yield
        except Exception as error:
            # What the libraries raise has no common base.
            raise StoreError(f"{place} {what}", reason_of(error), HINTS.get(self.scheme, "")) from None


def connect(scheme: str, address: str) -> tuple[Any, str]:
    """fsspec's file system of an address, and the path in it."""
    if scheme not in PACKAGES:
        raise UserError(
            f"{address}: {scheme}:// is not read here.",
            f"Known are {', '.join(f'{s}://' for s in PACKAGES)}.",
        )
    try:
        import fsspec

        # It logs with tracebacks what is told here in a line.
        logging.getLogger("gcsfs").setLevel(logging.CRITICAL)
        files, root = fsspec.core.url_to_fs(address)
    except ImportError:
        raise UserError(f"{scheme}:// needs the package {PACKAGES[scheme]}.", INSTALL) from None
    except Exception as error:
        raise StoreError(f"{address} cannot be opened", reason_of(error), HINTS.get(scheme, "")) from None
    return files, root.rstrip("/")


def is_same(file: Path, stored: StoredObject | None) -> bool:
    """Whether an object holds the bytes of a file, where its version is their MD5 sum as S3 and GCS give it."""
    if stored is None or stored.size != file.stat().st_size:
        return False
    with open(file, "rb") as opened:
        digest = hashlib.file_digest(opened, "md5")
    return stored.version in (digest.hexdigest(), base64.b64encode(digest.digest()).decode())


def described(path: str, details: dict[str, Any]) -> StoredObject:
    """An object as each file system of fsspec tells of it, in one form."""
    sums = ("md5Hash", "ETag", "etag", "Content-MD5", "Digest", "generation")
    times = ("LastModified", "updated", "mtime", "Last-Modified", "created")
    checksum = next((str(details[name]) for name in sums if details.get(name)), "")
    changed = next((details[name] for name in times if details.get(name)), "")
    modified = seconds_of(changed)
    size = details.get("size")
    return StoredObject(
        path, -1 if size is None else int(size), checksum.strip('"') or str(modified or changed), modified
    )


def seconds_of(time: Any) -> float:
    if isinstance(time, str):
        with contextlib.suppress(ValueError):
            time = datetime.datetime.fromisoformat(time)
    if isinstance(time, datetime.datetime):
        return time.timestamp()
    return float(time) if isinstance(time, int | float) else 0.0


def says_no_bucket(error: FileNotFoundError) -> bool:
    return "bucket does not exist" in str(error).lower()


def reason_of(error: Exception) -> str:
    """Why, in a few words on one line."""
    name, text = type(error).__name__, " ".join(str(error).split()).rstrip(".")
    if "Credentials" in name:
        return "no credentials were found" if name == "NoCredentialsError" else f"credentials: {text[:200]}"
    if isinstance(error, FileNotFoundError):
        if type(error.__cause__).__module__.startswith("aiohttp"):
            return " ".join(str(getattr(error.__cause__, "message", "") or error.__cause__).split())[:200]
        return "there is no such bucket" if says_no_bucket(error) else "there is nothing of this name"
    if isinstance(error, PermissionError):
        return f"access was denied ({text[:200]})" if text else "access was denied"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return text[:200] or name
