"""The list of runs."""

import time

from pipelines.console import console, say
from vae_tf import artifacts
from vae_tf.artifacts import Run


def list_runs() -> None:
    from rich.markup import escape
    from rich.table import Table

    runs = artifacts.all_runs()
    if not runs:
        say(f"There is no run in {artifacts.runs_root()}/ yet. Begin with: python cli.py demo")
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("run", "made", "recipe", "latent", "state", "stages"):
        table.add_column(column, overflow="fold")
    for run in runs:
        table.add_row(*[escape(cell) for cell in row_of(run)])
    console.print(table)


def row_of(run: Run) -> list[str]:
    record = run.record
    made = time.strftime("%Y-%m-%d %H:%M", time.localtime(record["created"]))
    stages = run.stage_names()
    shown = ", ".join(name for name in stages if name not in ("data", "train"))
    if run.is_trained:
        state = "trained"
    elif run.is_training:
        state = "training"
    else:
        state = "interrupted" if run.partial_train.exists() else "not trained"
    model = record["config"]["model"]
    return [run.name, made, model["recipe"], str(model["latent"]), state, shown]
