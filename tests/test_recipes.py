"""Named models and what a user may change in them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vae_tf import recipes
from vae_tf.errors import UserError


@settings(max_examples=12)
@given(st.integers(8, 140), st.integers(8, 140), st.sampled_from([1, 3]), st.sampled_from(["conv", "mlp"]))
def test_any_shape_of_picture_can_be_modelled(height, width, channels, name):
    model = recipes.build(name, (height, width, channels), 2)
    x = np.zeros((2, height, width, channels), np.uint8)
    assert tuple(model.reconstruct(x).shape) == x.shape


def test_library_example_of_the_readme():
    model = recipes.build("conv", image_shape=(64, 64, 3), latent_dim=30)
    assert model.latent_dim == 30 and type(model.encoder).__name__ == "ConvEncoder"
    assert type(recipes.build("conv", (128, 128, 3), 8).encoder).__name__ == "PatchEncoder"


def test_seed_decides_the_initial_weights():
    first, same, other = (recipes.build("mlp", (8, 8, 1), 2, seed=seed).get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, same, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_settings_win_over_the_row():
    changes = {"likelihood.scale": 0.1, "objective.beta": 4, "encoder.name": "mlp", "encoder.widths": [32]}
    model = recipes.build("conv", (16, 16, 1), 3, settings=changes)
    assert model.likelihood.scale == 0.1 and model.objective.beta == 4
    assert type(model.encoder).__name__ == "MLPEncoder" and model.encoder.widths == (32,)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"name": "convv"}, "conv, mlp"),
        ({"image_shape": (4, 4, 3)}, "at least 8"),
        ({"image_shape": (16, 16, 2)}, "1 or 3 channels"),
        ({"latent_dim": 0}, "at least 1"),
        (
            {"likelihood": "poisson"},
            "bernoulli, categorical, continuous_bernoulli, discretised_logistic, gaussian",
        ),
        ({"settings": {"beta": 4}}, "AXIS.ARGUMENT"),
        ({"settings": {"objective.betta": 4}}, "beta"),
    ],
)
def test_mistakes_name_the_choices(arguments, words):
    with pytest.raises(UserError) as caught:
        recipes.build(**{"name": "conv", "image_shape": (16, 16, 3), "latent_dim": 2, **arguments})
    assert words in str(caught.value)
