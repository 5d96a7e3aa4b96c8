"""Stage `embed`: posterior mean and standard deviation of every picture."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.csv_files import write_csv
from pipelines.run_data import Examples, Subject, load_examples_of, load_model
from vae_tf import strangers
from vae_tf.artifacts.npz_files import load_arrays, save_arrays
from vae_tf.artifacts.stage import Stage, StageWriter
from vae_tf.data.dataset import Index
from vae_tf.data.splits import PARTS
from vae_tf.evaluation.latents import Embedding
from vae_tf.pixels import to_uint8


def embed(subject: Subject) -> Stage:
    """Encodes all pictures, trained-on and unseen, and writes latents.npz and latents.csv."""
    return subject.compute("embed", subject.model_inputs, lambda stage: write_embedding(subject, stage))


def write_embedding(subject: Subject, stage: StageWriter) -> None:
    pictures, model = load_examples_of(subject), load_model(subject.run)
    embedding = encode_all(model, pictures)
    write_latents(stage.folder, embedding, pictures.index)
    if embedding.mean.shape[1] == 1 and not subject.is_text:
        write_line(stage.folder, model, embedding)
    stage.results.update(
        num_pictures=len(embedding.mean),
        latent=embedding.mean.shape[1],
        num_active=int(embedding.active.sum()),
        kept=dict(model.posterior.kept),
    )


def latents_of(stage: Stage) -> dict[str, NDArray[Any]]:
    """The arrays of a stage `embed`, as `write_latents` describes them.

    Raises:
        UserError: Arrays of other shapes or types.
    """
    path = stage.folder / "latents.npz"
    arrays = load_arrays(path)
    with strangers.read_from(path):
        count, size = stage.record["results"]["num_pictures"], stage.record["results"]["latent"]
        numbers = dict.fromkeys(
            ["mean", "standard_deviation", "kl", *stage.record["results"]["kept"]], (count, size)
        )
        codes = dict.fromkeys(["split", "label", "group"], (count,))
        for name, shape in {**numbers, **codes, "information": (size,)}.items():
            kind = "iu" if name in codes else "f"
            if arrays[name].shape != shape or arrays[name].dtype.kind not in kind:
                raise ValueError(f"{name} is {arrays[name].dtype} {arrays[name].shape}, not {shape}")
    return arrays


def write_line(folder: Path, model: Any, embedding: Embedding) -> None:
    """A single latent can be shown whole: line.npz has its steps, the codes in each, and what they decode to."""
    from vae_tf.evaluation.line import decode_line

    line = decode_line(model, embedding.mean)
    save_arrays(folder / "line.npz", values=line.values, counts=line.counts, pictures=to_uint8(line.pictures))


def encode_all(model: Any, pictures: Examples) -> Embedding:
    from vae_tf.data.batches import ordered_batches
    from vae_tf.evaluation import latents
    from vae_tf.evaluation.reconstruction import batch_size_for

    indices = np.arange(len(pictures.examples))
    batch_size = batch_size_for(pictures.examples.shape[1:])
    batches = ordered_batches(pictures.examples, pictures.index.labels, indices, batch_size)
    return latents.embed(model, batches)


def write_latents(folder: Path, embedding: Embedding, index: Index) -> None:
    """latents.npz (arrays in the order of the pictures) and latents.csv (one row per picture)."""
    count = len(index.paths)
    save_arrays(
        folder / "latents.npz",
        mean=embedding.mean,
        standard_deviation=embedding.standard_deviation,
        kl=embedding.kl,
        # [d], not of each picture; NaN where it cannot be told.
        information=np.full(embedding.mean.shape[1], np.nan)
        if embedding.information is None
        else embedding.information,
        **embedding.kept,
        index=np.arange(count),
        split=index.parts,
        split_names=np.array(PARTS),
        label=index.labels,
        class_names=np.array(index.class_names, dtype=str),
        group=index.groups,
        group_names=np.array(index.group_names, dtype=str),
        path=np.array(index.paths, dtype=str),
    )
    size = embedding.mean.shape[1]
    numbers = {"mean": embedding.mean, "standard_deviation": embedding.standard_deviation, **embedding.kept}
    columns = [f"{name}_{i}" for name in numbers for i in range(size)]
    values = np.concatenate(list(numbers.values()), axis=1)
    write_csv(
        folder / "latents.csv",
        ["path", "split", "label", "group", *columns],
        (
            [index.paths[i], PARTS[index.parts[i]], index.class_of(i), index.group_of(i), *values[i].tolist()]
            for i in range(count)
        ),
    )
