"""What the headline may and may not blame on the sample."""

import dataclasses

import numpy as np
import pytest

from vae_tf.analysis.headline import headline
from vae_tf.analysis.separation import Separation, separate


@pytest.fixture(scope="module")
def separation() -> Separation:
    draws = np.random.default_rng(0)
    return separate({"latents": draws.normal(size=(20, 3))}, np.repeat([0, 1], 10), num_permutations=99)


def changed(separation: Separation, **figures: object) -> Separation:
    statistics = tuple(dataclasses.replace(s, **figures) for s in separation.statistics)  # type: ignore[arg-type]
    return dataclasses.replace(separation, statistics=statistics)


def test_sample_is_blamed_only_where_no_p_value_could_have_been_small(separation: Separation) -> None:
    could = changed(separation, value=0.0, p_value=0.06, critical_value=None, minimum_p=0.001)
    assert "can't be told" not in headline(could)
    could_not = changed(separation, value=0.0, p_value=0.2, critical_value=None, minimum_p=0.2)
    assert "can't be told with 20 pictures" in headline(could_not)


def test_the_terms_of_the_table_are_not_in_the_headline(separation: Separation) -> None:
    for p_value in (0.001, 0.4):
        said = headline(changed(separation, p_value=p_value))
        assert not any(term in said for term in ("NN", "ARI", "AMI", "k-means", "silhouette", "ridge"))


def test_the_accuracy_that_could_have_been_found_is_said(separation: Separation) -> None:
    unclear = changed(separation, value=0.54, p_value=0.31, critical_value=0.72, null_sd=0.11)
    assert "only a rule that is right for about 80 % would have been found" in headline(unclear)
