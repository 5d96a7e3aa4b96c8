"""From the pictures and what was found in them to the record of the data page."""

import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.overview_record import WITHOUT_CLASS, split_counts
from pipelines.run_data import Subject, read_inspection, short_name
from reports.data_records import Copied, DataColumn, DataRecord, Remark, Shown
from reports.records import RunFacts
from reports.words import percent, without_folders
from vae_tf import random
from vae_tf.artifacts.runs import command_line
from vae_tf.config import Config
from vae_tf.data.dataset import Pictures
from vae_tf.data.inspection import QUANTILES, Inspection
from vae_tf.data.remarks import remarks, search_note
from vae_tf.data.splits import PARTS
from vae_tf.locks import working_in
from vae_tf.options import to_options
from vae_tf.places import runs_root
from vae_tf.versions import versions
from vae_tf.whole import new_folder, replace_folder

LARGEST_NUM_CLASSES = 8
NUM_PER_CLASS = 12
NUM_WITHOUT_CLASSES = 48
NUM_COPIES = 24
NUM_OF_ONE_COPY = 4
NUM_CONSTANT = 12
QUANTILE_NAMES = {0.0: "lowest", 0.5: "median", 1.0: "highest"}


def data(subject: Subject, facts: RunFacts, pictures: Pictures) -> DataRecord:
    """The record of a run's pictures, or of another source's."""
    return make_record(
        facts, pictures, read_inspection(subject), resolved_settings(Config(data=subject.config))
    )


def make_record(
    facts: RunFacts,
    pictures: Pictures,
    inspection: Inspection,
    settings: list[tuple[str, str]],
    estimate: list[tuple[str, str]] | None = None,
) -> DataRecord:
    index = pictures.index
    found = [*inspection.exact, *inspection.near]
    sizes: Counter[tuple[int, int]] = Counter()
    for height, width, _, count in pictures.sizes:
        sizes[width, height] += count
    return DataRecord(
        run=facts,
        image_shape=pictures.shape.image_shape,
        counts=split_counts(index),
        num_groups=inspection.num_groups if np.mean(index.groups >= 0) > 0.5 else None,
        remarks=[
            Remark(text=r.text, examples=r.examples)
            for r in remarks(inspection, index.paths, index.group_names)
        ],
        sheet=contact_sheet(pictures),
        copies=[copied(pictures, copies.positions, copies.similarity) for copies in found[:NUM_COPIES]],
        num_copies=inspection.num_exact + inspection.num_near,
        search_note=search_note(inspection),
        constant=shown(
            "of one colour", pictures, inspection.constant[:NUM_CONSTANT], inspection.num_constant
        ),
        original_sizes=[(width, height, count) for (width, height), count in sizes.most_common()],
        shape_reasons=pictures.shape.reasons,
        light=[
            (QUANTILE_NAMES.get(quantile, f"{percent(quantile)}"), brightness, contrast)
            for quantile, brightness, contrast in zip(
                QUANTILES, inspection.brightness, inspection.contrast, strict=True
            )
        ],
        skipped=pictures.skipped,
        columns=[column(name, values) for name, values in index.facts.items()],
        notes=pictures.notes,
        source_notes=pictures.source_notes,
        settings=settings,
        estimate=estimate or [],
    )


def contact_sheet(pictures: Pictures) -> list[Shown]:
    """Pictures of each class, drawn at random; of all, where there are no classes."""
    index = pictures.index
    if not index.class_names:
        everything = np.arange(len(index.paths))
        sheet = [shown("all pictures", pictures, sample(everything, NUM_WITHOUT_CLASSES), len(everything))]
    else:
        classes = np.argsort(-np.bincount(index.labels[index.labels >= 0]), kind="stable")[
            :LARGEST_NUM_CLASSES
        ]
        sheet = []
        for label in sorted(classes.tolist()):
            positions = np.flatnonzero(index.labels == label)
            chosen = sample(positions, NUM_PER_CLASS)
            sheet.append(shown(index.class_names[label], pictures, chosen, len(positions)))
        unlabelled = np.flatnonzero(index.labels < 0)
        sheet.append(shown(WITHOUT_CLASS, pictures, sample(unlabelled, NUM_WITHOUT_CLASSES), len(unlabelled)))
    return [page for page in sheet if page is not None]


def sample(positions: Any, limit: int) -> list[int]:
    if len(positions) > limit:
        positions = np.sort(random.generator(0, "contact sheet").choice(positions, limit, replace=False))
    return [int(position) for position in positions]


def shown(name: str, pictures: Pictures, chosen: list[int], total: int) -> Shown | None:
    """None where there is nothing to show."""
    if not chosen:
        return None
    return Shown(
        name=name,
        total=total,
        pictures=pictures.to_look_at[np.asarray(chosen)],
        splits=[PARTS[pictures.index.parts[i]] for i in chosen],
        paths=[pictures.index.paths[i] for i in chosen],
    )


def copied(pictures: Pictures, positions: list[int], similarity: float) -> Copied:
    index, chosen = pictures.index, positions[:NUM_OF_ONE_COPY]
    return Copied(
        pictures=pictures.to_look_at[np.asarray(chosen)],
        splits=[PARTS[index.parts[i]] for i in chosen],
        similarity=similarity,
        classes=[index.class_of(i) for i in chosen] if index.class_names else [],
        paths=[index.paths[i] for i in chosen],
        total=len(positions),
    )


def column(name: str, values: list[Any]) -> DataColumn:
    known = [value for value in values if value is not None]
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in known)
    kind = "number" if known and numbers else "text"
    return DataColumn(name=name, kind=kind, distinct=len(set(known)), missing=len(values) - len(known))


def resolved_settings(config: Config) -> list[tuple[str, str]]:
    """Every option that differs from its default, in the option's own words; sources without their folders."""
    options = to_options(config)
    for name in ("source", "test", "labels"):
        if name in options:
            options[name] = short_name(options[name])
    settings = [(name.replace("_", "-"), words(value)) for name, value in options.items() if name != "set"]
    return settings + [(f"set {key}", words(value)) for key, value in options.get("set", {}).items()]


def words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def write_preview(
    config: Config, pictures: Pictures, inspection: Inspection, estimate: list[tuple[str, str]]
) -> Path:
    """The data page of a run that was not made, in `dry-run/` beside the runs; an older one gives way to it."""
    import sys

    from reports.data import write_data

    facts = RunFacts(
        name=f"{short_name(config.data.source)} (dry run)",
        command=without_folders(command_line(sys.argv)),
        source=short_name(config.data.source),
        date=time.strftime("%-d %B %Y, %H:%M"),
        versions=versions(),
        pages=["data"],
    )
    folder = runs_root() / "dry-run"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with working_in(folder.parent), new_folder(folder) as partial:
        write_data(partial, make_record(facts, pictures, inspection, resolved_settings(config), estimate))
        replace_folder(partial, folder)
    return folder / "data.html"
