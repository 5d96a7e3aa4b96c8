"""From a run's artifacts to the record of its first page."""

from typing import Any

import numpy as np

from pipelines.classes import newest_headline
from pipelines.evaluate import pca_is_better, verdict
from pipelines.machine import machine_of
from pipelines.picture_scores import MEASURES
from pipelines.run_data import Subject, own_pictures, train_stage
from pipelines.training_curves import chain_of, curves, hidden_series
from pipelines.training_record import fact_list, is_still_improving
from reports.records import OverviewRecord, Quality, Reconstructions, RunFacts, SplitCount
from vae_tf.artifacts.npz_files import load_arrays
from vae_tf.artifacts.run import Run
from vae_tf.data.dataset import Index, Pictures
from vae_tf.data.splits import PARTS

FEW_STEPS = 500
WITHOUT_CLASS = "without a class"
NEXT = (
    ("embed", "python cli.py embed {run}"),
    ("clusters", "python cli.py cluster-report {run}"),
    ("interpolation", "python cli.py interpolation-grid {run}"),
    ("traversals", "python cli.py traverse {run}"),
    ("export", "python cli.py export {run}"),
)


def overview(subject: Subject, facts: RunFacts, pictures: Pictures) -> OverviewRecord:
    run, stage = subject.run, subject.computed("evaluate")
    scores = stage.record["results"]["scores"]
    arrays = load_arrays(stage.folder / "pictures.npz")
    train = train_stage(run)
    return OverviewRecord(
        run=facts,
        answer=verdict(scores) or "No pictures were kept apart, so nothing can be said about unseen ones.",
        trained_on=trained_on(subject, pictures),
        next_command=next_command(subject),
        headline=newest_headline(subject),
        elsewhere=elsewhere(subject),
        facts=[
            *fact_list(run, train.record["results"], scores),
            # They quote names of files.
            *(("Beside the pictures", note) for note in pictures.source_notes if facts.form.pictures),
        ],
        counts=split_counts(pictures.index),
        unseen=reconstructions(arrays, pictures, "test"),
        trained=reconstructions(arrays, pictures, "train"),
        quality=quality_cells(scores) + (ancestors(run) if subject.is_own else []),
        model=model_name(scores),
        verdict=verdict(scores),
        quality_note=quality_note(run, scores),
        curves=curves(run, hidden_series(scores)),
        best_epoch=train.record["results"]["best_epoch"] or None,
        samples=arrays["samples"],
        kl_per_dimension=array_or_none(scores["kl_per_dimension"]),
        information_per_dimension=array_or_none(scores["information_per_dimension"]),
        warnings=warnings(subject, pictures, train.record["results"], pca_is_better(scores)),
        skipped=pictures.skipped,
    )


def array_or_none(values: list[float] | None) -> Any:
    return None if values is None else np.asarray(values, dtype=np.float64)


def warnings(subject: Subject, pictures: Pictures, results: dict[str, Any], is_beaten: bool) -> list[str]:
    """What a reader must know before believing a figure; `is_beaten`: PCA rebuilds unseen pictures better."""
    found = list(pictures.notes)
    if pictures.skipped:
        files = "1 file" if len(pictures.skipped) == 1 else f"{len(pictures.skipped)} files"
        found.insert(0, f"{files} could not be used; each is listed below with its reason.")
    if results["step"] < FEW_STEPS:
        found.append(
            f"Training took only {results['step']} steps; a model that has hardly learned yet says little about "
            "the pictures. About 1,500 are usual."
        )
    elif is_beaten and subject.is_own and is_still_improving(subject.run):
        found.append(
            "Training was still improving when it ended: more epochs would very likely help. "
            f"python cli.py train --extend {subject.run.name} --epochs {results['epoch']}"
        )
    return found


def trained_on(subject: Subject, pictures: Pictures) -> str:
    """What the model learned from; of other pictures, what they are as well."""
    index = pictures.index
    height, width, channels = pictures.shape.image_shape
    what = f"{'grey' if channels == 1 else 'colour'} pictures of {height}×{width} pixels from {subject.source_name}"
    if index.class_names and len(index.class_names) <= 6:
        what += f", classes {', '.join(index.class_names)}"
    elif index.class_names:
        what += f", {len(index.class_names)} classes"
    if subject.is_own:
        return f"{len(index.where('train')):,} of {len(index.paths):,} {what}"
    return f"{own_pictures(subject.run).source_name}; seen here: {len(index.paths):,} {what}"


