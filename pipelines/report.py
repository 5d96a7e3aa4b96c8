"""Stage `report`: every page of a run, written anew from what its stages left."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines import overview_record, stage_records
from pipelines.evaluate import evaluate
from pipelines.run_data import load_run_pictures
from reports.records import RunFacts
from vae_tf.artifacts import Run, replace_folder

KINDS = {"latents": "embed", "clusters": "clusters", "interpolation": "interpolation", "export": "export"}


def write_report(run: Run) -> Path:
    """Writes `report/` through a temporary sibling; returns the path of index.html."""
    evaluate(run)
    pictures = load_run_pictures(run)
    facts = run_facts(run)
    partial = run.folder / f".report.partial-{os.getpid()}"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        for page in facts.pages:
            writer, record = PAGES[page]()
            writer(partial, record(run, facts, pictures))
        replace_folder(partial, run.report)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return run.report / "index.html"


def run_facts(run: Run) -> RunFacts:
    record = run.record
    pages = ["index", *(page for page, kind in KINDS.items() if run.newest(kind) is not None)]
    return RunFacts(
        name=run.name,
        command=record["command"],
        source=record["config"]["data"]["source"],
        date=time.strftime("%-d %B %Y, %H:%M", time.localtime(record["created"])),
        versions=record["versions"],
        pages=pages,
    )


def _index() -> tuple[Callable[..., Path], Callable[..., Any]]:
    from reports.overview import write_overview

    return write_overview, overview_record.overview


def _latents() -> tuple[Callable[..., Path], Callable[..., Any]]:
    from reports.latents import write_latents

    return write_latents, stage_records.latents


def _clusters() -> tuple[Callable[..., Path], Callable[..., Any]]:
    from reports.clusters import write_clusters

    return write_clusters, stage_records.clusters


def _interpolation() -> tuple[Callable[..., Path], Callable[..., Any]]:
    from reports.interpolation import write_interpolation

    return write_interpolation, stage_records.interpolation


def _export() -> tuple[Callable[..., Path], Callable[..., Any]]:
    from reports.export import write_export

    return write_export, stage_records.export


PAGES = {
    "index": _index,
    "latents": _latents,
    "clusters": _clusters,
    "interpolation": _interpolation,
    "export": _export,
}
