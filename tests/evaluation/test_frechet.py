"""Fréchet distances in closed form and against SciPy's matrix root; fine detail against waves, noise and blur."""

import numpy as np
import pytest
import scipy.linalg
import scipy.ndimage
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from vae_tf.evaluation.frechet import (
    frechet_distance,
    frechet_in_pca,
    frechet_of_normals,
    high_frequency_ratio,
    high_frequency_share,
)

Array = NDArray[np.float64]


def covariance_of(generator: np.random.Generator, size: int, rank: int) -> Array:
    factor = generator.normal(size=(size, rank))
    return factor @ factor.T


def test_normals_with_the_same_axes() -> None:
    first, second = np.array([4.0, 1.0, 0.0]), np.array([1.0, 9.0, 2.0])
    axes = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    covariances = [axes @ np.diag(spectrum) @ axes.T for spectrum in (first, second)]
    shift = np.array([1.0, -2.0, 0.5])
    expected = (shift**2).sum() + ((np.sqrt(first) - np.sqrt(second)) ** 2).sum()
    value = frechet_of_normals(np.zeros(3), covariances[0], shift, covariances[1])
    assert value == pytest.approx(expected, rel=1e-12)
    assert frechet_of_normals(shift, covariances[1], np.zeros(3), covariances[0]) == pytest.approx(value)


def test_singular_normals_along_two_lines() -> None:
    # tr (Σ₁^½ Σ₂ Σ₁^½)^½ = √(a b) |u · v| for Σ₁ = a u uᵀ and Σ₂ = b v vᵀ.
    generator = np.random.default_rng(1)
    u, v = (line / np.linalg.norm(line) for line in generator.normal(size=(2, 40)))
    value = frechet_of_normals(np.zeros(40), 3 * np.outer(u, u), np.zeros(40), 5 * np.outer(v, v))
    assert value == pytest.approx(8 - 2 * np.sqrt(15) * abs(u @ v), rel=1e-10)
    assert frechet_of_normals(u, 3 * np.outer(u, u), u, 3 * np.outer(u, u)) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_equals_the_formula_with_scipys_matrix_root(seed: int) -> None:
    generator = np.random.default_rng(seed)
    first, second = (covariance_of(generator, 6, 8) for _ in range(2))
    means = generator.normal(size=(2, 6))
    root = scipy.linalg.sqrtm(first @ second).real
    expected = ((means[0] - means[1]) ** 2).sum() + np.trace(first + second - 2 * root)
    assert frechet_of_normals(means[0], first, means[1], second) == pytest.approx(expected, rel=1e-9)


def test_moved_and_stretched_features() -> None:
    features = np.random.default_rng(2).normal(size=(50, 8)) @ np.random.default_rng(3).normal(size=(8, 8))
    shift = np.arange(8.0)
    assert frechet_distance(features, features + shift) == pytest.approx((shift**2).sum(), rel=1e-10)
    stretched = features.mean(0) + 1.7 * (features - features.mean(0))
    variance = features.var(0, ddof=1).sum()
    assert frechet_distance(features, stretched) == pytest.approx(0.49 * variance, rel=1e-10)
    assert frechet_distance(features[:, :1], features[:, :1] * 2) > 0


@pytest.mark.parametrize("count", [5, 100])
def test_rotation_changes_nothing_and_a_set_is_at_no_distance_from_itself(count: int) -> None:
    generator = np.random.default_rng(4)
    first, second = generator.normal(size=(count, 20)), generator.normal(0.5, 2.0, (count + 1, 20))
    turn = np.linalg.qr(generator.normal(size=(20, 20)))[0]
    value = frechet_distance(first, second)
    assert value > 1 and frechet_distance(first @ turn, second @ turn) == pytest.approx(value, rel=1e-8)
    # Fewer rows than features, so that covariances are singular: still 0 to rounding.
    assert frechet_distance(first, first[::-1]) == pytest.approx(0, abs=1e-10)


def test_many_draws_come_near_the_distance_of_their_distributions_and_few_are_too_far() -> None:
    generator = np.random.default_rng(5)
    deviations = np.array([1.0, 2.0, 0.5])
    expected = 3 * 0.25 + ((deviations - 1) ** 2).sum()

    def distance(count: int) -> float:
        first = generator.normal(size=(count, 3))
        return frechet_distance(first, 0.5 + deviations * generator.normal(size=(count, 3)))

    assert distance(40_000) == pytest.approx(expected, rel=0.03)
    same = [frechet_distance(*generator.normal(size=(2, count, 10))) for count in (30, 300)]
    assert same[0] > 5 * same[1] > 0


