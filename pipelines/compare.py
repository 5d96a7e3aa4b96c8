"""Runs side by side: what each is, how well it rebuilds what it has not seen, what its classes look like."""

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipelines import comparison, text_comparison
from pipelines.classes import newest_headline
from pipelines.comparison import Row
from pipelines.console import console, say
from pipelines.evaluate import evaluate
from pipelines.run_data import config_of, load_pictures_of, own_pictures, train_stage
from pipelines.training_curves import read_lines
from vae_tf import strangers
from vae_tf.artifacts.hashes import hash_of
from vae_tf.artifacts.json_files import read_json
from vae_tf.artifacts.npz_files import load_arrays
from vae_tf.artifacts.publishing import publish
from vae_tf.artifacts.run import Run
from vae_tf.artifacts.runs import command_line, find_run
from vae_tf.errors import UserError
from vae_tf.locks import working_in
from vae_tf.places import runs_root
from vae_tf.recipes import find_recipe
from vae_tf.versions import versions
from vae_tf.whole import new_folder, replace_folder

MOST_NUMBERS_IN_NAME = 8
# Where the scores of each picture, or each sentence, are.
EACH = {False: "pictures.npz", True: "scores.npz"}


def compare(names: list[str]) -> Path:
    """Prints the table and writes the page; the runs are evaluated where they have not been.

    Raises:
        UserError: No such run, or one that has not finished training.
    """
    runs = list({run.folder.resolve(): run for run in map(find_run, names)}.values())
    of_kind = kind_of(runs)
    rows = [row_of(run) for run in runs]
    with strangers.read_from(runs_root()):
        print_table(of_kind.COLUMNS, of_kind.cells(rows, epochs_of))
        say(f"  {of_kind.answer(rows)}", style="bold")
        for sentence in of_kind.cautions(rows):
            say(f"  {sentence}")
        return write_page(rows, of_kind)


def kind_of(runs: list[Run]) -> Any:
    """The module that tells of such runs.

    Raises:
        UserError: Some are about sentences and some about pictures.
    """
    of_text = [run for run in runs if own_pictures(run).is_text]
    if of_text and len(of_text) < len(runs):
        other = next(run for run in runs if run not in of_text)
        raise UserError(
            f"{of_text[0].name} is about sentences and {other.name} about pictures: nothing of them can be compared.",
            "Name runs of one kind.",
        )
    return text_comparison if of_text else comparison


def row_of(run: Run) -> Row:
    subject = own_pictures(run)
    stage = evaluate(subject)
    scores, arrays = (
        stage.record["results"]["scores"],
        load_arrays(stage.folder / EACH[subject.is_text]),
    )
    part = next(part for part in ("test", "validation", "train") if part in scores)
    return Row(
        run,
        part,
        scores[part],
        text_comparison.unit_of(run) if subject.is_text else unit_of(run),
        newest_headline(subject),
        {name: arrays[f"{part}_each_{name}"] for name in ("mse", "elbo") if f"{part}_each_{name}" in arrays},
        subject.index.groups[arrays[f"{part}_scored"]],
    )


def unit_of(run: Run) -> str:
    """What a likelihood of pictures is measured in: nats of a density, or of a mass."""
    from vae_tf.parts import REGISTRY

    model = config_of(run).model
    likelihood = (
        model.settings.get("likelihood.name") or model.likelihood or find_recipe(model.recipe).likelihood
    )
    unit: str = REGISTRY["likelihood"][likelihood].unit  # type: ignore[attr-defined]
    return unit


def epochs_of(row: Row) -> int:
    return int(train_stage(row.run).record["results"]["epoch"])


def print_table(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, no_wrap=True)
    for row in cells:
        table.add_row(*map(escape, row))
    if console.measure(table, options=console.options.update(max_width=1000)).maximum <= console.width:
        console.print(table)
        return
    for name, *values in cells:
        say(f"  {name}")
        say(
            "    " + "; ".join(f"{column} {value}" for column, value in zip(columns[1:], values, strict=True))
        )


def write_page(rows: list[Row], of_kind: Any) -> Path:
    """`comparison-…/` beside the runs, named by theirs; an older one of the very same runs gives way to it."""
    import sys

    from pipelines.methods import comparison_method as method
    from pipelines.report import shows_pictures
    from reports.compare import write_compare
    from reports.compare_records import Compared, CompareRecord
    from reports.records import PageForm, RunFacts
    from reports.words import without_folders

    is_text = own_pictures(rows[0].run).is_text
    sources = dict.fromkeys(own_pictures(row.run).source_name for row in rows)
    facts = RunFacts(
        name="comparison",
        command=without_folders(command_line(sys.argv)),
        source=", ".join(sources),
        date=time.strftime("%-d %B %Y, %H:%M"),
        versions=versions(),
        pages=["compare"],
        noun="sentence" if is_text else "picture",
        form=PageForm(pictures=all(shows_pictures(row.run) for row in rows)),
        methods={"compare": method([row.run for row in rows])},
    )
    compared = [
        Compared(
            name=row.run.name,
            address=f"../{row.run.name}/report/index.html",
            headline=row.headline,
            **(sentences_of(row) if is_text else pictures_of(row)),
        )
        for row in rows
    ]
    record = CompareRecord(
        run=facts,
        answer=of_kind.answer(rows),
        columns=of_kind.COLUMNS,
        cells=of_kind.cells(rows, epochs_of),
        runs=compared,
        notes=of_kind.cautions(rows),
        curves=overlaid_curves(rows),
    )
    folder = runs_root() / folder_name([row.run for row in rows])
    folder.parent.mkdir(parents=True, exist_ok=True)
    with working_in(folder.parent), new_folder(folder) as partial:
        write_compare(partial, record)
        replace_folder(partial, folder)
        publish(folder)
    return folder / "compare.html"


def folder_name(runs: Sequence[Run]) -> str:
    """Of a comparison: other runs have another, whatever their order; renaming a run changes nothing."""
    root = runs_root().resolve()
    folders = [run.folder.resolve() for run in runs]
    if not all(folder.parent == root and re.match(r"\d{5}-", folder.name) for folder in folders):
        return f"comparison-{hash_of(sorted(map(str, folders)))}"
    numbers = sorted(int(folder.name[:5]) for folder in folders)
    if len(numbers) > MOST_NUMBERS_IN_NAME:
        return f"comparison-of-{len(numbers)}-{hash_of(numbers)}"
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


def sentences_of(row: Row) -> dict[str, Any]:
    """Some of the scored sentences, and what the run makes of them."""
    shown = read_json(evaluate(own_pictures(row.run)).folder / "sentences.json")[row.part]
    return {"rebuilt": [(pair["original"], pair["greedy"]) for pair in shown]}


def pictures_of(row: Row) -> dict[str, Any]:
    """Some of the scored pictures, and what the run makes of them, uint8 [N, H, W, C]."""
    subject = own_pictures(row.run)
    arrays = load_arrays(evaluate(subject).folder / "pictures.npz")
    positions = arrays[f"{row.part}_positions"]
    originals = np.asarray(load_pictures_of(subject).to_look_at[positions])
    return {"originals": originals, "reconstructions": arrays[f"{row.part}_vae"]}
