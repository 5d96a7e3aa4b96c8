"""The embedded source: rendered happy and angry faces, several pictures per person."""

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae_tf.data.sources.base import Entry
from vae_tf.data.sources.folder import groups_from_paths

DEMO_FACES = "demo:faces"


class DemoFaces:
    """Pictures drawn when they are read; every generative factor is a fact."""

    dtype = "uint8"
    value_range: tuple[float, float] | None = None

    def __init__(
        self,
        num_people: int = 40,
        per_person: int = 10,
        size: int = 64,
        seed: int = 0,
        group_by: str | None = None,
    ) -> None:
        from vae_tf.data import faces

        self.name = "demo-faces"
        self._size = size
        self._key = f"{num_people}-{per_person}-{size}-{seed}"
        self._factors = [
            faces.sample_factors(seed, person, picture)
            for person in range(num_people)
            for picture in range(per_person)
        ]
        rows = [dataclasses.asdict(factors) for factors in self._factors]
        self.facts: dict[str, list[Any]] = {name: [row[name] for row in rows] for name in rows[0]}
        paths = [f"{f.expression}/person{f.person:03d}-{f.picture:02d}.png" for f in self._factors]
        groups, self.notes = groups_from_paths(paths, group_by or "(person[0-9]+)")
        labels = [f.expression for f in self._factors]
        self.entries = [Entry(*row) for row in zip(paths, labels, groups, strict=True)]

    def fingerprint(self) -> str:
        digest = hashlib.sha256(self._key.encode())
        for module in ("faces", "portraits", "easel"):
            digest.update(Path(__file__).parents[1].joinpath(f"{module}.py").read_bytes())
        return digest.hexdigest()

    def read(self, position: int) -> NDArray[np.uint8]:
        from vae_tf.data import faces

        return faces.render(self._factors[position], self._size)

    def shape(self, position: int) -> tuple[int, int, int]:
        return (self._size, self._size, 3)
