"""From a run's artifacts to the record of its first page."""

from typing import Any

import numpy as np

from pipelines.classes import newest_headline
from pipelines.console import seconds
from pipelines.evaluate import MEASURES, pca_is_better, verdict
from pipelines.machine import machine_of
from pipelines.run_data import Subject, config_of, own_pictures, train_folder
from reports.records import CurveSegment, OverviewRecord, Quality, Reconstructions, RunFacts, SplitCount
from vae_tf import strangers
from vae_tf.artifacts.npz_files import load_arrays
from vae_tf.artifacts.run import Run
from vae_tf.artifacts.runs import all_runs
from vae_tf.data.dataset import Index, Pictures
from vae_tf.data.splits import PARTS
from vae_tf.recipes import find_recipe

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
    run, stage = subject.run, subject.newest("evaluate")
    assert stage is not None, "the report evaluates first"
    scores = stage.record["results"]["scores"]
    arrays = load_arrays(stage.folder / "pictures.npz")
    train = run.stage("train")
    assert train is not None, "find_run gives trained runs only"
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
    from pipelines.training_record import is_still_improving

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


def fact_list(run: Run, results: dict[str, Any], scores: dict[str, Any]) -> list[tuple[str, str]]:
    config, machine = config_of(run), machine_of(run)
    plan, precision = machine["plan"], machine["precision"]
    pictures_per_second = results["step"] * plan["batch_size"] / max(results["seconds"], 1e-9)
    facts = [
        ("Recipe", config.model.recipe),
        ("Latent dimensions", str(config.model.latent)),
        ("Likelihood", config.model.likelihood or find_recipe(config.model.recipe).likelihood),
        *([] if config.model.beta is None else [("β", f"{config.model.beta:g}")]),
        ("Precision", f"{precision['reason']}{', XLA' if precision['jit_compile'] else ''}"),
        ("Device", precision["device"]),
        ("Epochs", f"{results['epoch']}, the best was {results['best_epoch']}"),
        ("Steps", f"{results['step']:,} of {plan['batch_size']} pictures"),
        (
            "Training time",
            f"{seconds(results['seconds'])}, {pictures_per_second:,.0f} pictures/s with validation",
        ),
        ("Learning rate", f"{plan['learning_rate']:g}, {plan['schedule']}"),
        ("Augmentation", plan["notes"][0]),
        ("Seed", str(plan["seed"])),
    ]
    facts += [("Changed parts", f"{key} = {value}") for key, value in config.model.settings.items()]
    for part, words in (("test", "unseen"), ("validation", "validation"), ("train", "trained-on")):
        if part in scores and scores[part]["elbo"] is not None:
            facts.append((f"ELBO, {words}", f"{scores[part]['elbo']:,.1f} nats per picture (β = 1)"))
    if run.parent:
        facts.append(("Extends", run.parent))
    return facts


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


def chain_of(run: Run) -> list[Run]:
    """The run and those that it extends, the oldest first; a deleted parent ends the chain."""
    chain = [run]
    while chain[0].parent:
        # By number: a name may have changed since.
        number = chain[0].parent[:5]
        parents = [other for other in all_runs(run.folder.parent) if other.name[:5] == number]
        # A run that would extend itself was not written by us.
        if not parents or parents[0] in chain:
            break
        chain.insert(0, parents[0])
    return chain


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


def hidden_series(scores: dict[str, Any]) -> set[str]:
    """Curves that would mean nothing: of a KL that the codes have not, of an ELBO that the loss is not."""
    has_elbo = any(scores[part]["elbo"] is not None for part in PARTS if part in scores)
    return (set() if has_elbo else {"validation_elbo"}) | (set() if scores["kl_per_dimension"] else {"kl"})


def curves(run: Run, hidden: set[str], all_parts: bool = False) -> list[CurveSegment]:
    """One segment per run of the chain of parents, the oldest first; `all_parts`: validation's parts, too."""
    chain = chain_of(run)
    lines = [read_lines(link) for link in chain]
    segments, done = [], 0
    for link, records in zip(chain, lines, strict=True):
        new = [record for record in records if record["epoch"] > done]
        if new:
            done = new[-1]["epoch"]
            segments.append(segment(link.name, new, hidden, all_parts))
    return segments


def read_lines(run: Run) -> list[dict[str, Any]]:
    import json

    path = train_folder(run) / "metrics.jsonl"
    with strangers.read_from(path):
        lines: list[dict[str, Any]] = [
            json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()
        ]
        if not all(type(line["epoch"]) is int for line in lines):
            raise TypeError("an epoch is no whole number")
        return lines


def segment(
    name: str, records: list[dict[str, Any]], hidden: set[str], all_parts: bool = False
) -> CurveSegment:
    nothing = float("nan")
    series = {
        "loss": [record.get("loss", nothing) for record in records],
        "reconstruction": [record.get("reconstruction", nothing) for record in records],
        "kl": [record.get("kl", nothing) for record in records],
        "validation_objective": [record.get("val_loss", nothing) for record in records],
        "validation_elbo": [record.get("val_elbo", nothing) for record in records],
    }
    if all_parts:
        series["validation_reconstruction"] = [r.get("val_reconstruction", nothing) for r in records]
        series["validation_kl"] = [r.get("val_kl", nothing) for r in records]
    shown = {
        key: values
        for key, values in series.items()
        if key.removeprefix("validation_") not in hidden and key not in hidden
    }
    return CurveSegment(run=name, epochs=[record["epoch"] for record in records], series=shown)
