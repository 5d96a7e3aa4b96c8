"""The pictures of another source under a run's model: shaped as the run's own, none of them trained on."""

import dataclasses

import numpy as np

from pipelines.console import decoding
from pipelines.describe import describe_data, inspect_pictures
from pipelines.run_data import (
    Subject,
    absolute,
    own_pictures,
    resolved_data,
    save_pictures,
    short_name,
)
from pipelines.text_data import list_sentences
from vae_tf.artifacts.npz_files import load_arrays
from vae_tf.artifacts.run import Run
from vae_tf.artifacts.stage import Stage
from vae_tf.config import DataConfig
from vae_tf.data.cache import Shape
from vae_tf.data.dataset import Pictures, load_unseen
from vae_tf.data.sentences import is_text
from vae_tf.data.sources import Source, open_source
from vae_tf.data.splits import PARTS
from vae_tf.errors import UserError
from vae_tf.places import cache_root


def subject_of(run: Run, source: str | None) -> Subject:
    """The run's own pictures; or those of `source`, as `embed` listed them or, where it has not, listed now.

    Raises:
        UserError: There is no such source.
    """
    if source is None:
        return own_pictures(run)
    listed = find_listed(run, source)
    return Subject(run, listed) if listed is not None else list_source(run, DataConfig(source=source))


def list_source(run: Run, config: DataConfig) -> Subject:
    """Another source in the form of the run's own, pictures or sentences, as a stage.

    Raises:
        UserError: There is no such source, or it is of the other kind.
    """
    if own_pictures(run).is_text:
        return list_sentences(run, config)
    if is_text(config.source):
        raise UserError(
            f"{short_name(config.source)} holds sentences, and {run.name} was trained on pictures.",
            "Give a source of pictures.",
        )
    return list_pictures(run, config)


def find_listed(run: Run, source: str) -> Stage | None:
    """The newest list of the pictures of `source`, which may be a path or the name that pages show."""
    for stage in reversed(run.stages("data")):
        known = stage.record["inputs"]["config"]["source"]
        if stage.name != "data" and source in (known, short_name(known)):
            return stage
        if stage.name != "data" and absolute(source) == known:
            return stage
    return None


def list_pictures(run: Run, config: DataConfig) -> Subject:
    """Decodes the pictures that `config` names in the shape of the run's own, and lists them as a stage."""
    own = own_pictures(run)
    source = open_source(config)
    shape = fitting_shape(own, source, config)
    with decoding() as progress:
        pictures = load_unseen(source, shape, cache_root(), progress)
    pictures = mark_copies(own, with_note_on_colours(pictures))
    describe_data(pictures)
    inspection = inspect_pictures(pictures)
    return Subject(run, save_pictures(run, resolved_data(config, shape), pictures, inspection))


def fitting_shape(own: Subject, source: Source, config: DataConfig) -> Shape:
    """The shape of the run's own pictures; values of the same type mean what they meant there.

    Raises:
        UserError: Values that have no meaning for the model.
    """
    shape = own.shape
    if config.value_range is not None or source.dtype != shape.dtype:
        return dataclasses.replace(shape, value_range=config.value_range or source.value_range, reasons=())
    if source.dtype == "float32" and shape.value_range != source.value_range and source.value_range:
        low, high = shape.value_range or (0.0, 1.0)
        if source.value_range[0] > high or source.value_range[1] < low:
            raise UserError(
                f"Values of {source.name} lie between {source.value_range[0]:g} and {source.value_range[1]:g}; "
                f"the run was trained on {low:g} to {high:g}.",
                "Say which values mean black and white: --range LOW:HIGH.",
            )
    return dataclasses.replace(shape, reasons=())


def mark_copies(own: Subject, pictures: Pictures) -> Pictures:
    """Pictures that the model has learned from are not unseen, whatever folder they lie in."""
    hashes = load_arrays(own.data.folder / "hashes.npz")["hashes"]
    copies = np.isin(pictures.hashes, hashes[own.index.where("train")])
    count = int(copies.sum())
    if not count:
        return pictures
    index = pictures.index
    parts = np.where(copies, PARTS.index("train"), index.parts).astype(np.int8)
    which = "1 of these pictures was" if count == 1 else f"{count:,} of these pictures were"
    note = f"{which} trained on, in exact copies."
    return dataclasses.replace(
        pictures, index=dataclasses.replace(index, parts=parts), notes=[*pictures.notes, note]
    )


def with_note_on_colours(pictures: Pictures) -> Pictures:
    """Says where a model of grey pictures is shown colours."""
    count = sum(number for _, _, channels, number in pictures.sizes if channels == 3)
    if pictures.shape.channels == 3 or not count:
        return pictures
    note = "The model is of grey pictures: colours became brightness."
    return dataclasses.replace(pictures, notes=[*pictures.notes, note])
