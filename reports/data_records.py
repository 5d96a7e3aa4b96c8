"""What the page of the data shows; see `reports.records`."""

from collections.abc import Sequence
from dataclasses import dataclass

from reports.records import Pictures, RunFacts, SplitCount


@dataclass(frozen=True, kw_only=True)
class Remark:
    """A sentence that names nobody, and the pictures or people it is about, which a page may leave out."""

    text: str
    examples: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Shown:
    """Some pictures under one name, such as those of a class; `total`: how many there are in all."""

    name: str
    total: int
    pictures: Pictures
    splits: Sequence[str]
    paths: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Copied:
    """Pictures that are copies of each other; `similarity` is 1 for exact ones; `classes` where they have some."""

    pictures: Pictures
    splits: Sequence[str]
    similarity: float = 1.0
    classes: Sequence[str] = ()
    paths: Sequence[str] = ()
    total: int = 0


@dataclass(frozen=True, kw_only=True)
class DataColumn:
    """What is known of every picture beside its pixels; `kind`: "number" or "text"."""

    name: str
    kind: str
    distinct: int
    missing: int = 0


@dataclass(frozen=True, kw_only=True)
class DataRecord:
    """The page of the pictures themselves, for somebody who has not seen them yet.

    Attributes:
        image_shape: Height, width, channels.
        counts: One for each part that holds pictures.
        num_groups: People, plates, … in all parts together; None where they are not known.
        remarks: What is odd, the worst first; none where nothing is.
        sheet: Some pictures of every class, or of all, where there are no classes.
        copies: Exact ones first; `num_copies` (groups and pairs) counts those that are not shown, too.
        search_note: How near copies were looked for.
        constant: Pictures of one colour.
        original_sizes: (width, height, files) as the files have them.
        light: (name of the quantile, brightness, contrast) over the pictures, from 0 to 1.
        skipped: (path, reason).
        notes: On the split.
        source_notes: On what lay beside the pictures.
        settings: The resolved configuration.
        estimate: What training will take.
    """

    run: RunFacts
    image_shape: tuple[int, int, int]
    counts: Sequence[SplitCount]
    num_groups: int | None = None
    remarks: Sequence[Remark] = ()
    sheet: Sequence[Shown] = ()
    copies: Sequence[Copied] = ()
    num_copies: int = 0
    search_note: str = ""
    constant: Shown | None = None
    original_sizes: Sequence[tuple[int, int, int]] = ()
    shape_reasons: Sequence[str] = ()
    light: Sequence[tuple[str, float, float]] = ()
    skipped: Sequence[tuple[str, str]] = ()
    columns: Sequence[DataColumn] = ()
    notes: Sequence[str] = ()
    source_notes: Sequence[str] = ()
    settings: Sequence[tuple[str, str]] = ()
    estimate: Sequence[tuple[str, str]] = ()
