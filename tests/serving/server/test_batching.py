"""Joined or alone, every request gets its own answer, and nobody else's error."""

import asyncio
import time

import numpy as np
import pytest
import tensorflow as tf
from grpc import StatusCode as Code
from hypothesis import given, settings
from hypothesis import strategies as st

from vae_tf.serving.server.batching import Batcher
from vae_tf.serving.server.config_files import BatchingParameters
from vae_tf.serving.server.metrics import Metrics
from vae_tf.serving.server.saved_model import Spec
from vae_tf.serving.server.status import ServingError


class Recording:
    """Stands for a signature: y = 2x, slowly; rows that are negative make the whole batch fail."""

    name = "recording"
    is_batchable = True

    def __init__(self, seconds=0.002, makes_one_row=False):
        self.inputs = {"x": Spec(tf.float32, (None, None))}
        self.seconds = seconds
        self.makes_one_row = makes_one_row
        self.batches = []

    def __call__(self, arrays):
        x = arrays["x"]
        self.batches.append(x.shape)
        time.sleep(self.seconds)
        if (x < 0).any():
            raise ValueError("negative")
        return {"y": x.sum(keepdims=True) if self.makes_one_row else x * 2}


def batcher(queued=10**9, is_batching=True, **parameters):
    return Batcher(
        BatchingParameters(**{"num_batch_threads": 1, **parameters}), is_batching, queued, Metrics()
    )


def answers(signature, batches, requests, seconds=10.0):
    """What each request gets, an array or an error; all are asked at once."""

    async def run():
        deadline = time.monotonic() + seconds
        asked = [batches.run("m", signature, {"x": x}, deadline) for x in requests]
        return await asyncio.gather(*asked, return_exceptions=True)

    return asyncio.run(run())


requests = st.lists(
    st.tuples(st.integers(1, 5), st.sampled_from([1, 2, 3]), st.integers(0, 100)), min_size=1, max_size=30
)


@settings(max_examples=20)
@given(requests, st.integers(1, 8), st.sampled_from([(), (2, 8)]), st.integers(1, 3))
def test_each_request_gets_its_own_rows(given_requests, size, allowed, threads):
    """Whatever rows, widths, batch sizes and threads."""
    xs = [np.full((rows, width), value, np.float32) for rows, width, value in given_requests]
    signature = Recording(0.0005)
    limits = {
        "max_batch_size": 8 if allowed else size,
        "allowed_batch_sizes": allowed,
        "num_batch_threads": threads,
    }
    got = answers(signature, batcher(**limits), xs)
    for x, answer in zip(xs, got, strict=True):
        np.testing.assert_array_equal(answer["y"], x * 2)
    assert all(rows <= max(limits["max_batch_size"], 5) for rows, _ in signature.batches)
    if allowed:
        assert all(rows in allowed for rows, _ in signature.batches)


def test_requests_that_wait_are_computed_together():
    signature = Recording(0.05)
    got = answers(signature, batcher(max_batch_size=8), [np.full((1, 2), n, np.float32) for n in range(9)])
    assert signature.batches == [(1, 2), (8, 2)], "the first at once, the others together while it ran"
    assert [answer["y"][0, 0] for answer in got] == [2.0 * n for n in range(9)]


def test_other_shapes_wait_in_other_lanes():
    signature = Recording(0.02)
    xs = [np.zeros((1, width), np.float32) for width in (2, 2, 3, 2, 3)]
    answers(signature, batcher(), xs)
    assert signature.batches[0] == (1, 2) and sorted(signature.batches[1:]) == [(2, 2), (2, 3)]


def test_without_batching_each_is_computed_alone():
    signature = Recording()
    answers(signature, batcher(is_batching=False), [np.zeros((2, 2), np.float32)] * 4)
    assert signature.batches == [(2, 2)] * 4


def test_a_bad_request_hurts_nobody_else():
    signature = Recording(0.02)
    values = [1, 2, -1, 3]
    got = answers(signature, batcher(), [np.full((1, 1), n, np.float32) for n in values])
    assert [isinstance(answer, ServingError) for answer in got] == [False, False, True, False]
    assert got[2].code == Code.INTERNAL and got[3]["y"].item() == 6.0
    assert signature.batches == [(1, 1), (3, 1), (1, 1), (1, 1), (1, 1)]


