"""How far apart two sets of pictures are as wholes: a Fréchet distance in a stated space, and fine detail."""

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae_tf import random
from vae_tf.evaluation.pca import PCA
from vae_tf.pixels import to_unit

Floats = NDArray[np.float64]

NUM_SPLITS = 10
# Pictures that are turned into floats at a time.
NUM_AT_ONCE = 256


@dataclasses.dataclass(frozen=True)
class Frechet:
    """A squared Fréchet distance between principal components of pictures; not an FID, nor to be compared with one.

    Both numbers are means over the same ten splits and hold sets of `set_size` pictures, so that their biases agree:
    the estimate is too large for small sets (Chong & Forsyth 2020), and `value` is to be read against `floor`.

    Args:
        value: Between real pictures and samples, in squared units of the pixel range [0, 1] summed over pixels.
        num_reference, num_samples: Pictures given.
        floor: Between disjoint halves of the real pictures: what 0 looks like with so few pictures.
        set_size: Pictures in each set that was compared.
        num_components: Dimensions of the space, at most as many as were asked for.
    """

    value: float
    num_reference: int
    num_samples: int
    floor: float
    set_size: int
    num_components: int


def frechet_distance(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Squared Fréchet distance of the normals fitted to two sets of features [N, k] and [M, k].

    ‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2 (Σ₁^½ Σ₂ Σ₁^½)^½) (Dowson & Landau 1982), 0 to ∞, with covariances over N − 1. It sees
    means and covariances only. Biased upwards: sets from one distribution are not at 0, the less so the more
    features and the fewer rows there are; two distances compare only at equal numbers of rows.
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if first.ndim != 2 or first.shape[1:] != second.shape[1:] or min(len(first), len(second)) < 2:
        raise ValueError(
            f"Features have shapes {first.shape} and {second.shape}; expected [N, k], N at least 2."
        )
    covariances = [np.atleast_2d(np.cov(rows, rowvar=False)) for rows in (first, second)]
    return frechet_of_normals(first.mean(axis=0), covariances[0], second.mean(axis=0), covariances[1])


def frechet_of_normals(
    first_mean: Floats, first_covariance: Floats, second_mean: Floats, second_covariance: Floats
) -> float:
    """As `frechet_distance`, of means [k] and covariances [k, k], which may be singular.

    The trace of the square root is the sum of the singular values of Σ₁^½ Σ₂^½: no root is taken of rounding errors.
    """
    overlap = np.linalg.svd(_root(first_covariance) @ _root(second_covariance), compute_uv=False).sum()
    shift = ((first_mean - second_mean) ** 2).sum()
    return max(0.0, float(shift + np.trace(first_covariance) + np.trace(second_covariance) - 2 * overlap))


def frechet_in_pca(
    reference: NDArray[Any], samples: NDArray[Any], train: NDArray[Any], num_components: int, seed: int = 0
) -> Frechet:
    """The distance between pictures in the space of the training pictures' principal components.

    Components of pixels see layout, light and colour, hardly fine detail (see `high_frequency_ratio`) and nothing of
    what is depicted. Sets have the size of half the reference, or of the samples where those are fewer.

    Args:
        reference: Real pictures not trained on [N, H, W, C], stored pixels of any depth; at least 4.
        samples: Pictures of the model [M, H, W, C], stored pixels or float32 in [0, 1]; at least 2.
        train: Pictures that the components are fitted on.
        num_components: k; fewer where there are fewer training pictures or pixels.
        seed: Of the decomposition and of the splits.
    """
    set_size = min(len(reference) // 2, len(samples))
    if set_size < 2:
        raise ValueError(
            f"{len(reference)} real pictures and {len(samples)} samples; expected 4 and 2 at least."
        )
    pca = PCA(num_components, seed).fit(train, None)
    real, drawn = _scores(pca, reference), _scores(pca, samples)
    generator = random.generator(seed, "frechet")
    values, floors = [], []
    for _ in range(NUM_SPLITS):
        order = generator.permutation(len(real))
        half, other = real[order[:set_size]], real[order[set_size : 2 * set_size]]
        values.append(frechet_distance(half, drawn[generator.permutation(len(drawn))[:set_size]]))
        floors.append(frechet_distance(half, other))
    return Frechet(
        value=float(np.mean(values)),
        num_reference=len(reference),
        num_samples=len(samples),
        floor=float(np.mean(floors)),
        set_size=set_size,
        num_components=real.shape[1],
    )


def high_frequency_share(pictures: NDArray[Any]) -> float:
    """Share of pictures' [N, H, W, C] power spectrum above a quarter of the sampling frequency; 0 to 1.

    That is more than 0.25 cycles per pixel in any direction: what spans fewer than four pixels. Each picture and
    channel less its mean, under a sin² window against the jump from one border to the other; power is summed over
    all pictures before the share is taken, so that pictures with strong contrast weigh more.
    """
    height, width = pictures.shape[1:3]
    window = _window(height)[:, None] * _window(width)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    # The half spectrum holds one of each pair of opposite frequencies; these columns stand for themselves alone.
    alone = (np.arange(len(np.fft.rfftfreq(width))) * 2) % width == 0
    weight = np.where(alone, 1.0, 2.0) * np.ones((height, 1))
    power = np.zeros((height, len(alone)))
    for start in range(0, len(pictures), NUM_AT_ONCE):
        block = to_unit(pictures[start : start + NUM_AT_ONCE]).astype(np.float64).transpose(0, 3, 1, 2)
        centre = (block * window).sum(axis=(2, 3), keepdims=True) / window.sum()
        power += (np.abs(np.fft.rfft2((block - centre) * window)) ** 2).sum(axis=(0, 1))
    power *= weight
    total = power.sum()
    # Less than a change of one pixel by one of 65,535 levels is rounding.
    return float(power[frequency > 0.25].sum() / total) if total > 1e-12 else 0.0


def high_frequency_ratio(reference: NDArray[Any], samples: NDArray[Any]) -> float:
    """How much of the real pictures' fine detail samples have: the ratio of their `high_frequency_share`s.

    1: as much; below 1: blurred; above 1: noise or edges that real pictures lack. It is blind to where the detail is:
    the right amount of noise repairs the ratio of a blurred picture. Not-a-number where real pictures have no detail.
    """
    real = high_frequency_share(reference)
    return high_frequency_share(samples) / real if real > 0 else float("nan")


def _scores(pca: PCA, pictures: NDArray[Any]) -> Floats:
    blocks = [
        pca.encode(pictures[start : start + NUM_AT_ONCE]) for start in range(0, len(pictures), NUM_AT_ONCE)
    ]
    return np.concatenate(blocks).astype(np.float64)


def _root(covariance: Floats) -> Floats:
    """The symmetric square root of a positive semi-definite matrix; eigenvalues below 0 are rounding."""
    eigenvalues, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors * np.sqrt(np.maximum(eigenvalues, 0))) @ vectors.T)


def _window(size: int) -> Floats:
    """sin² over `size` pixels, nowhere 0."""
    return np.asarray(np.sin(np.pi * (np.arange(size) + 0.5) / size) ** 2)
