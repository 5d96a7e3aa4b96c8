"""Runs side by side: what each is, how well it reconstructs unseen pictures, what its classes look like."""

import dataclasses
import os
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.console import console, say
from pipelines.evaluate import evaluate
from pipelines.run_data import config_of, load_pictures_of, own_pictures
from vae_tf import artifacts
from vae_tf.artifacts import Run
from vae_tf.errors import UserError
from vae_tf.recipes import find_recipe


@dataclasses.dataclass(frozen=True)
class Row:
    """What a comparison says of one run; `scores` are those of its unseen pictures, or of validation ones."""

    run: Run
    part: str
    scores: dict[str, Any]
    unit: str
    headline: str

    @property
    def same_pictures(self) -> tuple[str, str, str]:
        """Runs are ranked only where this is equal: the pictures, their shape, and the part they were scored on."""
        subject = own_pictures(self.run)
        # Which labels were hidden from training changes neither the pictures nor their parts.
        listed = artifacts.hash_of([subject.index.paths, subject.index.parts.tolist()])
        return str(subject.data.record["inputs"]["fingerprint"]), listed, self.part

    @property
    def same_nats(self) -> tuple[str, ...]:
        """ELBOs are ranked only where this is equal, too: a density cannot be set against a mass."""
        return (*self.same_pictures, self.unit)


def compare(names: list[str]) -> Path:
    """Prints the table and writes the page; the runs are evaluated where they have not been.

    Raises:
        UserError: No such run, or one that has not finished training.
    """
    runs = [artifacts.find_run(name) for name in names]
    check_pictures(runs)
    rows = [row_of(run) for run in runs]
    print_table(rows)
    for sentence in cautions(rows):
        say(f"  {sentence}")
    return write_page(rows)


def check_pictures(runs: list[Run]) -> None:
    """Raises: UserError: A run on sentences, of which there are no errors of pixels to compare."""
    for run in runs:
        if own_pictures(run).is_text:
            raise UserError(
                f"{run.name} is about sentences, and compare sets reconstructions of pictures side by side.",
                "Its −ELBO and perplexity are on its own page: compare those of runs on the same file by hand.",
            )


def row_of(run: Run) -> Row:
    from vae_tf.parts import REGISTRY

    subject = own_pictures(run)
    scores = evaluate(subject).record["results"]["scores"]
    part = next(part for part in ("test", "validation", "train") if part in scores)
    model = config_of(run).model
    likelihood = (
        model.settings.get("likelihood.name") or model.likelihood or find_recipe(model.recipe).likelihood
    )
    clusters = subject.newest("clusters")
    headline = "" if clusters is None else str(clusters.record["results"]["headline"])
    return Row(run, part, scores[part], REGISTRY["likelihood"][likelihood].unit, headline)  # type: ignore[attr-defined]


def cells(rows: list[Row]) -> list[list[str]]:
    """The table's texts, the best of comparable values marked."""
    table = []
    for row in rows:
        model = config_of(row.run).model
        mse, ssim, elbo = row.scores["vae"]["mse"], row.scores["vae"]["ssim"], row.scores["elbo"]
        best_mse = is_best(row, rows, lambda r: -r.scores["vae"]["mse"]["value"], "same_pictures")
        best_elbo = elbo is not None and is_best(row, rows, lambda r: r.scores["elbo"], "same_nats")
        table.append(
            [
                row.run.name,
                model.recipe,
                str(model.latent),
                f"{row.scores['num']} {'unseen' if row.part == 'test' else row.part}",
                f"{mse['value']:.5f}{interval(mse)}" + (" *" if best_mse else ""),
                f"{ssim['value']:.3f}",
                f"{row.scores['pca']['mse']['value']:.5f}",
                "none" if elbo is None else f"{elbo:,.1f}" + (" *" if best_elbo else ""),
            ]
        )
    return table


def interval(cell: dict[str, Any]) -> str:
    return "" if cell["low"] is None else f" ({cell['low']:.5f} to {cell['high']:.5f})"


def is_best(row: Row, rows: list[Row], value: Any, comparable: str) -> bool:
    """Whether no comparable run is better; False where there is nothing to compare with."""
    rivals = [
        r
        for r in rows
        if getattr(r, comparable) == getattr(row, comparable) and value_or_none(r, value) is not None
    ]
    return len(rivals) > 1 and all(value(row) >= value(rival) for rival in rivals)


def value_or_none(row: Row, value: Any) -> Any:
    try:
        return value(row)
    except TypeError:
        return None


COLUMNS = ("run", "recipe", "latent", "pictures", "MSE", "SSIM", "PCA's MSE", "ELBO, nats")


def print_table(rows: list[Row]) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in COLUMNS:
        table.add_column(column, overflow="fold")
    for row in cells(rows):
        table.add_row(*map(escape, row))
    console.print(table)


def cautions(rows: list[Row]) -> list[str]:
    """What must not be read out of the table."""
    said = ["* the best of the runs that can be compared; intervals are 95 %."]
    if len({row.same_pictures for row in rows}) > 1:
        said.append(
            "Some runs were scored on other pictures, sizes or parts: their errors are not ranked together."
        )
    if len({row.same_nats for row in rows}) > 1:
        said.append(
            "ELBOs of different likelihoods, sizes or pictures are not ranked: a density over [0, 1] may exceed 1 "
            "and its logarithm 0, a probability mass may not."
        )
    return said


def write_page(rows: list[Row]) -> Path:
    """`comparison/` beside the runs; an older one gives way to it."""
    import sys

    from pipelines.report import shows_pictures
    from pipelines.train import versions
    from reports.compare import write_compare
    from reports.records import Compared, CompareRecord, PageForm, RunFacts
    from reports.words import without_folders

    sources = dict.fromkeys(own_pictures(row.run).source_name for row in rows)
    facts = RunFacts(
        name="comparison",
        command=without_folders(artifacts.command_line(sys.argv)),
        source=", ".join(sources),
        date=time.strftime("%-d %B %Y, %H:%M"),
        versions=versions(),
        pages=["compare"],
        form=PageForm(pictures=all(shows_pictures(row.run) for row in rows)),
    )
    compared = [
        Compared(
            name=row.run.name,
            address=f"../{row.run.name}/report/index.html",
            headline=row.headline,
            originals=originals,
            reconstructions=reconstructions,
        )
        for row in rows
        for originals, reconstructions in [pictures_of(row)]
    ]
    record = CompareRecord(run=facts, columns=COLUMNS, cells=cells(rows), runs=compared, notes=cautions(rows))
    folder = artifacts.runs_root() / "comparison"
    partial = folder.with_name(f".comparison.partial-{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        write_compare(partial, record)
        artifacts.replace_folder(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder / "compare.html"


def pictures_of(row: Row) -> tuple[Any, Any]:
    """Some of the scored pictures, and what the run makes of them, uint8 [N, H, W, C]."""
    subject = own_pictures(row.run)
    arrays = artifacts.load_arrays(evaluate(subject).folder / "pictures.npz")
    positions = arrays[f"{row.part}_positions"]
    return np.asarray(load_pictures_of(subject).to_look_at[positions]), arrays[f"{row.part}_vae"]
