import numpy as np
import pytest

from vae_tf.analysis.cohort import Cohort, select
from vae_tf.errors import UserError


def choose(
    labels: object, groups: object = None, names: list[str] | None = None, max_pictures: int = 2_000
) -> Cohort:
    return select(np.asarray(labels), groups, names, 0, max_pictures)  # type: ignore[arg-type]


def test_unlabelled_pictures_are_left_out_and_labels_are_coded_from_zero() -> None:
    cohort = choose([5, -1, 2, 5, 2, -1], names=["a", "b", "two", "d", "e", "five"])
    np.testing.assert_array_equal(cohort.kept, [0, 2, 3, 4])
    np.testing.assert_array_equal(cohort.labels, [1, 0, 1, 0])
    assert cohort.class_names == ("two", "five")
    assert (cohort.class_counts, cohort.class_groups) == ((2, 2), (2, 2))
    assert cohort.groups is None
    assert cohort.notes == ("2 pictures without a label are left out.",)


def test_persons_as_classes_drop_the_groups() -> None:
    cohort = choose([0, 0, 1, 1, 2, 2], ["p", "p", "q", "q", "r", "r"])
    assert cohort.groups is None
    assert "whether these groups separate" in cohort.notes[0]


def test_one_group_is_no_grouping() -> None:
    cohort = choose([0, 0, 1, 1], ["p"] * 4)
    assert cohort.groups is None
    assert "one group" in cohort.notes[0]


@pytest.mark.parametrize("groups", [[0, 0, -1, 1, 1, -1], ["p", "p", "", "q", "q", ""]])
def test_pictures_without_a_group_are_groups_of_their_own(groups: list[object]) -> None:
    cohort = choose([0, 1, 0, 0, 1, 1], groups)
    assert cohort.groups is not None
    assert len(np.unique(cohort.groups)) == 4
    assert cohort.groups[2] != cohort.groups[5]
    assert cohort.class_groups == (3, 3)


def test_classes_that_cannot_be_held_out_are_left_out_and_named() -> None:
    cohort = choose([0, 0, 1, 1, 2], names=["x", "y", "rare"])
    assert cohort.class_names == ("x", "y")
    assert cohort.notes == (
        "Left out, for having one picture only, which cannot be judged when it is held out: rare.",
    )
    cohort = choose([0, 0, 1, 1, 2, 2], ["a", "b", "a", "b", "a", "a"])
    assert cohort.class_names == ("0", "1")
    assert "one group only" in cohort.notes[0]


@pytest.mark.parametrize(
    ("labels", "groups"),
    [
        ([0, 0, 0], None),
        ([0, 0, 1], None),
        ([-1, -1], None),
        ([0, 1, 2], None),
        ([0, 0, 1, 1], ["a", "b", "c", "c"]),
    ],
)
def test_where_nothing_can_be_said_it_says_so(labels: list[int], groups: list[str] | None) -> None:
    with pytest.raises(UserError, match="nothing can be said"):
        choose(labels, groups)


def test_whole_small_groups_are_subsampled() -> None:
    groups = np.arange(400) // 4
    cohort = choose(np.arange(400) % 2, groups, max_pictures=100)
    assert len(cohort.kept) == 100
    np.testing.assert_array_equal(np.unique(groups[cohort.kept], return_counts=True)[1], [4] * 25)
    assert cohort.notes == (
        "100 of 400 labelled pictures serve, the 25 groups they come from drawn at random.",
    )
    np.testing.assert_array_equal(cohort.kept, choose(np.arange(400) % 2, groups, max_pictures=100).kept)


def test_few_large_groups_are_thinned() -> None:
    groups = np.arange(400) // 100
    cohort = choose(np.arange(400) % 2, groups, max_pictures=100)
    assert len(cohort.kept) == 100
    assert len(np.unique(groups[cohort.kept])) == 4


def test_the_subsample_does_not_look_at_the_labels() -> None:
    labels = np.arange(300) % 2
    first = choose(labels, max_pictures=50).kept
    np.testing.assert_array_equal(first, choose(1 - labels, max_pictures=50).kept)


def test_mistakes_are_explained() -> None:
    with pytest.raises(UserError, match=r"expected \[N\] integers"):
        choose([0.0, 1.0])
    with pytest.raises(UserError, match="one per picture"):
        choose([0, 0, 1, 1], [0, 1])
    with pytest.raises(UserError, match="Label 1 has no name"):
        choose([0, 0, 1, 1], names=["only"])