@pytest.mark.parametrize("shapes", [((5, 3), (5, 4)), ((1, 3), (5, 3)), ((5,), (5,))])
def test_wrong_features_are_refused(shapes: tuple[tuple[int, ...], ...]) -> None:
    with pytest.raises(ValueError, match="expected"):
        frechet_distance(np.zeros(shapes[0]), np.zeros(shapes[1]))


DIRECTIONS = np.linalg.qr(np.random.default_rng(6).normal(size=(8 * 10, 4)))[0].T


def pictures(count: int, seed: int, shift: float = 0.0) -> NDArray[np.float32]:
    """A normal cloud in four dimensions around grey, moved by `shift` along the first."""
    scores = np.random.default_rng(seed).normal(size=(count, 4)) * [0.5, 0.4, 0.3, 0.2]
    scores[:, 0] += shift
    return (0.5 + scores @ DIRECTIONS).astype(np.float32).reshape(count, 8, 10, 1)


def test_samples_of_the_same_kind_lie_at_the_floor() -> None:
    train = pictures(500, 999)
    results = [frechet_in_pca(pictures(300, s), pictures(400, 500 + s), train, 4, s) for s in range(40)]
    assert (results[0].num_reference, results[0].num_samples, results[0].set_size) == (300, 400, 150)
    assert results[0].num_components == 4
    values, floors = np.array([[r.value, r.floor] for r in results]).T
    # Sets are equally biased: to first order by 2 Σ λ / n for means and Σᵢⱼ λᵢ λⱼ (1 + δᵢⱼ) / (λᵢ + λⱼ) / n for
    # covariances. Were all 300 real pictures compared, `value` would be three quarters of it.
    variances = np.array([0.5, 0.4, 0.3, 0.2]) ** 2
    harmonic = np.outer(variances, variances) / np.add.outer(variances, variances)
    expected = (2 * variances.sum() + harmonic.sum() + harmonic.trace()) / 150
    assert floors.mean() == pytest.approx(expected, rel=0.1)
    error = np.std(values - floors, ddof=1) / np.sqrt(40)
    assert abs(values.mean() - floors.mean()) < 3 * error < 0.2 * expected


def test_other_samples_lie_above_the_floor_by_their_distance() -> None:
    reference, train = pictures(300, 0), pictures(500, 99)
    moved = frechet_in_pca(reference, pictures(300, 1, shift=0.6), train, 4)
    assert moved.value - moved.floor == pytest.approx(0.36, rel=0.2) and moved.floor < 0.02
    # Half of the samples' spread is gone: Σ (σ − σ / 2)² over the four directions.
    narrow = frechet_in_pca(reference, 0.5 + 0.5 * (pictures(300, 1) - 0.5), train, 4)
    assert narrow.value - narrow.floor == pytest.approx(0.25 * 0.54, rel=0.25)
    # What lies outside of the stated space is not seen.
    one = frechet_in_pca(reference, pictures(300, 1, shift=0.6), pictures(500, 99)[:, ::-1], 1)
    assert one.num_components == 1 and one.value < 0.5 * moved.value


def test_stored_pixels_and_floats_are_the_same_pictures() -> None:
    stored = np.rint(255 * pictures(60, 0).clip(0, 1)).astype(np.uint8)
    samples = np.rint(255 * pictures(40, 1).clip(0, 1)).astype(np.uint8)
    first = frechet_in_pca(stored, samples, stored, 3)
    second = frechet_in_pca(stored, samples.astype(np.float32) / np.float32(255), stored, 3)
    assert first.value == pytest.approx(second.value, rel=1e-6) and first.set_size == 30
    assert frechet_in_pca(stored, samples, stored, 3) == first
    assert frechet_in_pca(stored, samples, stored, 3, seed=1) != first
    assert frechet_in_pca(stored, samples, stored[:6], 30).num_components == 5
    assert frechet_in_pca(stored, samples[:7], stored, 3).set_size == 7


@pytest.mark.parametrize(("num_reference", "num_samples"), [(3, 10), (10, 1)])
def test_too_few_pictures_are_refused(num_reference: int, num_samples: int) -> None:
    with pytest.raises(ValueError, match="expected 4 and 2"):
        frechet_in_pca(pictures(num_reference, 0), pictures(num_samples, 1), pictures(20, 2), 2)


