"""Runs side by side: what each is, how well it reconstructs unseen pictures, what its classes look like."""

import os
import re
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.classes import newest_headline
from pipelines.comparison import COLUMNS, Row, answer, cautions, cells
from pipelines.console import console, say
from pipelines.evaluate import evaluate
from pipelines.overview_record import read_lines
from pipelines.run_data import config_of, load_pictures_of, own_pictures
from vae_tf import artifacts
from vae_tf.artifacts import Run
from vae_tf.errors import UserError
from vae_tf.recipes import find_recipe

MOST_NUMBERS_IN_NAME = 8


def compare(names: list[str]) -> Path:
    """Prints the table and writes the page; the runs are evaluated where they have not been.

    Raises:
        UserError: No such run, or one that has not finished training.
    """
    runs = list({run.folder.resolve(): run for run in map(artifacts.find_run, names)}.values())
    check_pictures(runs)
    rows = [row_of(run) for run in runs]
    print_table(rows)
    say(f"  {answer(rows)}", style="bold")
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
    stage = evaluate(subject)
    scores, arrays = stage.record["results"]["scores"], artifacts.load_arrays(stage.folder / "pictures.npz")
    part = next(part for part in ("test", "validation", "train") if part in scores)
    model = config_of(run).model
    likelihood = (
        model.settings.get("likelihood.name") or model.likelihood or find_recipe(model.recipe).likelihood
    )
    return Row(
        run,
        part,
        scores[part],
        REGISTRY["likelihood"][likelihood].unit,  # type: ignore[attr-defined]
        newest_headline(subject),
        {name: arrays[f"{part}_each_{name}"] for name in ("mse", "elbo") if f"{part}_each_{name}" in arrays},
        subject.index.groups[arrays[f"{part}_scored"]],
    )


def epochs_of(row: Row) -> int:
    train = row.run.stage("train")
    assert train is not None, "find_run gives trained runs only"
    return int(train.record["results"]["epoch"])


def print_table(rows: list[Row]) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in COLUMNS:
        table.add_column(column, overflow="fold")
    for row in cells(rows, epochs_of):
        table.add_row(*map(escape, row))
    console.print(table)


def write_page(rows: list[Row]) -> Path:
    """`comparison-…/` beside the runs, named by theirs; an older one of the very same runs gives way to it."""
    import sys

    from pipelines.methods import comparison_method as method
    from pipelines.report import shows_pictures
    from pipelines.train import versions
    from reports.compare import write_compare
    from reports.compare_records import Compared, CompareRecord
    from reports.records import PageForm, RunFacts
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
        methods={"compare": method([row.run for row in rows])},
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
    record = CompareRecord(
        run=facts,
        answer=answer(rows),
        columns=COLUMNS,
        cells=cells(rows, epochs_of),
        runs=compared,
        notes=cautions(rows),
        curves=overlaid_curves(rows),
    )
    folder = artifacts.runs_root() / folder_name([row.run for row in rows])
    partial = folder.with_name(f".{folder.name}.partial-{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        write_compare(partial, record)
        artifacts.replace_folder(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder / "compare.html"


def folder_name(runs: Sequence[Run]) -> str:
    """Of a comparison: other runs have another, whatever their order; renaming a run changes nothing."""
    root = artifacts.runs_root().resolve()
    folders = [run.folder.resolve() for run in runs]
    if not all(folder.parent == root and re.match(r"\d{5}-", folder.name) for folder in folders):
        return f"comparison-{artifacts.hash_of(sorted(map(str, folders)))}"
    numbers = sorted(int(folder.name[:5]) for folder in folders)
    if len(numbers) > MOST_NUMBERS_IN_NAME:
        return f"comparison-of-{len(numbers)}-{artifacts.hash_of(numbers)}"
    return f"comparison-{'-'.join(map(str, numbers))}"


def overlaid_curves(rows: list[Row]) -> list[Any]:
    """Validation ELBO of each run by training step, a figure for each set of runs that may be compared."""
    from reports.compare_records import Overlaid

    sets: dict[Any, list[Any]] = {}
    for row in rows:
        lines = [line for line in read_lines(row.run) if line.get("val_elbo") is not None]
        if row.scores["elbo"] is not None and lines:
            curve = (row.name, [line["step"] for line in lines], [line["val_elbo"] for line in lines])
            sets.setdefault(row.same_nats, []).append(curve)
    return [Overlaid(title="Validation ELBO, nats", curves=curves) for curves in sets.values()]


def pictures_of(row: Row) -> tuple[Any, Any]:
    """Some of the scored pictures, and what the run makes of them, uint8 [N, H, W, C]."""
    subject = own_pictures(row.run)
    arrays = artifacts.load_arrays(evaluate(subject).folder / "pictures.npz")
    positions = arrays[f"{row.part}_positions"]
    return np.asarray(load_pictures_of(subject).to_look_at[positions]), arrays[f"{row.part}_vae"]
