"""One stage of a run: finished, or being written."""

import contextlib
import dataclasses
import functools
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vae_tf import strangers
from vae_tf.artifacts.hashes import hash_of, hash_of_file
from vae_tf.artifacts.json_files import jsonable, read_json, write_json
from vae_tf.mirror import mirror_of
from vae_tf.versions import versions

# What people open, and may save again, while nothing is computed from it; and models, whose hash is among the results.
NOT_HASHED = (".csv", ".png", ".svg", ".txt", ".config", ".keras")


@dataclasses.dataclass(frozen=True)
class Stage:
    """One finished stage of a run: where its folder is and what `stage.json` says."""

    place: Path
    record: dict[str, Any]

    @property
    def folder(self) -> Path:
        """Its folder; that of a run in a store is fetched when it is first asked for.

        Raises:
            UserError: A file in it is not the one that the stage wrote.
        """
        if not self.place.exists() and (mirror := mirror_of(self.place.parent.parent)) is not None:
            mirror.take(self.place.parent.name, self.name)
        check_files(self.place, self.hash)
        return self.place

    @property
    def name(self) -> str:
        return self.place.name

    @property
    def hash(self) -> str:
        return str(self.record["hash"])

    def reading(self) -> contextlib.AbstractContextManager[None]:
        """Around what shows its files and results: what does not fit is told with the name of this stage."""
        return strangers.telling(self.place)


@functools.lru_cache(maxsize=256)
def check_files(place: Path, hash: str) -> None:
    """Looks once a process whether a stage's files are those that it wrote.

    Raises:
        UserError: One is missing, or is another one.
    """
    path = place / "stage.json"
    recorded = strangers.files_of(path, read_json(path))
    found = files_in(place)
    wrong = [
        name for name, digest in recorded.items() if name not in found or hash_of_file(found[name]) != digest
    ]
    if wrong:
        mending = (
            strangers.HINT if place.name in ("data", "train") else f"Remove {place}, and it is made anew."
        )
        raise strangers.damaged(place / min(wrong), "it is not the file that was written", mending)


def files_in(folder: Path) -> dict[str, Path]:
    """The files of a stage that its hashes are about, by their names in it."""
    return {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix not in NOT_HASHED and path != folder / "stage.json"
    }


@dataclasses.dataclass
class StageWriter:
    """Where a stage writes: `folder / file`, and `results` for what goes into its record."""

    folder: Path
    results: dict[str, Any] = dataclasses.field(default_factory=dict)


def finish_stage(
    folder: Path, kind: str, inputs: Mapping[str, Any], started: float, results: Mapping[str, Any]
) -> None:
    """Writes stage.json, by which a folder becomes a finished stage."""
    # As they will be read: JSON has no tuples, no keys but texts, and no numbers that are none.
    written = json.dumps([inputs, results], default=jsonable)
    inputs, results = json.loads(written, parse_constant=lambda name: None)
    record = {
        "stage": kind,
        "hash": hash_of([inputs, results]),
        "inputs": inputs,
        "results": results,
        "files": {name: hash_of_file(path) for name, path in files_in(folder).items()},
        "started": started,
        "finished": time.time(),
        "versions": versions(),
    }
    write_json(folder / "stage.json", record)
