"""The run directory: the only code that knows its layout."""

import contextlib
import dataclasses
import errno
import hashlib
import json
import os
import re
import shlex
import shutil
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae_tf import strangers
from vae_tf.errors import UserError
from vae_tf.locks import LOCK, PATIENCE, Taken, alone_in, holding, is_held, working_in
from vae_tf.mirror import Mirror, kept_here, mirror_of
from vae_tf.places import cache_root as cache_root
from vae_tf.places import runs_root as runs_root
from vae_tf.versions import versions
from vae_tf.whole import (
    PREFIX,
    delete_folder,
    new_file,
    new_folder,
    renamed,
    replace_folder,
    sweep,
    sync,
    sync_folder,
    write_text,
)

SCHEMA_VERSION = 2
# What makes a folder a finished stage; a run's own files, the one that makes it a run first; and of a training's state
# what must be as new as the file before the last.
RECORD = "stage.json"
FILES = ("run.json", "report.json")
CHECKPOINTS = ("checkpoints/best.npz", "metrics.jsonl", "checkpoints/last.npz")


def write_json(path: Path, document: Any) -> None:
    """A number that is none becomes null: it is not known, and no reader of JSON need take NaN."""
    try:
        text = json.dumps(document, indent=1, default=jsonable, allow_nan=False)
    except ValueError:
        known = json.loads(json.dumps(document, default=jsonable), parse_constant=lambda name: None)
        text = json.dumps(known, indent=1)
    write_text(path, text + "\n")


def read_json(path: Path) -> Any:
    """What is in a file of JSON.

    Raises:
        FileNotFoundError: There is none.
        UserError: No file, or no JSON.
    """
    check_file(path)
    with strangers.read_from(path):
        return json.loads(path.read_text(encoding="utf-8"))


def check_file(path: Path) -> None:
    """Raises: UserError: Something else has this name; a pipe, say, would be read for ever."""
    if path.exists() and not path.is_file():
        raise UserError(f"{path} is no file.", strangers.HINT)


def jsonable(value: Any) -> Any:
    """NumPy scalars and arrays, dataclasses and paths as JSON has them."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, Path):
        return value.as_posix()
    raise TypeError(f"{type(value).__name__} does not go into JSON")


def save_arrays(path: Path, /, **arrays: Any) -> None:
    """An .npz that loads without pickle; readers see the old one or the new one.

    Raises:
        TypeError: An array of Python objects, which only pickle could store.
    """
    for name, array in arrays.items():
        if np.asarray(array).dtype.hasobject:
            raise TypeError(f"{name} holds Python objects; save numbers or text.")
    with new_file(path) as partial:
        np.savez(partial, **arrays)


def load_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of an .npz as `save_arrays` writes them; nothing is unpickled or unpacked.

    Raises:
        FileNotFoundError: There is none.
        UserError: It holds something else.
    """
    check_file(path)
    try:
        with zipfile.ZipFile(path) as archive:
            # What is stored as it is cannot become larger than the file in memory.
            packed = [
                item.filename for item in archive.infolist() if item.compress_type != zipfile.ZIP_STORED
            ]
        if packed:
            raise ValueError(f"{strangers.said(packed[0])} is compressed")
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        for name, array in arrays.items():
            if not isinstance(array, np.ndarray):
                raise ValueError(f"{strangers.said(name)} is no array")
        return arrays
    except FileNotFoundError:
        raise
    except Exception as error:
        # NumPy and zipfile raise whatever the bytes bring them to, MemoryError among them.
        raise strangers.damaged(path, " ".join(str(error).split())[:200] or type(error).__name__) from None


def hash_of(document: Any) -> str:
    """12 hexadecimal digits of a JSON document."""
    text = json.dumps(document, sort_keys=True, default=jsonable)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def hash_of_file(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:12]


@dataclasses.dataclass(frozen=True)
class Stage:
    """One finished stage of a run: where its folder is and what `stage.json` says."""

    place: Path
    record: dict[str, Any]

    @property
    def folder(self) -> Path:
        """Its folder; that of a run in a store is fetched when it is first asked for."""
        if not self.place.exists() and (mirror := mirror_of(self.place.parent.parent)) is not None:
            mirror.take(self.place.parent.name, self.name)
        return self.place

    @property
    def name(self) -> str:
        return self.place.name

    @property
    def hash(self) -> str:
        return str(self.record["hash"])

    def reading(self) -> contextlib.AbstractContextManager[None]:
        """Around what reads its files and results: what does not fit is told as damage of this stage."""
        return strangers.read_from(self.place)


