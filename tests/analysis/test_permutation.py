import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vae_tf.analysis.permutation import Design, _draw, judge, labellings, plan

Labels = tuple[int, ...]


def allowed(labels: Labels, groups: Labels | None) -> set[Labels]:
    """By brute force over all labellings, those that respect what `plan` promises."""
    every = set(itertools.permutations(labels))
    if groups is None:
        return every
    members = {g: [i for i, group in enumerate(groups) if group == g] for g in set(groups)}

    def held(candidate: Labels, g: int) -> Labels:
        return tuple(sorted(candidate[i] for i in members[g]))

    def is_whole(vector: Labels) -> bool:
        return len(set(vector)) == 1

    def signature(candidate: Labels) -> object:
        """What exchange leaves as it is: compositions by size, and the classes of whole groups of any size."""
        vectors = {g: held(candidate, g) for g in members}
        whole = sorted(v[0] for v in vectors.values() if is_whole(v))
        places = sorted((len(v), v) for v in vectors.values() if not is_whole(v))
        if not whole:  # crossed: groups keep what they hold
            return vectors
        return whole, places

    candidates = itertools.product(range(max(labels) + 1), repeat=len(labels))
    return {candidate for candidate in candidates if signature(candidate) == signature(labels)}


DESIGNS: dict[str, tuple[Labels, Labels | None]] = {
    "no groups": ((0, 1, 0, 1, 2), None),
    "crossed": ((0, 1, 0, 0, 1, 0, 1), (0, 0, 0, 1, 1, 2, 2)),
    "nested": ((0, 0, 1, 1, 1, 0, 1), (0, 0, 1, 1, 1, 2, 3)),
    "mixed": ((0, 1, 1, 0, 0, 1, 1, 0), (0, 0, 0, 1, 1, 2, 2, 3)),
}
# Whole groups of two sizes, groups of several classes of two sizes, three classes.
MIXED: list[tuple[Labels, Labels]] = [
    DESIGNS["mixed"],  # type: ignore[list-item]
    ((0, 1, 1, 1, 0, 0, 0, 1), (0, 0, 1, 1, 2, 2, 3, 3)),
    ((0, 1, 1, 0, 0, 0, 2, 1), (0, 0, 0, 1, 1, 1, 2, 3)),
    ((0, 1, 2, 2, 1, 1, 0, 0), (0, 0, 1, 1, 2, 2, 3, 3)),
]


@pytest.mark.parametrize("kind", DESIGNS)
def test_enumeration_equals_brute_force(kind: str) -> None:
    labels, groups = DESIGNS[kind]
    design = plan(np.array(labels), None if groups is None else np.array(groups))
    expected = allowed(labels, groups)
    found = labellings(design, 999, seed=0)
    assert design.kind == kind and design.num_classes == len(set(labels))
    assert found.exact
    assert design.num_labellings == len(found.labels) == len(expected)
    assert {tuple(row) for row in found.labels.tolist()} == expected


@pytest.mark.parametrize("kind", DESIGNS)
def test_random_labellings_are_uniform_over_the_enumeration(kind: str) -> None:
    from scipy.stats import chisquare

    labels, groups = DESIGNS[kind]
    design = plan(np.array(labels), None if groups is None else np.array(groups))
    drawn, counts = np.unique(_draw(design, 6_000, np.random.default_rng(0)), axis=0, return_counts=True)
    assert {tuple(row) for row in drawn.tolist()} == allowed(labels, groups)
    assert chisquare(counts).pvalue > 0.001


@pytest.mark.parametrize(("labels", "groups"), MIXED)
def test_mixed_designs_are_enumerated_and_drawn_evenly(labels: Labels, groups: Labels) -> None:
    from scipy.stats import chisquare

    design, expected = plan(np.array(labels), np.array(groups)), allowed(labels, groups)
    assert design.kind == "mixed" and design.num_labellings == len(expected)
    found = labellings(design, 5_000, seed=0)
    assert found.exact and {tuple(row) for row in found.labels.tolist()} == expected
    assert len(found.labels) == len(expected)
    drawn, counts = np.unique(
        _draw(design, 40 * len(expected), np.random.default_rng(1)), axis=0, return_counts=True
    )
    assert len(drawn) == len(expected)
    assert chisquare(counts).pvalue > 0.001


@pytest.mark.parametrize(("labels", "groups"), MIXED)
def test_the_test_of_a_mixed_design_is_exact(labels: Labels, groups: Labels) -> None:
    """Whichever labelling had been the observed one: P(p ≤ α) ≤ α exactly, for a statistic of unequal values."""
    every = np.array(sorted(allowed(labels, groups)))
    statistic = every @ np.random.default_rng(2).normal(size=len(labels))
    p_values = []
    for row, value in zip(every, statistic, strict=True):
        # Planned anew from each: the set of labellings must not depend on which of them was observed.
        null = labellings(plan(row, np.array(groups)), 5_000, seed=0).labels
        assert {tuple(r) for r in null.tolist()} == set(map(tuple, every.tolist()))
        p_values.append(
            judge(float(value), null @ np.random.default_rng(2).normal(size=len(labels)), True, 0).p_value
        )
    for alpha in np.unique(p_values):
        assert np.mean(np.array(p_values) <= alpha + 1e-12) == pytest.approx(alpha)


small_designs = st.integers(4, 14).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 2), min_size=n, max_size=n),
        st.lists(st.integers(0, 4), min_size=n, max_size=n),
    )
)


def design_of(drawn: tuple[list[int], list[int]]) -> Design:
    labels, groups = (np.unique(part, return_inverse=True)[1] for part in drawn)
    return plan(labels, groups)


