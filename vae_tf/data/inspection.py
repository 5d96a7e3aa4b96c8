"""What a set of pictures looks like, and what is odd about it: copies, leaks between parts, constant pictures."""

import dataclasses
import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae_tf.data.near_copies import (
    SMALLEST_SIDE,
    THUMBNAIL_SIDE,
    affordable,
    as_fractions,
    candidate_pairs,
    compare,
    no_pairs,
    shrinking,
)
from vae_tf.data.splits import OTHER, PARTS

Floats = NDArray[np.float32]
Integers = NDArray[np.integer[Any]]

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
NUM_LISTED = 200
CHUNK_BYTES = 16_000_000


@dataclasses.dataclass(frozen=True)
class Copies:
    """Pictures that are copies of each other.

    Args:
        positions: Two or more of them, ascending; of near copies always two.
        similarity: 1 for exact copies, else 1 − the largest local difference, as a share of the contrast.
        across_parts: Whether they lie in different parts ("other", of which no figure speaks, is not counted).
        across_classes: Whether they have different labels (none at all is not counted).
    """

    positions: list[int]
    similarity: float
    across_parts: bool
    across_classes: bool


@dataclasses.dataclass(frozen=True)
class Inspection:
    """What was found; lists hold at most `NUM_LISTED` entries, the worst first, and the numbers count all.

    Args:
        num_pictures: N.
        image_shape: Height, width, channels.
        counts: Pictures by part (row, as in `splits.PARTS`) and class; the last column counts those without one.
        brightness: `QUANTILES` over the pictures of the mean of each, on a scale from 0 to 1.
        contrast: The same of the standard deviation of each picture's pixels.
        exact: Groups of pictures with equal pixels.
        num_exact: Such groups.
        num_extra: Pictures that repeat an earlier one exactly.
        num_exact_across_parts: Such groups that lie in more than one part.
        num_exact_across_classes: Such groups with more than one label.
        near: Pairs that are nearly the same picture; of exact copies only the first takes part.
        num_near: Such pairs.
        num_near_across_parts: Such pairs in different parts.
        num_candidates: Pairs that were alike enough to be compared.
        num_compared: Pairs that were compared, the most alike first.
        searched: Whether near copies were looked for: not in pictures smaller than `SMALLEST_SIDE`.
        constant: Pictures whose pixels are all equal.
        num_constant: Such pictures.
        not_finite: Pictures with pixels that are no numbers.
        num_not_finite: Such pictures.
        groups_across: Groups with pictures in more than one part ("other", of which no figure speaks, is not counted).
        num_groups_across: Such groups.
        num_groups: Groups of pictures.
    """

    num_pictures: int
    image_shape: list[int]
    counts: list[list[int]]
    brightness: list[float]
    contrast: list[float]
    exact: list[Copies]
    num_exact: int
    num_extra: int
    num_exact_across_parts: int
    num_exact_across_classes: int
    near: list[Copies]
    num_near: int
    num_near_across_parts: int
    num_candidates: int
    num_compared: int
    searched: bool
    constant: list[int]
    num_constant: int
    not_finite: list[int]
    num_not_finite: int
    groups_across: list[int]
    num_groups_across: int
    num_groups: int

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Inspection":
        copies = {key: [Copies(**found) for found in document[key]] for key in ("exact", "near")}
        return cls(**{**document, **copies})


@dataclasses.dataclass(frozen=True)
class Summary:
    """What one pass over the pixels leaves of each of N pictures."""

    hashes: NDArray[np.void]  # 128 bits each
    thumbnails: NDArray[np.float16]  # grey [N, 16, 16], mean 0, standard deviation 1
    brightness: Floats
    contrast: Floats
    constant: NDArray[np.bool_]
    finite: NDArray[np.bool_]


def inspect(
    images: NDArray[Any],
    parts: Integers,
    labels: Integers,
    groups: Integers,
    progress: Callable[[int, int], None] | None = None,
) -> Inspection:
    """Reads every picture once, in chunks, and the most similar ones again.

    Args:
        images: [N, H, W, C], uint8 or uint16 over their whole range, or floats in [0, 1]; may be a memory map.
        parts: Position in `splits.PARTS` of each picture [N].
        labels: Class of each picture [N], −1 for none.
        groups: Group of each picture [N], −1 for none.
        progress: Called with (done, total) pictures while reading.
    """
    summary = summarise(images, progress)
    copies = exact_copies(summary.hashes)
    exact = [describe(members, 1.0, parts, labels) for members in copies]
    usable = summary.finite & ~summary.constant
    usable[[member for members in copies for member in members[1:]]] = False
    searched = min(images.shape[1:3]) >= SMALLEST_SIDE
    candidates = candidate_pairs(summary.thumbnails, np.flatnonzero(usable)) if searched else no_pairs()
    compared = candidates[: affordable(images.shape)]
    near = [describe([a, b], similarity, parts, labels) for a, b, similarity in compare(images, compared)]
    constant, broken = np.flatnonzero(summary.constant), np.flatnonzero(~summary.finite)
    across = groups_across(groups, parts)
    good = summary.finite
    return Inspection(
        num_pictures=len(images),
        image_shape=[int(side) for side in images.shape[1:]],
        counts=count(parts, labels),
        brightness=quantiles(summary.brightness[good]),
        contrast=quantiles(summary.contrast[good]),
        exact=worst_first(exact)[:NUM_LISTED],
        num_exact=len(exact),
        num_extra=sum(len(found.positions) - 1 for found in exact),
        num_exact_across_parts=sum(found.across_parts for found in exact),
        num_exact_across_classes=sum(found.across_classes for found in exact),
        near=worst_first(near)[:NUM_LISTED],
        num_near=len(near),
        num_near_across_parts=sum(found.across_parts for found in near),
        num_candidates=len(candidates),
        num_compared=len(compared),
        searched=searched,
        constant=constant[:NUM_LISTED].tolist(),
        num_constant=len(constant),
        not_finite=broken[:NUM_LISTED].tolist(),
        num_not_finite=len(broken),
        groups_across=across[:NUM_LISTED],
        num_groups_across=len(across),
        num_groups=len(np.unique(groups[groups >= 0])),
    )


