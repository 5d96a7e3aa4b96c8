"""Stage `report`: every page of a run, written anew from what its stages left."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from pipelines import data_record, overview_record, stage_records
from pipelines.console import say
from pipelines.evaluate import evaluate
from pipelines.methods import methods_of
from pipelines.run_data import Subject, load_examples_of
from reports.records import PageForm, RunFacts
from reports.words import without_folders
from vae_tf import strangers
from vae_tf.artifacts.json_files import read_json, write_json
from vae_tf.artifacts.publishing import publish
from vae_tf.artifacts.run import Run
from vae_tf.locks import PATIENCE, Taken, holding
from vae_tf.whole import new_folder, replace_folder

KINDS = {
    "latents": "embed",
    "clusters": "clusters",
    "classes": "classes",
    "interpolation": "interpolation",
    "explore": "explore",
    "traversals": "traversals",
    "evaluation": "evaluation",
    "probe": "probe",
    "predictions": "predictions",
    "features": "features",
    "anomalies": "anomalies",
    "export": "export",
}


def write_report(subject: Subject, single_file: bool = False) -> Path:
    """Writes the pages through a temporary sibling; returns the path of index.html.

    With `single_file` they go beside the report, every page whole in itself.
    """
    evaluate(subject)
    pictures = load_examples_of(subject)
    folder = folder_of(subject, single_file)
    with subject.run.working(), taking_turns(subject.run), new_folder(folder) as partial:
        facts = run_facts(subject, PageForm(single_file=single_file, pictures=shows_pictures(subject.run)))
        for page in facts.pages:
            writer, record = (TEXT_PAGES if subject.is_text and page in TEXT_PAGES else PAGES)[page]()
            with strangers.telling(place_of(subject, page)):
                writer(partial, record(subject, facts, pictures))
        replace_folder(partial, folder)
        publish(folder)
    return folder / "index.html"


def place_of(subject: Subject, page: str) -> Path:
    """The folder of the stage that a page shows; the run's, where it shows several."""
    stage = subject.newest(KINDS[page]) if page in KINDS else None
    return subject.run.folder if stage is None else stage.place


@contextmanager
def taking_turns(run: Run) -> Iterator[None]:
    """Held while pages are written: they show all stages that are there, so who begins first must not end last."""
    path = run.folder / ".report.lock"
    with ExitStack() as stack:
        try:
            stack.enter_context(holding(path, patience=PATIENCE))
        except Taken:
            say(f"  waiting for another command, which writes the pages of {run.name} …", style="dim")
            stack.enter_context(holding(path))
        yield


def rewrite_reports(run: Run) -> None:
    """Every report of the run that exists, on its own and on other pictures, in the form that is chosen now."""
    for stage in run.stages("data"):
        subject = Subject(run, stage)
        for single_file in (False, True):
            if (folder_of(subject, single_file) / "index.html").exists():
                write_report(subject, single_file)


def folder_of(subject: Subject, single_file: bool) -> Path:
    folder = subject.report
    return folder.with_name(f"{folder.name}-single-file") if single_file else folder


def shows_pictures(run: Run) -> bool:
    """Whether the run's pages show pictures and file names, as was last chosen; they do unless told otherwise."""
    path = run.folder / "report.json"
    with strangers.read_from(path):
        return not path.exists() or bool(read_json(path)["pictures"])


def choose_pictures(run: Run, pictures: bool | None) -> None:
    """Keeps the choice for this and for every later report of the run."""
    if pictures is not None:
        write_json(run.folder / "report.json", {"pictures": pictures})
        publish(run.folder / "report.json")


def run_facts(subject: Subject, form: PageForm) -> RunFacts:
    """What all pages say about the run; nothing that tells of the machine's folders."""
    record = subject.run.record
    shown = [page for page, kind in KINDS.items() if subject.newest(kind) is not None]
    # Only the model's own pictures have a training.
    first = ["index", *([] if subject.is_text else ["data"]), *(["training"] if subject.is_own else [])]
    return RunFacts(
        name=subject.run.name + ("" if subject.is_own else f" on {subject.source_name}"),
        command=without_folders(record["command"]),
        source=subject.source_name,
        date=time.strftime("%-d %B %Y, %H:%M", time.localtime(record["created"])),
        versions=record["versions"],
        pages=[*first, *shown],
        form=form,
        methods=methods_of(subject, [*first, *shown], form.pictures),
        noun=subject.noun,
    )


