"""From what `probe` found to the record of its page."""

from typing import Any

import numpy as np

from pipelines.run_data import Subject
from reports.records import ProbeRecord, RunFacts
from reports.words import percent
from vae_tf.artifacts.json_files import read_json
from vae_tf.data.dataset import Pictures

FINETUNED = "encoder, fine-tuned"
SCRATCH = "encoder, from scratch"
CLASSIFIERS = {"linear": "a linear classifier", "5-NN": "voting of neighbours"}


def probe(subject: Subject, facts: RunFacts, pictures: Pictures) -> ProbeRecord:
    found = read_json(subject.computed("probe").folder / "scores.json")
    rows = by_method(found)
    return ProbeRecord(
        run=facts,
        answer=answer(found),
        part=found["part"],
        num_judged=found["num_judged"],
        chance=1.0 / found["num_classes"],
        columns=[str(number or "all") for number in numbers_of(found)],
        rows=[(name, [values[number] for number in numbers_of(found)]) for name, values in rows.items()],
        encoder_saw_labels=found["encoder_saw_labels"],
        note=note(rows),
    )


def by_method(found: dict[str, Any]) -> dict[str, dict[int | None, list[float]]]:
    """{method: {labels of each class: accuracies}}."""
    rows: dict[str, dict[int | None, list[float]]] = {}
    for score in found["scores"]:
        rows.setdefault(score["method"], {})[score["per_class"]] = score["values"]
    return rows


def numbers_of(found: dict[str, Any]) -> list[int | None]:
    return list(dict.fromkeys(score["per_class"] for score in found["scores"]))


def answer(found: dict[str, Any]) -> str:
    """The best of the latents against the best of PCA and pixels at the fewest labels, and what fine-tuning adds."""
    rows, number = by_method(found), numbers_of(found)[0]
    means = {name: float(np.mean(values[number])) for name, values in rows.items()}
    ours = max((name for name in means if name.startswith("latents")), key=means.__getitem__)
    theirs = max((name for name in means if name.startswith(("PCA", "pixels"))), key=means.__getitem__)
    said = (
        f"With {labels_in_words(number)} of each class, {in_words(ours)} tells {percent(means[ours])} of "
        "unseen pictures "
        "rightly; "
        f"the best without the model, {in_words(theirs)}, {percent(means[theirs])} (chance "
        f"{percent(1 / found['num_classes'])})."
    )
    if FINETUNED in means:
        said += (
            f" The encoder fine-tuned on them reaches {percent(means[FINETUNED])}, from scratch "
            f"{percent(means[SCRATCH])}."
        )
    if number is not None and None in numbers_of(found):
        said += f" With all labels: {with_all(rows)}."
    return said


def with_all(rows: dict[str, Any]) -> str:
    """The best of each kind of features, such as "latents 71%, PCA 80%"."""
    best: dict[str, float] = {}
    for name, values in rows.items():
        features, _, classifier = name.partition(", ")
        kind = features if classifier in CLASSIFIERS else classifier
        best[kind] = max(best.get(kind, 0.0), float(np.mean(values[None])))
    return ", ".join(f"{kind} {percent(value)}" for kind, value in best.items())


def in_words(method: str) -> str:
    """ "latents, linear" as "a linear classifier on latents"."""
    features, _, classifier = method.partition(", ")
    return f"{CLASSIFIERS[classifier]} on {features}"


def labels_in_words(number: int | None) -> str:
    return "all labels" if number is None else f"{number} label{'' if number == 1 else 's'}"


def note(rows: dict[str, Any]) -> str:
    if FINETUNED not in rows:
        return "--finetune trains the encoder itself further, beside the same network from scratch."
    return (
        "Fine-tuned and from scratch: encoder and a linear layer trained for the same number of steps, with the "
        "augmentation of the run."
    )