def describe(members: list[int], similarity: float, parts: Integers, labels: Integers) -> Copies:
    """The copies with whether parts and labels differ among them."""
    inside = [int(parts[i]) for i in members if parts[i] != OTHER]
    known = {int(labels[i]) for i in members if labels[i] >= 0}
    return Copies(members, similarity, len(set(inside)) > 1, len(known) > 1)


def worst_first(found: list[Copies]) -> list[Copies]:
    """Those in different parts first, then those in different classes, then the most similar."""
    return sorted(
        found, key=lambda copies: (not copies.across_parts, not copies.across_classes, -copies.similarity)
    )


def count(parts: Integers, labels: Integers) -> list[list[int]]:
    """Pictures by part and class; the last column counts the unlabelled."""
    table = np.zeros((len(PARTS), int(labels.max(initial=-1)) + 2), dtype=np.int64)
    np.add.at(table, (parts, labels), 1)  # label −1 is the last column
    return table.tolist()  # type: ignore[no-any-return]


def quantiles(values: Floats) -> list[float]:
    return [round(float(q), 4) for q in np.quantile(values, QUANTILES)] if len(values) else []


def groups_across(groups: Integers, parts: Integers) -> list[int]:
    """Groups with pictures in more than one part."""
    inside = (parts != OTHER) & (groups >= 0)
    pairs = np.unique(np.column_stack([groups[inside], parts[inside]]), axis=0)
    found, times = np.unique(pairs[:, 0], return_counts=True)
    return found[times > 1].tolist()  # type: ignore[no-any-return]


def summarise(images: NDArray[Any], progress: Callable[[int, int], None] | None = None) -> Summary:
    """One pass over the pixels, a few megabytes at a time."""
    total, height, width, channels = images.shape
    hashes = np.empty((total, 2), dtype=np.uint64)
    thumbnails = np.empty((total, THUMBNAIL_SIDE, THUMBNAIL_SIDE), dtype=np.float16)
    brightness, contrast = np.empty(total, np.float32), np.empty(total, np.float32)
    constant, finite = np.empty(total, bool), np.empty(total, bool)
    # Grey is the mean of the channels; both sides shrink by area, so that two products of matrices do it all.
    across = np.repeat(shrinking(width, THUMBNAIL_SIDE).T, channels, axis=0) / channels
    down = shrinking(height, THUMBNAIL_SIDE)
    step = max(1, CHUNK_BYTES // (4 * height * width * channels))
    for start in range(0, total, step):
        chunk = np.ascontiguousarray(images[start : start + step])
        here = slice(start, start + len(chunk))
        for i, picture in enumerate(chunk):
            digest = hashlib.blake2b(picture.data, digest_size=16).digest()
            hashes[start + i] = np.frombuffer(digest, np.uint64)
        flat = chunk.reshape(len(chunk), -1, channels)
        constant[here] = (flat == flat[:, :1]).all(axis=(1, 2))
        values = as_fractions(chunk).reshape(len(chunk), -1)
        finite[here] = np.isfinite(values.sum(axis=1))
        values[~finite[here]] = 0
        brightness[here] = values.mean(axis=1)
        contrast[here] = np.sqrt(
            np.maximum(np.einsum("ni,ni->n", values, values) / values.shape[1] - brightness[here] ** 2, 0)
        )
        small = down @ (values.reshape(len(chunk), height, width * channels) @ across)
        small -= small.mean(axis=(1, 2), keepdims=True)
        thumbnails[here] = small / np.maximum(small.std(axis=(1, 2), keepdims=True), 1e-4)
        if progress is not None:
            progress(here.stop, total)
    pairs = hashes.view([("high", np.uint64), ("low", np.uint64)])[:, 0]
    return Summary(pairs, thumbnails, brightness, contrast, constant, finite)


def exact_copies(hashes: NDArray[np.void]) -> list[list[int]]:
    """Positions of equal hashes, each group ascending, in the order of their first pictures."""
    order = np.argsort(hashes, kind="stable")
    starts = np.flatnonzero(np.append(True, hashes[order][1:] != hashes[order][:-1]))
    found = [group.tolist() for group in np.split(order, starts[1:]) if len(group) > 1]
    return sorted(found)
