"""The pictures and the model that a stage after training is about."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from pipelines.console import decoding
from pipelines.csv_files import write_csv
from vae_tf import strangers
from vae_tf.artifacts.hashes import hash_of, hash_of_file
from vae_tf.artifacts.json_files import read_json, write_json
from vae_tf.artifacts.npz_files import load_arrays, save_arrays
from vae_tf.artifacts.run import Run
from vae_tf.artifacts.runs import slug
from vae_tf.artifacts.stage import Stage, StageWriter
from vae_tf.config import Config, DataConfig, parse_config
from vae_tf.data.cache import Shape, load_cache, open_cache
from vae_tf.data.dataset import Index, Pictures
from vae_tf.data.inspection import Inspection
from vae_tf.data.sentences import Sentences
from vae_tf.data.sources import open_source
from vae_tf.errors import UserError
from vae_tf.fetched import remote_name
from vae_tf.places import cache_root, is_remote

# What a run may be about.
Examples = Pictures | Sentences


@dataclasses.dataclass(frozen=True)
class Subject:
    """A run's model together with pictures, or sentences: those it was trained on, or those of another source.

    Args:
        run: A trained run.
        data: The stage `data` that lists the pictures.
    """

    run: Run
    data: Stage

    @property
    def is_own(self) -> bool:
        """Whether these are the pictures that the run was made from."""
        return self.data.name == "data"

    @property
    def is_text(self) -> bool:
        """Whether these are sentences."""
        return (self.data.folder / "vocabulary.json").exists()

    @property
    def noun(self) -> str:
        """What to call one of them."""
        return "sentence" if self.is_text else "picture"

    @property
    def config(self) -> DataConfig:
        """Where the pictures come from, every choice filled in."""
        with strangers.read_from(self.data.place / "stage.json"):
            return parse_data_config(self.data.record["inputs"]["config"])

    @property
    def source_name(self) -> str:
        """The source as pages name it: without the folders that lead to it."""
        return short_name(self.config.source)

    @property
    def report(self) -> Path:
        """Where the pages go; those on another source lie beside the run's own."""
        if self.is_own:
            return self.run.report
        return self.run.folder / f"report-{slug(self.source_name)}-{self.data.hash[:6]}"

    @property
    def shape(self) -> Shape:
        """The shape and the depth of each picture."""
        path = self.data.folder / "facts.json"
        with strangers.read_from(path):
            return shape_from_json(read_json(path)["shape"])

    @property
    def index(self) -> Index:
        """Facts about each picture, without the pixels."""
        path = self.data.folder / "index.json"
        with strangers.read_from(path):
            return Index.from_json(read_json(path))

    @property
    def model_inputs(self) -> dict[str, str]:
        """What every stage that needs nothing but pictures and model depends on, beside the pictures."""
        return {"model": model_hash(self.run)}

    def compute(self, kind: str, inputs: Mapping[str, Any], work: Callable[[StageWriter], None]) -> Stage:
        """The stage of this kind on these pictures: the finished one, or a new one that `work` fills."""
        inputs = {"data": self.data.hash, **inputs}
        return self.run.compute(kind, inputs, work, plain_name=self.is_own)

    def newest(self, kind: str) -> Stage | None:
        """The newest stage of a kind that was computed on these pictures."""
        stages = [s for s in self.run.stages(kind) if s.record["inputs"].get("data") == self.data.hash]
        return stages[-1] if stages else None

    def computed(self, kind: str) -> Stage:
        """The newest stage of a kind that has been computed, as pages show it.

        Raises:
            FileNotFoundError: The run was deleted since.
        """
        stage = self.newest(kind)
        if stage is None:
            self.run.check_exists()
        assert stage is not None, f"{kind} is shown only where it has been computed"
        return stage


def own_pictures(run: Run) -> Subject:
    """The run with the pictures that it was made from.

    Raises:
        UserError: It was stopped before these were decoded.
    """
    stage = run.stage("data")
    if stage is None:
        run.check_exists()
        raise UserError(
            f"{run.name} was stopped before its pictures were decoded.",
            f"Train anew: python cli.py train {config_of(run).data.source}",
        )
    return Subject(run, stage)


def config_of(run: Run) -> Config:
    with strangers.read_from(run.folder / "run.json"):
        return parse_config(run.record["config"])


def parse_data_config(document: dict[str, Any]) -> DataConfig:
    return parse_config({"data": document}).data


def short_name(source: str) -> str:
    """A source without the folders that lead to it: `faces` for /home/anna/faces."""
    if is_remote(source):
        return remote_name(source)
    return source if is_name(source) else Path(source).name or "pictures"


def is_name(source: str) -> bool:
    """Whether a source is named rather than a path: `demo:faces`, `tfds:mnist`."""
    return source.startswith(("demo:", "tfds:"))


def resolved_data(config: DataConfig, shape: Shape, shares: tuple[float, ...] | None = None) -> DataConfig:
    """Where the pictures are from anywhere, and how they got their shape."""
    paths = {name: getattr(config, name) for name in ("source", "test", "labels")}
    return config.model_copy(
        update={
            **{name: path and absolute(path) for name, path in paths.items()},
            "size": (shape.height, shape.width),
            "channels": shape.channels,
            "value_range": shape.value_range,
            "split": shares or config.shares,
        }
    )


def absolute(source: str) -> str:
    if is_remote(source):
        return source.rstrip("/")
    return source if is_name(source) else str(Path(source).expanduser().resolve())