@dataclasses.dataclass(frozen=True)
class Run:
    """A run directory such as `runs/00042-faces-conv-z30`."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def record(self) -> dict[str, Any]:
        """run.json: schema version, configuration, seed, command, versions, fingerprint of the data."""
        path = self.folder / "run.json"
        record: dict[str, Any] = read_json(path)
        strangers.check_types(path, record, {})
        version = record.get("schema_version")
        if version != SCHEMA_VERSION:
            raise UserError(
                f"{self.folder} was written with schema {strangers.said(version)}; "
                f"this version reads {SCHEMA_VERSION}.",
                "Use the version that wrote it.",
            )
        strangers.check_run(path, record)
        return record

    @property
    def parent(self) -> str:
        """The name of the run that it goes on from; empty where there is none."""
        return str(self.record.get("parent") or "")

    @property
    def exists(self) -> bool:
        return (self.folder / "run.json").exists()

    def check_exists(self) -> None:
        """Raises: FileNotFoundError: It was deleted or renamed since it was found."""
        if not self.exists:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.folder))

    def room(self, name: str) -> Path:
        """A folder for what is no stage, such as samples; made where it is not there yet."""
        (self.folder / name).mkdir(exist_ok=True)
        return self.folder / name

    @property
    def partial_train(self) -> Path:
        """Where training goes on; it becomes the stage `train` when the plan is done."""
        return self.folder / "train.partial"

    def working(self) -> contextlib.AbstractContextManager[None]:
        """Held while a process writes into the run, so that nobody deletes or renames it meanwhile."""
        return working_in(self.folder)

    @contextlib.contextmanager
    def training_lock(self) -> Iterator[None]:
        """Held while a process trains this run; clears what an earlier one was writing when it was killed.

        Raises:
            UserError: Another process holds it.
        """
        with self.working(), contextlib.ExitStack() as stack:
            try:
                is_sure = stack.enter_context(holding(self._training_lock, patience=PATIENCE))
            except Taken:
                raise self._trained_elsewhere() from None
            if is_sure:
                sweep(self.partial_train)
                sweep(self.partial_train / "checkpoints")
            yield

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Held to delete or rename the run.

        Raises:
            UserError: A process trains it, or writes into it.
        """
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(alone_in(self.folder, PATIENCE))
            except Taken:
                if self.is_training:
                    raise self._trained_elsewhere() from None
                raise UserError(
                    f"Another process is writing into {self.name}.", "Wait for it, or stop it with Ctrl-C."
                ) from None
            yield

    @property
    def is_training(self) -> bool:
        """Whether some process trains this run now."""
        return is_held(self._training_lock)

    @property
    def _training_lock(self) -> Path:
        return self.folder / ".training.lock"

    def _trained_elsewhere(self) -> UserError:
        return UserError(
            f"{self.name} is being trained by another process.", "Wait for it, or stop it with Ctrl-C."
        )

    @property
    def report(self) -> Path:
        return self.folder / "report"

    @property
    def has_begun(self) -> bool:
        """Whether a training of it was begun, here or on another machine, and has not ended."""
        begun = (
            self.mirror is not None and self.partial_train.name in self.mirror.listing(self.name)["folders"]
        )
        return begun or self.partial_train.exists()

    @property
    def mirror(self) -> Mirror | None:
        """The store that the run is kept in; None where it is kept in its folder."""
        return mirror_of(self.folder.parent)

    @property
    def is_trained(self) -> bool:
        return self._record_of("train") is not None

    def stage(self, name: str) -> Stage | None:
        """The finished stage called `name`, or None."""
        path = self._record_of(name)
        try:
            record = None if path is None else read_json(path)
        except FileNotFoundError:
            # Deleted, together with its run, since we looked.
            return None
        if path is None or record is None:
            return None
        strangers.check_stage(path, record, hash_of)
        return Stage(self.folder / name, record)

    def _record_of(self, name: str) -> Path | None:
        """stage.json of a finished stage, which may not have been fetched yet."""
        paths = [self.folder / name / "stage.json"]
        if self.mirror is not None:
            paths.append(self.mirror.known(self.name, name))
        return next((path for path in paths if path.exists()), None)

    def stage_names(self) -> list[str]:
        """Names of all finished stages."""
        names = {path.parent.name for path in self.folder.glob("*/stage.json")}
        if self.mirror is not None:
            names |= set(self.mirror.known_items(self.name))
        return sorted(name for name in names if not name.startswith(".") and not name.endswith(".partial"))

    def stages(self, kind: str) -> list[Stage]:
        """All finished stages of a kind (`clusters`, `clusters-1a2b3c`), the newest last."""
        found = [self.stage(name) for name in self.stage_names()]
        stages = [stage for stage in found if stage is not None and stage.record["stage"] == kind]
        return sorted(stages, key=lambda stage: stage.record["finished"])

    def newest(self, kind: str) -> Stage | None:
        stages = self.stages(kind)
        return stages[-1] if stages else None

    def finished(self, kind: str, inputs: Mapping[str, Any]) -> Stage | None:
        """The stage of this kind that was computed from the very same inputs."""
        for stage in self.stages(kind):
            if stage.record["inputs"] == json.loads(json.dumps(inputs, default=jsonable)):
                return stage
        return None

    def compute(
        self,
        kind: str,
        inputs: Mapping[str, Any],
        work: Callable[["StageWriter"], None],
        plain_name: bool = True,
    ) -> Stage:
        """The stage of this kind from these inputs: the finished one, or a new one that `work` fills."""
        done = self.finished(kind, inputs)
        if done is not None:
            return done
        with self.writing(kind, inputs, plain_name) as writer:
            work(writer)
        made = self.finished(kind, inputs)
        assert made is not None, "a stage that was written is found by its inputs"
        return made

    @contextlib.contextmanager
    def writing(
        self, kind: str, inputs: Mapping[str, Any], plain_name: bool = True
    ) -> Iterator["StageWriter"]:
        """A new stage: a temporary sibling that becomes the stage's folder when the block ends without error.

        It is called `kind`; or `kind-HASH` where a stage from other inputs already has that name, and without
        `plain_name`, which is for stages on other pictures than the run's own. Where another process finishes a
        stage from the same inputs first, that one stays.
        """
        try:
            with self.working(), new_folder(self.folder / kind) as partial:
                writer = StageWriter(partial)
                started = time.time()
                yield writer
                finish_stage(partial, kind, inputs, started, writer.results)
                sync_folder(partial)
                if self.mirror is not None:
                    self.mirror.refresh_one(self.name, FILES, RECORD)
                if (target := self._settle(partial, kind, inputs, plain_name)) is not None:
                    publish(target)
        finally:
            if not self.exists:
                # TensorFlow makes missing folders anew: of a run that was deleted meanwhile an empty one would be left.
                with contextlib.suppress(OSError):
                    self.folder.rmdir()

    def _settle(self, partial: Path, kind: str, inputs: Mapping[str, Any], plain_name: bool) -> Path | None:
        """Gives a whole stage its name; None where one from the same inputs is there already."""
        self.check_exists()
        own_name = self.folder / f"{kind}-{hash_of(inputs)}"
        # Looked up first: what takes a name from here on is met by the renaming.
        is_free = plain_name and kind not in self.stage_names()
        if self.finished(kind, inputs) is not None:
            return None
        for target in [self.folder / kind, own_name] if is_free else [own_name]:
            if renamed(partial, target):
                return target
            if self.finished(kind, inputs) is not None:
                return None
        # A folder of that name that is no stage: somebody took its record away.
        replace_folder(partial, own_name)
        return own_name

    def finish_training(self, inputs: Mapping[str, Any], started: float, results: Mapping[str, Any]) -> None:
        """Makes `train.partial` the stage `train`."""
        finish_stage(self.partial_train, "train", inputs, started, results)
        sync_folder(self.partial_train)
        replace_folder(self.partial_train, self.folder / "train")
        publish(self.folder / "train")
        if self.mirror is not None:
            self.mirror.drop(f"{self.name}/{self.partial_train.name}")

    def give_checkpoints(self, snapshot: Path) -> None:
        """Uploads a copy of `train.partial`, its last state at the end: it counts on what goes before it."""
        if self.mirror is not None:
            self.mirror.give(self.name, snapshot, CHECKPOINTS, self.partial_train.name)

    def take_checkpoints(self) -> None:
        """Fetches the state of a training that another machine left, where it is newer than that of this one."""
        if self.mirror is None or self.is_trained:
            return
        last = self.mirror.store.find(f"{self.name}/{self.partial_train.name}/{CHECKPOINTS[-1]}")
        here = self.partial_train / CHECKPOINTS[-1]
        if last is not None and not (here.exists() and here.stat().st_mtime >= last.modified):
            shutil.rmtree(self.partial_train, ignore_errors=True)
            self.mirror.take(self.name, self.partial_train.name)

    def take_report(self) -> None:
        """Fetches the pages of a run in a store, which other machines may have written anew."""
        if self.mirror is not None and self.report.name in self.mirror.listing(self.name)["folders"]:
            shutil.rmtree(self.report, ignore_errors=True)
            self.mirror.take(self.name, self.report.name)

    def give_what_is_missing(self) -> None:
        """Uploads stages that are whole here and not in the store, as after an upload that failed."""
        if self.mirror is not None:
            for name in set(self.stage_names()) - set(self.mirror.known_items(self.name)):
                publish(self.folder / name)


