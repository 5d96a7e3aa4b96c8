"""What the stage `clusters` leaves for the map, and what the page makes of it."""

import types

import numpy as np
import pytest
import tensorflow as tf

from pipelines import maps
from pipelines.map_record import map_record
from pipelines.run_data import load_model, load_pictures_of, own_pictures
from vae_tf.artifacts.json_files import read_json
from vae_tf.artifacts.npz_files import load_arrays
from vae_tf.data.dataset import Pictures


def test_the_map_knows_errors_neighbours_and_latents(trained) -> None:
    run, _, _ = trained
    subject = own_pictures(run)
    pictures, folder = load_pictures_of(subject), run.folder / "clusters"
    arrays = load_arrays(folder / "maps.npz")
    record = map_record(subject, folder, read_json(folder / "scores.json")["maps"], arrays, pictures)
    latents = load_arrays(run.folder / "embed" / "latents.npz")
    columns = {column.name.partition(" (")[0]: column for column in record.color_by}
    rebuilt = np.asarray(load_model(run).reconstruct(pictures.images))
    mse = ((rebuilt - pictures.images / 255.0) ** 2).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(columns["reconstruction error"].values, mse, rtol=1e-4)
    for i in range(latents["mean"].shape[1]):
        np.testing.assert_array_equal(columns[f"latent {i}"].values, latents["mean"][:, i])
        assert not columns[f"latent {i}"].listed
    far = np.linalg.norm(latents["mean"][:, None] - latents["mean"][None], axis=2)
    np.fill_diagonal(far, np.inf)
    assert record.neighbours is not None and record.neighbours.shape == (24, 8)
    np.testing.assert_array_equal(record.neighbours[:, 0], far.argmin(axis=1))
    assert record.reconstructed is not None and record.variants is not None
    assert abs(record.reconstructed.pictures - rebuilt * 255).max() <= 0.51
    assert [one.name for one in record.variants.maps if not one.shapeless] == [
        "t-SNE, perplexity 5",
        "UMAP, neighbours 5",
    ]


def test_thumbnails_of_reconstructions_stay_within_their_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.random.default_rng(0).integers(0, 256, (1300, 16, 12, 1)).astype(np.uint8)
    model = types.SimpleNamespace(
        image_shape=(16, 12, 1), graphs={}, reconstruct=lambda x: (255 - tf.cast(x, tf.float32)) / 255
    )
    pictures = Pictures.__new__(Pictures)
    object.__setattr__(pictures, "images", images)
    whole = maps.rebuild(model, pictures, seed=0)
    np.testing.assert_array_equal(whole["thumbnails"], 255 - images)
    monkeypatch.setattr(maps, "LARGEST_REBUILT", 100 * 16 * 12)
    part = maps.rebuild(model, pictures, seed=0)
    assert part["thumbnails"].shape == (100, 16, 12, 1) and len(set(part["positions"].tolist())) == 100
    np.testing.assert_array_equal(part["thumbnails"], 255 - images[part["positions"]])
    np.testing.assert_array_equal(part["mse"], whole["mse"])
