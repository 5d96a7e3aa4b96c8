"""Batches: each picture once per permutation, each step a pure function of its number, everything in agreement."""

import itertools

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st
from numpy.typing import NDArray

from vae_tf.data.batches import ordered_batches, position_stream, training_batches

# Each picture carries its own number in its pixels.
IMAGES = np.broadcast_to(np.arange(50, dtype=np.uint8)[:, None, None, None], (50, 4, 6, 3)).copy()
LABELS = np.arange(50, dtype=np.int64) * 7 % 5 - 1
CHOSEN = np.array([40, 3, 17, 22, 8, 31, 11], dtype=np.int64)


@hypothesis.given(
    count=st.integers(1, 30),
    batch_size=st.integers(1, 70),
    seed=st.integers(0, 2**31 - 1),
    epochs=st.integers(1, 6),
)
def test_each_permutation_holds_each_picture_once(
    count: int, batch_size: int, seed: int, epochs: int
) -> None:
    positions = position_stream(count, batch_size, seed)
    steps = -(-epochs * count // batch_size)
    batches = [positions(step) for step in range(steps)]
    assert all(len(batch) == batch_size for batch in batches)
    stream = np.concatenate(batches)[: epochs * count].reshape(epochs, count)
    assert np.array_equal(np.sort(stream, 1), np.tile(np.arange(count), (epochs, 1)))


@hypothesis.given(count=st.integers(1, 30), batch_size=st.integers(1, 40), steps=st.lists(st.integers(0, 60)))
def test_a_step_does_not_depend_on_the_steps_before(count: int, batch_size: int, steps: list[int]) -> None:
    one_stream = position_stream(count, batch_size, seed=3)
    for step in steps:
        assert np.array_equal(one_stream(step), position_stream(count, batch_size, seed=3)(step))


def test_epochs_and_seeds_have_their_own_order() -> None:
    orders = {position_stream(30, 30, seed)(step).tobytes() for seed in range(5) for step in range(5)}
    assert len(orders) == 25


def take(dataset: tf.data.Dataset, count: int) -> list[dict[str, NDArray[np.int64]]]:
    return [
        {name: value.numpy() for name, value in batch.items()} for batch in itertools.islice(dataset, count)
    ]


def check_agreement(batch: dict[str, NDArray[np.int64]]) -> None:
    assert batch["x"].dtype == np.uint8 and batch["label"].dtype == batch["index"].dtype == np.int64
    assert np.array_equal(batch["x"], IMAGES[batch["index"]])
    assert np.array_equal(batch["label"], LABELS[batch["index"]])


@pytest.mark.parametrize("batch_size", [1, 3, 7, 19])
def test_training_batches_cover_the_chosen_pictures_in_agreement(batch_size: int) -> None:
    dataset = training_batches(IMAGES, LABELS, CHOSEN, batch_size, seed=1)
    assert dataset.element_spec["x"].shape == (batch_size, 4, 6, 3)
    batches = take(dataset, -(-3 * len(CHOSEN) // batch_size))
    for batch in batches:
        check_agreement(batch)
    stream = np.concatenate([batch["index"] for batch in batches])[: 3 * len(CHOSEN)].reshape(3, -1)
    assert np.array_equal(np.sort(stream, 1), np.tile(np.sort(CHOSEN), (3, 1)))


def test_starting_later_equals_skipping() -> None:
    whole = take(training_batches(IMAGES, LABELS, CHOSEN, 3, seed=1), 12)
    for first in (1, 2, 7):
        later = take(training_batches(IMAGES, LABELS, CHOSEN, 3, seed=1, first_step=first), 12 - first)
        for one, other in zip(whole[first:], later, strict=True):
            assert all(np.array_equal(one[name], other[name]) for name in one)


def test_iterating_twice_gives_the_same_batches() -> None:
    dataset = training_batches(IMAGES, LABELS, np.arange(50), 8, seed=1)
    # The first pass goes further, so that the second one asks for permutations that were forgotten.
    first, second = take(dataset, 40), take(dataset, 20)
    for one, other in zip(first, second, strict=False):
        assert all(np.array_equal(one[name], other[name]) for name in one)
    assert not np.array_equal(
        first[0]["index"], take(training_batches(IMAGES, LABELS, np.arange(50), 8, 2), 1)[0]["index"]
    )


@pytest.mark.parametrize("batch_size", [1, 3, 7, 100])
def test_ordered_batches_give_everything_once_in_order(batch_size: int) -> None:
    batches = take(ordered_batches(IMAGES, LABELS, CHOSEN, batch_size), 100)
    for batch in batches:
        check_agreement(batch)
    assert np.concatenate([batch["index"] for batch in batches]).tolist() == CHOSEN.tolist()
    assert all(len(batch["index"]) == batch_size for batch in batches[:-1])


def test_no_dataset_leaves_a_tuner_to_be_waited_for() -> None:
    """tf.data's tuner would hold whoever is done with a dataset for as long as its next pause lasts."""
    images, indices = np.zeros((6, 2, 2, 1), np.uint8), np.arange(6)
    for found in (
        training_batches(images, np.full(6, -1), indices, 2, 0),
        ordered_batches(images, np.full(6, -1), indices, 2),
    ):
        assert found.options().autotune.enabled is False