@dataclasses.dataclass
class StageWriter:
    """Where a stage writes: `folder / file`, and `results` for what goes into its record."""

    folder: Path
    results: dict[str, Any] = dataclasses.field(default_factory=dict)


def finish_stage(
    folder: Path, kind: str, inputs: Mapping[str, Any], started: float, results: Mapping[str, Any]
) -> None:
    """Writes stage.json, by which a folder becomes a finished stage."""
    # As they will be read: JSON has no tuples, no keys but texts, and no numbers that are none.
    written = json.dumps([inputs, results], default=jsonable)
    inputs, results = json.loads(written, parse_constant=lambda name: None)
    record = {
        "stage": kind,
        "hash": hash_of([inputs, results]),
        "inputs": inputs,
        "results": results,
        "started": started,
        "finished": time.time(),
        "versions": versions(),
    }
    write_json(folder / "stage.json", record)


def publish(path: Path) -> None:
    """Gives what lies at a path to the store of its runs; nothing where they are kept in a folder.

    Raises:
        UserError: The store cannot be written; what was made stays on this machine.
    """
    root = runs_root()
    mirror = mirror_of(root)
    if mirror is None or not path.is_relative_to(root):
        return
    try:
        mirror.give(path.parent.relative_to(root).as_posix().removeprefix("."), path, (RECORD,))
    except UserError as error:
        raise kept_here(error, path) from None
    if (path / RECORD).exists():
        mirror.remember(path.parent.name, path.name, path / RECORD)


