"""What a map can be coloured by, and what is said of how it was drawn."""

import numpy as np
import pytest

from pipelines.map_record import LARGEST_NUM_CATEGORIES, color_columns, fact_column, map_note, num_clusters
from vae_tf.data.dataset import Index


def test_numbers_are_a_scale_on_which_the_unknown_have_no_place():
    column = fact_column("age", [3, None, 4.5])
    assert column.kind == "number"
    np.testing.assert_array_equal(column.values, [3, np.nan, 4.5])


@pytest.mark.parametrize(
    ("values", "words", "codes"),
    [
        (["s10", None, "s2"], ["s2", "s10"], [1, -1, 0]),
        ([True, False, True], ["False", "True"], [1, 0, 1]),
        ([1, "one", 1], ["1", "one"], [0, 1, 0]),
    ],
)
def test_words_and_yes_or_no_are_categories(values, words, codes):
    column = fact_column("kind", values)
    assert (column.kind, column.categories) == ("category", words)
    assert column.values.tolist() == codes


@pytest.mark.parametrize(
    "values",
    [["a", "a", None], [None, None], [2.0, 2.0], [f"word {i}" for i in range(LARGEST_NUM_CATEGORIES + 1)]],
)
def test_what_tells_no_picture_from_another_is_left_out(values):
    assert fact_column("kind", values) is None


def test_as_many_categories_as_a_legend_holds_are_shown():
    values = [f"word {i}" for i in range(LARGEST_NUM_CATEGORIES)]
    assert fact_column("kind", values).categories == values


def test_a_map_is_coloured_by_group_error_and_what_the_source_says():
    index = Index(
        paths=["a", "b"],
        labels=np.array([0, 1]),
        class_names=["cat", "dog"],
        groups=np.array([0, 0]),
        group_names=["Anna"],
        parts=np.array([0, 2], np.int8),
        facts={"shoe_size": [38, 44], "same": [1, 1]},
    )
    clusters = {"k_means": np.array([0, 1]), "gaussian_mixture": np.array([0, 0])}
    columns = {column.name: column for column in color_columns(index, clusters, np.array([0.1, 0.2]))}
    assert list(columns) == [
        "class", "cluster (k-means)", "cluster (Gaussian mixture)", "split", "group",
        "reconstruction error (MSE)", "shoe size",
    ]  # fmt: skip
    assert columns["cluster (k-means)"].categories == ["cluster 1", "cluster 2"]
    assert not columns["group"].public and columns["class"].public
    without = [column.name for column in color_columns(index, clusters, None)]
    assert "reconstruction error (MSE)" not in without


def test_a_map_says_how_it_was_drawn():
    note = map_note(
        {
            "seed": 3, "perplexity": 30.0, "landmarks": 20_000, "placing": "the others placed by their neighbours",
            "trustworthiness_pictures": 5_000,
        }
    )  # fmt: skip
    assert note == (
        "Perplexity 30 (chosen); 20,000 pictures were mapped, the others placed by their neighbours; "
        "trustworthiness from 5,000 pictures; seed 3."
    )
    note = map_note({"seed": 0, "fallback": "too few pictures: PCA", "variance_explained": [0.5, 0.25]})
    assert note == "Too few pictures: PCA; the two components explain 75 % of the variance; seed 0."


def test_clusters_that_cannot_be_are_not_counted():
    assert num_clusters(np.array([0, 2, 1], np.int64), 3) == 3
    for wrong in (
        [0, 1],
        [0, 3, 1],
        [0, -1, 1],
        [0, 2**62, 1],
        [0.0, 1.0, 2.0],
        [[0, 1, 2]],
        ["a", "b", "c"],
    ):
        with pytest.raises(ValueError, match="cluster"):
            num_clusters(np.array(wrong), 3)
