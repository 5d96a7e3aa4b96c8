"""Stage `export`: a SavedModel with the proof that it gives the run's outputs."""

import dataclasses
import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.run_data import Subject, load_examples_of, load_model
from vae_tf import random
from vae_tf.artifacts.json_files import read_json, write_json
from vae_tf.artifacts.npz_files import load_arrays
from vae_tf.artifacts.run import Run
from vae_tf.artifacts.runs import slug
from vae_tf.artifacts.stage import Stage, StageWriter
from vae_tf.data.cache import Shape, cache_key
from vae_tf.data.dataset import Index, Pictures
from vae_tf.data.sentences import Sentences
from vae_tf.data.sources import open_source
from vae_tf.errors import UserError
from vae_tf.places import is_remote

NUM_CHECKED = 16
VERSION = "1"


def export(subject: Subject) -> Stage:
    """Writes `export/1/`; where parity fails nothing is left behind.

    Raises:
        UserError: The exported model does not give the run's outputs; or the one that is there reaches beyond itself.
    """
    from vae_tf.serving.server import graphs

    anomalies, predictions = subject.run.newest("anomalies"), subject.newest("predictions")
    inputs = {
        **subject.model_inputs,
        "anomalies": anomalies and anomalies.hash,
        "predictions": predictions and predictions.hash,
    }
    stage = subject.compute(
        "export", inputs, lambda stage: write_export(subject, anomalies, predictions, stage)
    )
    # What is there may have come with the run; from here on it is placed, served and converted.
    graphs.check(stage.folder / VERSION)
    return stage


def place(stage: Stage, run: Run, directory: str, name: str | None, version: int | None) -> str:
    """Copies a finished export to DIR/NAME/N, see `placing.place`; DIR may be an address in a store."""
    from vae_tf.serving import placing, remote_placing

    model = stage.folder / VERSION
    if is_remote(directory):
        return remote_placing.place(model, directory, name or model_name(run), version)
    return str(placing.place(model, Path(directory), name or model_name(run), version))


def model_name(run: Run) -> str:
    """The run's name without its number, as TF Serving calls the model."""
    number, _, rest = run.name.partition("-")
    return slug(rest if number.isdigit() and rest else run.name)


def write_export(
    subject: Subject, anomalies: Stage | None, predictions: Stage | None, stage: StageWriter
) -> None:
    from vae_tf.serving import parity, placing
    from vae_tf.serving.export import EXTRA, write_saved_model
    from vae_tf.serving.warmup import write_warmup

    examples, model = load_examples_of(subject), load_model(subject.run)
    positions, is_unseen = checked(examples.index)
    made, asked, files = (
        text_export(model, examples, positions)
        if isinstance(examples, Sentences)
        else picture_export(subject, model, examples, positions, anomalies, predictions)
    )
    folder = stage.folder / VERSION
    write_saved_model(made, folder)
    given, wanted = asked
    try:
        results = parity.check(made.signatures, folder, given, wanted)
    except parity.ParityError as error:
        raise UserError(str(error), "Nothing was exported. Please report this with run.json.") from None
    write_warmup(folder / EXTRA, made.signatures, given)
    proof = {
        "checked_on": f"{len(positions)} {'unseen' if is_unseen else 'trained-on'} {subject.noun}s",
        "files": files,
        "largest_difference": parity.largest_relative(results),
        "parity": [{**dataclasses.asdict(result), "holds": result.holds} for result in results],
    }
    write_json(folder / EXTRA / "parity.json", {"run": subject.run.name, **proof})
    if isinstance(examples, Sentences):
        write_json(folder / EXTRA / "vocabulary.json", examples.vocabulary.to_json())
    placing.write_configuration(stage.folder, [model_name(subject.run)])
    stage.results.update(
        signatures={name: signature.to_json() for name, signature in made.signatures.items()},
        **proof,
        name=model_name(subject.run),
        num_bytes=sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
    )


def checked(index: Index) -> tuple[NDArray[np.int64], bool]:
    """Positions of what parity is shown on, and whether training has seen none of it; odd pictures are among them."""
    unseen = np.union1d(index.where("test"), index.where("other"))
    pool = unseen if len(unseen) else index.where("train")
    chosen = random.generator(0, "parity").choice(len(pool), min(NUM_CHECKED, len(pool)), replace=False)
    return pool[np.sort(chosen)], len(unseen) > 0


def text_export(model: Any, sentences: Sentences, positions: NDArray[np.int64]) -> Any:
    """The export, (questions, answers), and what was asked beside tokens."""
    from vae_tf.serving.text import TextExport

    made = TextExport(model, sentences.vocabulary)
    texts = [sentences.index.paths[position] for position in positions]
    return made, made.questions(sentences.tokens[positions], texts), "the sentences themselves"


