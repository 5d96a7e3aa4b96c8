"""Short hashes, by which stages know their inputs."""

import hashlib
import json
from pathlib import Path
from typing import Any

from vae_tf.artifacts.json_files import jsonable


def hash_of(document: Any) -> str:
    """12 hexadecimal digits of a JSON document."""
    text = json.dumps(document, sort_keys=True, default=jsonable)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def hash_of_file(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:12]
