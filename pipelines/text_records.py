"""From the artifacts of a run on text to the records of the pages that only sentences have."""

from typing import Any

import numpy as np

from pipelines.classes import newest_headline
from pipelines.console import seconds
from pipelines.homotopies import TYPED
from pipelines.machine import machine_of
from pipelines.overview_record import (
    FEW_STEPS,
    array_or_none,
    elsewhere,
    next_command,
    split_counts,
)
from pipelines.run_data import Subject, config_of, own_pictures, train_stage
from pipelines.text_scores import text_verdict
from pipelines.training_curves import curves, hidden_series
from reports.records import RunFacts
from reports.text_records import HomotopiesRecord, Homotopy, Rebuilt, TextOverviewRecord, TextScore
from vae_tf.artifacts.json_files import read_json
from vae_tf.data.sentences import Sentences
from vae_tf.vocabulary import SPECIAL


def text_overview(subject: Subject, facts: RunFacts, sentences: Sentences) -> TextOverviewRecord:
    run, stage = subject.run, subject.computed("evaluate")
    train = train_stage(run)
    results, scores = train.record["results"], stage.record["results"]["scores"]
    shown = read_json(stage.folder / "sentences.json")
    kl = scores["kl_per_dimension"]
    return TextOverviewRecord(
        run=facts,
        answer=text_verdict(scores)
        or "No sentences were kept apart, so nothing can be said about unseen ones.",
        trained_on=trained_on(subject, sentences),
        next_command=next_command(subject),
        headline=newest_headline(subject),
        elsewhere=elsewhere(subject),
        warnings=warnings(sentences, results),
        rebuilt=[
            (part, [Rebuilt(**pair) for pair in shown[part]]) for part in ("test", "train") if part in shown
        ],
        scores=[text_score(part, scores[part]) for part in ("test", "validation", "train") if part in scores],
        samples=[Rebuilt(original="", **pair) for pair in shown["samples"]],
        kl_per_dimension=None if kl is None else np.asarray(kl),
        information_per_dimension=array_or_none(scores["information_per_dimension"]),
        curves=curves(run, hidden_series(scores)),
        best_epoch=results["best_epoch"] or None,
        counts=split_counts(sentences.index),
        facts=[*fact_list(subject, results), *(("In the file", note) for note in sentences.source_notes)],
        skipped=sentences.skipped,
    )


def text_score(part: str, found: dict[str, Any]) -> TextScore:
    keys = ("num", "reconstruction", "kl", "elbo", "perplexity")
    return TextScore(split=part, **{key: found[key] for key in keys})


def trained_on(subject: Subject, sentences: Sentences) -> str:
    """What the model learned from; of other sentences, what they are as well."""
    index, words = sentences.index, sentences.vocabulary
    what = f"sentences of at most {sentences.num_positions - 1} {words.level} from {subject.source_name}"
    if index.class_names:
        some = ", ".join(index.class_names[:6]) + (" …" if len(index.class_names) > 6 else "")
        what += f", classes {some}"
    if subject.is_own:
        return f"{len(index.where('train')):,} of {len(index.paths):,} {what}"
    return f"{own_pictures(subject.run).source_name}; seen here: {len(index.paths):,} {what}"


def warnings(sentences: Sentences, results: dict[str, Any]) -> list[str]:
    """What a reader must know before believing a figure."""
    found = list(sentences.notes)
    if sentences.skipped:
        lines = "1 line" if len(sentences.skipped) == 1 else f"{len(sentences.skipped):,} lines"
        found.insert(0, f"{lines} could not be used; each is listed below with its reason.")
    if results["step"] < FEW_STEPS:
        found.append(f"Training took only {results['step']} steps; a model of language needs thousands.")
    return found


def fact_list(subject: Subject, results: dict[str, Any]) -> list[tuple[str, str]]:
    run = subject.run
    config, machine = config_of(run), machine_of(run)
    plan, settings = machine["plan"], config.model.settings
    level = config.data.tokens
    facts = [
        ("Recipe", config.model.recipe),
        ("Latent dimensions", str(config.model.latent)),
        (
            "Vocabulary",
            f"{machine['num_tokens'] - len(SPECIAL):,} {level}, {config.data.min_count} times or more",
        ),
        ("Epochs", f"{results['epoch']}, the best was {results['best_epoch']}"),
        ("Steps", f"{results['step']:,} of {plan['batch_size']} sentences"),
        ("Training time", seconds(results["seconds"])),
        ("Learning rate", f"{plan['learning_rate']:g}, {plan['schedule']}"),
        ("Precision", machine["precision"]["reason"]),
        ("Device", machine["precision"]["device"]),
        ("Seed", str(plan["seed"])),
        *((("Changed parts", f"{key} = {value}") for key, value in settings.items())),
    ]
    return facts + ([("Extends", run.parent)] if run.parent else [])


def homotopies(subject: Subject, facts: RunFacts, sentences: Sentences) -> HomotopiesRecord:
    paths = read_json(subject.computed("interpolation").folder / "paths.json")
    pairs = [homotopy(path) for path in paths["pairs"]]
    return HomotopiesRecord(
        run=facts,
        answer=homotopies_answer(pairs),
        pairs=pairs,
        class_means=[homotopy(path) for path in paths["classes"]],
    )


def homotopy(path: dict[str, Any]) -> Homotopy:
    a, b = path["a"], path["b"]
    return Homotopy(
        a=a["text"],
        b=b["text"],
        linear=path["linear"],
        spherical=path["spherical"],
        split_a=a["split"],
        split_b=b["split"],
        unknown=[*a["unknown"], *b["unknown"]],
    )


def homotopies_answer(pairs: list[Homotopy]) -> str:
    """How many paths there are, and whether anything changes on them."""
    between = [len(set(pair.linear)) for pair in pairs]
    typed = sum(TYPED in (pair.split_a, pair.split_b) for pair in pairs)
    what = f"{len(pairs)} {'path' if len(pairs) == 1 else 'paths'} between sentences" + (
        f", {typed} of them with a typed end" if typed else ""
    )
    if max(between) == 1:
        return f"{what}: nothing changes on the way: between these ends the decoder says the same."
    return f"{what}: on average {np.mean(between):.1f} different sentences in {len(pairs[0].linear)} equal steps."
