"""Copies of remote files that can only be read whole (archives, arrays, tables): fetched once into the cache."""

import hashlib
import shutil
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from vae_tf.locks import holding
from vae_tf.places import cache_root, is_remote
from vae_tf.whole import write_text


def local_file(source: str) -> Path:
    """The file at a path as it is; of a remote one, a copy under the cache that is fetched when its version is new.

    Raises:
        UserError: There is no such remote file, or it cannot be fetched.
    """
    if not is_remote(source):
        return Path(source).expanduser()
    from vae_tf.store import Store, StoreError

    store = Store(source)
    found = store.find()
    if found is None:
        raise StoreError(f"{source} cannot be opened", "there is no file of this name")
    folder = folder_of(source) / key_of(f"{found.size} {found.version}")
    target = folder / remote_name(source)
    fetched_root().mkdir(parents=True, exist_ok=True)
    with holding(fetched_root() / f"{folder.parent.name}.lock"):
        if not (target.exists() and (folder.parent / "address").exists()):
            # Of a file that changes only the newest copy is kept.
            shutil.rmtree(folder.parent, ignore_errors=True)
            store.download("", target)
            write_text(folder.parent / "address", source)
    return target


def identity(path: Path) -> str:
    """Names the bytes of a file: address and version of a fetched copy, on any machine; else path, size and time."""
    note = path.parent.parent / "address"
    if path.is_relative_to(fetched_root()) and note.exists():
        return f"{note.read_text(encoding='utf-8')}\0{path.parent.name}"
    status = path.stat()
    return f"{path.resolve()}\0{status.st_size}\0{status.st_mtime_ns}"


def remote_name(address: str) -> str:
    """The last name of an address, without what web servers are asked for by it (keys, often)."""
    parts = urlsplit(address)
    path = parts.path if parts.scheme in ("http", "https") else address.split("://", 1)[1]
    name = PurePosixPath(path.rstrip("/")).name
    return name if name not in ("", "..") else parts.netloc or "pictures"


def folder_of(address: str) -> Path:
    return fetched_root() / key_of(address)


def fetched_root() -> Path:
    return cache_root() / "fetched"


def key_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
