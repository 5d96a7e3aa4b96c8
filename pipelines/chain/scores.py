"""Commands that judge a model, or by which a model judges."""

import time

from pipelines.chain.telling import show_page, started_with, told
from pipelines.console import say, warn
from reports.words import plural
from vae_tf.artifacts.json_files import read_json


def evaluate(text: str | None, source: str | None, samples: int, pictures: int, seed: int) -> None:
    run, began = started_with(text), time.time()
    from pipelines.evaluation import EvaluationOptions, evaluate_fully
    from pipelines.evaluation_record import answer, sentences
    from pipelines.features import describe_features
    from pipelines.other_source import subject_of
    from reports.words import said_of

    subject = subject_of(run, source)
    stage = evaluate_fully(subject, EvaluationOptions(samples, pictures, seed))
    with stage.reading():
        told(stage, "bounds, latents, samples and factors", began)
        scores = read_json(stage.folder / "scores.json")
        for sentence in [answer(scores), *sentences(scores)]:
            say(f"  {said_of(sentence, subject.noun)}")
    if (features := describe_features(subject, seed)) is not None:
        from pipelines.features_record import answer_of

        with features.reading():
            say(f"  {answer_of(features)}")
        show_page(subject, "features.html")
    show_page(subject, "evaluation.html")


def probe(text: str | None, labels: str, finetune: bool, draws: int, seed: int) -> None:
    from vae_tf.config import parse_numbers

    numbers = parse_numbers(labels)
    run, began = started_with(text), time.time()
    from pipelines.probe import ProbeOptions, probe_features
    from pipelines.probe_record import answer
    from pipelines.run_data import own_pictures

    subject = own_pictures(run)
    stage = probe_features(subject, ProbeOptions(numbers, finetune, draws, seed))
    with stage.reading():
        told(stage, "classifiers on latents, PCA and pixels", began)
        say(f"  {answer(read_json(stage.folder / 'scores.json'))}")
    show_page(subject, "probe.html")


def predict(text: str | None, source: str | None, seed: int) -> None:
    run, began = started_with(text), time.time()
    from pipelines.other_source import subject_of
    from pipelines.predictions import predict as work
    from pipelines.predictions_record import answer, calibration_sentences

    subject = subject_of(run, source)
    stage = work(subject, seed)
    with stage.reading():
        scores = read_json(stage.folder / "scores.json")
        told(stage, f"classes of {scores['num_pictures']:,} pictures", began)
        for sentence in [answer(scores), *calibration_sentences(scores)]:
            say(f"  {sentence}")
    say(f"  files: {stage.folder / 'predictions.csv'} and predictions.npz")
    show_page(subject, "predictions.html")


def anomalies(
    text: str | None, source: str | None, normal: list[str], alpha: float, score: str, samples: int, seed: int
) -> None:
    run, began = started_with(text), time.time()
    from pipelines.anomalies import AnomalyOptions, find_anomalies
    from pipelines.anomalies_record import answer, fact_sentences
    from pipelines.other_source import subject_of

    subject = subject_of(run, source)
    stage = find_anomalies(subject, AnomalyOptions(tuple(normal), alpha, score, samples, seed))
    with stage.reading():
        scores = read_json(stage.folder / "scores.json")
        told(stage, f"scores of {plural(scores['num']['tested'], 'picture')}", began)
        for sentence in [answer(scores), *(f"{name}: {said}" for name, said in fact_sentences(scores))]:
            say(f"  {sentence}")
        for note in scores["notes"]:
            warn(note)
    say(f"  files: {stage.folder / 'scores.csv'} and anomalies.npz")
    show_page(subject, "anomalies.html")
