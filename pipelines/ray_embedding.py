"""`embed --engine ray`: codes and scores of a folder too large for one machine or for pages, as Parquet files.

    names of files → pixels → scores → Parquet

Ray Data streams: a few thousand pictures are under way at any time, whatever their number. Tasks that die with their
machine are done again elsewhere; each writes the file of its own number, so that what was half written is replaced.
"""

import contextlib
import dataclasses
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.fs

from pipelines.console import console
from pipelines.picture_tables import ROWS, Decoder, Lister, Place, Scorer, SourceNotSeen
from pipelines.ray_cluster import Cluster, connected, first_line, note_losses
from pipelines.run_data import model_hash, model_path, own_pictures, short_name
from vae_tf.artifacts.json_files import jsonable
from vae_tf.artifacts.run import Run
from vae_tf.artifacts.runs import slug
from vae_tf.data.cache import Shape
from vae_tf.errors import UserError
from vae_tf.versions import versions
from vae_tf.whole import replace_folder

ROWS_PER_FILE = 100_000
# Readers of Parquet folders leave out what begins with an underscore.
RECORD = "_embedding.json"


@dataclasses.dataclass(frozen=True)
class Crew:
    """How the work is shared out: `num_actors` hold the model, each with so many GPUs and cores of its own."""

    num_actors: int
    num_gpus: int
    num_cpus: int


def crew_for(cluster: Cluster) -> Crew:
    """One actor for each GPU, or for each machine where there is none, whose cores it shares with the decoders.

    TensorFlow uses all cores of a machine in one process, so that a second actor would only need memory. Where some
    machine has a single core, an actor is not counted against it: else, when other machines die, actors could hold
    every core that is left, and nobody would decode for them.
    """
    if cluster.num_gpus:
        return Crew(cluster.num_gpus, 1, 0)
    return Crew(len(cluster.cpus), 0, 1 if min(cluster.cpus) >= 2 else 0)


def embed(run: Run, source: str, address: str | None, to: str | None) -> dict[str, Any]:
    """Scores every picture below `source`, a folder or the URL of one, into Parquet files; returns the record.

    Raises:
        UserError: The run is about sentences; there is no such folder; the target exists; machines of the cluster do
            not see the folder; none of the files is a picture.
    """
    subject = own_pictures(run)
    if subject.is_text:
        raise UserError(f"{run.name} is about sentences, and --engine ray embeds pictures.", "Leave it out.")
    place, folders = open_place(source)
    target = Target.at(to or str(run.folder / f"parquet-{slug(short_name(source))}"))
    started = time.time()
    with connected(address) as cluster, target.filled() as folder:
        crew = crew_for(cluster)
        try:
            write_scores(run, place, folders, subject.shape, crew, target, folder)
        except Exception as error:
            if (told := explained(error, source)) is error:
                raise
            raise told from None
        note_losses(cluster)
        results: dict[str, Any] = {**counts(target, folder), "seconds": time.time() - started}
        record: dict[str, Any] = {
            "inputs": {"run": run.name, "model": model_hash(run), "source": source},
            "results": results,
            "crew": dataclasses.asdict(crew),
            "cluster": dataclasses.asdict(cluster),
            "started": started,
            "versions": {**versions(), "ray": ray_version()},
        }
        if not record["results"]["num_scored"]:
            raise UserError(
                f"None of the files below {source} can be used.", record["results"]["first_reason"]
            )
        target.write_record(folder, record)
    return {**record, "folder": target.path}


def open_place(source: str) -> tuple[Place, list[dict[str, Any]]]:
    """Where the pictures are, and the folders whose listing can be shared out: what lies below each, and the root.

    Raises:
        UserError: No such folder, or nothing in it.
    """
    import fsspec

    try:
        filesystem, root = fsspec.core.url_to_fs(
            source if "://" in source else str(Path(source).expanduser().absolute())
        )
        place = Place(filesystem, root.rstrip("/"))
        folders, pictures = place.inside("")
    except (OSError, ValueError, ImportError) as error:
        raise UserError(
            f"{source} cannot be listed ({first_line(error)}).",
            "--engine ray takes a folder of pictures: on a disk that all machines see, or s3://bucket/faces.",
        ) from None
    if not folders and not pictures:
        raise UserError(f"{source} holds no pictures.", "Give a folder of picture files, or of such folders.")
    return place, [{"folder": "", "deep": False}, *({"folder": name, "deep": True} for name in folders)]


