"""Stages `export-onnx` and `export-litert`: the exported model for other engines, with the proof of each."""

import dataclasses
from pathlib import Path
from typing import Any

from pipelines.console import held_stderr
from pipelines.export import VERSION, checked, export, model_name, picture_model, recorded_scores
from pipelines.run_data import Subject, load_examples_of, load_model
from pipelines.scored_examples import choose
from vae_tf.artifacts.json_files import write_json
from vae_tf.artifacts.run import Run
from vae_tf.artifacts.stage import Stage, StageWriter
from vae_tf.data.sentences import Sentences
from vae_tf.errors import UserError
from vae_tf.places import is_remote
from vae_tf.serving.formats import FORMATS, check, offered

MODEL = "model"
NUM_CALIBRATION = 64


def export_as(subject: Subject, form: str, weights: str) -> Stage:
    """Writes `export-FORMAT/model/`; where the model cannot be converted, or parity fails, nothing is left behind.

    It is made of the run's SavedModel, which is exported first where it is not there.

    Raises:
        UserError: What `formats` refuses, what the converter refuses, or a difference beyond its tolerance.
    """
    check(form, weights)
    names = offered(form, weights, subject.is_text)
    source = export(subject)
    inputs = {**subject.model_inputs, "export": source.hash, "weights": weights}
    return subject.compute(
        f"export-{form}", inputs, lambda stage: write_format(subject, source, form, weights, names, stage)
    )


def place(stage: Stage, run: Run, directory: str, name: str | None) -> str:
    """Copies a finished export to DIR/NAME-FORMAT, with the weights' type where that is not float32."""
    from vae_tf.serving import placing, remote_placing

    results = stage.record["results"]
    parts = [name or model_name(run), results["format"]]
    if results["weights"] != "float32":
        parts.append(results["weights"])
    model, called = stage.folder / MODEL, "-".join(parts)
    if is_remote(directory):
        return remote_placing.place_files(model, directory, called)
    return str(placing.place_files(model, Path(directory), called))


def write_format(
    subject: Subject, source: Stage, form: str, weights: str, names: tuple[str, ...], stage: StageWriter
) -> None:
    from vae_tf.serving import engines
    from vae_tf.serving.parity import ParityError

    examples, model = load_examples_of(subject), load_model(subject.run)
    positions, is_unseen = checked(examples.index)
    ask = asker(subject, model, examples)
    signatures, given, wanted = ask(positions, names, form)
    folder, saved_model = stage.folder / MODEL, source.folder / VERSION
    folder.mkdir()
    calibration = {}
    if weights == "int8":
        calibration = ask(choose(examples.index, "train", NUM_CALIBRATION), names, form)[1]
    title = FORMATS[form].title
    try:
        with held_stderr():
            left_out = engines.convert(form, saved_model, signatures, weights, calibration, folder)
        given, wanted = without(left_out, given), without(left_out, wanted)
        proof = engines.prove(form, weights, signatures, folder, given, wanted)
        speeds = engines.speeds_of(form, folder, saved_model, given)
    except engines.ConversionError as error:
        raise UserError(
            f"{title} cannot hold this model: {error}.",
            "Nothing was exported. The SavedModel holds every model.",
        ) from None
    except ParityError as error:
        other = "Try --weights float32." if weights != "float32" else "Please report this with run.json."
        raise UserError(str(error), f"Nothing was exported. {other}") from None
    facts = {
        "format": form,
        "weights": weights,
        "engine": FORMATS[form].engine,
        "checked_on": f"{len(positions)} {'unseen' if is_unseen else 'trained-on'} {subject.noun}s",
        "largest_difference": proof.largest,
        "mean_difference": proof.mean,
        "tolerance": dataclasses.asdict(engines.TOLERANCES[weights]),
        "squared_errors": proof.errors,
        "speeds": speeds,
        "left_out": left_out,
        "num_bytes": size_of(folder),
        "saved_model_bytes": size_of(saved_model),
        "parity": [dataclasses.asdict(one) for one in proof.differences],
    }
    write_json(folder / "parity.json", {"run": subject.run.name, **facts})
    stage.results.update(facts)


def without(left_out: dict[str, str], arrays: dict[str, Any]) -> dict[str, Any]:
    """{"signature/name": array} of the signatures that are there."""
    return {key: array for key, array in arrays.items() if key.split("/")[0] not in left_out}


def asker(subject: Subject, model: Any, examples: Any) -> Any:
    """A function of positions, names and a format: (signatures, questions, the run's answers) of examples there."""
    import numpy as np

    from vae_tf.serving import engines

    if isinstance(examples, Sentences):
        from vae_tf.serving.text import TextExport

        made: Any = TextExport(model)
        anomalies = None
    else:
        anomalies = subject.run.newest("anomalies")
        made = picture_model(subject, model, examples, None, anomalies, subject.newest("predictions"))

    def ask(positions: Any, names: tuple[str, ...], form: str) -> Any:
        if isinstance(examples, Sentences):
            given, wanted = made.questions(examples.tokens[positions], [])
        else:
            recorded = recorded_scores(anomalies, positions) if anomalies and subject.is_own else None
            given, wanted = made.questions(np.asarray(examples.images[positions]), [], recorded)
        chosen = {name: made.signatures[name] for name in names}
        signatures = engines.named(form, chosen)
        answers = {
            f"{name}/{new}": wanted[f"{name}/{old}"]
            for name in names
            for old, new in zip(chosen[name].outputs, signatures[name].outputs, strict=True)
        }
        return signatures, {key: value for key, value in given.items() if key.split("/")[0] in names}, answers

    return ask


def size_of(folder: Path) -> int:
    """Bytes of a model, without what is written about it."""
    return sum(
        path.stat().st_size
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".json" and "assets.extra" not in path.parts
    )
