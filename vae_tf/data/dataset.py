"""The pictures of a run: pixels, classes, groups and parts, all in one order."""

import csv
import dataclasses
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae_tf.config import DataConfig
from vae_tf.data.cache import Shape, choose_shape, open_cache
from vae_tf.data.sources import Entry, Source, open_source
from vae_tf.data.splits import PARTS, Split, split
from vae_tf.errors import UserError
from vae_tf.pixels import EightBitView


@dataclasses.dataclass(frozen=True)
class Index:
    """Facts about each of N pictures, in the order of the pixels.

    Args:
        paths: Relative to the source [N].
        labels: Class of each picture [N], −1 for none; `class_names[label]` is its name.
        groups: Group of each picture [N], −1 for none; `group_names[group]` is its key.
        parts: Position in `splits.PARTS` [N].
        facts: Further columns, each of N values (generative factors, say).
    """

    paths: list[str]
    labels: NDArray[np.int64]
    class_names: list[str]
    groups: NDArray[np.int64]
    group_names: list[str]
    parts: NDArray[np.int8]
    facts: dict[str, list[Any]] = dataclasses.field(default_factory=dict)

    def where(self, part: str) -> NDArray[np.int64]:
        return Split(self.parts).where(part)

    def class_of(self, position: int) -> str:
        label = int(self.labels[position])
        return self.class_names[label] if label >= 0 else ""

    def group_of(self, position: int) -> str:
        group = int(self.groups[position])
        return self.group_names[group] if group >= 0 else ""

    def to_csv(self) -> str:
        """One row per picture: path, split, label, group, then every fact."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["path", "split", "label", "group", *self.facts])
        for i, path in enumerate(self.paths):
            facts = [column[i] for column in self.facts.values()]
            writer.writerow([path, PARTS[self.parts[i]], self.class_of(i), self.group_of(i), *facts])
        # Bytes of a file's name that are no UTF-8 become \udcXX, in paths and in the names taken from them alike.
        return text.getvalue().encode("utf-8", "backslashreplace").decode()

    def to_json(self) -> dict[str, Any]:
        return {
            "paths": self.paths,
            "labels": self.labels.tolist(),
            "class_names": self.class_names,
            "groups": self.groups.tolist(),
            "group_names": self.group_names,
            "parts": self.parts.tolist(),
            "facts": self.facts,
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Index":
        arrays = {
            "labels": np.asarray(document["labels"], dtype=np.int64),
            "groups": np.asarray(document["groups"], dtype=np.int64),
            "parts": np.asarray(document["parts"], dtype=np.int8),
        }
        return cls(**{**document, **arrays})


@dataclasses.dataclass(frozen=True)
class Pictures:
    """What a run is about.

    Args:
        images: uint8, uint16 or float32 [N, H, W, C], a memory map, see `vae_tf.pixels`.
        index: Facts about each picture.
        shape: How the pictures got their shape, and why.
        skipped: (path, reason) of every file that could not be used.
        notes: What a reader of the figures must know, one line each.
        source_notes: What was found beside the pictures, one line each.
        fingerprint: Key of files and options.
    """

    images: NDArray[Any]
    index: Index
    shape: Shape
    skipped: list[tuple[str, str]]
    notes: list[str]
    source_notes: list[str]
    fingerprint: str

    @property
    def to_look_at(self) -> NDArray[np.uint8]:
        """The images as uint8, converted as they are read where they are deeper."""
        # The view has what pages need of an array: length, shape and slices.
        return self.images if self.images.dtype == np.uint8 else EightBitView(self.images)  # type: ignore[return-value]


def encode_names(names: list[str | None]) -> tuple[NDArray[np.int64], list[str]]:
    """Positions in the sorted distinct names (s2 before s10), −1 for None, and those names."""
    distinct = sorted({name for name in names if name is not None}, key=natural_key)
    position = {name: i for i, name in enumerate(distinct)}
    return np.array([-1 if name is None else position[name] for name in names], dtype=np.int64), distinct


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Sorts digits by their value and the rest as text."""
    pieces = re.findall(r"[0-9]+|[^0-9]+", name)
    return [(0, int(piece), piece) if piece[0] in "0123456789" else (1, 0, piece) for piece in pieces]


def load_pictures(
    config: DataConfig,
    seed: int,
    cache_root: Path,
    progress: Callable[[int, int], None] | None = None,
    source: Source | None = None,
) -> Pictures:
    """Reads, shapes, labels and splits the pictures that `config` names; `source` where it is open already.

    Raises:
        UserError: No such source, nothing usable in it, or too few pictures.
    """
    source = source or open_source(config)
    shape = choose_shape(source, config.size, config.channels, config.fit, config.value_range)
    cache = open_cache(source, shape, cache_root, progress)
    entries: list[Entry] = [source.entries[i] for i in cache.positions]
    labels, class_names = encode_names([entry.label for entry in entries])
    groups, group_names = encode_names([entry.group for entry in entries])
    parts = split(labels, groups, config.shares, seed)
    facts = {name: [column[i] for i in cache.positions] for name, column in source.facts.items()}
    index = Index(
        [entry.path for entry in entries], labels, class_names, groups, group_names, parts.part, facts
    )
    check_not_constant(cache.images)
    notes = [*parts.notes, *notes_about_labels(labels, class_names)]
    return Pictures(cache.images, index, shape, cache.skipped, notes, source.notes, cache.fingerprint)


def check_not_constant(images: NDArray[Any]) -> None:
    """Raises: UserError: All of a sample of the pictures are equal, so that nothing varies in them."""
    sample = images[np.unique(np.linspace(0, len(images) - 1, min(len(images), 64)).astype(int))]
    if np.all(sample == sample[:1]):
        raise UserError("All pictures are equal: nothing varies in them.", "Is this the right folder?")


def notes_about_labels(labels: NDArray[np.int64], class_names: list[str]) -> list[str]:
    unlabelled = int(np.sum(labels < 0))
    if class_names and unlabelled:
        lie = "1 picture lies" if unlabelled == 1 else f"{unlabelled} pictures lie"
        return [f"{lie} beside the class folders, without a class."]
    return []
