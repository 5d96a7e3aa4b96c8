"""What clusters follow, how steady they are, and what is said of them."""

import dataclasses
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from sklearn.metrics import adjusted_mutual_info_score

from vae_tf.analysis.cluster_headline import cluster_headline, say_followed
from vae_tf.analysis.cluster_meaning import Meaning, Meanings, meanings_of, nested_agreement
from vae_tf.analysis.clustering import cluster_by_k_means
from vae_tf.analysis.stability import Stability, say_uncertainty, stability_of_k

PEOPLE, LABELS = np.repeat(np.arange(40), 4), np.tile([0, 1], 80)


def test_agreement_is_scikit_learns_over_the_smaller_entropy() -> None:
    generator = np.random.default_rng(0)
    clusters = generator.integers(0, 3, 160)
    for other in (PEOPLE, LABELS, PEOPLE // 10):
        expected = adjusted_mutual_info_score(clusters, other, average_method="min")
        assert nested_agreement(clusters, other) == pytest.approx(expected)
    assert nested_agreement(np.zeros(160, int), PEOPLE) == 0


def test_people_who_are_never_divided_count_one_however_many_there_are() -> None:
    found = meanings_of(PEOPLE % 3, LABELS, PEOPLE)
    assert found.groups is not None and found.groups.value == pytest.approx(1)
    assert found.classes is not None and abs(found.classes.value) < 0.05
    assert found.clusters_are_groups and found.num_groups == 40


def test_clusters_that_are_the_classes_are_not_called_people() -> None:
    found = meanings_of(LABELS, LABELS, PEOPLE)
    assert found.classes is not None and found.classes.value == pytest.approx(1)
    assert not found.clusters_are_groups
    nested = meanings_of(PEOPLE % 2, PEOPLE % 2, PEOPLE)
    assert not nested.clusters_are_groups


def test_what_is_not_known_is_left_out() -> None:
    assert meanings_of(PEOPLE % 3, None, None).classes is None
    alone = meanings_of(PEOPLE % 3, LABELS, np.arange(160))
    assert alone.groups is None and alone.difference is None and alone.num_groups == 0
    some = meanings_of(PEOPLE % 3, np.where(np.arange(160) < 40, -1, LABELS), PEOPLE)
    assert some.num_pictures == 120 and some.num_groups == 30
    few = meanings_of(PEOPLE[:16] % 3, LABELS[:16], PEOPLE[:16])
    assert few.groups is not None and few.groups.interval is None and not few.clusters_are_groups


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_half_samples_tell_the_spread_of_the_agreement(share: float) -> None:
    found = []
    for seed in range(15):
        generator = np.random.default_rng(seed)
        own = generator.integers(0, 3, 40)[PEOPLE]
        clusters = np.where(generator.random(160) < share, own, generator.integers(0, 3, 160))
        found.append(meanings_of(clusters, LABELS, PEOPLE, seed).groups)
    values = np.array([m.value for m in found if m])
    ends = np.array([m.interval for m in found if m])
    assert np.mean((ends[:, 0] <= values.mean()) & (values.mean() <= ends[:, 1])) >= 0.8
    assert (ends[:, 1] - ends[:, 0]).mean() / 3.92 == pytest.approx(values.std(), rel=0.5)


def three_clouds() -> np.ndarray:
    generator = np.random.default_rng(0)
    return np.asarray(generator.normal(size=(80, 4)) + 8 * np.eye(4)[np.arange(80) % 3])


def one_cloud() -> np.ndarray:
    return np.random.default_rng(3).normal(size=(80, 6))


@cache
def stability_in(latents: Callable[[], np.ndarray]) -> Stability:
    return stability_of_k(latents())


def test_clear_clusters_are_steady_and_their_number_sure() -> None:
    found = stability_in(three_clouds)
    at = found.candidates.tolist().index(3)
    assert found.agreement[at] == pytest.approx(1) and found.agreement.argmax() == at
    assert found.agreement[at + 1] < 0.95
    assert set(found.chosen) == {3} and len(found.chosen) == 20
    assert "sure" in say_uncertainty(found, 3)


def test_one_cloud_is_no_steadier_than_noise() -> None:
    found = stability_in(one_cloud)
    assert (found.agreement < 0.6).all()
    assert np.abs(found.agreement - found.by_chance).mean() < 0.15
    assert set(found.chosen) == {1}
    assert "uncertain" in say_uncertainty(found, 2)


def test_few_pictures_are_not_resampled() -> None:
    found = stability_of_k(np.random.default_rng(0).normal(size=(12, 2)))
    assert not len(found.candidates) and "too few" in say_uncertainty(found, 1)


def test_the_headline_is_about_the_clusters_that_are_shown() -> None:
    groups = np.arange(80) // 3
    found, steady = cluster_by_k_means(three_clouds()), stability_in(three_clouds)
    said = cluster_headline(found, steady, meanings_of(found.assignments, np.arange(80) % 3, groups))
    assert said.startswith(
        "The pictures fall into 3 clusters, and other samples of them into nearly the same ones."
    )
    assert said.endswith("They go almost wholly with the classes.")
    people = np.arange(80) % 3 + 3 * (np.arange(80) // 12)
    said = cluster_headline(found, steady, meanings_of(found.assignments, np.arange(80) // 3 % 2, people))
    assert "Beware" in said and "(one person, say)" in said


def test_clusters_that_do_not_last_are_not_announced_as_a_number() -> None:
    found = cluster_by_k_means(three_clouds())
    at = found.num_clusters - 2
    steady = stability_in(three_clouds)
    agreement = steady.agreement.copy()
    agreement[at] = 0.4
    nothing = meanings_of(found.assignments, None, None)
    said = cluster_headline(found, dataclasses.replace(steady, agreement=agreement), nothing)
    assert said.startswith("The pictures fall into no clusters to rely on") and "regions of one cloud" in said
    assert "3 regions describe it best." in said


def test_the_largest_number_tried_is_a_lower_bound_and_shows_no_single_cloud() -> None:
    found, steady = cluster_by_k_means(three_clouds(), k_max=3), stability_in(three_clouds)
    nothing = meanings_of(found.assignments, None, None)
    said = cluster_headline(found, steady, nothing)
    assert said.startswith("The pictures fall into 3 clusters or more, and") and "sure" not in said
    unsteady = dataclasses.replace(steady, agreement=0 * steady.agreement)
    said = cluster_headline(found, unsteady, nothing)
    assert (
        said.startswith("How many clusters the pictures fall into can't be told") and "one cloud" not in said
    )
    of_nine = cluster_by_k_means(three_clouds(), k_max=9)
    at_nine = dataclasses.replace(steady, chosen=(9,) * 11 + (3,) * 9)
    said = cluster_headline(of_nine, at_nine, nothing)
    assert "into 3 clusters or more" in said and "9 are the most that were tried" in said


def test_classes_and_groups_are_both_named_where_clusters_follow_both() -> None:
    both = Meaning(0.4, (0.3, 0.5)), Meaning(0.2, (0.1, 0.3))
    meanings = Meanings(*both, Meaning(-0.2, (-0.4, 0.1)), 80, 20)
    assert say_followed(meanings) == (
        " They go in part with the classes and a little with the groups (one person, say)."
    )


def test_one_cloud_is_called_one_cloud() -> None:
    found = cluster_by_k_means(one_cloud())
    said = cluster_headline(
        found, stability_in(one_cloud), meanings_of(found.assignments, None, None), "faces"
    )
    assert said.startswith("The faces form one cloud")
