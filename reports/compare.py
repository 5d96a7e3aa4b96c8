"""The page of `compare`: runs side by side, on the same pictures where they have some in common."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reports.compare_figures import overlaid
from reports.compare_records import Compared, CompareRecord
from reports.images import tiles
from reports.page import write_page


@dataclass(frozen=True)
class Strip:
    """A row of pictures under a name."""

    name: str
    sources: list[str]


@dataclass(frozen=True)
class SideBySide:
    """Sentences (the first of each row) and what the runs of `names` make of them."""

    names: list[str]
    rows: list[list[str]]


def write_compare(folder: Path, record: CompareRecord) -> Path:
    """Writes compare.html into `folder`."""
    context = {
        "record": record,
        "groups": [strips(group) for group in together(record.runs)] if record.run.form.pictures else [],
        "rebuilt": [side_by_side(group) for group in on_same_sentences(record.runs)],
        "curves": [
            overlaid(record.run.form.beside(folder), f"overlaid-{i}", curves)
            for i, curves in enumerate(record.curves)
        ],
        "headlines": [run for run in record.runs if run.headline],
    }
    return write_page(folder, "compare", record.run, context)


def together(runs: Sequence[Compared]) -> list[list[Compared]]:
    """Runs that show the very same pictures, in one group each."""
    groups: dict[bytes, list[Compared]] = {}
    for run in runs:
        if run.originals is not None:
            groups.setdefault(repr(run.originals.shape).encode() + run.originals.tobytes(), []).append(run)
    return list(groups.values())


def on_same_sentences(runs: Sequence[Compared]) -> list[list[Compared]]:
    """Runs that show the very same sentences, in one group each."""
    groups: dict[tuple[str, ...], list[Compared]] = {}
    for run in runs:
        if run.rebuilt:
            groups.setdefault(tuple(original for original, _ in run.rebuilt), []).append(run)
    return list(groups.values())


def side_by_side(group: list[Compared]) -> SideBySide:
    """A column for each run of the group, a row for each sentence."""
    originals = [original for original, _ in group[0].rebuilt]
    rows = zip(originals, *([said for _, said in run.rebuilt] for run in group), strict=True)
    return SideBySide([run.name for run in group], [list(row) for row in rows])


def strips(group: list[Compared]) -> list[Strip]:
    """The originals once, then what each run of the group makes of them."""
    pictures = [("originals", group[0].originals), *((run.name, run.reconstructions) for run in group)]
    return [Strip(name, tiles(some, 96)) for name, some in pictures if some is not None]