@given(small_designs, st.integers(0, 5))
@settings(deadline=None, max_examples=100)
def test_labellings_keep_what_may_not_be_exchanged(drawn: tuple[list[int], list[int]], seed: int) -> None:
    design = design_of(drawn)

    def compositions(labels: np.ndarray) -> list[list[int]]:
        return [sorted(labels[design.groups == group].tolist()) for group in range(design.num_groups)]

    before = compositions(design.labels)
    for num_permutations in (5, 400):
        for labels in labellings(design, num_permutations, seed).labels:
            after = compositions(labels)
            for stay in (lambda v: len(set(v)) > 1, lambda v: len(set(v)) == 1):
                assert sorted(len(v) for v in before if stay(v)) == sorted(len(v) for v in after if stay(v))
            assert sorted(v for v in before if len(set(v)) > 1) == sorted(v for v in after if len(set(v)) > 1)
            assert sorted(v[0] for v in before if len(set(v)) == 1) == sorted(
                v[0] for v in after if len(set(v)) == 1
            )
            if design.kind == "crossed":
                assert after == before


@given(small_designs)
@settings(deadline=None, max_examples=100)
def test_renamings_are_those_that_keep_the_set_of_labellings(drawn: tuple[list[int], list[int]]) -> None:
    design = design_of(drawn)
    if design.num_labellings > 300:
        return
    every = {tuple(row) for row in labellings(design, 300, seed=0).labels.tolist()}
    renamings = [
        renaming
        for renaming in itertools.permutations(range(design.num_classes))
        if {tuple(renaming[label] for label in row) for row in every} == every
    ]
    assert design.num_renamings == len(renamings)


def test_three_against_three_groups_cannot_go_below_two_in_twenty() -> None:
    groups = np.repeat(np.arange(6), 4)
    design = plan((groups >= 3).astype(int), groups)
    assert (design.num_labellings, design.num_renamings) == (20, 2)
    assert labellings(design, 999, seed=0).minimum_p == 0.1


def test_unequal_numbers_of_groups_cannot_be_renamed() -> None:
    groups = np.repeat(np.arange(6), 4)
    design = plan((groups >= 4).astype(int), groups)
    assert (design.num_labellings, design.num_renamings) == (15, 1)
    assert labellings(design, 999, seed=0).minimum_p == 1 / 15


@pytest.mark.parametrize(("num_classes", "renamings"), [(5, 2 * 6), (6, 2 * 24), (7, 1)])
def test_mixed_designs_count_renamings_of_up_to_six_classes(num_classes: int, renamings: int) -> None:
    """A person of two classes, and one of each class: the two may change names, and so may the others."""
    design = plan(np.array([0, 1, *range(num_classes)]), np.array([0, 0, *range(1, num_classes + 1)]))
    assert design.kind == "mixed" and design.num_renamings == renamings


def test_random_labellings_cannot_go_below_one_in_b_plus_one() -> None:
    design = plan(np.arange(100) % 2)
    assert design.num_labellings == math.comb(100, 50)
    found = labellings(design, 199, seed=0)
    assert not found.exact and found.labels.shape == (199, 100)
    assert found.minimum_p == 1 / 200
    np.testing.assert_array_equal(found.labels, labellings(design, 199, seed=0).labels)
    # Just too many labellings for the enumeration: renaming still costs a factor of two.
    assert labellings(plan(np.arange(8) % 2), 69, seed=0).minimum_p == 2 / 70


def test_a_picture_per_group_is_no_grouping() -> None:
    labels = np.arange(6) % 2
    assert plan(labels, np.arange(6)).kind == "no groups"
    assert plan(labels, np.arange(6)).num_labellings == 20


def test_large_blocks_are_enumerated_without_recursion() -> None:
    labels = np.zeros(900, dtype=np.int64)
    labels[0] = 1
    found = labellings(plan(labels), 999, seed=0)
    assert found.exact and found.labels.shape == (900, 900)
    assert (found.labels.sum(axis=0) == 1).all()


def test_exact_verdict() -> None:
    null = np.array([0.1, 0.2, 0.2, *np.linspace(0.3, 0.9, 37)])
    verdict = judge(0.9, null, exact=True, minimum_p=1 / 40)
    assert (verdict.p_value, verdict.minimum_p) == (1 / 40, 1 / 40)
    # Two of forty labellings reach the second largest value, three the third.
    assert verdict.critical_value == pytest.approx(null[-2])
    assert judge(0.2, null, exact=True, minimum_p=1 / 40).p_value == 39 / 40
    assert (verdict.null_mean, verdict.null_sd) == (null.mean(), null.std())


def test_random_verdict_counts_the_observed_labelling() -> None:
    null = np.linspace(0, 1, 99)
    verdict = judge(2.0, null, exact=False, minimum_p=0.01)
    assert verdict.p_value == verdict.minimum_p == 0.01
    # (1 + 4) / 100 is the last within 0.05.
    assert verdict.critical_value == pytest.approx(null[-4])
    assert judge(null[-4], null, exact=False, minimum_p=0.01).p_value == 0.05


def test_ties_at_the_top_raise_the_smallest_p() -> None:
    null = np.array([1.0] * 3 + [0.5] * 27)
    verdict = judge(1.0, null, exact=True, minimum_p=1 / 30)
    assert verdict.p_value == verdict.minimum_p == 0.1
    assert verdict.critical_value is None


def test_rounding_does_not_break_ties() -> None:
    null = np.array([0.1 + 0.2, 0.3, 0.1])
    assert (
        judge(0.3, null, exact=True, minimum_p=1 / 3).p_value
        == judge(0.1 + 0.2, null, True, 1 / 3).p_value
        == 2 / 3
    )
