"""Stage `explore`: what a page needs to draw with the model by itself: its operations, weights and latents."""

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.embed import embed, latents_of
from pipelines.run_data import Subject, load_model, load_pictures_of
from pipelines.scored_examples import choose
from pipelines.stage_records import told_by_dimension
from vae_tf import random
from vae_tf.artifacts.json_files import write_json
from vae_tf.artifacts.npz_files import save_arrays
from vae_tf.artifacts.stage import Stage, StageWriter
from vae_tf.data.dataset import Pictures
from vae_tf.errors import UserError
from vae_tf.pixels import to_uint8

NUM_SAMPLES = 200
NUM_STARTS = 24
# Neighbours are looked for among at most so many pictures, and a page carries at most so many weights (two bytes each).
LARGEST_NUM_PICTURES = 5000
LARGEST_NUM_WEIGHTS = 12_000_000


def explore(subject: Subject) -> Stage:
    """Writes operations.json and network.npz: the model where a page can run it, and what else it shows."""
    embedded = embed(subject)
    inputs = {**subject.model_inputs, "embed": embedded.hash}
    return subject.compute("explore", inputs, lambda stage: write_network(subject, embedded, stage))


def write_network(subject: Subject, embedded: Stage, stage: StageWriter) -> None:
    pictures, model = load_pictures_of(subject), load_model(subject.run)
    network, why = written_down(model)
    latents = latents_of(embedded)
    begin = starts(pictures)
    chosen = np.union1d(pictures_to_compare(len(latents["mean"])), begin)
    average = latents["mean"].mean(axis=0, dtype=np.float64).astype(np.float32)
    save_arrays(
        stage.folder / "network.npz",
        weights=network.weights.astype(np.float16) if network else np.zeros(0, np.float16),
        order=order_of(latents),
        average=average,
        spread=latents["mean"].std(axis=0, dtype=np.float64).astype(np.float32),
        samples=np.asarray(model.sample_latents(NUM_SAMPLES)),
        positions=chosen,
        starts=np.searchsorted(chosen, begin),
        # What the model itself makes of them: the page says how far it is from that.
        average_drawn=to_uint8(model.decode(average[None]))[0],
        checked=begin[:1],
        checked_mean=latents["mean"][begin[:1]],
    )
    steps = (
        {"encode": network.encode, "decode": network.decode} if network else {"encode": None, "decode": None}
    )
    write_json(stage.folder / "operations.json", {**steps, "why_served": why})
    stage.results.update(
        num_weights=len(network.weights) if network else 0,
        num_operations=len(json.dumps(steps)),
        num_compared=len(chosen),
        why_served=why,
    )


def written_down(model: Any) -> tuple[Any, str]:
    """The model's operations; or None, and why a page cannot run them."""
    from vae_tf.serving.operations import operations_of

    try:
        network = operations_of(model)
    except UserError as error:
        return None, error.message
    if len(network.weights) > LARGEST_NUM_WEIGHTS:
        most = f"{LARGEST_NUM_WEIGHTS:,}"
        return None, f"The model has {len(network.weights):,} weights, too many for a page ({most})."
    return network, ""


def order_of(latents: dict[str, NDArray[Any]]) -> NDArray[np.int64]:
    """The dimensions, those that tell most first, or those that spread most where codes are points."""
    told = told_by_dimension(latents)
    return np.argsort(
        -(latents["mean"].std(axis=0, dtype=np.float64) if told is None else told), kind="stable"
    )


def pictures_to_compare(count: int) -> NDArray[np.int64]:
    """Positions of the pictures among which neighbours are looked for: all, or as many as a page can carry."""
    if count <= LARGEST_NUM_PICTURES:
        return np.arange(count)
    drawn = random.generator(0, "explore").choice(count, LARGEST_NUM_PICTURES, replace=False)
    return np.sort(drawn)


def starts(pictures: Pictures) -> NDArray[np.int64]:
    """Pictures to begin from, unseen ones where there are any."""
    part = next(part for part in ("test", "validation", "train", "other") if len(pictures.index.where(part)))
    return choose(pictures.index, part, NUM_STARTS)
