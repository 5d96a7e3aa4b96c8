"""The pictures of a run: pixels, classes, groups and parts, all in one order."""

import dataclasses
import difflib
import hashlib
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae_tf.config import DataConfig
from vae_tf.data.cache import Cache, Shape, choose_shape, open_cache
from vae_tf.data.calibration import split_for_calibration
from vae_tf.data.hidden_labels import hide_labels
from vae_tf.data.sources import Source, open_source
from vae_tf.data.splits import FREE, OTHER, PARTS, Split, split
from vae_tf.data.tables import TABLE_SUFFIXES
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
        hidden: Whether training may not see the picture's class [N]; None where nothing was hidden.
    """

    paths: list[str]
    labels: NDArray[np.int64]
    class_names: list[str]
    groups: NDArray[np.int64]
    group_names: list[str]
    parts: NDArray[np.int8]
    facts: dict[str, list[Any]] = dataclasses.field(default_factory=dict)
    hidden: NDArray[np.bool_] | None = None

    @property
    def visible_labels(self) -> NDArray[np.int64]:
        """The classes that training may see [N], −1 for none and for those that are hidden."""
        return self.labels if self.hidden is None else np.where(self.hidden, -1, self.labels)

    def where(self, part: str) -> NDArray[np.int64]:
        return Split(self.parts).where(part)

    def class_of(self, position: int) -> str:
        label = int(self.labels[position])
        return self.class_names[label] if label >= 0 else ""

    def group_of(self, position: int) -> str:
        group = int(self.groups[position])
        return self.group_names[group] if group >= 0 else ""

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Names of columns, and a row per picture: path, split, label, group, every fact, whether the label was hidden.

        Facts are written in full, as texts, and what is missing as an empty one.
        """
        columns = dict(self.facts)
        if self.hidden is not None:
            columns["label_is_hidden"] = ["yes" if hidden else "no" for hidden in self.hidden]
        rows = [
            [
                path,
                PARTS[self.parts[i]],
                self.class_of(i),
                self.group_of(i),
                *("" if column[i] is None else str(column[i]) for column in columns.values()),
            ]
            for i, path in enumerate(self.paths)
        ]
        return ["path", "split", "label", "group", *columns], rows

    def to_json(self) -> dict[str, Any]:
        return {
            "paths": self.paths,
            "labels": self.labels.tolist(),
            "class_names": self.class_names,
            "groups": self.groups.tolist(),
            "group_names": self.group_names,
            "parts": self.parts.tolist(),
            "facts": self.facts,
            "hidden": None if self.hidden is None else np.flatnonzero(self.hidden).tolist(),
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Index":
        arrays: dict[str, Any] = {
            "labels": np.asarray(document["labels"], dtype=np.int64),
            "groups": np.asarray(document["groups"], dtype=np.int64),
            "parts": np.asarray(document["parts"], dtype=np.int8),
        }
        hidden = document["hidden"]
        arrays["hidden"] = None if hidden is None else np.isin(np.arange(len(arrays["labels"])), hidden)
        index = cls(**{**document, **arrays})
        index.check()
        return index

    def check(self) -> None:
        """Raises: ValueError: Facts of more or fewer pictures than there are, or names that are not there."""
        count = len(self.paths)
        coded: list[tuple[str, NDArray[Any], Sequence[str]]] = [
            ("labels", self.labels, self.class_names),
            ("groups", self.groups, self.group_names),
            ("parts", self.parts, PARTS),
        ]
        lengths = [(name, len(codes)) for name, codes, _ in coded]
        for name, length in [*lengths, *((name, len(values)) for name, values in self.facts.items())]:
            if length != count:
                raise ValueError(f"{count:,} paths, but {length:,} {name}")
        for name, codes, names in coded:
            if count and not -1 <= codes.min() <= codes.max() < len(names):
                raise ValueError(f"{name} without a name")
        if not all(isinstance(text, str) for text in (*self.paths, *self.class_names, *self.group_names)):
            raise ValueError("names are texts")


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
        sizes: (height, width, channels, number of pictures) as the source has them, the most frequent first.
        hashes: One 64-bit hash of each picture's pixels [N]; equal pictures have equal hashes.
        shares: By which the pictures were dealt to the parts; None where they were not dealt, or are read again.
    """

    images: NDArray[Any]
    index: Index
    shape: Shape
    skipped: list[tuple[str, str]]
    notes: list[str]
    source_notes: list[str]
    fingerprint: str
    sizes: list[tuple[int, int, int, int]] = dataclasses.field(default_factory=list)
    hashes: NDArray[np.uint64] = dataclasses.field(default_factory=lambda: np.zeros(0, np.uint64))
    shares: tuple[float, ...] | None = None

    @property
    def examples(self) -> NDArray[Any]:
        """What the model is given, by the name that sentences have it under, too."""
        return self.images

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
    # Without int, which refuses thousands of digits: of two numbers the one of more digits is larger.
    digits = {piece: piece.lstrip("0") for piece in pieces if piece[0] in "0123456789"}
    return [
        (0, len(digits[piece]), f"{digits[piece]} {piece}") if piece in digits else (1, 0, piece)
        for piece in pieces
    ]


def load_pictures(
    config: DataConfig,
    seed: int,
    cache_root: Path,
    progress: Callable[[int, int], None] | None = None,
    source: Source | None = None,
) -> Pictures:
    """Reads, shapes, labels and splits the pictures that `config` names; `source` where it is open already.

    Raises:
        UserError: No such source, nothing usable in it, too few pictures, pictures that are all equal, no such
            class, or as many classes as pictures.
    """
    source = source or open_source(config)
    shape = choose_shape(source, config.size, config.channels, config.fit, config.value_range)
    cache = open_cache(source, shape, cache_root, progress)
    copies = find_copies(cache.images, cache.hashes)
    check_not_constant(copies)
    index = make_index(source, cache, fixed_parts(source, cache))
    check_classes(index.labels, index.class_names)
    index.parts[~among(config.only, index.labels, index.class_names)] = OTHER
    # Shares that somebody chose are kept; those of --only may grow a calibration part that is worth having.
    dealt = split_for_calibration if config.only and config.split is None else split_as_asked
    parts, shares = dealt(index.labels, index.groups, config.shares, seed, index.parts, copies)
    index = dataclasses.replace(index, parts=parts.part)
    notes = [*parts.notes, *notes_about_labels(index.labels, index.class_names, config)]
    if config.labelled_fraction is not None:
        training = index.where("train")
        hidden = hide_labels(index.labels, training, index.class_names, config.labelled_fraction, seed)
        index = dataclasses.replace(index, hidden=hidden)
        notes.append(note_about_hidden(index))
    found = make_pictures(source, shape, cache, index, notes)
    return dataclasses.replace(
        found, shares=shares, source_notes=[*found.source_notes, *note_about_tables(config)]
    )


def split_as_asked(
    labels: NDArray[np.int64], groups: NDArray[np.int64], shares: tuple[float, ...], *further: Any
) -> tuple[Split, tuple[float, ...]]:
    """See `split`; and the shares as they were given."""
    return split(labels, groups, shares, *further), shares


def fixed_parts(source: Source, cache: Cache) -> NDArray[np.int8]:
    """The parts that the source itself decided [N], FREE for the others."""
    parts = [source.entries[i].part for i in cache.positions]
    return np.array([FREE if part is None else PARTS.index(part) for part in parts], dtype=np.int8)


def load_unseen(
    source: Source, shape: Shape, cache_root: Path, progress: Callable[[int, int], None] | None = None
) -> Pictures:
    """The pictures of a source that no model was trained on: all of them are the test part.

    Raises:
        UserError: Nothing usable in it.
    """
    cache = open_cache(source, shape, cache_root, progress)
    index = make_index(source, cache, np.full(len(cache.positions), PARTS.index("test"), np.int8))
    return make_pictures(source, shape, cache, index, [])


def make_index(source: Source, cache: Cache, parts: NDArray[np.int8]) -> Index:
    """What the source knows of the pictures that could be used."""
    entries = [source.entries[i] for i in cache.positions]
    labels, class_names = encode_names([entry.label for entry in entries])
    groups, group_names = encode_names([entry.group for entry in entries])
    facts = {name: [column[i] for i in cache.positions] for name, column in source.facts.items()}
    return Index([entry.path for entry in entries], labels, class_names, groups, group_names, parts, facts)


def make_pictures(source: Source, shape: Shape, cache: Cache, index: Index, notes: list[str]) -> Pictures:
    return Pictures(
        images=cache.images,
        index=index,
        shape=shape,
        skipped=cache.skipped,
        notes=notes,
        source_notes=source.notes,
        fingerprint=cache.fingerprint,
        sizes=cache.sizes,
        hashes=cache.hashes,
    )


def find_copies(images: NDArray[Any], hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """A key [N] that pictures of equal pixels share, −1 for a picture that is like no other."""
    _, inverse, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    copies = np.full(len(hashes), -1, dtype=np.int64)
    first: dict[tuple[int, bytes], int] = {}
    # Different pictures may share a hash; what counts is a second, longer one.
    for i in np.flatnonzero(counts[inverse] > 1).tolist():
        digest = hashlib.sha256(images[i].tobytes()).digest()
        origin = first.setdefault((int(inverse[i]), digest), i)
        if origin != i:
            copies[[origin, i]] = origin
    return copies


def check_not_constant(copies: NDArray[np.int64]) -> None:
    """Raises: UserError: All pictures are equal, so that nothing varies in them."""
    if len(copies) > 1 and np.all(copies == 0):
        raise UserError("All pictures are equal: nothing varies in them.", "Is this the right folder?")


def check_classes(labels: NDArray[np.int64], class_names: list[str]) -> None:
    """Raises: UserError: Every picture is a class of its own, as with a folder for each picture."""
    if 2 < len(class_names) == len(labels):
        raise UserError(
            f"{len(labels):,} pictures in {len(class_names):,} classes: every picture is a class of its own.",
            "Put them into one folder, or into a folder for each class, or name classes: --labels FILE.csv.",
        )


def among(only: tuple[str, ...], labels: NDArray[np.int64], class_names: list[str]) -> NDArray[np.bool_]:
    """Whether each picture [N] is of one of the classes `only`; all are where it names none.

    Raises:
        UserError: There is no such class, or there are no classes at all.
    """
    if not only:
        return np.ones(len(labels), dtype=bool)
    if not class_names:
        raise UserError(
            f"--only {only[0]}: the pictures have no classes.",
            "Classes come from subfolders, or from a file: --labels FILE.csv --label-column COLUMN.",
        )
    for name in only:
        if name not in class_names:
            near = difflib.get_close_matches(name, class_names, len(class_names), cutoff=0.0)
            shown = ", ".join(near[:20]) + (" …" if len(near) > 20 else "")
            raise UserError(f"--only {name}: there is no such class.", f"Classes are: {shown}.")
    return np.isin(labels, [class_names.index(name) for name in only])


def note_about_hidden(index: Index) -> str:
    training = index.where("train")
    known, seen = int(np.sum(index.labels[training] >= 0)), int(np.sum(index.visible_labels[training] >= 0))
    return (
        f"Training sees {seen:,} of {known:,} labels (--labelled-fraction); the others are hidden, "
        "and only check what is predicted."
    )


def note_about_tables(config: DataConfig) -> list[str]:
    """That a table lies at the top of the folder, which may say what the pictures are, where none was named."""
    folder = Path(config.source).expanduser()
    if config.labels is not None or not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if entry.name.lower().endswith(TABLE_SUFFIXES))
    return (
        [f"Does {names[0]} say what the pictures are? --labels FOLDER/{names[0]} reads it."] if names else []
    )


def notes_about_labels(labels: NDArray[np.int64], class_names: list[str], config: DataConfig) -> list[str]:
    notes = []
    unlabelled = int(np.sum(labels < 0))
    if class_names and unlabelled and config.labels is None:
        lie = "1 picture lies" if unlabelled == 1 else f"{unlabelled} pictures lie"
        notes.append(f"{lie} beside the class folders, without a class.")
    elif class_names and unlabelled:
        notes.append(f"{'1 picture has' if unlabelled == 1 else f'{unlabelled} pictures have'} no class.")
    if aside := int(np.sum(~among(config.only, labels, class_names))):
        are = "1 picture is" if aside == 1 else f"{aside} pictures are"
        notes.append(
            f"{are} not of {', '.join(config.only)}: put aside, embedded and shown but never trained on."
        )
    return notes
