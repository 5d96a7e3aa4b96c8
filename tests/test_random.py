"""Draws are functions of (seed, step, purpose): the same in any process and graph, independent between keys."""

import subprocess
import sys
import zlib

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from vae_tf import random


def test_purposes_have_the_same_key_in_every_process() -> None:
    assert random.purpose_key("posterior") == zlib.crc32(b"posterior") & 0x7FFFFFFF
    draws = "random.purpose_key('shuffle'), random.generator(3, 'shuffle', 4).integers(1 << 40)"
    program = [sys.executable, "-c", f"from vae_tf import random; print({draws})"]
    output = subprocess.run(program, capture_output=True, text=True, check=True).stdout
    expected = [random.purpose_key("shuffle"), random.generator(3, "shuffle", 4).integers(1 << 40)]
    assert [int(word) for word in output.split()] == expected


def test_generators_differ_by_every_word_of_their_key() -> None:
    keys = [(0, "a", 1), (1, "a", 1), (0, "b", 1), (0, "a", 2), (0, "a", 1, 1), (0, "a", 1, "b"), (0, 1, "a")]
    draws = {random.generator(*key).integers(1 << 60) for key in keys}
    assert len(draws) == len(keys)
    assert random.generator(0, "a", 1).integers(1 << 60) in draws


@pytest.mark.parametrize("name", ["normal", "uniform"])
def test_tensors_differ_by_seed_step_and_purpose_and_nothing_else(name: str) -> None:
    draw = getattr(random, name)
    keys = [(seed, step, purpose) for seed in (0, 1, 2**31 - 1) for step in (0, 1, 2**40) for purpose in "ab"]
    draws = {draw((4,), *key).numpy().tobytes() for key in keys}
    assert len(draws) == len(keys)
    # Whatever is drawn between.
    tf.random.normal((3,))
    assert draw((4,), *keys[5]).numpy().tobytes() in draws

    graph = tf.function(lambda step: draw((4,), 1, step, "b"))
    for step in (0, 1, 2**40):
        assert (
            graph(tf.constant(step, tf.int64)).numpy().tobytes() == draw((4,), 1, step, "b").numpy().tobytes()
        )


def test_distributions() -> None:
    normal = random.normal((20_000,), 0, 0, "x").numpy()
    uniform = random.uniform((20_000,), 0, 0, "x").numpy()
    assert normal.dtype == uniform.dtype == np.float32
    assert uniform.min() >= 0 and uniform.max() < 1
    assert stats.kstest(normal, "norm").pvalue > 0.001
    assert stats.kstest(uniform, "uniform").pvalue > 0.001


def test_neighbouring_keys_are_uncorrelated() -> None:
    base = random.normal((20_000,), 5, 5, "x").numpy()
    for key in [(5, 6, "x"), (6, 5, "x"), (5, 5, "y")]:
        # Standard error 0.007.
        assert abs(np.corrcoef(base, random.normal((20_000,), *key).numpy())[0, 1]) < 0.03
