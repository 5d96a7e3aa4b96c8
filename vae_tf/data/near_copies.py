"""Pictures that are nearly the same: one photograph encoded again, resized, brightened or cropped by a pixel or two.

They are found in three steps, each dearer than the one before and left with fewer
pairs: neighbours among small grey thumbnails; one linear step that asks how much of their difference a shift, a
stretch, a blur or another contrast explains; and at last the pictures themselves, aligned. What decides is the
*largest* local difference that alignment leaves, not the mean: encoding a photograph again changes it a little
everywhere, while another picture of the same person, another handwritten 1 or another colour of a shirt changes it much
somewhere.

Measured with the limits below: of 100 pictures changed by Pillow and put among all the others, so many were found.

                                London 128  London 64  ORL 92×112  MNIST, 6,000  sprites, 15,552
    JPEG, quality 90                   100        100         100           100               70
    JPEG, quality 50                   100        100         100            98
    JPEG, quality 30                   100         92         100            84                0
    half the size and back             100        100         100            35
    three quarters and back            100        100         100            91              100
    brighter by a tenth                 92         96         100           100               71
    1 pixel off every side             100        100          99            88                0
    2 pixels off every side            100         85          94             0
    1 pixel, JPEG 50, brighter          99        100          97            44

Of these sets as they are, nothing was reported, nor of all 60,000 digits. A pixel is a lot of a digit, and JPEG changes
a sprite of 64 pixels more than another skin does: there copies are missed rather than invented. Where very many
pictures are alike (sprites; 200,000 faces), only the most alike pairs are compared, and `search_note` says so.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

# Limits of a near copy, as shares of the picture's contrast (from its 2nd to its 98th percentile of grey).
LARGEST_GREY = 0.07
LARGEST_COLOUR = 0.09
# Added to the difference for what had to be matched: two handwritten 1s may fit once one is moved and made stronger.
CHARGE_FOR_MOVING = 0.5  # times the shift, as a share of the side
CHARGE_FOR_CONTRAST = 0.12  # times the change of contrast
# Root mean square of what is left, as a share of the picture's standard deviation.
LARGEST_RESIDUAL = 0.06

SMALLEST_SIDE = 16  # pictures smaller than this are alike without being copies
LARGEST_SIDE = 64  # larger ones are compared at this size
THUMBNAIL_SIDE = 16
NUM_COMPONENTS = 8
NUM_NEIGHBOURS = 10
NUM_CLOSEST = 6
LARGEST_DISTANCE = 0.7
LARGEST_UNEXPLAINED = 0.6
# Of the pairs that are compared: 8,000 pairs of 64×64×3 take 15 s on one core.
LARGEST_NUM_VALUES = 100_000_000


def as_fractions(pixels: NDArray[Any]) -> Floats:
    """Pixels on a scale from 0 to 1."""
    largest = np.iinfo(pixels.dtype).max if np.issubdtype(pixels.dtype, np.integer) else 1
    fractions: Floats = pixels.astype(np.float32) / np.float32(largest)
    return fractions


def shrinking(size: int, smaller: int) -> Floats:
    """Matrix [smaller, size] whose product with a row of pixels is the mean over each part of it."""
    edges = np.linspace(0, size, smaller + 1)
    pixels = np.arange(size)
    shares = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return np.asarray(np.clip(shares, 0, None) * smaller / size, dtype=np.float32)


def no_pairs() -> NDArray[np.int64]:
    return np.empty((0, 2), dtype=np.int64)


def candidate_pairs(thumbnails: NDArray[np.float16], positions: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pairs [P, 2] among `positions` whose thumbnails differ by what a copy may differ by, the most alike first.

    Neighbours are looked for among the leading principal components, where a tree is quick and a distance is never
    larger than the one that it stands for; then the closest are kept.
    """
    from scipy.spatial import cKDTree

    if len(positions) < 2:
        return no_pairs()
    half = THUMBNAIL_SIDE // 2
    coarse = np.concatenate(
        [
            thumbnails[chunk]
            .astype(np.float32)
            .reshape(-1, half, 2, half, 2)
            .mean(axis=(2, 4))
            .reshape(-1, half**2)
            for chunk in np.array_split(positions, len(positions) // 4096 + 1)
        ]
    )
    coarse /= np.maximum(np.linalg.norm(coarse, axis=1, keepdims=True), 1e-4)
    coarse -= coarse.mean(axis=0)
    _, axes = np.linalg.eigh(coarse.T @ coarse)
    leading = (coarse @ axes[:, : -NUM_COMPONENTS - 1 : -1]).astype(np.float64)
    neighbours = min(NUM_NEIGHBOURS, len(positions) - 1) + 1
    tree, pairs = cKDTree(leading), []
    for chunk in np.array_split(np.arange(len(positions)), len(positions) // 4096 + 1):
        _, near = tree.query(leading[chunk], neighbours, distance_upper_bound=LARGEST_DISTANCE)
        near = np.where(near == len(positions), chunk[:, None], near)  # none so near: itself, dropped below
        distance = np.linalg.norm(coarse[near] - coarse[chunk, None], axis=2)
        distance[near == chunk[:, None]] = np.inf
        closest = np.argsort(distance, axis=1)[:, :NUM_CLOSEST]
        kept = np.take_along_axis(distance, closest, 1) <= LARGEST_DISTANCE
        others = np.take_along_axis(near, closest, 1)[kept]
        pairs.append(np.column_stack([np.repeat(chunk, kept.sum(axis=1)), others]))
    found = positions[np.unique(np.sort(np.concatenate(pairs), axis=1), axis=0)]
    if not len(found):
        return no_pairs()
    unexplained = np.concatenate(
        [
            unexplained_share(
                thumbnails[chunk[:, 0]].astype(np.float32), thumbnails[chunk[:, 1]].astype(np.float32)
            )
            for chunk in np.array_split(found, len(found) // 1024 + 1)
        ]
    )
    order = np.argsort(unexplained, kind="stable")
    return np.asarray(found[order[unexplained[order] <= LARGEST_UNEXPLAINED]])


def unexplained_share(a: Floats, b: Floats) -> Floats:
    """What one least-squares step of shift, stretch, blur and contrast leaves of the difference of a and b.

    Args:
        a: Thumbnails [P, side, side] of mean 0 and standard deviation 1.
        b: As many others.

    Returns:
        Root mean square of the rest [P], about 1.4 for thumbnails that have nothing in common.
    """
    inner = (slice(None), slice(1, -1), slice(1, -1))
    causes = distortions((a + b) * np.float32(0.5))[:, :6, 1:-1, 1:-1].reshape(len(a), 6, -1)
    causes -= causes.mean(axis=2, keepdims=True)
    difference = (a - b)[inner].reshape(len(a), -1)
    difference = difference - difference.mean(axis=1, keepdims=True)
    rest = difference - np.einsum("nk,nki->ni", fitted(causes, causes, difference), causes)
    return np.sqrt((rest**2).mean(axis=1))  # type: ignore[no-any-return]


def distortions(grey: Floats) -> Floats:
    """How pictures [P, h, w] change when shifted or stretched, down and across, blurred, scaled or lifted.

    Returns:
        [P, 7, h, w], in this order: down, stretched down, across, stretched across, blurred, scaled, lifted.
    """
    _, height, width = grey.shape
    y, x = ramp(height)[:, None], ramp(width)
    down = np.gradient(grey, axis=1) * np.float32((height - 1) / 2)
    across = np.gradient(grey, axis=2) * np.float32((width - 1) / 2)
    changes = [down, down * y, across, across * x, laplacian(grey), grey, np.ones_like(grey)]
    return np.stack(changes, axis=1).astype(np.float32, copy=False)


def ramp(size: int) -> Floats:
    return np.linspace(-1, 1, size, dtype=np.float32)


def laplacian(grey: Floats) -> Floats:
    """Sum of the four neighbours less four times the pixel [P, h, w]: blurring adds some of it."""
    padded = np.pad(grey, ((0, 0), (1, 1), (1, 1)), mode="edge")
    beside = padded[:, 2:, 1:-1] + padded[:, :-2, 1:-1] + padded[:, 1:-1, 2:] + padded[:, 1:-1, :-2]
    return beside - 4 * grey


def fitted(weighted: Floats, causes: Floats, difference: Floats) -> Floats:
    """Least squares [P, K]: how much of each cause [P, K, pixels] is in the difference [P, pixels]."""
    moments = (weighted @ causes.transpose(0, 2, 1)).astype(np.float64)
    size = np.maximum(np.diagonal(moments, axis1=1, axis2=2), 1e-9)
    moments += (
        1e-4 * size[:, :, None] * np.eye(causes.shape[1])
    )  # a picture without structure tells nothing of shifts
    right = (weighted @ difference[..., None]).astype(np.float64)
    return np.linalg.solve(moments, right)[..., 0].astype(np.float32)  # type: ignore[no-any-return]


def affordable(shape: tuple[int, ...]) -> int:
    """How many pairs of pictures of this shape are compared at most."""
    _, height, width, channels = shape
    return LARGEST_NUM_VALUES // (min(height, LARGEST_SIDE) * min(width, LARGEST_SIDE) * channels)


def compare(images: NDArray[Any], pairs: NDArray[np.int64]) -> list[tuple[int, int, float]]:
    """The pairs [P, 2] that are near copies, each with its similarity."""
    height, width = images.shape[1:3]
    size = min(height, LARGEST_SIDE), min(width, LARGEST_SIDE)
    found = []
    for chunk in np.array_split(pairs, len(pairs) // 32 + 1):
        if not len(chunk):
            continue
        a, b = (shrunk(as_fractions(images[side]), *size) for side in chunk.T)
        grey, colour, residual = differences(a, b)
        near = (grey <= LARGEST_GREY) & (colour <= LARGEST_COLOUR) & (residual <= LARGEST_RESIDUAL)
        for i in np.flatnonzero(near):
            similarity = round(1 - float(max(grey[i], colour[i])), 4)
            found.append((int(chunk[i, 0]), int(chunk[i, 1]), similarity))
    return found


def shrunk(pixels: Floats, height: int, width: int) -> Floats:
    """Pictures [P, H, W, C] of a smaller size, every pixel the mean of those that it stands for."""
    total, old_height, old_width, channels = pixels.shape
    if old_height > height:
        rows = shrinking(old_height, height) @ pixels.reshape(total, old_height, -1)
        pixels = rows.reshape(total, height, old_width, channels)
    if old_width > width:
        pixels = shrinking(old_width, width) @ pixels
    return pixels


def differences(a: Floats, b: Floats) -> tuple[Floats, Floats, Floats]:
    """What is left of the differences of pictures [P, h, w, C] once they are aligned.

    Returns:
        Largest local difference in grey (with the charge for moving and contrast) and in colour, as shares of the
        contrast, and the root mean square of the
        difference in grey, as a share of its standard deviation; each [P].
    """
    sharper = (sharpness(a.mean(axis=-1)) > sharpness(b.mean(axis=-1)))[:, None, None, None]
    a, b = (
        np.where(sharper, b, a),
        np.where(sharper, a, b),
    )  # b is moved and blurred, which a sharp picture stands
    place, blurring, gain = align(a.mean(axis=-1), b.mean(axis=-1))
    b = moved(b, place)
    margin = min(4, min(a.shape[1:3]) // 6)  # what lies there may have been cropped away
    rest, grey = left_over(a, b, blurring, gain, 3, margin)
    low, high = np.percentile(grey.reshape(len(a), -1), [2, 98], axis=1)
    contrast = np.maximum(high - low, 0.03).astype(np.float32)
    spread = np.maximum(grey.std(axis=(1, 2)), 0.01)
    in_grey = rest.mean(axis=-1)
    # A place of 1 is half of the side.
    moving = np.maximum(np.abs(place[:, :2]).sum(axis=1), np.abs(place[:, 2:]).sum(axis=1)) / 2
    effort = CHARGE_FOR_MOVING * moving + CHARGE_FOR_CONTRAST * np.abs(gain - 1)
    # Where nearly all that is to be seen lies in the margin, the rest proves nothing.
    told = grey.std(axis=(1, 2)) >= 0.5 * a.mean(axis=-1).std(axis=(1, 2))
    # JPEG keeps colours at half the resolution, so that they are compared over a wider neighbourhood.
    colours, _ = left_over(a, b, blurring, gain, 7, min(7, min(a.shape[1:3]) // 4))
    return (
        np.where(told, np.abs(in_grey).max(axis=(1, 2)) / contrast + effort, np.inf),
        np.abs(colours).max(axis=(1, 2, 3)) / contrast,
        np.sqrt((in_grey**2).mean(axis=(1, 2))) / spread,
    )


def left_over(
    a: Floats, b: Floats, blurring: Floats, gain: Floats, neighbourhood: int, margin: int
) -> tuple[Floats, Floats]:
    """Local differences [P, h, w, C] of aligned pictures, without the margin, and the grey of a."""
    inner = (slice(None), slice(margin, -margin), slice(margin, -margin))
    a, b = smooth(a, neighbourhood), smooth(b, neighbourhood)
    blurred = np.stack([laplacian(b[..., channel]) for channel in range(b.shape[-1])], axis=-1)
    rest = a - gain[:, None, None, None] * (b + blurring[:, None, None, None] * blurred)
    rest = (rest * ~blown_out(a, b))[inner]
    return rest - np.median(rest, axis=(1, 2), keepdims=True), a[inner].mean(axis=-1)


def blown_out(a: Floats, b: Floats) -> NDArray[np.bool_]:
    """Where one of two bright pixels is white: what was brighter before is lost there."""
    return (np.maximum(a, b) > 0.97) & (np.minimum(a, b) > 0.85)  # type: ignore[no-any-return]


def align(a: Floats, b: Floats) -> tuple[Floats, Floats, Floats]:
    """Shift, stretch, blur and contrast that make b most like a (Lucas & Kanade 1981), from coarse to fine.

    Args:
        a: Grey pictures [P, h, w].
        b: As many others.

    Returns:
        Place [P, 4] for `moved`, share of the Laplacian [P], factor of contrast [P].
    """
    total, height, width = a.shape
    farthest = np.array([7 / height] * 2 + [7 / width] * 2, dtype=np.float32)  # three and a half pixels
    margin = min(4, min(height, width) // 6)
    inner = (slice(None), slice(margin, -margin), slice(margin, -margin))
    place = np.zeros((total, 4), np.float32)
    change = np.zeros((total, 7), np.float32)
    for neighbourhood in (7, 5, 3, 3, 3):
        to = smooth(a[..., None], neighbourhood)[..., 0]
        now = moved(smooth(b[..., None], neighbourhood), place)[..., 0]
        causes = distortions(now)[:, :, margin:-margin, margin:-margin].reshape(total, 7, -1)
        seen = ~blown_out(to, now)[inner].reshape(total, 1, -1)
        change = fitted(causes * seen, causes, (to - now)[inner].reshape(total, -1))
        place = np.clip(place + change[:, :4], -farthest, farthest)
    return place, np.clip(change[:, 4], -0.25, 1), np.clip(1 + change[:, 5], 0.7, 1.4)


def moved(pictures: Floats, place: Floats) -> Floats:
    """Pictures [P, h, w, C] shifted by `place[:, 0]` and stretched by `place[:, 1]` down, by 2 and 3 across."""
    total, height, width, channels = pictures.shape
    rows = interpolation(height, place[:, 0], place[:, 1])
    columns = interpolation(width, place[:, 2], place[:, 3])
    down = (rows @ pictures.reshape(total, height, -1)).reshape(total, height, width, channels)
    return columns[:, None] @ down


def interpolation(size: int, shift: Floats, stretch: Floats) -> Floats:
    """Matrices [P, size, size] of linear interpolation; 1 is half of the side."""
    places = (ramp(size) * (1 + stretch[:, None]) + shift[:, None] + 1) * np.float32((size - 1) / 2)
    places = np.clip(places, 0, size - 1)
    return np.asarray(np.maximum(1 - np.abs(places[..., None] - np.arange(size, dtype=np.float32)), 0))


def smooth(pictures: Floats, neighbourhood: int) -> Floats:
    """Means over squares of so many pixels [P, h, w, C]."""
    from scipy.ndimage import uniform_filter1d

    for axis in (1, 2):
        pictures = uniform_filter1d(pictures, neighbourhood, axis, mode="nearest")
    return pictures


def sharpness(grey: Floats) -> Floats:
    """Energy of the edges against that of the picture [P]."""
    edges = np.gradient(grey, axis=1) ** 2 + np.gradient(grey, axis=2) ** 2
    return edges.mean(axis=(1, 2)) / np.maximum(grey.var(axis=(1, 2)), 1e-6)  # type: ignore[no-any-return]
