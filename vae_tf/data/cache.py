"""Decoded pictures on disk: one memory-mapped uint8 array per (files, options), built once, in parallel."""

import dataclasses
import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae_tf.data.pictures import UnusablePicture
from vae_tf.data.sources import Source
from vae_tf.errors import UserError

# Part of the cache's key: a change in how pixels are made must not meet pixels made the old way.
FORMAT = 1
LARGEST_NATIVE_SIDE = 128
NUM_PROBES = 400


@dataclasses.dataclass(frozen=True)
class Shape:
    """The shape that all pictures of a run get, and why."""

    height: int
    width: int
    channels: int
    fit: str
    reasons: tuple[str, ...] = ()

    @property
    def image_shape(self) -> tuple[int, int, int]:
        return self.height, self.width, self.channels


@dataclasses.dataclass(frozen=True)
class Cache:
    """Pixels [N, H, W, C] of the usable pictures, with the position of each in the source.

    Args:
        images: Memory map, uint8.
        positions: Position in `source.entries` of each row.
        skipped: (path, reason) of every file that could not be used.
        fingerprint: Key of the files and options.
    """

    images: NDArray[np.uint8]
    positions: NDArray[np.int64]
    skipped: list[tuple[str, str]]
    fingerprint: str


def choose_shape(source: Source, size: tuple[int, int] | None, channels: int | None, fit: str) -> Shape:
    """Size and channels as asked, or chosen from a sample of the pictures' headers.

    Raises:
        UserError: None of the sampled files is a picture.
    """
    if size is not None and channels is not None:
        return Shape(*size, channels, fit)
    probes = probe(source)
    reasons = []
    if size is None:
        size, reason = choose_size([(h, w) for h, w, _ in probes])
        reasons.append(reason)
    if channels is None:
        channels = 1 if all(c == 1 for _, _, c in probes) or looks_grey(source) else 3
        reasons.append("grey, as the pictures are" if channels == 1 else "colour, as the pictures are")
    return Shape(*size, channels, fit, tuple(reasons))


def probe(source: Source) -> list[tuple[int, int, int]]:
    """Shapes of up to `NUM_PROBES` pictures spread over the source."""
    count = len(source.entries)
    shapes, reasons = [], []
    for position in np.unique(np.linspace(0, count - 1, min(count, NUM_PROBES)).astype(int)):
        try:
            shapes.append(source.shape(int(position)))
        except UnusablePicture as error:
            reasons.append(f"{source.entries[position].path}: {error}")
    if not shapes:
        raise UserError(f"None of the {count} files is a usable picture.", f"The first: {reasons[0]}")
    return shapes


def looks_grey(source: Source) -> bool:
    """Whether colour files hold grey pictures: equal channels in every one of up to 24 decoded pictures."""
    count = len(source.entries)
    for position in np.unique(np.linspace(0, count - 1, min(count, 24)).astype(int)):
        try:
            pixels = source.read(int(position)).astype(np.int16)
        except UnusablePicture:
            continue
        if pixels.shape[-1] == 3 and np.abs(pixels - pixels[..., :1]).max() > 2:
            return False
    return True


def choose_size(sizes: list[tuple[int, int]]) -> tuple[tuple[int, int], str]:
    """The pictures' own size where they share one of at most 128 pixels, else a square of 32, 64 or 128."""
    (common, times), *_ = Counter(sizes).most_common(1)
    if times == len(sizes) and min(common) >= 8 and max(common) <= LARGEST_NATIVE_SIDE:
        return common, f"{common[0]}×{common[1]}, the size that the pictures have"
    shorter = int(np.median([min(size) for size in sizes]))
    side = max(side for side in (32, 64, 128) if side == 32 or side <= shorter)
    return (side, side), f"{side}×{side}, as their shorter side is {shorter} pixels in the middle"


def open_cache(
    source: Source, shape: Shape, root: Path, progress: Callable[[int, int], None] | None = None
) -> Cache:
    """The decoded pictures, from `root` where they were decoded before.

    Args:
        source: Where to read.
        shape: What to make of each picture.
        root: Folder of all caches.
        progress: Called with (done, total) while decoding.

    Raises:
        UserError: No usable picture.
    """
    options = [FORMAT, source.fingerprint(), *shape.image_shape, shape.fit]
    fingerprint = hashlib.sha256(json.dumps(options).encode()).hexdigest()[:16]
    folder = root / fingerprint
    if not (folder / "index.json").exists():
        build(source, shape, folder, progress)
    index = json.loads((folder / "index.json").read_text())
    positions = np.asarray(index["positions"], dtype=np.int64)
    if not len(positions):
        raise UserError(
            f"None of the {len(source.entries)} files is a usable picture.",
            f"The first: {index['skipped'][0][0]}: {index['skipped'][0][1]}",
        )
    images = np.memmap(
        folder / "pixels.u8", dtype=np.uint8, mode="r", shape=(len(positions), *shape.image_shape)
    )
    return Cache(images, positions, [(path, why) for path, why in index["skipped"]], fingerprint)


def build(
    source: Source, shape: Shape, folder: Path, progress: Callable[[int, int], None] | None = None
) -> None:
    """Decodes every picture into `folder`, through a temporary sibling, so that a folder that exists is whole."""
    partial = folder.with_name(f"{folder.name}.partial-{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    decode = decoder(source, shape)
    positions: list[int] = []
    skipped: list[tuple[str, str]] = []
    total = len(source.entries)
    try:
        with open(partial / "pixels.u8", "wb") as file, ThreadPoolExecutor(os.cpu_count()) as pool:
            for start in range(0, total, 256):
                block = range(start, min(start + 256, total))
                for position, result in zip(block, pool.map(decode, block), strict=True):
                    if isinstance(result, str):
                        skipped.append((source.entries[position].path, result))
                    else:
                        file.write(result.tobytes())
                        positions.append(position)
                if progress is not None:
                    progress(block.stop, total)
        document = {"positions": positions, "skipped": skipped, "shape": shape.image_shape}
        (partial / "index.json").write_text(json.dumps(document))
        partial.rename(folder)
    except OSError:
        # Another process may have finished the same cache first; then its folder serves.
        if not (folder / "index.json").exists():
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def decoder(source: Source, shape: Shape) -> Callable[[int], Any]:
    """A function from a position to pixels, or to the reason (a string) why there are none."""
    import tensorflow as tf

    from vae_tf.data.resize import resize

    def make(num_channels: int) -> Any:
        signature = [tf.TensorSpec((None, None, num_channels), tf.uint8)]
        return tf.function(lambda pixels: resize(pixels, *shape.image_shape, shape.fit), signature)

    resizers = {1: make(1), 3: make(3)}

    def decode(position: int) -> Any:
        try:
            pixels = source.read(position)
        except UnusablePicture as error:
            return str(error)
        if pixels.shape == shape.image_shape:
            return pixels
        return resizers[pixels.shape[-1]](pixels).numpy()

    return decode