def wave(frequency: tuple[float, float], size: int = 64) -> NDArray[np.float32]:
    y, x = np.mgrid[0:size, 0:size]
    phase = 2 * np.pi * (frequency[0] * y + frequency[1] * x)
    return (0.5 + 0.4 * np.cos(phase)).astype(np.float32)[None, ..., None]


@pytest.mark.parametrize(
    ("frequency", "expected"),
    [((0.0, 0.1), 0), ((0.15, 0.15), 0), ((0.0, 0.2), 0), ((0.0, 0.3), 1), ((0.2, 0.2), 1), ((0.45, 0.1), 1)],
)
def test_waves_are_on_one_side_of_a_quarter_of_the_sampling_frequency(
    frequency: tuple[float, float], expected: int
) -> None:
    assert high_frequency_share(wave(frequency)) == pytest.approx(expected, abs=1e-3)


def texture(count: int = 12, height: int = 40, width: int = 48, channels: int = 3) -> NDArray[np.uint8]:
    noise = np.random.default_rng(8).normal(size=(count, height, width, channels))
    smooth = scipy.ndimage.gaussian_filter(noise, (0, 1.0, 1.0, 0))
    return np.rint(128 + 40 * smooth / smooth.std()).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize(("height", "width"), [(40, 48), (41, 47), (16, 9), (5, 6)])
def test_equals_the_whole_spectrum(height: int, width: int) -> None:
    some = texture(6, height, width)
    windows = [np.sin(np.pi * (np.arange(n) + 0.5) / n) ** 2 for n in (height, width)]
    window = np.outer(*windows)
    y, x = np.meshgrid(np.fft.fftfreq(height), np.fft.fftfreq(width), indexing="ij")
    high = total = 0.0
    for picture in some / 255.0:
        for channel in picture.transpose(2, 0, 1):
            power = np.abs(np.fft.fft2((channel - np.average(channel, weights=window)) * window)) ** 2
            high, total = high + power[x**2 + y**2 > 0.0625].sum(), total + power.sum()
    assert high_frequency_share(some) == pytest.approx(high / total, rel=1e-5)


def test_white_noise_has_the_share_of_the_area() -> None:
    noise = np.random.default_rng(9).random((300, 32, 32, 1), np.float32)
    # All frequencies but a disc of radius ¼.
    assert high_frequency_share(noise) == pytest.approx(1 - np.pi / 16, abs=0.01)


def test_blur_lowers_the_ratio_and_noise_raises_it() -> None:
    real = texture()
    ratios = []
    for radius in (0.5, 1.0, 2.0):
        by_scipy = scipy.ndimage.gaussian_filter(real / 255.0, (0, radius, radius, 0)).astype(np.float32)
        by_pillow = np.stack(
            [np.asarray(Image.fromarray(p).filter(ImageFilter.GaussianBlur(radius))) for p in real]
        )
        ratios.append([high_frequency_ratio(real, by_scipy), high_frequency_ratio(real, by_pillow)])
    assert np.all(np.diff(ratios, axis=0) < 0) and np.max(ratios) < 0.9 and np.max(ratios[-1]) < 0.2
    noisy = real / 255.0 + np.random.default_rng(10).normal(0, 0.1, real.shape)
    assert high_frequency_ratio(real, noisy.astype(np.float32)) > 1.5
    assert high_frequency_ratio(real, real[::-1]) == pytest.approx(1, rel=1e-9)


def test_light_and_contrast_and_shading_do_not_count() -> None:
    real = texture()
    dim = (0.1 + 0.5 * real / 255.0).astype(np.float32)
    assert high_frequency_ratio(real, dim) == pytest.approx(1, rel=1e-5)
    ramp = np.broadcast_to(np.linspace(0, 1, 64, dtype=np.float32)[:, None, None], (3, 64, 64, 1))
    # The jump from the bottom border back to the top one is no detail.
    assert high_frequency_share(ramp) < 1e-4


def test_pictures_without_detail() -> None:
    for level in (0, 77, 200):
        flat = np.full((40, 17, 16, 3), level, np.uint8)
        assert high_frequency_share(flat) == high_frequency_share(flat[:0]) == 0
        assert np.isnan(high_frequency_ratio(flat, texture())) and high_frequency_ratio(texture(), flat) == 0
    # The smallest change there is.
    speck = np.zeros((1, 16, 16, 1), np.uint16)
    speck[0, 8, 8] = 1
    assert high_frequency_share(speck) > 0.5
