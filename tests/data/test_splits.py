"""Splits: groups stay whole, every picture is in one part, shares and classes are kept, small sets get something."""

from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from numpy.typing import NDArray

from vae_tf.data.splits import PARTS, Split, split
from vae_tf.errors import UserError

USUAL = (80.0, 10.0, 10.0)
SHARES = [
    USUAL,
    (70.0, 15.0, 15.0),
    (60.0, 20.0, 10.0, 10.0),
    (80.0, 0.0, 20.0),
    (1.0, 1.0, 1.0),
    (8.0, 1.0, 1.0),
]


def alone(count: int) -> NDArray[np.int64]:
    return np.full(count, -1)


def table(labels: Any, part: NDArray[np.int8]) -> NDArray[np.int64]:
    """Pictures of each part [4] in each class."""
    labels = np.asarray(labels)
    return np.array([[np.sum((part == p) & (labels == c)) for c in np.unique(labels)] for p in range(4)])


def request(labels: Any, shares: tuple[float, ...]) -> NDArray[np.float64]:
    counts = np.unique(labels, return_counts=True)[1]
    full = np.array([*shares, 0.0])[:4]
    return np.outer(full / full.sum(), counts)


@st.composite
def designs(draw: Any) -> tuple[NDArray[np.int64], NDArray[np.int64], tuple[float, ...], int]:
    """Labels and groups in any relation, with unlabelled and ungrouped pictures among them."""
    count = draw(st.integers(4, 120))
    generator = np.random.default_rng(draw(st.integers(0, 2**31)))
    labels = generator.integers(-1, draw(st.integers(1, 6)), count)
    groups = generator.integers(-1, draw(st.integers(1, 60)), count)
    if draw(st.booleans()):
        labels = np.where(groups >= 0, groups % 3, labels)
    return labels, groups, draw(st.sampled_from(SHARES)), draw(st.integers(0, 2**31 - 1))


@hypothesis.given(designs())
@hypothesis.settings(max_examples=200)
def test_groups_stay_whole_and_no_wanted_part_is_empty(design: Any) -> None:
    labels, groups, shares, seed = design
    wanted = {p for p, share in enumerate(shares) if share > 0}
    num_units = len(np.unique(groups[groups >= 0])) + int(np.sum(groups < 0))
    if num_units < len(wanted):
        with pytest.raises(UserError, match=f"{num_units} groups cannot fill {len(wanted)} parts"):
            split(labels, groups, shares, seed)
        return
    result = split(labels, groups, shares, seed)
    for group in np.unique(groups[groups >= 0]):
        assert len(np.unique(result.part[groups == group])) == 1
    assert set(result.part.tolist()) == wanted
    positions = np.concatenate([result.where(name) for name in PARTS])
    assert sorted(positions.tolist()) == list(range(len(labels)))
    again = split(labels, groups, shares, seed)
    assert np.array_equal(again.part, result.part) and again.notes == result.notes


def test_other_seeds_give_other_splits_of_the_same_sizes() -> None:
    labels = np.repeat([0, 1], 50)
    parts = [split(labels, alone(100), USUAL, seed).part for seed in range(20)]
    assert len({part.tobytes() for part in parts}) == 20
    assert all(np.array_equal(np.bincount(part), [80, 10, 10]) for part in parts)


def test_every_picture_is_held_out_equally_often() -> None:
    part = np.stack([split(np.repeat([0, 1], 10), alone(20), USUAL, seed).part for seed in range(400)])
    # Binomial with p = 0.1 over 400 seeds: standard deviation 6.
    assert np.abs(np.sum(part == 2, 0) - 40).max() < 30


@hypothesis.given(
    sizes=st.lists(st.integers(5, 150), min_size=1, max_size=12).filter(lambda sizes: sum(sizes) >= 100),
    shares=st.sampled_from(SHARES),
    seed=st.integers(0, 1000),
)
@hypothesis.settings(max_examples=100)
def test_single_pictures_are_stratified(sizes: list[int], shares: tuple[float, ...], seed: int) -> None:
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    got, wanted = table(labels, split(labels, alone(len(labels)), shares, seed).part), request(labels, shares)
    assert np.abs(got - wanted).max() <= 2
    assert np.abs(got.sum(1) - wanted.sum(1)).max() <= 3


