import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import cdist
from scipy.stats import norm

from vae_tf.analysis import interpolation
from vae_tf.analysis.interpolation import (
    choose_pairs,
    class_means,
    four_corners,
    linear,
    manifold_grid,
    spherical,
)
from vae_tf.errors import UserError

numbers = st.floats(-10, 10, allow_subnormal=False).map(lambda x: round(x, 3))
ends = st.integers(1, 6).flatmap(
    lambda d: st.tuples(arrays(float, d, elements=numbers), arrays(float, d, elements=numbers))
)


@given(ends, st.integers(2, 9))
@settings(deadline=None, max_examples=200)
def test_paths_start_and_end_exactly_and_stay_finite(pair: tuple[np.ndarray, np.ndarray], num: int) -> None:
    for path in (linear, spherical):
        points = path(*pair, num)
        assert points.shape == (num, len(pair[0]))
        np.testing.assert_array_equal(points[[0, -1]], pair)
        assert np.isfinite(points).all()


@given(ends, st.integers(3, 9))
@settings(deadline=None, max_examples=200)
def test_spherical_has_constant_angular_speed_and_linear_norm(
    pair: tuple[np.ndarray, np.ndarray], num: int
) -> None:
    norms = [np.linalg.norm(end) for end in pair]
    if min(norms) == 0 or len(pair[0]) == 1:
        return
    points = spherical(*pair, num)
    np.testing.assert_allclose(
        np.linalg.norm(points, axis=1), np.linspace(norms[0], norms[1], num), rtol=1e-9, atol=1e-9
    )
    units = points / np.linalg.norm(points, axis=1, keepdims=True)
    # The chord gives small angles without arccos' loss of digits.
    steps = 2 * np.arcsin(np.clip(np.linalg.norm(np.diff(units, axis=0), axis=1) / 2, 0, 1))
    np.testing.assert_allclose(steps, steps[0], atol=1e-7)
    whole = 2 * np.arcsin(np.clip(np.linalg.norm(units[-1] - units[0]) / 2, 0, 1))
    assert steps.sum() == pytest.approx(whole, abs=1e-6)


def test_spherical_is_shoemakes_formula() -> None:
    first, last = np.array([1.0, 0, 0]), np.array([0.6, 0.8, 0])
    omega = np.arccos(0.6)
    t = np.linspace(0, 1, 5)[:, None]
    expected = (np.sin((1 - t) * omega) * first + np.sin(t * omega) * last) / np.sin(omega)
    np.testing.assert_allclose(spherical(first, last, 5), expected, atol=1e-12)


def test_spherical_between_opposite_ends_goes_round_the_origin() -> None:
    points = spherical([0, 3, 0], [0, -1, 0], 5)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), [3, 2.5, 2, 1.5, 1])
    assert points[2] @ [0, 1, 0] == pytest.approx(0, abs=1e-12)


def test_spherical_falls_back_to_the_line() -> None:
    for first, last in [([0, 0], [1, 2]), ([1, 2], [0, 0]), ([1, 1], [3, 3]), ([-1], [2]), ([1, 2], [1, 2])]:
        np.testing.assert_allclose(spherical(first, last, 4), linear(first, last, 4))


def test_linear_has_equal_steps() -> None:
    np.testing.assert_allclose(linear([0, 0], [3, 6], 4), [[0, 0], [1, 2], [2, 4], [3, 6]])


@pytest.mark.parametrize("path", [linear, spherical])
def test_four_corners_are_exact_and_the_edges_are_paths(path: interpolation.Path) -> None:
    corners = np.random.default_rng(0).normal(size=(4, 3))
    grid = four_corners(corners[0], corners[1], corners[2], corners[3], 4, 6, path)
    assert grid.shape == (4, 6, 3)
    np.testing.assert_array_equal(grid[[0, 0, -1, -1], [0, -1, 0, -1]], corners)
    np.testing.assert_allclose(grid[:, 0], path(corners[0], corners[2], 4))
    np.testing.assert_allclose(grid[:, -1], path(corners[1], corners[3], 4))
    np.testing.assert_allclose(grid[-1], path(corners[2], corners[3], 6))


