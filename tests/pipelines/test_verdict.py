"""What the first page says about VAE and PCA follows from the paired interval, not from the means alone."""

import pytest

from pipelines.evaluate import verdict


def scores(vae, pca, low, high, part="test"):
    cell = {"mse": {"value": vae}}, {"mse": {"value": pca}}
    difference = {"value": vae - pca, "low": low, "high": high}
    return {
        part: {"num": 7, "vae": cell[0], "pca": cell[1], "mse_difference": difference},
        "num_components": 30,
    }


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ((0.004, 0.005, -0.002, -0.0005), "VAE reconstructs unseen pictures better than PCA does"),
        ((0.005, 0.004, 0.0005, 0.002), "PCA is better here"),
        ((0.004, 0.005, -0.002, 0.0001), "cannot be told apart"),
        ((0.004, 0.005, None, None), "7 unseen pictures are too few"),
    ],
)
def test_verdict_follows_the_interval_of_the_difference(figures, words):
    assert words in verdict(scores(*figures))


def test_figures_and_their_ratio_are_said():
    said = verdict(scores(0.004, 0.005, -0.002, -0.0005))
    assert "0.0040 against 0.0050 with 30 components, 20 % less" in said


def test_where_pca_is_better_each_figure_has_its_owner():
    said = verdict(scores(0.005, 0.004, 0.0005, 0.002))
    assert "squared error 0.0040 with 30 components, the VAE 0.0050" in said


def test_validation_serves_where_no_test_pictures_exist_and_nothing_is_said_without_either():
    assert "validation pictures better" in verdict(scores(0.004, 0.005, -0.002, -0.0005, part="validation"))
    assert verdict({"num_components": 3}) == ""
