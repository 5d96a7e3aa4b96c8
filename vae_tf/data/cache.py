"""Decoded pictures on disk: one memory-mapped array per (files, options), built once, in parallel."""

import dataclasses
import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae_tf.data.pictures import UnusablePicture, in_bands, keeping_memory, sharing_memory
from vae_tf.data.sources.base import Source
from vae_tf.errors import UserError
from vae_tf.locks import working_in
from vae_tf.pixels import WHITE, rescale
from vae_tf.whole import new_folder, renamed, replace_folder, sync_folder

# Part of the cache's key: a change in how pixels are made must not meet pixels made the old way.
FORMAT = 2
LARGEST_NATIVE_SIDE = 128
NUM_PROBES = 400
LARGEST_STRAY_SHARE = 0.1
PIXELS, HASHES = "pixels.raw", "hashes.u64"


@dataclasses.dataclass(frozen=True)
class Shape:
    """The shape and the depth that all pictures of a run get, and why.

    Args:
        height, width: Pixels.
        channels: 1 or 3.
        fit: "crop", "pad" or "stretch".
        dtype: Stored type: "uint8", "uint16" or "float32".
        value_range: The source's values that become black and white; None where they are the type's own.
        reasons: How each choice was made.
    """

    height: int
    width: int
    channels: int
    fit: str
    dtype: str = "uint8"
    value_range: tuple[float, float] | None = None
    reasons: tuple[str, ...] = ()

    @property
    def image_shape(self) -> tuple[int, int, int]:
        return self.height, self.width, self.channels


@dataclasses.dataclass(frozen=True)
class Cache:
    """Pixels [N, H, W, C] of the usable pictures, with the position of each in the source.

    Args:
        images: Memory map of uint8, uint16 or float32, see `vae_tf.pixels`.
        positions: Position in `source.entries` of each row.
        skipped: (path, reason) of every file that could not be used.
        sizes: (height, width, channels, number of pictures) as the source has them, the most frequent first.
        hashes: One 64-bit hash of each picture's pixels [N]; equal pictures have equal hashes.
        fingerprint: Key of the files and options.
    """

    images: NDArray[Any]
    positions: NDArray[np.int64]
    skipped: list[tuple[str, str]]
    sizes: list[tuple[int, int, int, int]]
    hashes: NDArray[np.uint64]
    fingerprint: str


def choose_shape(
    source: Source,
    size: tuple[int, int] | None,
    channels: int | None,
    fit: str,
    value_range: tuple[float, float] | None = None,
) -> Shape:
    """Size, channels and values as asked, or chosen from a sample of the pictures' headers.

    Raises:
        UserError: None of the sampled files is a picture.
    """
    value_range = value_range or source.value_range
    if size is not None and channels is not None:
        return Shape(*size, channels, fit, source.dtype, value_range)
    probes = probe(source)
    reasons = []
    if size is None:
        size, reason = choose_size([(h, w) for h, w, _ in probes])
        reasons.append(reason)
    if channels is None:
        channels, reason = choose_channels(source, [c for _, _, c in probes])
        reasons.append(reason)
    return Shape(*size, channels, fit, source.dtype, value_range, tuple(reasons))


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
        raise UserError(f"None of the {count:,} pictures can be used.", f"The first: {reasons[0]}")
    return shapes


def choose_channels(source: Source, channels: list[int]) -> tuple[int, str]:
    """1 where the pictures are grey, whatever their files say, 3 where they are in colour.

    Raises:
        UserError: Grey and colour are truly mixed: which is meant might decide what the model finds.
    """
    num_grey, total = sum(count == 1 for count in channels), len(channels)
    if num_grey == total or looks_grey(source):
        return 1, "grey, as the pictures are"
    if not num_grey:
        return 3, "colour, as the pictures are"
    if num_grey <= LARGEST_STRAY_SHARE * total:
        return (
            3,
            f"colour, though {num_grey} of {total} pictures looked at are grey (--grey for brightness alone)",
        )
    raise UserError(
        f"Grey and colour are mixed: {num_grey} of {total} pictures looked at are grey.",
        "Say --rgb (a grey picture gets three equal channels) or --grey (colours become brightness).",
    )


def looks_grey(source: Source) -> bool:
    """Whether colour files hold grey pictures: equal channels in every one of up to 24 decoded pictures."""
    count = len(source.entries)
    for position in np.unique(np.linspace(0, count - 1, min(count, 24)).astype(int)):
        try:
            pixels = source.read(int(position))
        except UnusablePicture:
            continue
        if pixels.shape[-1] == 3 and np.ptp(pixels, axis=-1).max() > 2 / 255 * np.ptp(pixels):
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
    fingerprint = cache_key(source, shape)
    folder = root / fingerprint
    if not (folder / "index.json").exists():
        build(source, shape, folder, progress)
    cache = load_cache(folder)
    if not len(cache.positions):
        raise UserError(
            f"None of the {len(source.entries):,} pictures can be used.",
            f"The first: {cache.skipped[0][0]}: {cache.skipped[0][1]}",
        )
    return cache


