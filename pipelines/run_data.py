"""The pictures and the model of an existing run, for every stage after training."""

import dataclasses
from typing import Any

from pipelines.console import counting
from vae_tf import artifacts
from vae_tf.artifacts import Run
from vae_tf.config import Config, parse_config
from vae_tf.data.cache import Shape, load_cache, open_cache
from vae_tf.data.dataset import Index, Pictures
from vae_tf.data.sources import open_source
from vae_tf.errors import UserError


def config_of(run: Run) -> Config:
    return parse_config(run.record["config"])


def save_index(run: Run, pictures: Pictures) -> None:
    """The stage `data`: which pictures, classes, groups and parts this run is about."""
    inputs = {"config": config_of(run).data.model_dump(mode="json"), "fingerprint": pictures.fingerprint}
    with run.writing("data", inputs) as stage:
        artifacts.write_json(stage.folder / "index.json", pictures.index.to_json())
        (stage.folder / "pictures.csv").write_text(pictures.index.to_csv(), encoding="utf-8")
        artifacts.write_json(
            stage.folder / "facts.json",
            {
                "shape": dataclasses.asdict(pictures.shape),
                "skipped": pictures.skipped,
                "notes": pictures.notes,
                "source_notes": pictures.source_notes,
                "fingerprint": pictures.fingerprint,
            },
        )
        stage.results.update(num_pictures=len(pictures.images), num_skipped=len(pictures.skipped))


def load_run_pictures(run: Run) -> Pictures:
    """The pictures as the run was trained on them, decoded anew where the cache is gone.

    Raises:
        UserError: The source has changed since, or is gone together with the cache.
    """
    folder = run.folder / "data"
    if run.stage("data") is None:
        raise UserError(
            f"{run.name} was stopped before its pictures were decoded.",
            f"Train anew: python cli.py train {config_of(run).data.source}",
        )
    facts = artifacts.read_json(folder / "facts.json")
    index = Index.from_json(artifacts.read_json(folder / "index.json"))
    facts["shape"]["reasons"] = tuple(facts["shape"]["reasons"])
    shape = Shape(**facts["shape"])
    folder = artifacts.cache_root() / facts["fingerprint"]
    if (folder / "index.json").exists():
        images = load_cache(folder).images
    else:
        images = decode_again(run, shape, facts["fingerprint"])
    skipped = [(path, why) for path, why in facts["skipped"]]
    return Pictures(
        images, index, shape, skipped, facts["notes"], facts["source_notes"], facts["fingerprint"]
    )


def decode_again(run: Run, shape: Shape, fingerprint: str) -> Any:
    config = config_of(run).data
    source = open_source(config)
    with counting("decoding") as progress:
        cache = open_cache(source, shape, artifacts.cache_root(), progress)
    if cache.fingerprint != fingerprint:
        raise UserError(
            f"The pictures in {config.source} have changed since {run.name} was trained.",
            f"Put them back, or train anew: python cli.py train {config.source}",
        )
    return cache.images


def load_model(run: Run) -> Any:
    """The run's VAE, in float32, with its best averaged weights."""
    import keras

    path = run.folder / "train" / "vae.keras"
    if not path.exists():
        raise UserError(
            f"{run.name} is damaged: train/vae.keras is missing.",
            f"Put the file back, or train anew: python cli.py train {config_of(run).data.source}",
        )
    import vae_tf.model  # noqa: F401  (registers the classes that the file names)

    return keras.models.load_model(path, compile=False)
