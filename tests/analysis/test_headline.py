"""What the headline may and may not blame on the sample."""

import dataclasses

import numpy as np
import pytest

from vae_tf.analysis.headline import _clustered, _readable
from vae_tf.analysis.separation import separate


@pytest.fixture(scope="module")
def statistic():
    draws = np.random.default_rng(0)
    separation = separate({"latents": draws.normal(size=(20, 3))}, np.repeat([0, 1], 10), num_permutations=99)
    return separation.find("latents", "ari")


def test_sample_is_blamed_only_where_no_p_value_could_have_been_small(statistic):
    could = dataclasses.replace(statistic, value=0.0, p_value=0.06, critical_value=None, minimum_p=0.001)
    assert _clustered(could, "204 pictures") == "ARI 0.00, no."
    could_not = dataclasses.replace(could, minimum_p=0.2)
    assert "no result could have been told from chance" in _clustered(could_not, "6 people")


def test_smallest_value_that_could_have_been_seen_is_said(statistic):
    unclear = dataclasses.replace(
        statistic, name="5-NN balanced accuracy", value=0.54, chance=0.5, p_value=0.31, critical_value=0.72
    )
    said = _readable(unclear, "20 faces")
    assert "0.54 (chance 0.50" in said and "with 20 faces nothing below 0.72 could have been seen" in said
