"""Which pictures the rows of a table name: by path, file name or stem."""

import dataclasses
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

# From the strictest to the loosest.
METHODS = ("path", "path without suffix", "file name", "stem", "stem without leading zeros", "order")
NUM_BY_PATH = 2
# Of a path of more folders the whole counts, and its last ones: all ends of 30,000 folders would be gigabytes.
MOST_FOLDERS = 50
# A frame of a file of several: cat.gif#0001.
FRAME = re.compile(r"(\.\w+)#[0-9]{4,}$")


@dataclasses.dataclass(frozen=True)
class Match:
    """Which of R rows name which of N pictures.

    Args:
        rows: Positions of the pictures that each row names [R].
        row_of: The first row that names each picture [N], −1 for none.
        later: (row, picture) of every further row that names a picture.
        method: How most of the pictures were found, one of `METHODS`.
        credible: Whether the values can be meant as names; few values that many rows share are no names.
    """

    rows: list[list[int]]
    row_of: NDArray[np.int64]
    later: list[tuple[int, int]]
    method: str
    credible: bool = True

    @property
    def num_pictures(self) -> int:
        return int(np.sum(self.row_of >= 0))


class PictureNames:
    """The paths of N pictures, prepared to be found by parts of them."""

    def __init__(self, paths: list[str]) -> None:
        self.paths = paths
        self._by_path: dict[str, list[int]] = {}
        self._by_path_stem: dict[str, list[int]] = {}
        self._by_name: dict[str, list[int]] = {}
        self._by_stem: dict[str, list[int]] = {}
        self._by_number: dict[str, list[int]] = {}
        for i, path in enumerate(map(normal, paths)):
            file = without_frame(path)
            for text in {path, file}:
                self._add(self._by_path, text, i)
                self._by_name.setdefault(text.rsplit("/", 1)[-1], []).append(i)
            if "/" in file:
                self._add(self._by_path_stem, stem_of(file), i)
            stem = stem_of(file.rsplit("/", 1)[-1])
            self._by_stem.setdefault(stem, []).append(i)
            if number := number_of(stem):
                self._by_number.setdefault(number, []).append(i)

    def _add(self, table: dict[str, list[int]], path: str, position: int) -> None:
        """The ends of a path name it too, as a label file may know of fewer folders."""
        found = ends(path)
        for end in found[:-1] or found:
            table.setdefault(end, []).append(position)

    def match(self, values: list[str | None]) -> Match:
        """The pictures that each of the values [R] names; each value as strictly as it can be taken."""
        found = self.find({value for value in values if value is not None})
        none: list[int] = []
        rows = (
            [found[value][1] if value in found else none for value in values]
            if found
            else [none] * len(values)
        )
        row_of = np.full(len(self.paths), -1, dtype=np.int64)
        later = []
        for row, positions in enumerate(rows):
            for position in positions:
                if row_of[position] < 0:
                    row_of[position] = row
                else:
                    later.append((row, position))
        methods = Counter(dict.fromkeys(METHODS, 0))
        for method, positions in found.values():
            methods[METHODS[method]] += len(positions)
        num_naming = sum(len(positions) > 0 for positions in rows)
        written_as_file = any("." in value or "/" in value for value in found)
        credible = written_as_file or 2 * len(found) >= num_naming
        return Match(rows, row_of, later, max(METHODS, key=methods.__getitem__), credible)

    def find(self, values: set[str]) -> dict[str, tuple[int, list[int]]]:
        """For each value that names pictures: the position of the method in `METHODS`, and the pictures."""
        found: dict[str, tuple[int, list[int]]] = {}
        for value in values:
            text = normal(value)
            tries = (
                by_end(self._by_path, text),
                by_end(self._by_path_stem, text) or by_end(self._by_path_stem, stem_of(text)),
            )
            if best := first_of(tries):
                found[value] = best
        # Where paths are right, a path that is wrong must not find its namesake in another folder.
        paths_count = any("/" in normal(value) for value in found)
        for value in values - found.keys():
            folder, _, name = normal(value).rpartition("/")
            stem = stem_of(name)
            looser = (
                self._by_name.get(name, []),
                self._by_stem.get(name) or self._by_stem.get(stem, []),
                self._by_number.get(number_of(name) or number_of(stem) or "none", []),
            )
            best = None if folder and paths_count else first_of(looser)
            # A value with a folder means one file.
            if best is not None and not (folder and self._num_files(best[1]) > 1):
                found[value] = best[0] + NUM_BY_PATH, best[1]
        return found

    def _num_files(self, positions: list[int]) -> int:
        return len({without_frame(self.paths[position]) for position in positions})


def first_of(tries: Iterable[list[int]]) -> tuple[int, list[int]] | None:
    return next(((i, positions) for i, positions in enumerate(tries) if positions), None)


def by_end(table: dict[str, list[int]], path: str) -> list[int]:
    """Pictures whose path ends like this one, or whose whole path this one ends with."""
    return next((found for end in ends(path) if (found := table.get(end))), [])


def ends(path: str) -> list[str]:
    """The path, and what is left of it without its first folders, the longest first."""
    parts = path.split("/")
    starts = [0, *range(max(1, len(parts) - MOST_FOLDERS), len(parts))]
    return ["/".join(parts[start:]) for start in starts]


def normal(path: str) -> str:
    """One spelling of a path: composed characters (macOS takes them apart), / between folders, none around."""
    text = unicodedata.normalize("NFC", path).replace("\\", "/")
    return text.removeprefix("./").strip("/")


def without_frame(path: str) -> str:
    """The path of the file that a picture is a frame of."""
    return FRAME.sub(r"\1", path) if "#" in path else path


def stem_of(path: str) -> str:
    """The path without its suffix."""
    folder, slash, name = path.rpartition("/")
    return folder + slash + (name.rpartition(".")[0] or name)


def number_of(text: str) -> str | None:
    """A number without its leading zeros; None for other text."""
    return (text.lstrip("0") or "0") if text.isascii() and text.isdigit() else None


def match_in_order(num_rows: int, paths: list[str]) -> Match | None:
    """Row by row, where a source without file names numbers as many pictures as there are rows; else None."""
    if num_rows != len(paths) or not all(number_of(path.rsplit("/", 1)[-1]) for path in paths):
        return None
    return Match([[i] for i in range(num_rows)], np.arange(num_rows), [], "order")