@hypothesis.given(
    sizes=st.lists(st.integers(1, 12), min_size=50, max_size=120),
    shares=st.sampled_from(SHARES[:-2]),
    seed=st.integers(0, 1000),
)
@hypothesis.settings(max_examples=60)
def test_shares_are_met_within_a_group(sizes: list[int], shares: tuple[float, ...], seed: int) -> None:
    groups = np.repeat(np.arange(len(sizes)), sizes)
    labels = np.random.default_rng(seed).integers(0, 2, len(groups))
    got, wanted = table(labels, split(labels, groups, shares, seed).part), request(labels, shares)
    assert np.abs((got - wanted).sum(1)).max() <= max(sizes)


@pytest.mark.parametrize(
    ("labels", "groups", "rows"),
    [
        (np.repeat([0, 1], 10), alone(20), [[8, 8], [1, 1], [1, 1]]),
        (np.repeat([0, 1], 50), alone(100), [[40, 40], [5, 5], [5, 5]]),
        # Each of 20 people happy and angry.
        (np.tile([0, 1], 20), np.repeat(np.arange(20), 2), [[16, 16], [2, 2], [2, 2]]),
        # Twenty people, each of one class only, of five pictures each.
        (np.repeat([0, 1], 50), np.repeat(np.arange(20), 5), [[40, 40], [5, 5], [5, 5]]),
        # Two classes of three people: no part is empty and training keeps most of both.
        (np.repeat([0, 1], 12), np.repeat(np.arange(6), 4), None),
    ],
)
@pytest.mark.parametrize("seed", range(5))
def test_small_designs(
    labels: NDArray[np.int64], groups: NDArray[np.int64], rows: list[list[int]] | None, seed: int
) -> None:
    got = table(labels, split(labels, groups, USUAL, seed).part)
    if rows is not None:
        assert got[:3].tolist() == rows
    else:
        # One group to each held-out part, and not both from the same class.
        assert got[0].tolist() == [8, 8]
        assert sorted(got[1:3].sum(0).tolist()) == [4, 4]
        assert sorted(got[1:3].sum(1).tolist()) == [4, 4]


def test_many_classes_are_stratified_each() -> None:
    labels = np.repeat(np.arange(40), 10)
    got = table(labels, split(labels, alone(400), USUAL, 0).part)
    assert got.sum(1).tolist() == [320, 40, 40, 0]
    assert np.abs(got - request(labels, USUAL)).max() <= 1


def test_many_tiny_classes_do_not_eat_the_training_part() -> None:
    labels = np.repeat(np.arange(40), 3)
    got = table(labels, split(labels, alone(120), USUAL, 0).part)
    assert np.abs(got.sum(1) - [96, 12, 12, 0]).max() <= 2


@pytest.mark.parametrize("count", range(4, 21))
def test_small_sets_get_sensible_sizes_and_say_so(count: int) -> None:
    result = split(np.zeros(count, np.int64), alone(count), USUAL, 0)
    train, validation, test, _ = np.bincount(result.part, minlength=4)
    least = 1 if count < 10 else 2
    assert validation == test == least and train >= count / 2
    said = " ".join(result.notes)
    for name in ("validation", "test"):
        assert f"Only {least} {name} picture" in said
        if count in (4, 5, 10, 11, 12, 13):
            assert f"The {name} part got {least} picture" in said


def test_a_fourth_number_gives_a_calibration_part() -> None:
    labels = np.repeat([0, 1], 50)
    result = split(labels, alone(100), (70.0, 10.0, 10.0, 10.0), 0)
    assert table(labels, result.part).tolist() == [[35, 35], [5, 5], [5, 5], [5, 5]]
    assert len(result.where("calibration")) == 10
    assert len(split(labels, alone(100), USUAL, 0).where("calibration")) == 0


def test_a_part_of_zero_stays_empty() -> None:
    result = split(np.zeros(50, np.int64), alone(50), (80.0, 0.0, 20.0), 0)
    assert np.bincount(result.part).tolist() == [40, 0, 10]