def check_runs() -> None:
    """Finds out whether runs can be kept, before minutes of work.

    Raises:
        UserError: Their store does not answer.
    """
    if (mirror := mirror_of(runs_root())) is not None:
        mirror.store.folders()


def address_of(path: Path) -> str:
    """Where a path below the runs is kept: in the store, where they are in one."""
    mirror = mirror_of(runs_root())
    return (
        f"{mirror.store}/{path.relative_to(runs_root()).as_posix()}".removesuffix("/.")
        if mirror is not None and path.is_relative_to(runs_root())
        else str(path)
    )


def delete_run(run: Run) -> None:
    """Deletes a run here and in its store, where run.json goes first, so that nothing half there counts.

    Raises:
        UserError: A process trains it, or writes into it.
    """
    with run.alone():
        if run.mirror is not None:
            run.mirror.drop(run.name, "run.json")
        delete_folder(run.folder)


def rename_run(run: Run, name: str) -> Run:
    """The run under another name and its old number.

    Raises:
        UserError: A process trains the run or writes into it, or the name has no letter or digit.
    """
    if not re.search(r"[a-z0-9]", name.lower()):
        raise UserError(f"{name!r} is no name for a run.", "Letters, digits and dashes are kept of it.")
    if not re.match(r"\d{5}-", run.name):
        raise UserError(f"{run.name} has no number of its own.", "Move its folder by hand.")
    with run.alone():
        folder = run.folder.with_name(f"{run.name[:5]}-{slug(name)}")
        if folder != run.folder:
            if run.mirror is not None:
                run.mirror.move(run.name, folder.name, "run.json")
            run.folder.rename(folder)
            (folder / LOCK).unlink(missing_ok=True)
    return Run(folder)


