"""The first page of a report: what was trained on, how good it is on unseen pictures, what to type next."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from reports.figures import USED_NATS, kl_bars, learning_curves
from reports.images import SMALL, data_uri, resized, stack, tiles
from reports.page import write_page
from reports.quality import quality_table
from reports.records import Numbers, OverviewRecord, Pictures, Reconstructions
from reports.words import number, plural, without_folders

MAX_CLASSES_IN_TABLE = 12


@dataclass(frozen=True)
class Comparison:
    """One picture above what the VAE and PCA made of it."""

    source: str
    alt: str
    vae: float
    pca: float | None
    path: str


def write_overview(folder: Path, record: OverviewRecord) -> Path:
    """Writes index.html into `folder`."""
    beside, pictures = record.run.form.beside(folder), record.run.form.pictures
    kl = None if record.kl_per_dimension is None else np.asarray(record.kl_per_dimension)
    classes = list(dict.fromkeys(name for split in record.counts for name in split.classes))
    context = {
        "record": record,
        "classes": classes,
        "classes_in_table": classes if len(classes) <= MAX_CLASSES_IN_TABLE else [],
        "has_groups": any(split.groups is not None for split in record.counts),
        "comparisons": [
            (split, comparisons(reconstructions, record.model), reconstructions.pca is not None)
            for split, reconstructions in (("test", record.unseen), ("train", record.trained))
            if reconstructions is not None and pictures
        ],
        "quality": quality_table(record.quality),
        "curves": learning_curves(beside, record.curves, record.best_epoch),
        "samples": tiles(record.samples, 96) if record.samples is not None and pictures else [],
        "kl": None if kl is None else kl_bars(beside, kl, record.information_per_dimension),
        "units": "" if kl is None else units_in_words(kl, information=record.information_per_dimension),
        "reasons": reasons(record.skipped),
    }
    return write_page(folder, "index", record.run, context)


def reasons(skipped: Sequence[tuple[str, str]]) -> list[tuple[str, int]]:
    """How many files were skipped for each reason, the most frequent first, without the files' names."""
    nameless = (
        without_folders(reason.replace(path, "…").replace(PurePosixPath(path).name or path, "…"))
        for path, reason in skipped
    )
    return Counter(nameless).most_common()


def comparisons(record: Reconstructions, model: str) -> list[Comparison]:
    """One tile for each picture: original, the model's and, where there is one, PCA's."""
    rows = [record.originals, record.vae] + ([] if record.pca is None else [record.pca])
    sources = tiles_of_rows(rows)
    result = []
    for index, source in enumerate(sources):
        pca = None if record.pca_mse is None else float(record.pca_mse[index])
        vae = float(record.vae_mse[index])
        beside = "" if pca is None else f", by PCA with {number(pca)}"
        path = record.paths[index] if record.paths else ""
        alt = f"{path or 'A picture'}, rebuilt by the {model} with a mean squared error of {number(vae)}{beside}"
        result.append(Comparison(source, alt, vae, pca, path))
    return result


def tiles_of_rows(rows: Sequence[Pictures]) -> list[str]:
    """The rows, stacked picture by picture, as addresses."""
    small = max(rows[0].shape[1:3]) <= SMALL
    stacked = stack(*(resized(row, 128) for row in rows), gap=4)
    return [data_uri(picture, exact=small) for picture in stacked]


def units_in_words(kl: Numbers, noun: str = "picture", information: Numbers | None = None) -> str:
    """How many latent dimensions carry something, for somebody who has never heard of KL."""
    told = kl if information is None else np.minimum(kl, information)
    used, total = int((told > USED_NATS).sum()), len(kl)
    if used == 0:
        return (
            f"The model ignores all of its latent dimensions: every {noun} is decoded to nearly the same one."
        )
    if used == total:
        return (
            f"All {plural(total, 'latent dimension')} are in use: "
            "more of them (--latent) might let the model keep more detail."
        )
    return (
        f"{used} of {plural(total, 'latent dimension')} are in use "
        f"({'KL' if information is None else 'information'} above {USED_NATS} nat); "
        f"the model leaves the other {total - used} empty, so more of them would not help."
    )