def write_scores(
    run: Run,
    place: Place,
    folders: list[dict[str, Any]],
    shape: Shape,
    crew: Crew,
    target: "Target",
    folder: str,
) -> None:
    """The whole flow; nothing of it is collected here."""
    import ray

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = console.is_terminal
    context.print_on_execution_start = False
    model = ray.put(model_path(run).read_bytes())
    names = ray.data.from_arrow([pa.Table.from_pylist([one]) for one in folders]).map_batches(
        Lister(place), batch_size=1, batch_format="pyarrow", zero_copy_batch=True
    )
    pixels = names.repartition(target_num_rows_per_block=ROWS).map_batches(
        Decoder(place, shape), batch_size=ROWS, batch_format="pyarrow", zero_copy_batch=True
    )
    scores = pixels.map_batches(
        SharedScorer,
        fn_constructor_args=(model, shape),
        batch_size=ROWS,
        batch_format="pyarrow",
        zero_copy_batch=True,
        compute=ray.data.ActorPoolStrategy(size=crew.num_actors),
        num_gpus=crew.num_gpus,
        num_cpus=crew.num_cpus,
    )
    scores.write_parquet(folder, min_rows_per_file=ROWS_PER_FILE, **target.writing)


class SharedScorer(Scorer):
    """A scorer whose model lies in Ray's object store, once for all actors."""

    def __init__(self, model: Any, shape: Shape) -> None:
        import ray

        super().__init__(ray.get(model), shape)


@dataclasses.dataclass(frozen=True)
class Target:
    """Where the Parquet files go: a local folder, or the URL of one.

    A local folder is written under another name and renamed. A store cannot rename: there the record, which is
    written last, says that the rest is whole.
    """

    filesystem: Any
    path: str
    is_local: bool

    @classmethod
    def at(cls, text: str) -> "Target":
        """Raises: UserError: It exists, or the store cannot be opened."""
        import fsspec

        is_local = "://" not in text
        try:
            filesystem, path = fsspec.core.url_to_fs(
                str(Path(text).expanduser().absolute()) if is_local else text
            )
            taken = filesystem.exists(path)
        except (OSError, ValueError, ImportError) as error:
            raise UserError(f"{text} cannot be opened ({first_line(error)}).") from None
        if taken:
            raise UserError(f"{text} exists.", "Delete it, or name another place: --to DIR.")
        return cls(filesystem, path.rstrip("/"), is_local)

    @contextlib.contextmanager
    def filled(self) -> Iterator[str]:
        """A folder to write into, which is this place once the block ends without error."""
        partial = Path(self.path).with_name(f".{Path(self.path).name}.partial")
        folder = str(partial) if self.is_local else self.path
        if self.is_local:
            # A killed process may have left its files; they must not mix with these.
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
        try:
            yield folder
            if self.is_local:
                replace_folder(partial, Path(self.path))
        finally:
            if not self.is_finished and self.filesystem.exists(folder):
                self.filesystem.rm(folder, recursive=True)

    @property
    def is_finished(self) -> bool:
        return bool(self.filesystem.exists(f"{self.path}/{RECORD}"))

    @property
    def writing(self) -> dict[str, Any]:
        """How Ray writes there: a local folder is this machine's, so that the last step of the work is done on it."""
        if not self.is_local:
            return {"filesystem": pa.fs.PyFileSystem(pa.fs.FSSpecHandler(self.filesystem))}
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        return {"filesystem": pa.fs.LocalFileSystem(), "ray_remote_args": {"scheduling_strategy": here}}

    def write_record(self, folder: str, record: dict[str, Any]) -> None:
        with self.filesystem.open(f"{folder}/{RECORD}", "w", encoding="utf-8") as file:
            file.write(json.dumps(record, indent=1, default=jsonable) + "\n")


def counts(target: Target, folder: str) -> dict[str, Any]:
    """Rows, files and reasons, from the footers of the files and the rows that have a reason."""
    import pyarrow.dataset as datasets

    written = datasets.dataset(folder, filesystem=target.filesystem, format="parquet")
    failed = datasets.field("reason").is_valid()
    num_rows, num_failed = written.count_rows(), written.count_rows(filter=failed)
    first = written.head(1, columns=["path", "reason"], filter=failed).to_pylist() if num_failed else []
    return {
        "num_pictures": num_rows,
        "num_scored": num_rows - num_failed,
        "num_skipped": num_failed,
        "num_files": len(written.files),
        "first_reason": "".join(f"{row['path']}: {row['reason']}" for row in first),
    }


def explained(error: Exception, source: str) -> Exception:
    """What Ray wraps around an error of ours."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, SourceNotSeen):
            return UserError(
                f"{cause.args[0]}, a machine of the cluster, does not see {source}.",
                "Put the pictures on a disk that all share, or into an object store.",
            )
        cause = cause.__cause__ or getattr(cause, "cause", None)
    return error


def ray_version() -> str:
    from importlib.metadata import version

    return version("ray")
