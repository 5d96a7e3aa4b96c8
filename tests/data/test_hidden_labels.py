"""Which labels training sees."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vae_tf.data.dataset import Index
from vae_tf.data.hidden_labels import hide_labels
from vae_tf.errors import UserError

NAMES = ["a", "b", "c", "d"]


@given(st.lists(st.integers(-1, 3), min_size=20, max_size=80), st.floats(0.2, 1.0), st.integers(0, 5))
def test_the_share_is_kept_stratified_and_no_class_goes_without(labels, fraction, seed):
    labels = np.array([0, 1, 2, 3, *labels])
    training = np.arange(0, len(labels))[: len(labels) - 5]
    hidden = hide_labels(labels, training, NAMES, fraction, seed)
    known = training[labels[training] >= 0]
    assert not hidden[len(labels) - 5 :].any() and not hidden[labels < 0].any()
    kept = known[~hidden[known]]
    assert set(labels[kept]) == set(labels[known])
    counts, all_counts = (np.bincount(labels[chosen], minlength=4) for chosen in (kept, known))
    exact = fraction * all_counts
    assert np.all((np.abs(counts - exact) < 1.51) | (counts == 1))
    assert abs(len(kept) - round(fraction * len(known))) <= 3
    np.testing.assert_array_equal(hidden, hide_labels(labels, training, NAMES, fraction, seed))


def test_the_seed_decides():
    labels = np.repeat([0, 1], 50)
    first, second = (hide_labels(labels, np.arange(100), NAMES, 0.1, seed) for seed in (0, 1))
    assert (~first).sum() == (~second).sum() == 10 and not np.array_equal(first, second)


def test_fewer_labels_than_classes_are_refused_with_a_share_that_works():
    labels = np.arange(400) % 4
    with pytest.raises(UserError) as caught:
        hide_labels(labels, np.arange(400), NAMES, 0.005, 0)
    assert "leaves 2 of 400 labels for 4 classes" in caught.value.message and "0.01" in caught.value.hint
    assert (~hide_labels(labels, np.arange(400), NAMES, 0.01, 0)).sum() == 4
    with pytest.raises(UserError, match="no picture to train on has a class"):
        hide_labels(np.full(9, -1), np.arange(9), [], 0.5, 0)


def test_an_index_remembers_what_was_hidden():
    hidden = np.array([False, True, True])
    index = Index(
        paths=["x", "y", "z"],
        labels=np.array([0, 1, 0]),
        class_names=["a", "b"],
        groups=np.full(3, -1),
        group_names=[],
        parts=np.zeros(3, np.int8),
        hidden=hidden,
    )
    again = Index.from_json(index.to_json())
    np.testing.assert_array_equal(again.hidden, hidden)
    np.testing.assert_array_equal(again.visible_labels, [0, -1, -1])
    columns, rows = index.table()
    assert columns[-1] == "label_is_hidden" and [row[-1] for row in rows] == ["no", "yes", "yes"]
