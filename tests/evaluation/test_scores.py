"""All numbers of one pass are those that the separate passes give."""

import numpy as np
import pytest

from vae_tf import recipes
from vae_tf.data.batches import ordered_batches
from vae_tf.evaluation import latents
from vae_tf.evaluation.oddness import BoundsScorer, reconstruction_errors
from vae_tf.evaluation.scores import PictureScorer

SMALL = {"encoder.widths": [8], "decoder.widths": [8]}


@pytest.fixture(scope="module")
def pictures():
    return np.random.default_rng(0).integers(0, 255, (9, 8, 8, 1), np.uint8)


@pytest.mark.parametrize(
    ("recipe", "settings"),
    [
        ("mlp", SMALL),
        ("ae", SMALL),
        ("beta-bernoulli", {"prior.num_examples": 9}),
        ("mlp", {**SMALL, "likelihood.name": "bernoulli"}),
    ],
)
def test_one_pass_gives_what_separate_passes_give(recipe, settings, pictures):
    model = recipes.build(recipe, image_shape=(8, 8, 1), latent_dim=2, seed=3, settings=settings)
    scores = PictureScorer(model)(pictures)
    embedding = latents.embed(model, ordered_batches(pictures, np.zeros(9, np.int64), np.arange(9), 4))
    expected = {"mean": embedding.mean, "standard_deviation": embedding.standard_deviation, **embedding.kept}
    assert scores.codes.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(scores.codes[name], values, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(scores.kl, embedding.kl.sum(axis=1), rtol=1e-5)
    np.testing.assert_allclose(
        scores.squared_error, reconstruction_errors(model.reconstruct, pictures), rtol=1e-5
    )
    if recipe == "ae":
        assert np.isnan(scores.negative_elbo).all() and np.isnan(scores.kl).all()
    else:
        np.testing.assert_allclose(scores.negative_elbo, -BoundsScorer(model, 1)(pictures).elbo, rtol=1e-5)


def test_a_picture_has_its_scores_in_any_company(pictures):
    scorer = PictureScorer(recipes.build("mlp", image_shape=(8, 8, 1), latent_dim=2, settings=SMALL))
    together, alone = scorer(pictures), scorer(pictures[4:5])
    np.testing.assert_allclose(alone.negative_elbo[0], together.negative_elbo[4], rtol=1e-5)
    np.testing.assert_allclose(alone.squared_error[0], together.squared_error[4], rtol=1e-5)