def next_command(subject: Subject) -> str:
    """The first stage of the chain that these pictures lack."""
    other = "" if subject.is_own else f" {subject.source_name}"
    for kind, command in NEXT:
        if kind == "traversals" and subject.is_text:
            continue
        if subject.newest(kind) is None and (subject.is_own or kind != "export"):
            return command.format(run=subject.run.name) + other
    return f"python cli.py train --extend {subject.run.name} --epochs 100"


def elsewhere(subject: Subject) -> list[tuple[str, str]]:
    """Reports on other pictures than these under the same model: (name, address relative to this report)."""
    others = [Subject(subject.run, stage) for stage in subject.run.stages("data") if stage != subject.data]
    return [
        (
            f"{other.source_name}{', the run’s own' if other.is_own else ''}",
            f"../{other.report.name}/index.html",
        )
        for other in others
        if (other.report / "index.html").exists()
    ]


def split_counts(index: Index) -> list[SplitCount]:
    counts = []
    for part in PARTS:
        positions = index.where(part)
        if not len(positions):
            continue
        labels, groups = index.labels[positions], index.groups[positions]
        classes = {name: int(np.sum(labels == i)) for i, name in enumerate(index.class_names)}
        if classes and np.any(index.labels < 0):
            classes[WITHOUT_CLASS] = int(np.sum(labels < 0))
        num_groups = len(np.unique(groups[groups >= 0])) if index.group_names else None
        counts.append(SplitCount(split=part, pictures=len(positions), groups=num_groups, classes=classes))
    return counts


def reconstructions(arrays: dict[str, Any], pictures: Pictures, part: str) -> Reconstructions | None:
    if f"{part}_positions" not in arrays:
        return None
    positions = arrays[f"{part}_positions"]
    return Reconstructions(
        originals=pictures.to_look_at[positions],
        vae=arrays[f"{part}_vae"],
        vae_mse=arrays[f"{part}_vae_mse"].tolist(),
        pca=arrays[f"{part}_pca"],
        pca_mse=arrays[f"{part}_pca_mse"].tolist(),
        paths=[pictures.index.paths[i] for i in positions],
    )


def quality_cells(scores: dict[str, Any]) -> list[Quality]:
    cells = []
    for part in ("test", "validation", "train"):
        for method in ("vae", "pca"):
            for measure in MEASURES:
                if part in scores:
                    cells.append(
                        Quality(
                            measure=measure.upper(),
                            method=model_name(scores) if method == "vae" else method.upper(),
                            split=part,
                            lower_is_better=measure == "mse",
                            **scores[part][method][measure],
                        )
                    )
    return cells


def model_name(scores: dict[str, Any]) -> str:
    """What rows of the model are called: "VAE" or "Autoencoder"."""
    name = str(scores["model"])
    return name[:1].upper() + name[1:]


def ancestors(run: Run) -> list[Quality]:
    """The unseen pictures' scores of the runs that this one extends, so that one sees what more epochs brought."""
    cells = []
    for parent in chain_of(run)[:-1]:
        evaluated = own_pictures(parent).newest("evaluate") if parent.stage("data") else None
        train = parent.stage("train")
        if evaluated is None or train is None:
            continue
        scores = evaluated.record["results"]["scores"]
        method = f"{model_name(scores)} after {train.record['results']['epoch']} epochs ({parent.name})"
        for part in ("test", "validation", "train"):
            for measure in MEASURES:
                if part in scores:
                    cell = scores[part]["vae"][measure]
                    cells.append(
                        Quality(
                            measure=measure.upper(),
                            method=method,
                            split=part,
                            lower_is_better=measure == "mse",
                            **cell,
                        )
                    )
    return cells


def quality_note(run: Run, scores: dict[str, Any]) -> str:
    augmented = bool(machine_of(run)["plan"]["augmentation"])
    name = scores["model"]
    how = (
        f"with the same augmentation as the {name}" if augmented else f"without augmentation, like the {name}"
    )
    return (
        f"PCA has {scores['num_components']} components and was fitted on the training pictures {how}. "
        "Errors are means of squared differences of pixels in [0, 1]; intervals (95 %) come from resampling "
        "groups, or pictures where there are none."
    )
