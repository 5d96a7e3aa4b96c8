"""Pictures that stay on the device give the weights that batches from the host give."""

import numpy as np
import pytest

from vae_tf import recipes
from vae_tf.config import TrainingConfig
from vae_tf.data import batches, resident
from vae_tf.training import loop
from vae_tf.training.plan import make_plan

LABELS = np.array([0, 1, -1, -1] * 4)
TRAIN = np.arange(3, 16)
DISCRIMINATOR = {"encoder.widths": (4, 8), "decoder.widths": (8, 4), "model.discriminator_widths": (4, 8, 8)}


def trained(recipe, pictures, folder, is_resident):
    settings = DISCRIMINATOR if recipe in ("factor", "vae-gan") else None
    classes = 2 if recipe == "m2" else 0
    model = recipes.build(recipe, (16, 16, 3), 3, settings=settings, num_classes=classes)
    plan = make_plan(TrainingConfig(epochs=1, batch_size=4, augment="mirror"), len(TRAIN), (16, 16, 3))
    if is_resident:
        model.resident = resident.put(pictures)
    given = None if is_resident else pictures
    loop.fit(
        model,
        plan,
        lambda step: batches.training_batches(given, LABELS, TRAIN, 4, 0, step, 2 if classes else 0),
        None,
        folder,
    )
    return model.get_weights()


@pytest.mark.parametrize(
    "recipe",
    ["conv", *(pytest.param(name, marks=pytest.mark.slow) for name in ("mlp", "factor", "vae-gan", "m2"))],
)
def test_weights_are_those_of_batches_from_the_host(pictures, tmp_path, recipe):
    host = trained(recipe, pictures, tmp_path / "host", False)
    device = trained(recipe, pictures, tmp_path / "device", True)
    # The graph is another: sums may be taken in another order.
    for a, b in zip(host, device, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_rows_are_those_asked_for(pictures):
    index = np.array([5, 0, 5, 15])
    np.testing.assert_array_equal(resident.look_up(resident.put(pictures), index).numpy(), pictures[index])


def test_only_what_fits_stays_on_one_gpu():
    small, large = np.zeros((4, 8, 8, 3), np.uint8), np.broadcast_to(np.uint8(0), (2**20, 32, 32, 3))
    assert resident.fits(small, 1, "gpu")
    assert not resident.fits(small, 1, "cpu")
    assert not resident.fits(small, 2, "gpu")
    assert not resident.fits(large, 1, "gpu")
