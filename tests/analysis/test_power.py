"""The power that is said of a design, against simulations of it."""

import dataclasses

import numpy as np
import pytest
from scipy.stats import norm

from tests.analysis.test_coverage import drawn
from vae_tf.analysis.power import POWER, power_of, probability
from vae_tf.analysis.separation import Statistic, separate


def declared(name: str, distance: float, seed: int) -> Statistic:
    features, labels, groups = drawn(name, distance, seed)
    return separate({"x": features}, labels, groups, seed=seed, num_permutations=99).find("x", "ridge_probe")


def simulated(name: str, distance: float, num_sets: int) -> tuple[float, float, float]:
    """Mean accuracy, share found, and the accuracy that is said to be found four times out of five."""
    found = [declared(name, distance, seed) for seed in range(num_sets)]
    said = [power_of(declared(name, 0.0, 1000 + seed), 2).detectable for seed in range(8)]
    share = np.mean([s.p_value <= 0.05 for s in found])
    return float(np.mean([s.value for s in found])), float(share), float(np.mean(said))  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "distance"), [("20 alone", 2.5), ("crossed 10 × 2", 3.2)])
def test_what_is_said_to_be_found_four_times_out_of_five_is(name: str, distance: float) -> None:
    """The distance was chosen for an accuracy near the one said; 40 sets, so that 0.8 may come out as 0.8 ± 0.13."""
    accuracy, share, said = simulated(name, distance, 40)
    assert accuracy == pytest.approx(said, abs=0.05)
    assert share == pytest.approx(POWER, abs=0.17)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "distance"), [("20 alone", 2.6), ("crossed 10 × 2", 3.1), ("nested 20 × 5", 2.5)]
)
def test_power_over_300_data_sets(name: str, distance: float) -> None:
    accuracy, share, said = simulated(name, distance, 300)
    assert accuracy == pytest.approx(said, abs=0.03)
    assert share == pytest.approx(POWER, abs=0.1)


def test_power_is_that_of_a_normal_accuracy() -> None:
    statistic = declared("20 alone", 0.0, 0)
    chosen = dataclasses.replace(statistic, critical_value=0.7, null_sd=0.1, chance=0.5)
    assert probability(0.7, chosen) == pytest.approx(0.5)
    found = power_of(chosen, 2)
    assert found.detectable is not None and found.separation is not None
    spread = 0.1 * np.sqrt(found.detectable * (1 - found.detectable) / 0.25)
    assert norm.cdf((found.detectable - 0.7) / spread) == pytest.approx(POWER, abs=0.01)
    assert norm.cdf(found.separation / 2) == pytest.approx(found.detectable)
    assert [p for _, p in found.curve] == sorted(p for _, p in found.curve)


def test_a_test_that_can_find_nothing_has_no_power() -> None:
    blind = dataclasses.replace(declared("20 alone", 0.0, 0), critical_value=None)
    found = power_of(blind, 2)
    assert found.detectable is None and found.separation is None
    assert all(probability == 0 for _, probability in found.curve)