def picture_export(
    subject: Subject,
    model: Any,
    pictures: Pictures,
    positions: NDArray[np.int64],
    anomalies: Stage | None,
    predictions: Stage | None,
) -> Any:
    """The export, (questions, answers), and what the files were that it was asked about."""
    from vae_tf.serving.decoding import Decoding

    shape = pictures.shape
    decoding = (
        Decoding(shape.image_shape, shape.fit, shape.dtype, shape.value_range) if has_files(shape) else None
    )
    made = picture_model(subject, model, pictures, decoding, anomalies, predictions)
    stored = np.asarray(pictures.images[positions])
    files, said = encoded_files(subject, pictures, positions) if decoding else ([], "")
    recorded = recorded_scores(anomalies, positions) if anomalies and subject.is_own else None
    return made, made.questions(stored, files, recorded), said


def picture_model(
    subject: Subject,
    model: Any,
    pictures: Pictures,
    decoding: Any,
    anomalies: Stage | None,
    predictions: Stage | None,
) -> Any:
    """The signatures of a model of pictures, with what the run knows of oddness and of classes."""
    from vae_tf.serving.pictures import Classes, PictureExport

    classes = None
    if hasattr(model, "classify"):
        temperature = predictions.record["results"]["temperature"] if predictions else 1.0
        classes = Classes(tuple(pictures.index.class_names), temperature)
    rule = rule_of(anomalies) if anomalies else None
    return PictureExport(model, pictures.shape.dtype, decoding, rule, classes)


def has_files(shape: Shape) -> bool:
    """Whether JPEG or PNG can hold such pictures: Pillow reads neither floats nor 16-bit colours from them."""
    return shape.dtype == "uint8" or (shape.dtype == "uint16" and shape.channels == 1)


def rule_of(stage: Stage) -> Any:
    """The score of oddness that the stage `anomalies` ranks by, as a graph needs it."""
    from vae_tf.serving.anomaly import AnomalyRule

    with stage.reading():
        scores, arrays = read_json(stage.folder / "scores.json"), load_arrays(stage.folder / "anomalies.npz")
        options, score = scores["options"], scores["score"]
        return AnomalyRule(
            score=score,
            threshold=scores["scores"][score]["threshold"],
            calibration=arrays[f"calibration_{score}"],
            alpha=scores["promise"]["rate"],
            num_samples=options["num_samples"],
            seed=options["seed"],
            centre=arrays.get("rule_centre"),
            matrix=arrays.get("rule_matrix"),
        )


def recorded_scores(stage: Stage, positions: NDArray[np.int64]) -> NDArray[np.float64] | None:
    """What the stage wrote down for the pictures at these positions; None where it did not score them all."""
    with stage.reading():
        arrays, score = (
            load_arrays(stage.folder / "anomalies.npz"),
            read_json(stage.folder / "scores.json")["score"],
        )
        order = {int(position): row for row, position in enumerate(arrays["position"])}
        if not set(positions.tolist()) <= set(order):
            return None
        return np.asarray(arrays[f"score_{score}"][[order[position] for position in positions.tolist()]])


def encoded_files(
    subject: Subject, pictures: Pictures, positions: NDArray[np.int64]
) -> tuple[list[bytes], str]:
    """JPEG or PNG files of pictures: the source's own where they are such and have not changed, else PNG made here."""
    own = source_files(subject, pictures, positions)
    made = [
        file or as_png(pictures.images[i], pictures.shape) for file, i in zip(own, positions, strict=True)
    ]
    num_own = sum(file is not None for file in own)
    if num_own == len(own):
        return made, "the source's own files"
    return (
        made,
        "PNG files made of the stored pixels" if not num_own else "the source's own files, or PNG of pixels",
    )


def source_files(subject: Subject, pictures: Pictures, positions: NDArray[np.int64]) -> list[bytes | None]:
    """The bytes of each picture's file; None where it has none, or is neither JPEG nor PNG."""
    from vae_tf.serving.decoding import JPEG_START, PNG_START

    try:
        source = open_source(subject.config)
        read = getattr(source, "file_bytes", None)
        if read is None or cache_key(source, pictures.shape) != pictures.fingerprint:
            return [None] * len(positions)
        places = {entry.path: i for i, entry in enumerate(source.entries)}
        found = [read(places[pictures.index.paths[i]]) for i in positions]
    except (UserError, OSError, KeyError):
        return [None] * len(positions)
    return [file if file and file.startswith((JPEG_START, PNG_START)) else None for file in found]


def as_png(pixels: NDArray[Any], shape: Shape) -> bytes:
    """Stored pixels [H, W, C] as the PNG file that they may have come from: in the source's range of values."""
    from PIL import Image

    from vae_tf.pixels import WHITE

    white = WHITE[shape.dtype]
    low, high = shape.value_range or (0.0, white)
    values = np.rint(low + np.asarray(pixels, np.float64) / white * (high - low)).astype(shape.dtype)
    stream = io.BytesIO()
    Image.fromarray(values[..., 0] if shape.channels == 1 else values).save(stream, "PNG")
    return stream.getvalue()
