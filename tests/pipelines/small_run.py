"""A run without a training: weights as they were drawn, and the shape that its pictures would have."""

import dataclasses

from vae_tf import recipes
from vae_tf.artifacts.hashes import hash_of_file
from vae_tf.artifacts.json_files import write_json
from vae_tf.artifacts.runs import new_run
from vae_tf.config import parse_config
from vae_tf.data.cache import Shape


def write_run(root, source, recipe="mlp", shape=Shape(16, 16, 3, "crop"), latent=3):
    """A finished run in `root`; its configuration says that it is about `source`."""
    config = parse_config({"data": {"source": str(source)}, "model": {"recipe": recipe, "latent": latent}})
    run = new_run("small", {"config": config.to_json(), "machine": {}, "seed": 0, "parent": None}, root)
    with run.writing("data", {"config": config.data.model_dump(mode="json")}) as stage:
        write_json(stage.folder / "facts.json", {"shape": dataclasses.asdict(shape)})
    widths = {"encoder.widths": [16], "decoder.widths": [16]} if recipe in ("mlp", "ae") else {}
    model = recipes.build(recipe, shape.image_shape, latent, settings=widths)
    with run.writing("train", {}) as stage:
        model.save(stage.folder / "vae.keras")
        stage.results["model"] = hash_of_file(stage.folder / "vae.keras")
    return run, model
