"""Sets of TensorFlow Datasets, `tfds:NAME[/config][:version][:split]`: from disk, or fetched and prepared first."""

import contextlib
import hashlib
import os
from collections import Counter
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from vae_tf.config import DataConfig
from vae_tf.data.pictures import UnusablePicture, picture_shape, read_picture
from vae_tf.data.sources.array_facts import Arrays, entries_of, facts_of
from vae_tf.data.sources.array_files import temporary_file
from vae_tf.data.sources.array_values import (
    DARKEST_WHITE,
    Layout,
    darker_white,
    layout_of,
    meaning_of,
    on_white,
    to_dtype,
)
from vae_tf.data.sources.tfds_builder import PREFIX, batches, parse, prepared_builder, quiet
from vae_tf.data.sources.tfds_features import (
    class_names,
    column_array,
    flatten,
    is_column,
    is_encoded,
    label_feature,
    picture_feature,
    value_at,
)
from vae_tf.errors import UserError

NUM_PROBES = 256
PARTS = {"val": "validation", "valid": "validation"}


class TfdsSource:
    """Pictures of a prepared set, copied once into an anonymous temporary file, still encoded where they were.

    Raises:
        UserError: No such set, split or feature, or it can't be fetched.
    """

    def __init__(self, text: str, config: DataConfig) -> None:
        request = parse(text)
        self.name = request.name.replace("/", "-")
        self.notes: list[str] = []
        with quiet():
            self._builder = prepared_builder(request, self.notes)
            self._pieces = request.pieces or tuple(self._builder.info.splits)
            if not self._pieces:
                raise UserError(f"{text} has no splits.", f"Name one: {PREFIX}{request.name}:train")
            features = dict(flatten(self._builder.info.features))
            self._key = picture_feature(self._builder, features, config.key)
            self._file: IO[bytes] = temporary_file(0, text)
            try:
                rows = self._copy(features)
            except OSError as error:
                raise UserError(
                    f"{text} cannot be copied into a temporary file ({error.strerror}).",
                    "Name another place for temporary files: TMPDIR=/large/disk python cli.py …",
                ) from None
        count = len(rows)
        if not count:
            raise UserError(f"{text} holds no pictures.")
        self._layout, self._values = self._map(features[self._key], count)
        if self._values is None:
            self.dtype = np.dtype(features[self._key].np_dtype).name
            self.value_range = config.value_range or self._sampled_range(count)
        else:
            meaning = meaning_of([self._values], config.value_range)
            self.dtype, self.value_range = meaning.dtype, meaning.value_range
            self.notes += meaning.notes
        names = class_names(features[self._label]) if self._label else None
        found = facts_of(self._columns, names, self._label)
        self.facts = found.columns
        self.entries, notes = entries_of(rows, found, config.group_by)
        self.notes += found.notes + notes

    def _copy(self, features: dict[str, Any]) -> list[tuple[str, str]]:
        """Writes every picture to the file, collects the columns, and gives (part, path) of each."""
        columns = {path: feature for path, feature in features.items() if is_column(feature)}
        self._label = label_feature(self._builder, columns)
        self._columns: list[tuple[int, Arrays]] = []
        numbers: Counter[str] = Counter()
        ends, parts = [0], list[str]()
        for piece in self._pieces:
            part = piece.partition("[")[0]
            collected: dict[str, list[Any]] = {path: [] for path in columns}
            began = len(parts)
            for batch in batches(self._builder, piece, self._key, features, columns):
                for picture in value_at(batch, self._key):
                    self._file.write(
                        picture if isinstance(picture, bytes) else np.ascontiguousarray(picture).data
                    )
                    ends.append(self._file.tell())
                    parts.append(part)
                for path, values in collected.items():
                    values.extend(value_at(batch, path))
            found = {path: column_array(columns[path], values) for path, values in collected.items()}
            self._columns.append((len(parts) - began, found if len(parts) > began else {}))
        self._file.flush()
        self._ends = np.asarray(ends, dtype=np.int64)
        width = {part: len(str(count - 1)) for part, count in Counter(parts).items()}
        rows = []
        for part in parts:
            rows.append((PARTS.get(part, part), f"{part}/{numbers[part]:0{width[part]}d}"))
            numbers[part] += 1
        return rows

    def _map(self, feature: Any, count: int) -> tuple[Layout | None, NDArray[Any] | None]:
        """Layout and values of pictures that were not encoded, mapped from the file."""
        if is_encoded(feature):
            return None, None
        shape = (count, *feature.shape)
        values = np.memmap(self._file, np.dtype(feature.np_dtype), "r", 0, shape)
        return layout_of(self._key, shape), values

    def _sampled_range(self, count: int) -> tuple[float, float] | None:
        """Black and white of encoded 8-bit pictures: dSprites, for one, are stored with 1 as white."""
        if self.dtype != "uint8":
            return None
        probes = np.unique(np.linspace(0, count - 1, min(count, NUM_PROBES)).astype(int)).tolist()
        highest = 0
        for position in probes:
            with contextlib.suppress(UnusablePicture):
                highest = max(highest, int(self.read(position).max()))
            if highest >= DARKEST_WHITE:
                return None
        value_range, notes = darker_white(highest)
        self.notes += notes
        return value_range

    def fingerprint(self) -> str:
        builder = self._builder
        digest = hashlib.sha256(f"{builder.info.full_name}\0{builder.data_path}\0{self._key}\n".encode())
        for piece in self._pieces:
            split = builder.info.splits.get(piece.partition("[")[0])
            size = (split.num_examples, split.num_bytes, split.shard_lengths) if split else None
            digest.update(f"{piece}\0{size}\n".encode())
        with contextlib.suppress(OSError):
            stat = os.stat(os.path.join(builder.data_path, "dataset_info.json"))
            digest.update(f"{stat.st_size}\0{stat.st_mtime_ns}".encode())
        return digest.hexdigest()

    def read(self, position: int) -> NDArray[Any]:
        if self._values is None or self._layout is None:
            return read_picture(self._bytes(position), dtype=self.dtype)
        picture = self._layout.picture(to_dtype(np.asarray(self._values[position]), self.dtype))
        if self._layout.channels == 4:
            picture = on_white(picture, self.value_range)
        return np.ascontiguousarray(picture)

    def shape(self, position: int) -> tuple[int, int, int]:
        if self._layout is None:
            return picture_shape(self._bytes(position))
        return self._layout.height, self._layout.width, 1 if self._layout.channels == 1 else 3

    def _bytes(self, position: int) -> bytes:
        start, end = int(self._ends[position]), int(self._ends[position + 1])
        # Unlike seek and read, this is safe from several threads.
        return os.pread(self._file.fileno(), end - start, start)
