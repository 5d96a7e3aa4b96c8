"""Frames of a file in an order that costs little: frame k of a GIF needs all before it."""

import contextlib
import functools
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from vae_tf.data import pictures
from vae_tf.data.pictures import UnusablePicture

# Files kept open, and what is kept of each: frames and their bytes. Threads come out of order by a few frames only.
NUM_FILES, NUM_FRAMES, NUM_BYTES, AHEAD = 8, 64, 2**25, 32


class Reels:
    """Frames of many files, read by several threads; those that were read last stay open.

    Args:
        encoded: Where the file at a position is, or what is in it.
    """

    def __init__(self, encoded: Callable[[int], Path | bytes]) -> None:
        self._encoded = encoded
        self._lock = threading.Lock()
        self._reels: dict[int, Reel] = {}

    def read(self, file: int, frame: int) -> NDArray[Any]:
        """Values [H, W, 1 or 3] of one frame, counted from 0, in its own depth; raises UnusablePicture."""
        with self._lock:
            reel = self._reels.pop(file, None) or Reel(functools.partial(self._encoded, file))
            self._reels[file] = reel
            if len(self._reels) > NUM_FILES:
                del self._reels[next(iter(self._reels))]
        return reel.read(frame)


class Reel:
    """Frames of one file; those passed on the way are kept, so that a thread a little late need not begin again."""

    def __init__(self, encoded: Callable[[], Path | bytes]) -> None:
        self._encoded = encoded
        self._lock = threading.Lock()
        self._source: Path | bytes = b""
        self._image: Any = None
        self._next = 0
        self._kept: dict[int, NDArray[Any]] = {}

    def read(self, frame: int) -> NDArray[Any]:
        with self._lock:
            if 0 <= frame - self._next < AHEAD:
                for passed in range(self._next, frame):
                    with contextlib.suppress(UnusablePicture):
                        self._keep(passed, self._decode(passed))
            if frame not in self._kept:
                self._keep(frame, self._decode(frame))
            return self._kept[frame]

    def _decode(self, frame: int) -> NDArray[Any]:
        self._next = frame + 1
        if self._image is None:
            self._source = self._encoded()
        try:
            with pictures.plain_reasons(self._source):
                self._image = self._image or pictures.open_image(self._source)
                return pictures.frame_values(self._image, frame)
        except UnusablePicture:
            # What a failed seek leaves behind is not to be trusted.
            self._image = None
            raise

    def _keep(self, frame: int, values: NDArray[Any]) -> None:
        kept = self._kept
        kept[frame] = values
        while len(kept) > NUM_FRAMES or (
            len(kept) > 1 and sum(array.nbytes for array in kept.values()) > NUM_BYTES
        ):
            del kept[next(iter(kept))]
