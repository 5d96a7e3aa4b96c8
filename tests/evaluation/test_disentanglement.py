"""Disentanglement scores at codes whose scores are known, and against scikit-learn and SciPy."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import scipy.stats
from numpy.typing import NDArray
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mutual_info_score

from vae_tf.evaluation import disentanglement as module
from vae_tf.evaluation.disentanglement import (
    Factor,
    disentanglement,
    modularity,
    mutual_information,
    read_factor,
)

Codes = NDArray[np.float64]
N = 2400
SCORES = (
    "mig", "sap", "modularity", "dci_disentanglement", "dci_completeness", "dci_informativeness", "beta_vae",
    "factor_vae",
)  # fmt: skip


def draw_factors(seed: int = 0) -> dict[str, Any]:
    """Independent: words, few numbers, and two continuous ones."""
    generator = np.random.default_rng(seed)
    return {
        "shape": generator.choice(["disc", "ring", "square"], N).tolist(),
        "size": generator.integers(0, 6, N).tolist(),
        "angle": generator.uniform(0, 90, N).tolist(),
        "tone": generator.uniform(-1, 1, N).tolist(),
    }


def codes_of(factors: dict[str, Any]) -> Codes:
    """Each factor in a dimension of its own, with mean 0 and variance 1."""
    columns = [np.unique(values, return_inverse=True)[1] if isinstance(values[0], str) else values
               for values in factors.values()]  # fmt: skip
    table = np.stack(columns, axis=1).astype(np.float64)
    return (table - table.mean(0)) / table.std(0)


FACTORS = draw_factors()
PERFECT = codes_of(FACTORS)
NOISE = np.random.default_rng(7).normal(size=(N, 6))
ORDER = np.array([2, 0, 3, 1])


@pytest.mark.parametrize(
    ("codes", "least_mig"),
    [
        (PERFECT, 0.98),
        (PERFECT[:, ORDER] * [-1.0, 2.0, 0.1, -5.0] + 3.0, 0.98),
        # Bent codes fill bins of equal width unevenly, which costs information.
        (np.stack([np.exp(PERFECT[:, 0]), np.sinh(PERFECT[:, 1]), PERFECT[:, 2], np.tanh(PERFECT[:, 3])], 1), 0.90),
        (np.concatenate([PERFECT, 0.01 * NOISE], axis=1), 0.98),
    ],
    ids=["own dimension", "permuted, flipped, scaled", "bent", "beside collapsed dimensions"],
)  # fmt: skip
def test_perfect_codes_score_one(codes: Codes, least_mig: float) -> None:
    result = disentanglement(codes, FACTORS)
    assert least_mig < result.mig <= 1 and result.sap > 0.95 and result.modularity > 0.999
    assert result.dci_disentanglement > 0.995 and result.dci_completeness > 0.995
    assert result.dci_informativeness > 0.98
    assert result.beta_vae == 1 and result.factor_vae == 1
    assert result.notes == () and result.factors == ("shape", "size", "angle", "tone")


def test_the_best_dimension_of_each_factor_follows_a_permutation() -> None:
    plain, permuted = disentanglement(PERFECT, FACTORS), disentanglement(PERFECT[:, ORDER], FACTORS)
    assert plain.information.argmax(1).tolist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(permuted.information, plain.information[:, ORDER])
    np.testing.assert_array_equal(permuted.mig_per_factor, plain.mig_per_factor)
    # An affine code has all of its factor's information, in the same bins.
    np.testing.assert_allclose(plain.information.diagonal(), plain.entropy, rtol=1e-12)


def test_constant_codes_score_nothing() -> None:
    result = disentanglement(np.full((N, 4), 0.3), FACTORS)
    assert [getattr(result, name) for name in SCORES] == pytest.approx([0.0] * 8, abs=0.03)
    assert not result.information.any() and not result.importance.any() and not result.chance.any()


def test_noise_scores_next_to_nothing() -> None:
    result = disentanglement(NOISE, FACTORS)
    assert max(getattr(result, name) for name in SCORES) < 0.05
    # By its definition about 1 of 20 values a factor would pass what is the largest of 20 · 6 shuffled ones.
    assert (result.information > result.chance[:, None]).sum() <= 1
    assert (result.information.max(1) > 0.5 * result.chance).all()


def test_a_factor_in_two_dimensions_has_no_gap() -> None:
    plain = disentanglement(PERFECT, FACTORS)
    result = disentanglement(np.concatenate([PERFECT, -PERFECT[:, [1]]], axis=1), FACTORS)
    assert result.mig_per_factor[1] == pytest.approx(0, abs=1e-9)
    assert result.sap_per_factor[1] == pytest.approx(0, abs=1e-9)
    others = [0, 2, 3]
    np.testing.assert_allclose(result.mig_per_factor[others], plain.mig_per_factor[others], atol=1e-12)
    np.testing.assert_allclose(result.sap_per_factor[others], plain.sap_per_factor[others], atol=1e-12)
    assert result.modularity > 0.999 and result.dci_disentanglement > 0.995
    assert result.dci_completeness < 0.95


def test_a_rotation_lowers_every_score_but_not_what_is_known() -> None:
    generator = np.random.default_rng(1)
    factors = {"a": generator.uniform(size=N), "b": generator.uniform(size=N)}
    codes = codes_of(factors)
    scores = {}
    for degrees in (0, 20, 45):
        angle = np.radians(degrees)
        turned = codes @ [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]
        scores[degrees] = disentanglement(turned, factors)
    for name in SCORES:
        straight, tilted, diagonal = (getattr(scores[degrees], name) for degrees in (0, 20, 45))
        if name == "dci_informativeness":
            assert diagonal > 0.95
        else:
            assert straight > 0.97 and diagonal < 0.1 and diagonal <= tilted <= straight, name


@pytest.mark.parametrize("known", [1.0, 0.6])
def test_information_equals_scikit_learns(known: float) -> None:
    generator = np.random.default_rng(2)
    codes = PERFECT @ generator.normal(size=(4, 5)) + 0.3 * generator.normal(size=(N, 5))
    told = generator.random((4, N)) < known
    factors = {
        name: [value if seen else None for value, seen in zip(values, row, strict=True)]
        for (name, values), row in zip(FACTORS.items(), told, strict=True)
    }
    result = disentanglement(codes, factors)
    for k, (values, row) in enumerate(zip(FACTORS.values(), told, strict=True)):
        levels = np.array(values)[row]
        if k > 1:
            levels = np.digitize(levels, np.histogram(levels, 20)[1][:-1])
        # As disentanglement_lib bins: against the lower edges of a histogram over all pictures.
        columns = [np.digitize(column, np.histogram(column, 20)[1][:-1])[row] for column in codes.T]
        expected = np.array([mutual_info_score(levels, column) for column in columns])
        entropy = scipy.stats.entropy(np.unique(levels, return_counts=True)[1])
        np.testing.assert_allclose(result.information[k], expected, atol=1e-12)
        assert result.entropy[k] == pytest.approx(entropy, abs=1e-12)
        second, first = np.sort(expected)[-2:]
        assert result.mig_per_factor[k] == pytest.approx((first - second) / entropy, abs=1e-12)
    assert result.mig == pytest.approx(result.mig_per_factor.mean())


def test_the_entropies_of_dci_equal_scipys() -> None:
    result = disentanglement(PERFECT @ np.random.default_rng(3).normal(size=(4, 7)), FACTORS)
    weights = result.importance
    np.testing.assert_allclose(weights.sum(1), 1.0)
    per_dimension = 1 - scipy.stats.entropy(weights, base=4, axis=0)
    assert result.dci_disentanglement == pytest.approx(np.average(per_dimension, weights=weights.sum(0)))
    assert result.dci_completeness == pytest.approx(np.mean(1 - scipy.stats.entropy(weights, base=7, axis=1)))
    assert 0.05 < result.dci_disentanglement < 0.9 and 0.05 < result.dci_completeness < 0.9


def test_what_cannot_be_predicted_is_not_informative() -> None:
    noisy = PERFECT + NOISE[:, :4] * [0.0, 0.0, 0.7, 1.0]
    result = disentanglement(noisy[:, 2:], {"angle": FACTORS["angle"], "tone": FACTORS["tone"]})
    # The best guess from a noisy number explains about 1 / (1 + 0.7²) and 1 / (1 + 1) of the variance.
    assert result.dci_informativeness == pytest.approx((1 / 1.49 + 1 / 2) / 2, abs=0.06)


def test_sap_of_continuous_factors_is_the_gap_in_r_squared() -> None:
    codes = PERFECT @ np.random.default_rng(4).normal(size=(4, 5)) + NOISE[:, :5]
    result = disentanglement(codes, FACTORS)
    for k in (2, 3):
        target = PERFECT[:, k]
        scores = sorted(LinearRegression().fit(c[:, None], target).score(c[:, None], target) for c in codes.T)
        assert result.sap_per_factor[k] == pytest.approx(scores[-1] - scores[-2], abs=1e-9)


def test_sap_of_two_rare_levels_is_balanced_accuracy_above_chance() -> None:
    generator = np.random.default_rng(5)
    rare = generator.random(20_000) < 0.1
    codes = np.stack([rare + generator.normal(0, 0.5, 20_000), generator.normal(size=20_000)], axis=1)
    # The best threshold lies in the middle: balanced accuracy Φ(1), of which ½ is chance.
    expected = 2 * scipy.stats.norm.cdf(1.0) - 1
    assert disentanglement(codes, {"rare": rare}).sap == pytest.approx(expected, abs=0.04)


def test_modularity_by_hand() -> None:
    none = np.zeros(2)
    assert modularity(np.eye(2), none) == 1
    assert modularity(np.ones((3, 4)), np.zeros(3)) == 0
    assert modularity(np.array([[2.0, 0.0], [1.0, 3.0]]), none) == pytest.approx((0.75 + 1) / 2)
    # The second dimension is below chance for both factors and does not count.
    assert modularity(np.array([[2.0, 0.01], [1.0, 0.01]]), np.full(2, 0.02)) == pytest.approx(0.75)
    assert modularity(np.full((2, 3), 0.01), np.full(2, 0.02)) == 0


def test_pairs_and_groups_share_the_level_and_nothing_unknown_is_drawn() -> None:
    # Three pictures of level 2 are too few; level 1 is four times as frequent as level 0.
    levels = np.repeat([0, 1, 2], [20, 80, 3])
    rows = np.random.default_rng(0).permutation(300)[:103]
    factor = Factor("f", rows, levels)
    level_of = dict(zip(rows.tolist(), levels.tolist(), strict=True))
    generator = np.random.default_rng(1)
    first, second = module._pairs(factor, (500, 64), generator)
    assert first.shape == second.shape == (500, 64) and not (first == second).any()
    drawn = np.vectorize(level_of.__getitem__)(first)
    assert np.array_equal(drawn, np.vectorize(level_of.__getitem__)(second))
    assert set(drawn.ravel()) == {0, 1} and drawn.mean() == pytest.approx(0.8, abs=0.01)
    assert set(first.ravel()) == set(second.ravel()) == {row for row in level_of if level_of[row] < 2}
    groups = np.vectorize(level_of.__getitem__)(module._groups(factor, 2000, generator))
    assert groups.shape == (2000, 64) and not groups.std(axis=1).any()
    assert groups[:, 0].mean() == pytest.approx(0.8, abs=0.04)


def test_halves_are_disjoint_and_hold_the_same_shares() -> None:
    factor = Factor("f", np.arange(103), np.repeat([0, 1, 2], [20, 80, 3]))
    first, second = module._halves(factor, 0)
    assert sorted([*first, *second]) == list(range(103))
    counts = [np.bincount(factor.levels[half]) for half in (first, second)]
    assert np.abs(counts[0] - counts[1]).max() <= 1


def test_factors_that_share_a_dimension_cannot_be_told_apart() -> None:
    factors = {"size": FACTORS["size"], "again": FACTORS["size"], "tone": FACTORS["tone"]}
    result = disentanglement(PERFECT[:, [1, 3]], factors)
    # Two of three factors cannot be told from each other: accuracy ⅔, of which ⅓ is chance.
    assert result.factor_vae == pytest.approx(0.5, abs=0.04) and result.beta_vae == pytest.approx(
        0.5, abs=0.04
    )


def test_the_scale_of_a_dimension_does_not_matter_to_factor_vae_unless_it_is_collapsed() -> None:
    noisy = PERFECT + 1.5 * NOISE[:, :4]
    plain, scaled = (disentanglement(noisy * scale, FACTORS) for scale in ([1.0] * 4, [1.0, 5.0, 0.2, 20.0]))
    assert 0.7 < plain.factor_vae == pytest.approx(scaled.factor_vae, abs=1e-6)
    assert 0.7 < plain.beta_vae == pytest.approx(scaled.beta_vae, abs=1e-3)
    two = {"angle": FACTORS["angle"], "tone": FACTORS["tone"]}
    assert disentanglement(PERFECT[:, 2:] * [1.0, 0.06], two).factor_vae == 1
    # One voter cannot tell two factors.
    assert disentanglement(PERFECT[:, 2:] * [1.0, 0.04], two).factor_vae < 0.1
    assert disentanglement(PERFECT[:, 2:] * [0.04, 0.04], two).factor_vae == 0


def test_what_counts_as_continuous() -> None:
    numbers = np.linspace(0, 1, 200)
    continuous = read_factor("f", numbers.tolist(), 200)
    assert isinstance(continuous, Factor) and continuous.values is not None
    assert np.array_equal(continuous.levels, np.repeat(np.arange(20), 10))
    few = read_factor("f", [v % 20 / 3 for v in range(200)], 200)
    assert isinstance(few, Factor) and few.values is None and few.levels.max() == 19
    words = read_factor("f", [str(v % 25) for v in range(200)], 200)
    assert isinstance(words, Factor) and words.values is None and words.levels.max() == 24
    flags = read_factor("f", [None, True, False] * 20, 60)
    assert isinstance(flags, Factor) and flags.levels.tolist() == [1, 0] * 20 and 0 not in flags.rows
    unknown = read_factor("f", [float("nan"), np.inf, 3.0, np.float32(4)] * 20, 80)
    assert isinstance(unknown, Factor) and set(unknown.rows % 4) == {2, 3}


def test_factors_that_say_nothing_are_left_out_with_a_note() -> None:
    factors = {
        "constant": [1] * N, "unknown": [None] * N, "names": [str(i) for i in range(N)], "size": FACTORS["size"],
    }  # fmt: skip
    result = disentanglement(PERFECT, factors)
    assert result.factors == ("size",) and result.information.shape == result.importance.shape == (1, 4)
    assert len(result.notes) == 3 and result.notes[0].startswith("constant is the same")
    assert result.notes[2].startswith("names has 2400 values")
    assert result.modularity is result.dci_disentanglement is result.beta_vae is result.factor_vae is None
    assert result.mig > 0.98
    nothing = disentanglement(PERFECT, {})
    assert all(getattr(nothing, name) is None for name in SCORES) and nothing.information.shape == (0, 4)


def test_the_seed_decides() -> None:
    codes = PERFECT @ np.random.default_rng(3).normal(size=(4, 4))
    first, again, other = (dataclasses.asdict(disentanglement(codes, FACTORS, seed)) for seed in (0, 0, 1))
    for name, value in first.items():
        assert np.array_equal(value, again[name]), name
    assert first["mig"] == other["mig"] and first["dci_completeness"] != other["dci_completeness"]
    for name in SCORES:
        assert first[name] == pytest.approx(other[name], abs=0.08), name


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="expected finite numbers"):
        disentanglement(np.zeros(N), FACTORS)
    with pytest.raises(ValueError, match="expected finite numbers"):
        disentanglement(np.full((N, 2), np.nan), FACTORS)
    with pytest.raises(ValueError, match="size has 3 values for 2400 pictures"):
        disentanglement(PERFECT, {"size": [1, 2, 3]})


def test_the_information_of_counts_is_too_large_by_what_miller_says() -> None:
    generator = np.random.default_rng(6)
    columns, levels = generator.integers(0, 20, (2000, 200)), generator.integers(0, 10, 2000)
    assert mutual_information(columns, levels).mean() == pytest.approx(19 * 9 / (2 * 2000), rel=0.05)
