"""Where runs and decoded pictures lie: the environment's VAE_TF_RUNS and VAE_TF_CACHE."""

import hashlib
import os
import re
from pathlib import Path

from vae_tf.errors import UserError

SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def is_remote(source: str) -> bool:
    """Whether a text is an address such as s3://bucket/faces rather than a path or a name."""
    return SCHEME.match(source) is not None


def runs_address() -> str:
    """Where runs are kept, as the user named it: a folder, or an address in an object store."""
    return os.environ.get("VAE_TF_RUNS") or "runs"


def runs_root() -> Path:
    """Folder of all runs: $VAE_TF_RUNS, or `runs` here; of runs in a store, the folder where they are worked on."""
    address = runs_address().rstrip("/")
    if not is_remote(address):
        return Path(address)
    key = hashlib.sha256(address.encode()).hexdigest()[:8]
    return cache_root() / "runs" / f"{re.sub(r'[^A-Za-z0-9]+', '-', address)[:60]}-{key}"


def cache_root() -> Path:
    """Folder of decoded pictures: $VAE_TF_CACHE, or `cache` beside the runs, or ~/.cache/vae_tf if these are remote.

    Raises:
        UserError: $VAE_TF_CACHE is remote: pictures are mapped into memory from it.
    """
    named = os.environ.get("VAE_TF_CACHE")
    if named and is_remote(named):
        raise UserError(f"VAE_TF_CACHE={named}: the cache must be on this machine.", "Name a local folder.")
    if named:
        return Path(named)
    if is_remote(runs_address()):
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vae_tf"
    return runs_root() / "cache"
