"""Reconstruction quality against NumPy and scikit-image, and intervals against what they promise."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from vae_tf.evaluation.reconstruction import (
    group_means,
    mean_interval,
    quality,
    reconstruct,
    standard_error,
)
from vae_tf.pixels import WHITE


def pictures_and_reconstructions(
    count: int, height: int, width: int, channels: int
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    random = np.random.default_rng(height)
    y, x = np.mgrid[0:height, 0:width]
    waves = np.sin(x[None] / random.uniform(2, 6, (count, 1, 1)) + y[None] / 5.0)
    smooth = 0.5 + 0.4 * waves[..., None] * random.uniform(0.3, 1, (count, 1, 1, channels))
    pictures = np.rint(255 * smooth).astype(np.uint8)
    noise = random.normal(size=smooth.shape) * np.linspace(0.0, 0.3, count)[:, None, None, None]
    return pictures, (smooth + noise).clip(0, 1).astype(np.float32)


@pytest.mark.parametrize(("height", "width", "channels"), [(32, 40, 3), (16, 16, 1), (8, 30, 1), (9, 9, 3)])
def test_equals_numpy_and_scikit_image(height: int, width: int, channels: int) -> None:
    pictures, reconstructions = pictures_and_reconstructions(6, height, width, channels)
    result = quality(pictures, reconstructions)
    exact = pictures / 255.0
    np.testing.assert_allclose(
        result.mse, ((exact - reconstructions) ** 2).mean(axis=(1, 2, 3)), rtol=1e-5, atol=1e-9
    )
    for i in range(len(pictures)):
        expected = peak_signal_noise_ratio(exact[i], reconstructions[i].astype(np.float64), data_range=1.0)
        assert result.psnr[i] == pytest.approx(expected, abs=1e-3)
    if min(height, width) < 11:
        return
    for i in range(len(pictures)):
        _, ssim = structural_similarity(
            exact[i],
            reconstructions[i].astype(np.float64),
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=1.0,
            channel_axis=-1,
            full=True,
        )
        # TensorFlow keeps the places where the whole window of 11 lies inside.
        assert result.ssim[i] == pytest.approx(ssim[5:-5, 5:-5].mean(), abs=2e-5)


def ssim_with_one_window(x: NDArray[np.float64], y: NDArray[np.float64], side: int) -> float:
    """The formula of Wang et al. 2004 at every place of a Gaussian window of `side` pixels, by a loop."""
    offsets = np.arange(side) - (side - 1) / 2
    row = np.exp(-(offsets**2) / (2 * 1.5**2))
    weights = np.outer(row, row) / np.outer(row, row).sum()
    values = []
    for top in range(x.shape[0] - side + 1):
        for left in range(x.shape[1] - side + 1):
            a, b = (picture[top : top + side, left : left + side] for picture in (x, y))
            mean_a, mean_b = (weights * a).sum(), (weights * b).sum()
            var_a, var_b = (weights * (a - mean_a) ** 2).sum(), (weights * (b - mean_b) ** 2).sum()
            covariance = (weights * (a - mean_a) * (b - mean_b)).sum()
            c1, c2 = 0.01**2, 0.03**2
            luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
            values.append(luminance * (2 * covariance + c2) / (var_a + var_b + c2))
    return float(np.mean(values))


@pytest.mark.parametrize(("height", "width"), [(8, 30), (9, 9), (10, 12), (11, 13)])
def test_small_pictures_get_a_smaller_window(height: int, width: int) -> None:
    pictures, reconstructions = pictures_and_reconstructions(3, height, width, 1)
    result = quality(pictures, reconstructions)
    for i in range(3):
        expected = ssim_with_one_window(
            pictures[i, ..., 0] / 255.0, reconstructions[i, ..., 0].astype(float), min(11, height)
        )
        # Variances as differences of float32 means, over one or a few windows only.
        assert result.ssim[i] == pytest.approx(expected, abs=2e-4)


def test_equal_pictures_score_perfectly_and_worse_ones_less() -> None:
    pictures, reconstructions = pictures_and_reconstructions(6, 32, 32, 3)
    perfect = quality(pictures, (pictures / 255.0).astype(np.float32))
    assert perfect.mse.max() < 1e-12 and perfect.ssim.min() > 1 - 1e-6
    result = quality(pictures, reconstructions)
    assert np.all(np.diff(result.mse) > 0) and np.all(np.diff(result.ssim) < 0)


def test_each_picture_is_scored_by_itself_over_many_blocks() -> None:
    pictures, reconstructions = pictures_and_reconstructions(300, 12, 12, 1)
    order = np.random.default_rng(0).permutation(300)
    result, shuffled = quality(pictures, reconstructions), quality(pictures[order], reconstructions[order])
    assert result.mse.shape == result.ssim.shape == (300,)
    np.testing.assert_allclose(shuffled.mse, result.mse[order], rtol=1e-6)
    np.testing.assert_allclose(shuffled.ssim, result.ssim[order], rtol=0, atol=1e-6)


def test_nothing_to_score() -> None:
    result = quality(np.zeros((0, 16, 16, 3), np.uint8), np.zeros((0, 16, 16, 3), np.float32))
    assert len(result.mse) == len(result.ssim) == 0


@pytest.fixture(scope="module")
def small_model() -> Any:
    from vae_tf import recipes

    return recipes.build("conv", (8, 8, 1), 2)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("count", [0, 1, 5, 12])
def test_reconstruct_keeps_order_over_batches(small_model: Any, count: int, dtype: str) -> None:
    """Batches, in a graph or not, give what the model makes of all pictures at once."""
    unit = np.random.default_rng(0).random((count, 8, 8, 1))
    pictures = (unit * WHITE.get(dtype, 1.0)).astype(dtype)
    result = reconstruct(small_model, pictures, batch_size=5)
    assert result.dtype == np.float32
    assert result.shape == pictures.shape
    if count:
        np.testing.assert_allclose(result, np.array(small_model.reconstruct(pictures)), atol=1e-6)


def test_the_interval_of_ungrouped_values_is_that_of_the_normal_mean() -> None:
    values = np.random.default_rng(0).normal(3.0, 2.0, 400)
    interval = mean_interval(values, np.full(400, -1), num_resamples=4000)
    assert interval.value == pytest.approx(values.mean(), abs=1e-12)
    assert interval.low is not None and interval.high is not None
    half = 1.96 * values.std() / 20
    # 4000 resamples know each end to about 3 % of the half width.
    assert interval.low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert interval.high == pytest.approx(values.mean() + half, abs=0.1 * half)


def test_whole_groups_are_resampled() -> None:
    values = np.array([0.0, 0.0, 1.0, 1.0, 1.0, 1.0])
    interval = mean_interval(values, np.array([7, 7, 2, 2, 2, 2]))
    # Two groups drawn twice: both ends come from the same group drawn two times (a quarter of the draws each).
    assert (interval.value, interval.low, interval.high) == (pytest.approx(4 / 6), 0.0, 1.0)
    shuffled = np.random.default_rng(0).permutation(6)
    again = mean_interval(values[shuffled], np.array([7, 7, 2, 2, 2, 2])[shuffled])
    assert (again.low, again.high) == (interval.low, interval.high)


def test_pictures_without_a_group_count_as_groups_of_their_own() -> None:
    values = np.random.default_rng(0).normal(size=30)
    alone = mean_interval(values, np.full(30, -1))
    assert alone == mean_interval(values, np.arange(30))
    mixed = np.where(np.arange(30) < 15, 0, -1)
    assert mean_interval(values, mixed) == mean_interval(values, np.where(mixed < 0, np.arange(30), 0))


def test_one_group_has_no_interval() -> None:
    interval = mean_interval(np.array([1.0, 2.0]), np.array([3, 3]))
    assert (interval.value, interval.low, interval.high) == (1.5, None, None)
    empty = mean_interval(np.zeros(0), np.zeros(0, np.int64))
    assert np.isnan(empty.value) and empty.low is None


def test_intervals_hold_the_true_mean_as_often_as_they_promise() -> None:
    groups = np.repeat(np.arange(40), 6)
    hits = {"groups": 0, "pictures": 0}
    num_sets = 300
    for seed in range(num_sets):
        random = np.random.default_rng(seed)
        values = random.normal(size=40)[groups] + random.normal(0.0, 0.3, len(groups))
        for name, keys in (("groups", groups), ("pictures", np.full(len(groups), -1))):
            interval = mean_interval(values, keys, num_resamples=300, seed=seed)
            assert interval.low is not None and interval.high is not None
            hits[name] += interval.low <= 0.0 <= interval.high
    # 95 % promised; a percentile bootstrap of 40 groups gives about 94 %, and the count's standard error is 1.3 %.
    assert 0.90 <= hits["groups"] / num_sets <= 0.98
    assert hits["pictures"] / num_sets < 0.75


def test_the_standard_error_over_groups_is_that_of_group_sums() -> None:
    generator = np.random.default_rng(5)
    values, alone = generator.normal(size=60), np.full(60, -1)
    assert standard_error(values, alone) == pytest.approx(values.std(ddof=1) / np.sqrt(60))
    # Three equal pictures of each person are one witness each.
    tripled, people = np.repeat(values[:20], 3), np.repeat(np.arange(20), 3)
    assert standard_error(tripled, people) == pytest.approx(values[:20].std(ddof=1) / np.sqrt(20))
    assert standard_error(tripled, np.full(60, -1)) < 0.6 * standard_error(tripled, people)
    assert np.isnan(standard_error(values, np.zeros(60, np.int64)))
    np.testing.assert_allclose(group_means(tripled, people), values[:20])