def test_outputs_that_are_no_batch_are_computed_alone():
    signature = Recording(0.02, makes_one_row=True)
    got = answers(signature, batcher(), [np.full((1, 2), n, np.float32) for n in (1, 2, 3)])
    assert [answer["y"].item() for answer in got] == [2.0, 4.0, 6.0]


def test_full_queue_is_unavailable():
    signature = Recording(0.05)
    got = answers(
        signature, batcher(max_batch_size=2, max_enqueued_batches=1), [np.zeros((1, 1), np.float32)] * 5
    )
    refused = [answer for answer in got if isinstance(answer, ServingError)]
    # One runs, two wait, two are refused.
    assert len(refused) == 2 and {error.code for error in refused} == {Code.UNAVAILABLE}
    assert "queue to which this task was submitted is full" in refused[0].message


def test_queue_is_limited_in_bytes():
    got = answers(Recording(0.02), batcher(queued=100), [np.zeros((1, 10), np.float32)] * 5)
    assert sum(isinstance(answer, ServingError) for answer in got) == 2


def test_deadline_passes_and_the_rest_is_not_computed():
    signature = Recording(0.1)
    began = time.monotonic()
    got = answers(signature, batcher(is_batching=False), [np.zeros((1, 1), np.float32)] * 3, seconds=0.03)
    assert time.monotonic() - began < 1
    assert {answer.code for answer in got} == {Code.DEADLINE_EXCEEDED}
    assert len(signature.batches) == 1


def test_request_whose_client_has_gone_is_not_computed():
    signature, batches = Recording(0.05), batcher(is_batching=False)

    async def run():
        asked = [
            asyncio.ensure_future(
                batches.run("m", signature, {"x": np.full((1, 1), n, np.float32)}, time.monotonic() + 9)
            )
            for n in range(3)
        ]
        await asyncio.sleep(0.01)
        asked[1].cancel()
        return await asyncio.gather(*asked, return_exceptions=True)

    _, second, third = asyncio.run(run())
    assert isinstance(second, asyncio.CancelledError) and third["y"].item() == 4.0
    assert len(signature.batches) == 2


def test_idle_server_waits_only_where_it_is_told_to():
    def took(micros):
        began = time.monotonic()
        answers(Recording(0.0), batcher(batch_timeout_micros=micros), [np.zeros((1, 1), np.float32)])
        return time.monotonic() - began

    assert took(300_000) > 0.3 > took(0)


def test_full_batch_does_not_wait_for_the_timeout():
    signature = Recording(0.0)
    began = time.monotonic()
    answers(
        signature,
        batcher(batch_timeout_micros=5_000_000, max_batch_size=4),
        [np.zeros((2, 1), np.float32)] * 2,
    )
    assert time.monotonic() - began < 2 and signature.batches == [(4, 1)]


@pytest.mark.parametrize("rows", [0, 40])
def test_empty_and_oversized_requests_are_answered(rows):
    signature = Recording()
    [answer] = answers(signature, batcher(max_batch_size=32), [np.ones((rows, 1), np.float32)])
    assert answer["y"].shape == (rows, 1)


@pytest.mark.parametrize("is_batching", [True, False])
def test_large_request_is_computed_a_batch_at_a_time(is_batching):
    """The memory of computing it does not grow with its rows."""
    signature, x = Recording(0.0), np.arange(70, dtype=np.float32)[:, None]
    [answer] = answers(signature, batcher(max_batch_size=32, is_batching=is_batching), [x])
    np.testing.assert_array_equal(answer["y"], 2 * x)
    assert signature.batches == [(32, 1), (32, 1), (6, 1)]


def test_large_request_whose_rows_belong_together_is_computed_whole():
    signature, x = Recording(0.0, makes_one_row=True), np.arange(70, dtype=np.float32)[:, None]
    [answer] = answers(signature, batcher(max_batch_size=32), [x])
    assert answer["y"].item() == x.sum()


def test_large_request_is_given_up_when_nobody_waits_any_more():
    signature = Recording(0.05)
    [answer] = answers(signature, batcher(max_batch_size=1), [np.ones((1000, 1), np.float32)], seconds=0.2)
    assert isinstance(answer, ServingError)
    num = len(signature.batches)
    time.sleep(0.3)
    assert len(signature.batches) <= num + 1 < 20