def _index() -> tuple[Callable[..., Path], Callable[..., Any]]:
    from reports.overview import write_overview

    return write_overview, overview_record.overview


def _data() -> tuple[Callable[..., Path], Callable[..., Any]]:
    from reports.data import write_data

    return write_data, data_record.data


def _training() -> tuple[Callable[..., Path], Callable[..., Any]]:
    from pipelines import training_record
    from reports.training import write_training

    return write_training, training_record.training


def _latents() -> tuple[Callable[..., Path], Callable[..., Any]]:
    from reports.latents import write_latents

    return write_latents, stage_records.latents


def _clusters() -> tuple[Callable[..., Path], Callable[..., Any]]:
    from pipelines import clusters_record
    from reports.clusters import write_clusters

    return write_clusters, clusters_record.clusters


def _classes() -> tuple[Callable[..., Path], Callable[..., Any]]:
    from pipelines import classes_record
    from reports.classes import write_classes

    return write_classes, classes_record.classes


def _interpolation() -> tuple[Callable[..., Path], Callable[..., Any]]:
    from reports.interpolation import write_interpolation

    return write_interpolation, stage_records.interpolation


def _explore() -> tuple[Callable[..., Path], Callable[..., Any]]:
    from pipelines import explore_record
    from reports.explore import write_explore

    return write_explore, explore_record.explore


def _traversals() -> tuple[Callable[..., Path], Callable[..., Any]]:
    from pipelines import traversals_record
    from reports.traversals import write_traversals

    return write_traversals, traversals_record.traversals


def _evaluation() -> tuple[Callable[..., Path], Callable[..., Any]]:
    from pipelines import evaluation_record
    from reports.evaluation import write_evaluation

    return write_evaluation, evaluation_record.evaluation


def _probe() -> tuple[Callable[..., Path], Callable[..., Any]]:
    from pipelines import probe_record
    from reports.probe import write_probe

    return write_probe, probe_record.probe


def _predictions() -> tuple[Callable[..., Path], Callable[..., Any]]:
    from pipelines import predictions_record
    from reports.predictions import write_predictions

    return write_predictions, predictions_record.predictions


def _features() -> tuple[Callable[..., Path], Callable[..., Any]]:
    from pipelines import features_record
    from reports.features import write_features

    return write_features, features_record.features


def _anomalies() -> tuple[Callable[..., Path], Callable[..., Any]]:
    from pipelines import anomalies_record
    from reports.anomalies import write_anomalies

    return write_anomalies, anomalies_record.anomalies


def _export() -> tuple[Callable[..., Path], Callable[..., Any]]:
    from pipelines import export_record
    from reports.export import write_export

    return write_export, export_record.export


def _sentences() -> tuple[Callable[..., Path], Callable[..., Any]]:
    from pipelines import text_records
    from reports.sentences import write_text_overview

    return write_text_overview, text_records.text_overview


def _homotopies() -> tuple[Callable[..., Path], Callable[..., Any]]:
    from pipelines import text_records
    from reports.sentences import write_homotopies

    return write_homotopies, text_records.homotopies


PAGES = {
    "index": _index,
    "data": _data,
    "training": _training,
    "latents": _latents,
    "clusters": _clusters,
    "classes": _classes,
    "interpolation": _interpolation,
    "explore": _explore,
    "traversals": _traversals,
    "evaluation": _evaluation,
    "probe": _probe,
    "predictions": _predictions,
    "features": _features,
    "anomalies": _anomalies,
    "export": _export,
}
# What sentences need other pages for.
TEXT_PAGES = {"index": _sentences, "interpolation": _homotopies}
