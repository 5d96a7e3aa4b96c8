"""Stage `probe`: what the encoder's features are worth when only a few pictures are labelled."""

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.baseline import fit_pca
from pipelines.console import say
from pipelines.embed import embed, latents_of
from pipelines.machine import machine_of
from pipelines.run_data import Subject, config_of, load_model, load_pictures_of
from pipelines.scored_examples import choose
from reports.words import plural
from vae_tf.analysis.features import as_features, principal_scores
from vae_tf.artifacts.json_files import write_json
from vae_tf.artifacts.stage import Stage, StageWriter
from vae_tf.data.dataset import Index, Pictures
from vae_tf.errors import UserError
from vae_tf.evaluation.probe import Score, balanced_accuracy, draws_of, probe
from vae_tf.recipes import find_recipe

LARGEST_NUM_LABELLED = 2000
LARGEST_NUM_JUDGED = 2000


@dataclasses.dataclass(frozen=True)
class ProbeOptions:
    """Labels of each class (None: all), draws of them, and whether the encoder itself is trained further."""

    numbers: tuple[int | None, ...] = (1, 5, 20, None)
    finetune: bool = False
    num_draws: int = 3
    seed: int = 0


def probe_features(subject: Subject, options: ProbeOptions) -> Stage:
    """Scores of every kind of features, and with `finetune` of the encoder trained further and from scratch."""
    check_classes(subject.index)
    embedded = embed(subject)
    inputs = {**subject.model_inputs, "embed": embedded.hash, "options": dataclasses.asdict(options)}
    return subject.compute("probe", inputs, lambda stage: write_probe(subject, embedded, options, stage))


def check_classes(index: Index) -> None:
    """Raises: UserError: Nothing to learn from, or nothing to judge by."""
    if len(index.class_names) < 2:
        found = "only one class" if index.class_names else "no classes"
        raise UserError(
            f"A probe tells classes apart, and these pictures have {found}.",
            "Classes come from subfolders, or from a file: --labels FILE.csv, when the run is trained.",
        )
    for part, words in (("train", "trained-on"), (judged_part(index), "unseen")):
        if len(np.unique(index.labels[labelled(index, part)])) < 2:
            raise UserError(
                f"The {words} pictures are of fewer than two classes.", "Train with another --split."
            )


def judged_part(index: Index) -> str:
    return "test" if len(index.where("test")) else "validation"


def labelled(index: Index, part: str) -> NDArray[np.int64]:
    """Positions of the part's pictures with a class; of those trained on, labels that were hidden stay hidden."""
    is_train = part == "train"
    labels = index.visible_labels if is_train else index.labels
    positions = index.where(part)
    chosen = np.zeros(len(labels), dtype=bool)
    chosen[positions[labels[positions] >= 0]] = True
    only_these = dataclasses.replace(index, parts=np.where(chosen, index.parts, -1).astype(np.int8))
    return choose(only_these, part, LARGEST_NUM_LABELLED if is_train else LARGEST_NUM_JUDGED)


def write_probe(subject: Subject, embedded: Stage, options: ProbeOptions, stage: StageWriter) -> None:
    pictures, index = load_pictures_of(subject), subject.index
    train, test = labelled(index, "train"), labelled(index, judged_part(index))
    used = np.concatenate([train, test])
    scores = probe(
        features_of(subject, embedded, pictures, used),
        index.labels[used],
        np.arange(len(train)),
        np.arange(len(train), len(used)),
        options.numbers,
        options.num_draws,
        options.seed,
    )
    if options.finetune:
        scores += finetuned(subject, pictures, train, test, options)
    document = {
        "num_classes": len(np.unique(index.labels[train])),
        "part": judged_part(index),
        "num_judged": len(test),
        "num_labelled": len(train),
        "encoder_saw_labels": "labels" in find_recipe(config_of(subject.run).model.recipe).needs,
        "scores": [dataclasses.asdict(score) for score in scores],
    }
    write_json(stage.folder / "scores.json", document)
    stage.results.update(num_judged=len(test), finetune=options.finetune)


def features_of(
    subject: Subject, embedded: Stage, pictures: Pictures, used: NDArray[np.int64]
) -> dict[str, NDArray[Any]]:
    """Latents, principal components and pixels of the pictures `used`, in their order.

    Pixels are turned onto their principal axes, at most as many as there are pictures: all distances stay, the
    classifiers see neither unit nor axes, and 2,000 pictures of 160×160 have 77,000 columns else.
    """
    images = np.asarray(pictures.images[used])
    return {
        "latents": latents_of(embedded)["mean"][used],
        "PCA": fit_pca(subject, pictures).encode(images),
        "pixels": principal_scores(as_features(images, "pixels")),
    }


def finetuned(
    subject: Subject,
    pictures: Pictures,
    train: NDArray[np.int64],
    test: NDArray[np.int64],
    options: ProbeOptions,
) -> list[Score]:
    """The encoder trained further with the few labels, and the same network that begins at random."""
    labels, scores = subject.index.labels, []
    for per_class in options.numbers:
        draws = draws_of(labels, train, per_class, options.num_draws, options.seed)
        for name in ("fine-tuned", "from scratch"):
            say(f"  {name}, {plural(len(draws[0]), 'label')}, {plural(len(draws), 'time')} …", style="dim")
            values = []
            for draw, chosen in enumerate(draws):
                vae = load_model(subject.run) if name == "fine-tuned" else fresh_model(subject, draw)
                predicted = learn_and_classify(subject, vae, pictures, chosen, test, draw)
                values.append(balanced_accuracy(predicted, labels[test]))
            scores.append(Score(f"encoder, {name}", per_class, len(draws[0]), values))
    return scores


def fresh_model(subject: Subject, draw: int) -> Any:
    """The run's networks with new weights, others for every draw."""
    from pipelines.build_model import build_model

    config = config_of(subject.run)
    training = config.training.model_copy(update={"seed": config.training.seed + 1 + draw})
    machine = machine_of(subject.run)
    return build_model(config.model_copy(update={"training": training}), machine, precision="float32")


def learn_and_classify(
    subject: Subject,
    vae: Any,
    pictures: Pictures,
    chosen: NDArray[np.int64],
    test: NDArray[np.int64],
    draw: int,
) -> NDArray[np.int64]:
    from vae_tf.data.augmentation import Augmentation
    from vae_tf.evaluation.finetune import classify, fit_classifier

    plan, index = machine_of(subject.run)["plan"], subject.index
    augmentation = Augmentation(**plan["augmentation"]) if plan["augmentation"] else None
    images, labels = np.asarray(pictures.images[chosen]), index.labels[chosen]
    model = fit_classifier(vae, images, labels, len(index.class_names), augmentation, draw)
    return classify(model, np.asarray(pictures.images[test]))