def train_folder(run: Run) -> Path:
    """The folder of the stage `train`: weights, checkpoints and metrics."""
    return train_stage(run).folder


def model_hash(run: Run) -> str:
    stage = train_stage(run)
    with strangers.read_from(stage.place / "stage.json"):
        return str(stage.record["results"]["model"])


def train_stage(run: Run) -> Stage:
    """Raises: FileNotFoundError: The run was deleted since it was found."""
    stage = run.stage("train")
    if stage is None:
        run.check_exists()
    assert stage is not None, "find_run gives trained runs only"
    return stage


def save_pictures(run: Run, config: DataConfig, pictures: Pictures, inspection: Inspection) -> Stage:
    """The stage `data`: which pictures, classes, groups and parts a run, or a further source, is about."""
    inputs = {
        "config": config.model_dump(mode="json"),
        "fingerprint": pictures.fingerprint,
        "index": hash_of(pictures.index.to_json()),
    }

    def write(stage: StageWriter) -> None:
        write_json(stage.folder / "index.json", pictures.index.to_json())
        write_csv(stage.folder / "pictures.csv", *pictures.index.table())
        write_json(stage.folder / "inspection.json", inspection.to_json())
        save_arrays(stage.folder / "hashes.npz", hashes=pictures.hashes)
        facts = {
            "shape": dataclasses.asdict(pictures.shape),
            "skipped": pictures.skipped,
            "sizes": pictures.sizes,
            "notes": pictures.notes,
            "source_notes": pictures.source_notes,
            "fingerprint": pictures.fingerprint,
        }
        write_json(stage.folder / "facts.json", facts)
        stage.results.update(num_pictures=len(pictures.images), num_skipped=len(pictures.skipped))

    return run.compute("data", inputs, write, plain_name=run.stage("data") is None)


def load_examples_of(subject: Subject) -> Examples:
    """The pictures or the sentences that a subject is about."""
    if not subject.is_text:
        return load_pictures_of(subject)
    from pipelines.text_data import load_sentences_of

    return load_sentences_of(subject)


def load_pictures_of(subject: Subject) -> Pictures:
    """The pictures as they were first decoded; decoded anew where the cache is gone.

    Raises:
        UserError: There are none, but sentences; the source has changed since, or is gone together with the cache.
    """
    if subject.is_text:
        raise UserError(
            f"{subject.run.name} is about sentences, and this is for pictures.",
            "Sentences have embed, cluster-report, interpolation-grid, evaluate, sample, reconstruct and export.",
        )
    folder = subject.data.folder
    facts, index, shape = read_json(folder / "facts.json"), subject.index, subject.shape
    with strangers.read_from(folder / "facts.json"):
        fingerprint = strangers.checked_fingerprint(folder / "facts.json", facts["fingerprint"])
        known: dict[str, Any] = {
            "skipped": TypeAdapter(list[tuple[str, str]]).validate_python(facts["skipped"]),
            "notes": TypeAdapter(list[str]).validate_python(facts["notes"]),
            "source_notes": TypeAdapter(list[str]).validate_python(facts["source_notes"]),
            "sizes": TypeAdapter(list[tuple[int, int, int, int]]).validate_python(facts["sizes"]),
            "hashes": load_arrays(folder / "hashes.npz")["hashes"],
        }
    cache = cache_root() / fingerprint
    whole = (cache / "index.json").exists()
    images = load_cache(cache).images if whole else decode_again(subject, shape, fingerprint)
    if images.shape != (len(index.paths), *shape.image_shape):
        raise strangers.damaged(folder, f"it lists {len(index.paths):,} pictures, and others were decoded")
    return Pictures(images=images, index=index, shape=shape, fingerprint=fingerprint, **known)


def read_inspection(subject: Subject) -> Inspection:
    """What was found odd about the pictures when they were listed."""
    path = subject.data.folder / "inspection.json"
    with strangers.read_from(path):
        return Inspection.from_json(read_json(path))


def shape_from_json(document: dict[str, Any]) -> Shape:
    return TypeAdapter(Shape).validate_python(document)


def decode_again(subject: Subject, shape: Shape, fingerprint: str) -> Any:
    config = subject.config
    with decoding() as progress:
        cache = open_cache(open_source(config), shape, cache_root(), progress)
    if cache.fingerprint != fingerprint:
        raise UserError(
            f"The pictures in {config.source} have changed since {subject.run.name} read them.",
            f"Put them back, or train anew: python cli.py train {config.source}",
        )
    return cache.images


def load_model(run: Run) -> Any:
    """The run's VAE, in float32, with its best averaged weights.

    Raises:
        UserError: Its file is missing, is not the one that training wrote, or holds no model of vae_tf.
    """
    from vae_tf import model_file

    return model_file.load(model_path(run))


def model_path(run: Run) -> Path:
    """The file of the run's model, as training wrote it.

    Raises:
        UserError: It is missing, or another one.
    """
    path = train_folder(run) / "vae.keras"
    mending = f"Put the file back, or train anew: python cli.py train {config_of(run).data.source}"
    if not path.exists():
        run.check_exists()
        raise UserError(f"{run.name} is damaged: train/vae.keras is missing.", mending)
    if hash_of_file(path) != model_hash(run):
        raise UserError(
            f"{run.name} is damaged: train/vae.keras is not the file that training wrote.", mending
        )
    return path
