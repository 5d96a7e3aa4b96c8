"""Every recipe: three steps, save, load, embed, export; a recipe that is missing from the table fails."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from vae_tf.evaluation.latents import embed
from vae_tf.evaluation.likelihood import importance_weighted, under_the_prior
from vae_tf.recipes import RECIPES, build
from vae_tf.sentence import SentenceVAE
from vae_tf.serving.export import write_saved_model
from vae_tf.serving.pictures import PictureExport
from vae_tf.serving.text import TextExport

SHAPE, LATENT, NUM = (16, 16, 1), 3, 12
POSITIONS, NUM_TOKENS = 5, 9
# Whether pages may show an ELBO of it.
HAS_ELBO = {
    **dict.fromkeys(
        ("conv", "mlp", "beta", "capacity", "free-bits", "beta-tc", "dip", "mmd", "iwae", "dreg"), True
    ),
    **dict.fromkeys(("isotropic", "full-covariance", "iaf", "normal-prior", "mixture-prior", "vamp"), True),
    **dict.fromkeys(("bernoulli", "binarised", "continuous-bernoulli", "discretised-logistic"), True),
    "beta-bernoulli": True,
    **dict.fromkeys(("printed-sum", "printed-half", "printed-no-half"), True),
    **dict.fromkeys(("printed-mean-pixels", "printed-mean-kl"), True),
    "sentence": True,
    **dict.fromkeys(("ae", "denoising-ae", "sparse-ae", "vae-gan"), False),
    "factor": True,
    **dict.fromkeys(("m2", "m1-m2"), True),
}


def test_the_table_holds_every_recipe():
    assert set(HAS_ELBO) == set(RECIPES)
    assert all(recipe.description and recipe.paper and recipe.expect for recipe in RECIPES.values())


def small(name):
    settings = {}
    if RECIPES[name].data == "sentences":
        return {f"{axis}.width": 8 for axis in ("encoder", "decoder")}
    for axis in ("encoder", "decoder"):
        width = (4, 8) if axis == "encoder" else (8, 4)
        settings[f"{axis}.widths"] = width if getattr(RECIPES[name], axis) == "auto" else (8,)
    if RECIPES[name].model in ("factor", "vae-gan"):
        settings["model.discriminator_widths"] = (4, 8, 8)
    return settings | ({"prior.num_inputs": 4} if name == "vamp" else {})


def examples(name):
    """What the recipe is trained on, and the name and the values under which its export takes them."""
    generator = np.random.default_rng(0)
    if RECIPES[name].data == "sentences":
        tokens = generator.integers(4, NUM_TOKENS, (NUM, POSITIONS)).astype(np.int32)
        tokens[:, -2:] = 2, 0
        return tokens, "tokens", tokens
    pictures = generator.integers(0, 256, (NUM, *SHAPE), dtype=np.uint8)
    return pictures, "pictures", pictures / np.float32(255)


# Each differs from one of the others by a number or by a part that test_parts has.
ALIKE = (
    "printed-half",
    "printed-no-half",
    "printed-mean-pixels",
    "printed-mean-kl",
    "beta",
    "capacity",
    "free-bits",
)
ALIKE += ("dreg", "binarised", "isotropic", "normal-prior", "denoising-ae")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in ALIKE else []) for name in RECIPES]
)
def test_recipe(name, tmp_path):
    pictures, argument, exported = examples(name)
    model = build(
        name,
        pictures.shape[1:],
        LATENT,
        settings=small(name),
        batch_size=4,
        num_classes=3,
        num_tokens=NUM_TOKENS,
    )
    for part in (model.objective, model.prior):
        if hasattr(part, "num_examples"):
            part.num_examples = NUM
    assert model.has_elbo == HAS_ELBO[name]
    model.compile(keras.optimizers.Adam(1e-3))
    history = model.fit(pictures, batch_size=4, epochs=1, verbose=0)
    assert np.isfinite(history.history["loss"]).all() and int(model.steps_taken) == 3

    model.save(tmp_path / "vae.keras")
    loaded = keras.models.load_model(tmp_path / "vae.keras")
    for ours, theirs in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(model.sample(2, seed=1), loaded.sample(2, seed=1))

    batches = tf.data.Dataset.from_tensor_slices({"x": pictures}).batch(5)
    embedding = embed(loaded, batches)
    assert embedding.mean.shape == (NUM, LATENT) and np.isfinite(embedding.mean).all()
    assert np.isnan(embedding.kl).all() == (not model.has_kl) and embedding.active.shape == (LATENT,)

    if loaded.has_elbo and RECIPES[name].model != "vae":
        for method in (importance_weighted, under_the_prior):
            assert np.isfinite(method(loaded, pictures[:3], 2).value).all()

    made = TextExport(loaded) if isinstance(loaded, SentenceVAE) else PictureExport(loaded)
    # All of them are traced by the slow tests of tests/serving/test_export.py.
    made.signatures = {"encode": made.signatures["encode"]}
    write_saved_model(made, tmp_path / "1")
    served = tf.saved_model.load(str(tmp_path / "1")).signatures["encode"]
    answer = served(**{argument: tf.constant(exported)})
    np.testing.assert_allclose(answer["mean"], embedding.mean, atol=1e-5)
    for name, values in embedding.kept.items():
        assert values.shape == (NUM, LATENT)
        np.testing.assert_allclose(answer[name], values, atol=1e-5)
