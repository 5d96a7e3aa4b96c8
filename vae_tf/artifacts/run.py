"""One run: its record, its stages and its locks."""

import contextlib
import dataclasses
import errno
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from vae_tf import strangers
from vae_tf.artifacts.hashes import hash_of
from vae_tf.artifacts.json_files import jsonable, read_json
from vae_tf.artifacts.layout import CHECKPOINTS, FILES, RECORD, SCHEMA_VERSION
from vae_tf.artifacts.publishing import publish
from vae_tf.artifacts.stage import Stage, StageWriter, finish_stage
from vae_tf.errors import UserError
from vae_tf.locks import PATIENCE, Taken, alone_in, holding, is_held, working_in
from vae_tf.mirror import Mirror, mirror_of
from vae_tf.whole import PREFIX, new_folder, renamed, replace_folder, sweep, sync_folder


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
        """The store that the run is kept in; None where it is kept in its folder, or is still being made."""
        return None if self.name.startswith(PREFIX) else mirror_of(self.folder.parent)

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
        work: Callable[[StageWriter], None],
        plain_name: bool = True,
    ) -> Stage:
        """The stage of this kind from these inputs: the finished one, or a new one that `work` fills."""
        done = self.finished(kind, inputs)
        if done is not None:
            return done
        with self.writing(kind, inputs, plain_name) as writer:
            work(writer)
        made = self.finished(kind, inputs)
        if made is None:
            self.check_exists()
        assert made is not None, "a stage that was written is found by its inputs"
        return made

    @contextlib.contextmanager
    def writing(self, kind: str, inputs: Mapping[str, Any], plain_name: bool = True) -> Iterator[StageWriter]:
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
                target = self._settle(partial, kind, inputs, plain_name)
                if target is not None and self.mirror is not None:
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
