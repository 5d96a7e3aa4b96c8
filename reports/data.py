"""The page of the pictures themselves: how many, of what, and whether anything is odd about them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reports.data_records import Copied, DataRecord, Shown
from reports.images import tiles
from reports.overview import MAX_CLASSES_IN_TABLE, reasons
from reports.page import write_page
from reports.records import SplitCount
from reports.words import count, plural, split_label, without_folders

MAX_SIZES = 8


@dataclass(frozen=True)
class Tile:
    """One picture with what stands below it."""

    source: str
    alt: str
    split: str
    path: str
    class_name: str = ""


def write_data(folder: Path, record: DataRecord) -> Path:
    """Writes data.html into `folder`."""
    pictures = record.run.form.pictures
    classes = class_totals(record.counts)
    context = {
        "record": record,
        "answer": answer(record),
        "classes": classes,
        "classes_in_table": classes if len(classes) <= MAX_CLASSES_IN_TABLE else {},
        "sheet": [(shown, shown_tiles(shown)) for shown in record.sheet if pictures],
        "copies": [(copied, copied_tiles(copied)) for copied in record.copies if pictures],
        "constant": shown_tiles(record.constant) if record.constant and pictures else [],
        "sizes": common_sizes(record.original_sizes),
        "num_sizes": len(record.original_sizes),
        "reasons": reasons(record.skipped),
        "reasons_in_words": capitalised("; ".join(record.shape_reasons)),
        "settings": record.settings if pictures else [(n, without_folders(v)) for n, v in record.settings],
        # Notes on what lay beside the pictures quote names of files.
        "notes": [*record.notes, *(record.source_notes if pictures else ())],
    }
    return write_page(folder, "data", record.run, context)


def capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


def class_totals(counts: Sequence[SplitCount]) -> dict[str, int]:
    """Pictures of each class in all parts together."""
    totals: Counter[str] = Counter()
    for part in counts:
        totals.update(part.classes)
    return dict(totals)


def answer(record: DataRecord) -> str:
    """How many pictures, of what size, of whom, in which classes."""
    height, width, channels = record.image_shape
    total = sum(part.pictures for part in record.counts)
    kind = "grey " if channels == 1 else "colour " if channels == 3 else ""
    text = f"{count(total)} {kind}{'picture' if total == 1 else 'pictures'} of {width} × {height} pixels"
    if record.num_groups is not None:
        text += f" in {plural(record.num_groups, 'group')}"
    classes = class_totals(record.counts)
    if not classes:
        return f"{text}, without classes."
    if len(classes) <= 6:
        return f"{text}: {', '.join(f'{count(amount)} {name}' for name, amount in classes.items())}."
    few, many = min(classes.values()), max(classes.values())
    if few == many:
        return f"{text}; {count(len(classes))} classes of {plural(many, 'picture')} each."
    return f"{text}; {count(len(classes))} classes of {count(few)} to {plural(many, 'picture')}."


def shown_tiles(shown: Shown) -> list[Tile]:
    """The pictures of one class."""
    paths = shown.paths or [""] * len(shown.pictures)
    return [
        Tile(source, f"{path or f'A picture of {shown.name}'}, {split_label(split)}", split, path)
        for source, split, path in zip(tiles(shown.pictures, 96), shown.splits, paths, strict=True)
    ]


def copied_tiles(copied: Copied) -> list[Tile]:
    """The copies beside each other."""
    size = len(copied.pictures)
    paths, classes = copied.paths or [""] * size, copied.classes or [""] * size
    return [
        Tile(source, f"{path or 'A copy'}, {split_label(split)}", split, path, name)
        for source, split, path, name in zip(
            tiles(copied.pictures, 128), copied.splits, paths, classes, strict=True
        )
    ]


def common_sizes(sizes: Sequence[tuple[int, int, int]]) -> list[tuple[str, int]]:
    """The most frequent sizes of the files, and the others as one."""
    ordered = sorted(sizes, key=lambda size: -size[2])
    shown = [(f"{width} × {height}", files) for width, height, files in ordered[:MAX_SIZES]]
    others = ordered[MAX_SIZES:]
    if others:
        shown.append((f"{plural(len(others), 'other size')}", sum(files for _, _, files in others)))
    return shown
