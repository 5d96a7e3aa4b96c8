"""From what `explore` left to the record of its page."""

from pipelines.embed import latents_of
from pipelines.export import model_name
from pipelines.run_data import Subject
from pipelines.stage_records import split_names, told_by_dimension
from reports.explore import ExploreRecord
from reports.records import RunFacts
from vae_tf.artifacts.json_files import read_json
from vae_tf.artifacts.npz_files import load_arrays
from vae_tf.data.dataset import Pictures
from vae_tf.pixels import to_uint8


def explore(subject: Subject, facts: RunFacts, pictures: Pictures) -> ExploreRecord:
    stage, embedded = subject.computed("explore"), subject.computed("embed")
    arrays, steps = load_arrays(stage.folder / "network.npz"), read_json(stage.folder / "operations.json")
    why = steps.get("why_served", "")
    latents = latents_of(embedded)
    positions, told = arrays["positions"], told_by_dimension(latents)
    return ExploreRecord(
        run=facts,
        encode=steps["encode"],
        decode=steps["decode"],
        weights=None if why else arrays["weights"],
        model=model_name(subject.run),
        why_served=why,
        shape=subject.shape.image_shape,
        fit=subject.shape.fit,
        order=arrays["order"].tolist(),
        told=None if told is None else told.tolist(),
        average=arrays["average"],
        spread=arrays["spread"],
        samples=arrays["samples"],
        means=latents["mean"][positions],
        pictures=pictures.to_look_at[positions],
        paths=[pictures.index.paths[i] for i in positions],
        splits=split_names(pictures.index, positions),
        classes=[pictures.index.class_of(i) for i in positions],
        starts=arrays["starts"].tolist(),
        total=len(latents["mean"]),
        average_drawn=arrays["average_drawn"],
        checked=to_uint8(pictures.images[arrays["checked"]])[0],
        checked_mean=arrays["checked_mean"][0],
    )
