"""The file of a model: ours load as they were, and whatever else somebody puts into one is refused unopened."""

from collections.abc import Iterator
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from tests.malicious import Parts, all_files, code_that_touches, named, pickled, write
from vae_tf import model_file, recipes
from vae_tf.errors import UserError


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "vae.keras"
    settings = {"encoder.widths": [8, 8], "decoder.widths": [8]}
    recipes.build("mlp", (8, 8, 1), 2, settings=settings).save(path)
    return path


@pytest.fixture
def secret(tmp_path: Path) -> Iterator[Path]:
    """A file that no model may read, and which must stay as it is."""
    path = tmp_path / "outside" / "secret.h5"
    path.parent.mkdir()
    with h5py.File(path, "w") as made:
        made["secret"] = np.ones(100, "f4")
    content = path.read_bytes()
    yield path
    assert path.read_bytes() == content and [p.name for p in path.parent.iterdir()] == ["secret.h5"]


def test_our_own_load_with_their_weights(file: Path) -> None:
    expected, loaded = keras.models.load_model(file, compile=False), model_file.load(file)
    for ours, theirs in zip(loaded.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_no_attack_is_opened(file: Path, secret: Path, tmp_path: Path) -> None:
    """None of some 150 files loads, touches a file or leaves one; each is refused in one line."""
    marker, parts, names = tmp_path / "marker", Parts(file), []
    for name, path in all_files(parts, tmp_path / "evil.keras", marker, secret):
        with pytest.raises(UserError) as refusal:
            model_file.load(path)
        assert "\n" not in refusal.value.message and len(refusal.value.message) < 500, name
        assert not marker.exists(), name
        names.append(name)
    assert len(names) == len(set(names)) > 120
    assert sorted(p.name for p in tmp_path.iterdir()) == ["evil.keras", "outside"]


def test_the_lambda_would_run_if_it_were_let(file: Path, tmp_path: Path) -> None:
    """The attack is one: without safe mode Keras runs it."""
    marker = tmp_path / "marker"
    function = keras.saving.deserialize_keras_object(code_that_touches(marker), safe_mode=False)
    function(1)
    assert marker.exists()
    marker.unlink()
    (tmp_path / "evil.npz").write_bytes(pickled(marker))
    np.load(tmp_path / "evil.npz", allow_pickle=True)["weights"]
    assert marker.exists()


def test_the_refusal_says_what_was_found(file: Path, tmp_path: Path) -> None:
    parts = Parts(file)
    for item, words in (
        (named("os", "system"), "it names 'system' of 'os', which is no part of vae_tf"),
        (named("keras.layers", "Lambda"), "it names 'Lambda' of 'keras.layers', which is no part of vae_tf"),
    ):
        with pytest.raises(UserError, match=words):
            model_file.load(write(tmp_path / "evil.keras", parts.with_object(item)))


def test_memory_is_not_taken_for_more_weights_than_the_file_has(file: Path, tmp_path: Path) -> None:
    parts = Parts(file)
    config = parts.config
    config["config"]["encoder"]["config"]["widths"] = [30_000, 30_000]
    with pytest.raises(UserError, match="more weights than it holds"):
        model_file.load(write(tmp_path / "large.keras", parts.with_config(config)))


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in recipes.RECIPES]


@pytest.mark.parametrize("recipe", ["sentence", *SLOW])
def test_every_kind_of_model_passes(recipe: str, tmp_path: Path) -> None:
    is_text = recipes.find_recipe(recipe).data == "sentences"
    model = recipes.build(recipe, (9,) if is_text else (16, 16, 1), 3, num_classes=2, num_tokens=20)
    model.save(tmp_path / "vae.keras")
    loaded = model_file.load(tmp_path / "vae.keras")
    for ours, theirs in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
