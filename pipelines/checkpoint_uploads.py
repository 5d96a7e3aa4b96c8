"""The state of a training, given to the store of its run now and then, so that a lost machine costs minutes."""

import os
import shutil
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pipelines.console import warn
from vae_tf.artifacts.layout import CHECKPOINTS
from vae_tf.artifacts.run import Run
from vae_tf.errors import UserError
from vae_tf.whole import beside

SECONDS_BETWEEN_UPLOADS = 300.0
Listener = Callable[[dict[str, Any]], None]


class CheckpointUploads:
    """Uploads snapshots of `train.partial` in a thread of its own; nothing where the run is kept in a folder.

    An upload that fails is said, once, and the training goes on.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._due = time.monotonic() + SECONDS_BETWEEN_UPLOADS
        self._upload: Future[None] | None = None
        self._has_failed = False
        self._pool = ThreadPoolExecutor(1)

    def __enter__(self) -> "CheckpointUploads":
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.shutdown()

    def after(self, listener: Listener) -> Listener:
        """A listener that calls another one, and looks whether an upload is due: the state on disk is whole then."""
        if self._run.mirror is None:
            return listener

        def listen(event: dict[str, Any]) -> None:
            listener(event)
            idle = self._upload is None or self._upload.done()
            if idle and time.monotonic() >= self._due and self._last.exists():
                self._upload = self._pool.submit(self._give, self._snapshot())
                self._due = time.monotonic() + SECONDS_BETWEEN_UPLOADS

        return listen

    def give_now(self) -> None:
        """Uploads the state as it is, after a training that was stopped."""
        if self._run.mirror is not None and self._last.exists():
            self._give(self._snapshot())

    @property
    def _last(self) -> Path:
        return self._run.partial_train / CHECKPOINTS[-1]

    def _snapshot(self) -> Path:
        """The state's files under second names: they are replaced, not changed, while the upload goes on."""
        folder = beside(self._run.partial_train)
        shutil.copytree(self._run.partial_train, folder, copy_function=os.link)
        return folder

    def _give(self, snapshot: Path) -> None:
        try:
            self._run.give_checkpoints(snapshot)
        except UserError as error:
            if not self._has_failed:
                warn(f"{error.message} The training goes on; its state is kept on this machine.")
            self._has_failed = True
        finally:
            shutil.rmtree(snapshot, ignore_errors=True)
