"""How well pictures are reconstructed: mean squared error, PSNR and structural similarity, per picture."""

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from vae_tf import random
from vae_tf.groups import units_of
from vae_tf.pixels import to_unit

SSIM_WINDOW = 11


@dataclasses.dataclass(frozen=True)
class Quality:
    """Per picture [N]: `mse` in squared units of the pixel range [0, 1], and `ssim` up to 1."""

    mse: NDArray[np.float64]
    ssim: NDArray[np.float64]

    @classmethod
    def joined(cls, parts: Sequence["Quality"]) -> "Quality":
        """That of the parts' pictures, one part after the other."""
        return cls(
            np.concatenate([part.mse for part in parts]), np.concatenate([part.ssim for part in parts])
        )

    @property
    def psnr(self) -> NDArray[np.float64]:
        """Peak signal-to-noise ratio [N], −10·log₁₀(mse) decibels for a peak of 1; at most 100, which is equality."""
        return np.asarray(-10.0 * np.log10(np.maximum(self.mse, 1e-10)))


def squared_errors(pictures: NDArray[Any], reconstructions: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean squared error of each picture [N] over the pixels of stored pictures [N, H, W, C], in units of [0, 1]."""
    difference = to_unit(pictures) - reconstructions
    return np.asarray(np.mean(np.square(difference), axis=(1, 2, 3)), dtype=np.float64)


def quality(pictures: NDArray[Any], reconstructions: NDArray[np.float32]) -> Quality:
    """Compares stored pictures [N, H, W, C] with reconstructions in [0, 1] of the same shape.

    SSIM is that of Wang et al. 2004 with an 11-pixel Gaussian window, smaller where the picture is.
    """
    window = min(SSIM_WINDOW, *pictures.shape[1:3])
    mse, ssim = [], []
    # SSIM holds about ten copies of what it compares.
    step = min(max(8_000_000 // math.prod(pictures.shape[1:]), 16), 256)
    for start in range(0, len(pictures), step):
        x = tf.constant(to_unit(pictures[start : start + step]))
        y = tf.convert_to_tensor(reconstructions[start : start + step])
        mse.append(tf.reduce_mean(tf.square(x - y), axis=(1, 2, 3)).numpy())
        ssim.append(tf.image.ssim(x, y, max_val=1.0, filter_size=window).numpy())
    if not mse:
        return Quality(np.zeros(0), np.zeros(0))
    return Quality(np.concatenate(mse).astype(np.float64), np.concatenate(ssim).astype(np.float64))


def reconstruct(model: Any, pictures: NDArray[Any], batch_size: int | None = None) -> NDArray[np.float32]:
    """Reconstructions from the posterior means [N, H, W, C], float32 in [0, 1], of stored pictures."""
    if not len(pictures):
        return np.zeros((0, *model.image_shape), np.float32)
    return np.concatenate([rebuilt for _, rebuilt in rebuilt_batches(model, pictures, batch_size)])


def rebuilt_batches(
    model: Any, pictures: NDArray[Any], batch_size: int | None = None
) -> Iterator[tuple[NDArray[Any], NDArray[np.float32]]]:
    """Stored pictures with their reconstructions, a batch at a time: 2,000 of 256×256 in colour would fill 1.6 GB.

    More than a batch are computed in a graph: on two cores 1.4 times as fast for convolutions, four times for dense
    layers; tracing it takes longer than a batch does.
    """
    batch_size = batch_size or batch_size_for(model.image_shape)
    step = model.reconstruct
    if len(pictures) > batch_size:
        signature = tf.TensorSpec((None, *model.image_shape), pictures.dtype)
        graph = model.graphs.setdefault("reconstruct", tf.function(model.reconstruct))
        step = graph.get_concrete_function(signature)
    for start in range(0, len(pictures), batch_size):
        batch = np.asarray(pictures[start : start + batch_size])
        yield batch, np.asarray(step(tf.constant(batch)))


def batch_size_for(example_shape: tuple[int, ...]) -> int:
    """Examples to encode at once: many small ones, whose batches would else cost more to hand over than to compute."""
    return int(min(max(1_000_000 // math.prod(example_shape), 128), 1024))


@dataclasses.dataclass(frozen=True)
class Interval:
    """A mean with the 95 % percentile interval of a bootstrap over groups; None where there is one group only."""

    value: float
    low: float | None
    high: float | None


def mean_interval(
    values: NDArray[np.float64], groups: NDArray[np.int64], num_resamples: int = 2000, seed: int = 0
) -> Interval:
    """Mean of `values` [N] and its interval; whole groups are resampled, −1 counts as a group of its own.

    Pictures of one person are no independent witnesses, so that resampling pictures would promise too much.
    """
    inverse = units_of(groups)
    sums, counts = np.bincount(inverse, weights=values), np.bincount(inverse)
    value = float(np.mean(values)) if len(values) else float("nan")
    if len(counts) < 2:
        return Interval(value, None, None)
    generator = random.generator(seed, "bootstrap")
    draws = generator.integers(0, len(counts), (num_resamples, len(counts)))
    means = sums[draws].sum(1) / counts[draws].sum(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(value, float(low), float(high))


def standard_error(values: NDArray[np.float64], groups: NDArray[np.int64]) -> float:
    """Standard error of the mean of `values` [N] where pictures of one group are no independent witnesses.

    √(G/(G − 1)·Σ_g e_g²)/N, e_g the sum of a group's deviations from the mean (Liang & Zeger 1986, for a mean);
    without groups it is the usual s/√N. NaN for one group.
    """
    units = units_of(groups)
    sums = np.bincount(units, weights=values - values.mean())
    if len(sums) < 2:
        return float("nan")
    return float(np.sqrt(len(sums) / (len(sums) - 1) * np.sum(sums**2)) / len(values))


def group_means(values: NDArray[np.float64], groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean of `values` [N] within each group [G]."""
    units = units_of(groups)
    return np.asarray(np.bincount(units, weights=values) / np.bincount(units))
