"""What every source of pictures is: a list of entries, and a way to read one of them."""

import dataclasses
from typing import Any, Protocol

from numpy.typing import NDArray


@dataclasses.dataclass(frozen=True)
class Entry:
    """One picture.

    Args:
        path: Its name inside the source, POSIX style; unique.
        label: Its class, where known.
        group: Key of what it was taken of (a person, a plate), where known; groups are never split.
        part: The part that the source itself puts it in, one of `splits.PARTS`; None leaves it to the dealing.
    """

    path: str
    label: str | None = None
    group: str | None = None
    part: str | None = None


class Source(Protocol):
    """What the cache needs of a source of pictures. `read` and `shape` are called from several threads.

    Attributes:
        name: Short name for runs and pages, no folders in it.
        entries: Every picture, in a fixed order.
        notes: What was found and decided, one sentence each; complete once `dtype` and `value_range` were asked for.
        facts: Further columns of a label file or of the source, each with one value per entry (None: unknown).
        dtype: Of the values that `read` gives: "uint8", "uint16" or "float32".
        value_range: The values that mean black and white; None where they are the dtype's own: 0 to 255,
            0 to 65535, 0.0 to 1.0.
    """

    name: str
    entries: list[Entry]
    notes: list[str]
    facts: dict[str, list[Any]]

    @property
    def dtype(self) -> str: ...

    @property
    def value_range(self) -> tuple[float, float] | None: ...

    def fingerprint(self) -> str:
        """Changes whenever any picture may have changed; classes, groups and facts are not part of it."""
        ...

    def read(self, position: int) -> NDArray[Any]:
        """Values [H, W, 1 or 3] of `dtype` of the entry at `position`; raises UnusablePicture."""
        ...

    def shape(self, position: int) -> tuple[int, int, int]:
        """(height, width, channels) without decoding the pixels; raises UnusablePicture."""
        ...