def test_shares_missed_by_whole_groups_are_said() -> None:
    result = split(np.zeros(90, np.int64), np.repeat([0, 1, 2], [40, 30, 20]), (70.0, 15.0, 15.0), 0)
    assert sorted(np.bincount(result.part).tolist()) == [20, 30, 40]
    assert any("groups are never split" in note or "more than its share" in note for note in result.notes)
    assert split(np.zeros(100, np.int64), alone(100), USUAL, 0).notes == ()


def test_a_training_part_with_a_tiny_share_gets_a_group_too() -> None:
    result = split(np.zeros(4, np.int64), np.array([0, 1, 2, 2]), (1.0, 98.0, 1.0), 0)
    assert result.part[2:].tolist() == [1, 1] and sorted(result.part[:2].tolist()) == [0, 2]


def test_too_few_pictures() -> None:
    with pytest.raises(UserError, match="3 usable pictures were found; at least 4"):
        split(np.zeros(3, np.int64), alone(3), USUAL, 0)
    with pytest.raises(UserError, match="2 groups cannot fill 3 parts") as caught:
        split(np.zeros(40, np.int64), np.repeat([0, 1], 20), USUAL, 0)
    assert "--split 80/0/20" in caught.value.hint
    result: Split = split(np.zeros(40, np.int64), np.repeat([0, 1], 20), (80.0, 0.0, 20.0), 0)
    assert np.bincount(result.part).tolist() == [20, 0, 20]


def test_the_dealing_of_a_seed_stays_as_it_was() -> None:
    part = split(np.tile([0, 1, -1], 14), np.repeat(np.arange(21) - 1, 2), (60.0, 20.0, 10.0, 10.0), 5).part
    assert "".join(map(str, part)) == "003300330000221111002200000000000011110000"


@st.composite
def fixed_designs(draw: Any) -> tuple[Any, ...]:
    """Designs with parts fixed for some pictures and copies of pictures among them."""
    labels, groups, shares, seed = draw(designs())
    generator = np.random.default_rng(seed)
    count = len(labels)
    parts = draw(st.lists(st.integers(-1, 4), min_size=1, max_size=4))
    fixed = generator.choice([-1, *parts], count).astype(np.int8)
    # Keys of copies as the pixels give them: each belongs to two pictures or more.
    keys = generator.integers(0, draw(st.integers(1, 200)), count)
    copies = np.where(np.bincount(keys)[keys] > 1, keys, -1)
    return labels, groups, shares, seed, fixed, copies


def naive_units(
    groups: NDArray[np.int64], copies: NDArray[np.int64], free: NDArray[np.bool_]
) -> list[set[int]]:
    """Sets of free pictures linked by groups and copies, by merging until nothing changes."""
    units = [{int(i)} for i in np.flatnonzero(free)]
    for keys in (groups, copies):
        for key in np.unique(keys[keys >= 0]):
            linked = [unit for unit in units if any(keys[i] == key for i in unit)]
            if linked:
                units = [unit for unit in units if unit not in linked] + [set().union(*linked)]
    return units


@hypothesis.given(fixed_designs())
@hypothesis.settings(max_examples=200)
def test_fixed_parts_are_kept_and_no_unit_is_split(design: Any) -> None:
    labels, groups, shares, seed, fixed, copies = design
    taken = set(fixed.tolist())
    lacking = {p for p, share in enumerate(shares) if p > 0 and share > 0 and p not in taken}
    opened = bool(lacking & {1, 3}) and 0 in taken
    free = (fixed < 0) | (opened & (fixed == 0))
    units = naive_units(groups, copies, free)
    try:
        result = split(labels, groups, shares, seed, fixed, copies)
    except UserError as error:
        too_few = free.any() and len(units) < len(lacking) + 1
        assert too_few or (not free.any() and not np.any(fixed == 0)), error
        return
    assert np.array_equal(result.part[~free], fixed[~free])
    for unit in units:
        assert len({int(result.part[i]) for i in unit}) == 1
    if free.any():
        assert set(result.part[free].tolist()) == lacking | {0}
    assert np.any(result.part == 0) and not np.any(result.part == -1)
    again = split(labels, groups, shares, seed, fixed, copies)
    assert np.array_equal(again.part, result.part) and again.notes == result.notes