def test_linear_four_corners_are_bilinear() -> None:
    corners = np.random.default_rng(1).normal(size=(4, 2))
    grid = four_corners(corners[0], corners[1], corners[2], corners[3], 3, 3)
    np.testing.assert_allclose(grid[1, 1], corners.mean(axis=0))


def test_manifold_grid_covers_equal_shares_of_the_prior() -> None:
    grid = manifold_grid(10)
    assert grid.shape == (10, 10, 2)
    shares = norm.cdf(grid)
    np.testing.assert_allclose(shares[3, :, 0], np.arange(0.05, 1, 0.1))
    # The second latent grows upwards: the top row holds its largest value.
    np.testing.assert_allclose(shares[:, 3, 1], np.arange(0.95, 0, -0.1))
    np.testing.assert_allclose(
        manifold_grid(3, latent_dim=1), norm.ppf([[1 / 6], [0.5], [5 / 6]]), atol=1e-15
    )


def test_class_means_leave_unlabelled_pictures_out() -> None:
    latents = np.array([[0.0, 0], [2, 4], [100, 100], [5, 5]])
    means = class_means(latents, [3, 3, -1, 0])
    np.testing.assert_array_equal(means.labels, [0, 3])
    np.testing.assert_array_equal(means.counts, [1, 2])
    np.testing.assert_array_equal(means.means, [[5, 5], [1, 2]])
    assert len(class_means(latents, [-1] * 4).labels) == 0


@given(st.integers(0, 20), st.integers(0, 8), st.integers(0, 99))
@settings(deadline=None, max_examples=60)
def test_pairs_are_distinct_eligible_and_as_many_as_can_be(
    num_eligible: int, num_pairs: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    latents = generator.normal(size=(25, 3))
    eligible = np.zeros(25, dtype=bool)
    eligible[generator.choice(25, num_eligible, replace=False)] = True
    labels = generator.integers(-1, 3, size=25)
    pairs = choose_pairs(latents, labels, eligible, num_pairs, seed)
    assert pairs.shape == (min(num_pairs, num_eligible // 2), 2)
    assert len(np.unique(pairs)) == pairs.size
    assert eligible[pairs].all()
    np.testing.assert_array_equal(pairs, choose_pairs(latents, labels, eligible, num_pairs, seed))


def test_pairs_are_far_apart_and_of_different_classes() -> None:
    latents = np.random.default_rng(0).normal(size=(60, 4))
    labels = np.arange(60) % 2
    everything = np.ones(60, dtype=bool)
    pairs = choose_pairs(latents, labels, everything, 10, seed=1)
    assert (labels[pairs[:, 0]] != labels[pairs[:, 1]]).all()
    distances = cdist(latents, latents)
    assert distances[pairs[:, 0], pairs[:, 1]].mean() > np.quantile(distances, 0.9)
    first = pairs[0]
    assert distances[first[0], first[1]] == distances[first[0], labels != labels[first[0]]].max()
    assert not np.array_equal(pairs, choose_pairs(latents, labels, everything, 10, seed=2))


def test_pairs_within_a_class_come_last() -> None:
    latents = np.arange(8.0)[:, None]
    labels = np.array([0, 1, 1, 1, 1, 1, 1, 1])
    pairs = choose_pairs(latents, labels, np.ones(8, dtype=bool), 4, seed=0)
    assert [labels[a] != labels[b] for a, b in pairs] == [True, False, False, False]


def test_mistakes_are_explained() -> None:
    with pytest.raises(UserError, match="at least 2 points"):
        linear([0, 0], [1, 1], 1)
    with pytest.raises(UserError, match="one length"):
        spherical([0, 0], [1, 1, 1], 3)
    with pytest.raises(UserError, match="one length"):
        linear([0, np.nan], [1, 1], 3)
    with pytest.raises(UserError, match="not 3"):
        manifold_grid(5, latent_dim=3)
    with pytest.raises(UserError, match="not 0"):
        manifold_grid(0)
    with pytest.raises(UserError, match="labels have shape"):
        class_means(np.zeros((3, 2)), [0, 1])
    with pytest.raises(UserError, match="eligible has shape"):
        choose_pairs(np.zeros((3, 2)), None, [True], 1)
