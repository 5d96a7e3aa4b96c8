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


def write_compare(folder: Path, record: CompareRecord) -> Path:
    """Writes compare.html into `folder`."""
    context = {
        "record": record,
        "groups": [strips(group) for group in together(record.runs)] if record.run.form.pictures else [],
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
        groups.setdefault(repr(run.originals.shape).encode() + run.originals.tobytes(), []).append(run)
    return list(groups.values())


def strips(group: list[Compared]) -> list[Strip]:
    """The originals once, then what each run of the group makes of them."""
    return [
        Strip("originals", tiles(group[0].originals, 96)),
        *(Strip(run.name, tiles(run.reconstructions, 96)) for run in group),
    ]
