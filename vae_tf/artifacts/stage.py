"""One stage of a run: finished, or being written."""

import contextlib
import dataclasses
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vae_tf import strangers
from vae_tf.artifacts.hashes import hash_of
from vae_tf.artifacts.json_files import jsonable, write_json
from vae_tf.mirror import mirror_of
from vae_tf.versions import versions


@dataclasses.dataclass(frozen=True)
class Stage:
    """One finished stage of a run: where its folder is and what `stage.json` says."""

    place: Path
    record: dict[str, Any]

    @property
    def folder(self) -> Path:
        """Its folder; that of a run in a store is fetched when it is first asked for."""
        if not self.place.exists() and (mirror := mirror_of(self.place.parent.parent)) is not None:
            mirror.take(self.place.parent.name, self.name)
        return self.place

    @property
    def name(self) -> str:
        return self.place.name

    @property
    def hash(self) -> str:
        return str(self.record["hash"])

    def reading(self) -> contextlib.AbstractContextManager[None]:
        """Around what reads its files and results: what does not fit is told as damage of this stage."""
        return strangers.read_from(self.place)


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
        "started": started,
        "finished": time.time(),
        "versions": versions(),
    }
    write_json(folder / "stage.json", record)
