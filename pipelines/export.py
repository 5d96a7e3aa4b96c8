"""Stage `export`: a SavedModel with the proof that it gives the run's outputs."""

import dataclasses

import numpy as np

from pipelines.evaluate import choose
from pipelines.run_data import Subject, load_examples_of, load_model
from vae_tf.artifacts import Stage, StageWriter, write_json
from vae_tf.data.sentences import Sentences
from vae_tf.errors import UserError

NUM_CHECKED = 16
VERSION = "1"


def export(subject: Subject) -> Stage:
    """Writes `export/1/`; where parity fails nothing is left behind.

    Raises:
        UserError: The exported model does not give the run's outputs.
    """
    return subject.compute("export", subject.model_inputs, lambda stage: write_export(subject, stage))


def write_export(subject: Subject, stage: StageWriter) -> None:
    from vae_tf.serving import parity
    from vae_tf.serving.export import export as write_saved_model

    pictures, model = load_examples_of(subject), load_model(subject.run)
    part = "test" if len(pictures.index.where("test")) else "train"
    positions = choose(pictures.index, part, NUM_CHECKED)
    folder = stage.folder / VERSION
    signatures = write_saved_model(model, folder)
    try:
        results = parity.check(model, folder, np.asarray(pictures.examples[positions]))
    except parity.ParityError as error:
        raise UserError(str(error), "Nothing was exported. Please report this with run.json.") from None
    write_json(stage.folder / "signatures.json", signatures)
    if isinstance(pictures, Sentences):
        write_json(stage.folder / "vocabulary.json", pictures.vocabulary.to_json())
    stage.results.update(
        signatures=signatures,
        parity=[{**dataclasses.asdict(result), "holds": result.holds} for result in results],
        largest_difference=max(result.largest_difference for result in results),
        checked_on=f"{len(positions)} {'unseen' if part == 'test' else 'trained-on'} {subject.noun}s",
        num_bytes=sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
    )