def cache_key(source: Source, shape: Shape) -> str:
    """Names everything that decides the stored pixels."""
    options = [FORMAT, source.fingerprint(), *shape.image_shape, shape.fit, shape.dtype, shape.value_range]
    return hashlib.sha256(json.dumps(options).encode()).hexdigest()[:16]


def load_cache(folder: Path) -> Cache:
    """A finished cache; its pixels stay on disk until they are read."""
    index = json.loads((folder / "index.json").read_text())
    positions = np.asarray(index["positions"], dtype=np.int64)
    shape = (len(positions), *index["shape"])
    # A file of no bytes cannot be mapped.
    images = (
        np.memmap(folder / PIXELS, dtype=index["dtype"], mode="r", shape=shape)
        if len(positions)
        else np.zeros(shape, index["dtype"])
    )
    return Cache(
        images=images,
        positions=positions,
        skipped=[(path, why) for path, why in index["skipped"]],
        sizes=[(h, w, c, count) for h, w, c, count in index["sizes"]],
        hashes=np.fromfile(folder / HASHES, dtype=np.uint64),
        fingerprint=folder.name,
    )


def build(
    source: Source, shape: Shape, folder: Path, progress: Callable[[int, int], None] | None = None
) -> None:
    """Decodes every picture into `folder`, through a temporary sibling, so that a folder that exists is whole."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with working_in(folder.parent), new_folder(folder) as partial:
        write_cache(source, shape, partial, progress)
        sync_folder(partial)
        # Another process may have finished the same cache first; then its folder serves.
        if not renamed(partial, folder) and not (folder / "index.json").exists():
            replace_folder(partial, folder)


def write_cache(
    source: Source, shape: Shape, folder: Path, progress: Callable[[int, int], None] | None
) -> None:
    decode = decoder(source, shape)
    positions: list[int] = []
    skipped: list[tuple[str, str]] = []
    sizes: Counter[tuple[int, ...]] = Counter()
    total = len(source.entries)
    with (
        open(folder / PIXELS, "wb") as pixels,
        open(folder / HASHES, "wb") as hashes,
        keeping_memory(),
        ThreadPoolExecutor(getattr(source, "num_readers", None) or os.cpu_count()) as pool,
    ):
        for start in range(0, total, 256):
            block = range(start, min(start + 256, total))
            for position, result in zip(block, pool.map(decode, block), strict=True):
                if isinstance(result, str):
                    skipped.append((source.entries[position].path, result))
                else:
                    pixels.write(result.pixels)
                    hashes.write(hashlib.blake2b(result.pixels, digest_size=8).digest())
                    positions.append(position)
                    sizes[result.size] += 1
            if progress is not None:
                progress(block.stop, total)
    document = {
        "positions": positions,
        "skipped": skipped,
        "sizes": [[*size, count] for size, count in sizes.most_common()],
        "shape": shape.image_shape,
        "dtype": shape.dtype,
    }
    (folder / "index.json").write_text(json.dumps(document))


@dataclasses.dataclass(frozen=True)
class Decoded:
    """The bytes that go into the cache, and the size that the picture had."""

    pixels: bytes
    size: tuple[int, int, int]


def decoder(source: Source, shape: Shape) -> Callable[[int], Decoded | str]:
    """A function from a position to pixels, or to the reason (a string) why there are none."""
    shaped = shaper(shape)

    def decode(position: int) -> Decoded | str:
        try:
            with sharing_memory():
                values = source.read(position)
                height, width, channels = values.shape
                return Decoded(shaped(values).tobytes(), (height, width, channels))
        except UnusablePicture as error:
            return str(error)

    return decode


def shaper(shape: Shape) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """A function from values [h, w, 1 or 3] to stored pixels [H, W, C]; raises UnusablePicture where none are there."""
    import tensorflow as tf

    from vae_tf.data.resize import resize

    def make(num_channels: int) -> Any:
        signature = tf.TensorSpec((None, None, num_channels), shape.dtype)
        # Already traced: to find the trace anew for each picture takes 0.2 ms in which no other thread may run.
        return tf.function(lambda x: resize(x, *shape.image_shape, shape.fit)).get_concrete_function(
            signature
        )

    resizers = {1: make(1), 3: make(3)}

    def shaped(values: NDArray[Any]) -> NDArray[Any]:
        if values.dtype == np.float32 and not np.isfinite(values).all():
            raise UnusablePicture("holds values that are no finite numbers")
        pixels = in_bands(lambda rows: to_dtype(rescale(rows, shape.value_range), shape.dtype), values)
        if pixels.shape == shape.image_shape:
            return pixels
        resized: NDArray[Any] = resizers[pixels.shape[-1]](tf.constant(pixels)).numpy()
        return resized

    return shaped


def to_dtype(values: NDArray[Any], dtype: str) -> NDArray[Any]:
    """Values of another depth (an 8-bit picture for a model of 16-bit ones) at the stored one."""
    if values.dtype.name == dtype:
        return values
    unit = values.astype(np.float64) / WHITE[values.dtype.name] * WHITE[dtype]
    return (unit if dtype == "float32" else np.clip(np.rint(unit), 0, WHITE[dtype])).astype(dtype)
