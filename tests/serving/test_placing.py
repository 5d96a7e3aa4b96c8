"""DIR/NAME/N as TF Serving looks for it, whole or not at all."""

import shutil

import pytest
from google.protobuf import text_format
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from vae_tf.errors import UserError
from vae_tf.serving.placing import BATCHING, CONFIG, place, versions_in


@pytest.fixture
def saved_model(tmp_path):
    folder = tmp_path / "export" / "1"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    return folder


def configured(directory):
    document = text_format.Parse((directory / CONFIG).read_text(), ModelServerConfig())
    return {
        (model.name, model.base_path, model.model_platform) for model in document.model_config_list.config
    }


def test_versions_count_up_and_every_model_is_configured(saved_model, tmp_path):
    models = tmp_path / "models"
    assert place(saved_model, models, "faces") == models / "faces" / "1"
    assert place(saved_model, models, "faces") == models / "faces" / "2"
    assert place(saved_model, models, "faces", 12) == models / "faces" / "12"
    assert place(saved_model, models, "faces") == models / "faces" / "13"
    assert place(saved_model, models, "plates.v2") == models / "plates.v2" / "1"
    assert versions_in(models / "faces") == [1, 2, 12, 13]
    expected = {(name, f"/models/{name}", "tensorflow") for name in ("faces", "plates.v2")}
    assert configured(models) == expected
    assert (models / "faces" / "13" / "saved_model.pb").read_bytes() == b"graph"


def test_what_somebody_set_stays(saved_model, tmp_path):
    place(saved_model, tmp_path / "models", "faces")
    parameters = tmp_path / "models" / BATCHING
    assert "max_batch_size { value: 64 }" in parameters.read_text()
    parameters.write_text("max_batch_size { value: 8 }\n")
    place(saved_model, tmp_path / "models", "faces")
    assert parameters.read_text() == "max_batch_size { value: 8 }\n"


@pytest.mark.parametrize(
    ("name", "version", "said"),
    [
        ("faces", 1, "does not change"),
        ("faces", 0, "not a version"),
        ("../faces", None, "not a model's name"),
        ("a/b", None, "not a model's name"),
        ("..", None, "not a model's name"),
        ("", None, "not a model's name"),
    ],
)
def test_refusals(saved_model, tmp_path, name, version, said):
    place(saved_model, tmp_path / "models", "faces")
    with pytest.raises(UserError, match=said):
        place(saved_model, tmp_path / "models", name, version)


def test_nothing_half_written_is_seen(saved_model, tmp_path, monkeypatch):
    def fail(source, target, dirs_exist_ok):
        (target / "saved_model.pb").write_bytes(b"gr")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copytree", fail)
    with pytest.raises(UserError, match="No space left on device"):
        place(saved_model, tmp_path / "models", "faces")
    assert list((tmp_path / "models" / "faces").iterdir()) == []


def test_a_file_in_the_way_is_named(saved_model, tmp_path):
    (tmp_path / "models").write_text("a file")
    with pytest.raises(UserError, match="--to"):
        place(saved_model, tmp_path / "models", "faces")