def slug(text: str) -> str:
    """Lower-case letters, digits and dashes of `text`, for the name of a run."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40] or "run"


def new_run(name: str, record: Mapping[str, Any], root: Path | None = None) -> Run:
    """Makes `root/NNNNN-name/run.json` with the next free number."""
    root = root or runs_root()
    root.mkdir(parents=True, exist_ok=True)
    document = {
        "schema_version": SCHEMA_VERSION,
        "created": time.time(),
        "command": command_line(sys.argv),
        **record,
    }
    with working_in(root), next_number(root) as (number, claim):
        write_json(claim / "run.json", document)
        folder = root / f"{number:05d}-{slug(name)}"
        claim.rename(folder)
        sync(root)
    publish(folder / "run.json")
    return Run(folder)


def command_line(arguments: list[str]) -> str:
    """What was typed, to be typed again."""
    return shlex.join(["python", Path(arguments[0]).name, *arguments[1:]])


@contextlib.contextmanager
def next_number(root: Path) -> Iterator[tuple[int, Path]]:
    """A number that no run has, and a folder by which no other process gets it, to be renamed as the run's."""
    number, mirror = 0, mirror_of(root)
    while True:
        number = max([number, *(int(run.name[:5]) for run in all_runs(root, any_state=True))]) + 1
        claim = root / f"{PREFIX}{number:05d}"
        try:
            claim.mkdir()
        except FileExistsError:
            continue
        try:
            free = not any(root.glob(f"{number:05d}-*"))
            if free and (mirror is None or mirror.claim(f"{number:05d}")):
                yield number, claim
                return
        finally:
            shutil.rmtree(claim, ignore_errors=True)


def all_runs(root: Path | None = None, any_state: bool = False) -> list[Run]:
    """Runs in the order of their numbers; those without a run.json only with `any_state`."""
    root = root or runs_root()
    mirror = mirror_of(root)
    kept = None if mirror is None else mirror.refresh(FILES, RECORD)
    if not root.is_dir():
        return []
    folders = sorted(path for path in root.iterdir() if re.match(r"\d{5}-", path.name))
    if kept is not None:
        folders = [path for path in folders if path.name in kept]
    return [Run(path) for path in folders if any_state or (path / "run.json").exists()]


def run_of_job(job: str, root: Path | None = None) -> Run | None:
    """The newest run that a job on several machines began by the same command; None if it began none."""
    for run in reversed(all_runs(root)):
        record = read_json(run.folder / "run.json")
        if record.get("job") == job and record["command"] == command_line(sys.argv):
            return run
    return None


def find_run(text: str | None, root: Path | None = None, trained: bool = True) -> Run:
    """The run that a user named by path, name, number or a part of its name; without one, the newest.

    Raises:
        UserError: None fits, several fit, or it has not finished training.
    """
    root = root or runs_root()
    runs, where = all_runs(root), address_of(root)
    if text is None:
        runs = [run for run in runs if run.is_trained or not trained]
        if not runs:
            raise UserError(
                f"There is no trained run in {where}/.",
                "Train one first: python cli.py train faces/ --latent 30",
            )
        return looked_through(runs[-1])
    if (Path(text) / "run.json").exists():
        matches = [Run(Path(text))]
    else:
        # A number is never searched in names: "3" must not find 00013-faces-conv-z30.
        part = f"{int(text):05d}-" if text.isdecimal() else text
        fits = str.startswith if text.isdecimal() else str.__contains__
        matches = [run for run in runs if text in (run.name, run.name[6:])]
        matches = matches or [run for run in runs if fits(run.name, part)]
    if len(matches) != 1:
        found = ", ".join(run.name for run in (matches or runs)[-8:]) or "none"
        many = "Several runs match" if matches else "There is no run"
        raise UserError(f"{many} {text!r} in {where}/.", f"Runs: {found}.")
    if trained and not matches[0].is_trained:
        raise UserError(
            f"{matches[0].name} has not finished training.",
            f"Go on with: python cli.py train --resume {matches[0].name}",
        )
    return looked_through(matches[0])


def looked_through(run: Run) -> Run:
    """The run, if nothing in it leads elsewhere; what its store has not been given is given now.

    Raises:
        UserError: A link out of the run, or a pipe.
    """
    strangers.check_folder(run.folder)
    run.give_what_is_missing()
    return run