def test_free_pictures_get_only_what_is_not_fixed() -> None:
    labels, fixed = np.repeat([0, 1], 60), np.full(120, -1, np.int8)
    fixed[:20] = 2
    result = split(labels, alone(120), USUAL, 0, fixed)
    assert np.bincount(result.part, minlength=4).tolist() == [89, 11, 20, 0]
    assert set(np.flatnonzero(result.part == 2)) == set(range(20))
    fixed[20:40] = 1
    result = split(labels, alone(120), USUAL, 0, fixed)
    assert np.bincount(result.part, minlength=4).tolist() == [80, 20, 20, 0]


def test_marked_train_gives_a_validation_part_and_says_so() -> None:
    fixed = np.repeat([0, 2], [90, 30]).astype(np.int8)
    result = split(np.zeros(120, np.int64), alone(120), USUAL, 0, fixed)
    assert np.bincount(result.part).tolist() == [80, 10, 30] and set(result.part[90:]) == {2}
    assert result.notes[0].startswith(
        "No picture is marked validation: the 90 pictures marked train are dealt"
    )
    result = split(np.zeros(120, np.int64), alone(120), (60.0, 10.0, 15.0, 15.0), 0, fixed)
    assert (
        np.abs(np.bincount(result.part) - np.array([90 * 60 / 85, 90 * 10 / 85, 30, 90 * 15 / 85])).max() < 1
    )
    fixed[80:90] = 1
    result = split(np.zeros(120, np.int64), alone(120), USUAL, 0, fixed)
    assert np.array_equal(result.part, fixed) and result.notes == ()
    result = split(np.zeros(120, np.int64), alone(120), USUAL, 0, np.zeros(120, np.int8))
    assert np.bincount(result.part).tolist() == [96, 12, 12]


def test_nothing_to_train_on() -> None:
    with pytest.raises(UserError, match="No picture is left to train on"):
        split(np.zeros(9, np.int64), alone(9), USUAL, 0, np.repeat([1, 2, 4], 3).astype(np.int8))


def test_copies_are_dealt_together_and_counted() -> None:
    copies = np.where(np.arange(60) < 40, np.arange(60) % 20, -1)
    parts = [split(np.zeros(60, np.int64), alone(60), USUAL, seed, None, copies) for seed in range(20)]
    assert all(np.array_equal(result.part[:20], result.part[20:40]) for result in parts)
    assert parts[0].notes[-1] == "20 pictures are exact copies of others; copies are dealt to the same part."
    # A copy links two groups.
    groups, linked = np.repeat(np.arange(10), 2), np.full(20, -1)
    linked[[0, 19]] = 0
    for seed in range(20):
        part = split(np.zeros(20, np.int64), groups, USUAL, seed, None, linked).part
        assert len({int(part[i]) for i in (0, 1, 18, 19)}) == 1


def test_leaks_of_fixed_parts_are_said_not_mended() -> None:
    fixed = np.full(60, -1, np.int8)
    fixed[:15] = 2
    groups = np.where(np.arange(60) < 30, np.arange(60) % 15, -1)
    result = split(np.zeros(60, np.int64), groups, (80.0, 0.0, 20.0), 0, fixed)
    assert set(result.part[15:]) == {0} and set(result.part[:15]) == {2}
    assert "15 unseen pictures of a group that was trained on: figures on the unseen flatter." in result.notes
    result = split(np.zeros(60, np.int64), alone(60), (80.0, 0.0, 20.0), 0, fixed, groups)
    assert (
        "15 unseen pictures equal to one that was trained on: figures on the unseen flatter." in result.notes
    )
    fixed[:15] = 4
    result = split(np.zeros(60, np.int64), groups, (80.0, 20.0, 0.0), 0, fixed)
    seen = int(np.sum(result.part[15:30] == 0))
    assert f"{seen} pictures of a group that was trained on among those put aside." in result.notes
