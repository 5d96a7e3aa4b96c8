"""Exports in an object store: numbered there, the graph last, nothing half."""

import pytest
from google.protobuf import text_format
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from vae_tf.errors import UserError
from vae_tf.serving.remote_placing import place, place_files
from vae_tf.store import Store, StoreError

FILES = ("saved_model.pb", "variables/variables.index", "assets.extra/parity.json", "a.pb")


@pytest.fixture
def saved_model(tmp_path):
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def names(address):
    return {item.path for item in Store(address).objects()}


def test_versions_are_counted_in_the_store(bucket, saved_model):
    address = f"{bucket}/models/"
    assert place(saved_model, address, "faces") == f"{bucket}/models/faces/1"
    assert place(saved_model, address, "faces", version=7) == f"{bucket}/models/faces/7"
    assert place(saved_model, address, "faces") == f"{bucket}/models/faces/8"
    assert place(saved_model, address, "cells") == f"{bucket}/models/cells/1"
    copies = ("faces/1", "faces/7", "faces/8", "cells/1")
    beside = {"models.config", "batching_parameters.txt"}
    assert names(address) == {f"{copy}/{file}" for copy in copies for file in FILES} | beside
    assert Store(address).read("faces/8/a.pb") == b"a.pb"


def test_the_configuration_names_every_model_where_it_lies(memory, saved_model):
    Store(memory).write("models/notes/readme.txt", b"no model")
    Store(memory).write("models/batching_parameters.txt", b"max_batch_size { value: 8 }")
    for name in ("faces", "cells"):
        place(saved_model, f"{memory}/models", name)
    document = text_format.Parse(Store(f"{memory}/models").read("models.config"), ModelServerConfig())
    found = {config.name: config.base_path for config in document.model_config_list.config}
    assert found == {name: f"{memory}/models/{name}" for name in ("faces", "cells")}
    kept = Store(f"{memory}/models").read("batching_parameters.txt")
    assert kept == b"max_batch_size { value: 8 }", "what an operator chose stays"


def test_the_graph_comes_last(s3, saved_model, monkeypatch):
    order, upload = [], Store.upload
    monkeypatch.setattr(
        Store, "upload", lambda self, file, path: (upload(self, file, path), order.append(path))
    )
    place(saved_model, s3, "faces")
    assert order[-1] == "faces/1/saved_model.pb" and len(order) == len(FILES)


@pytest.mark.parametrize("broken", FILES)
def test_an_upload_that_fails_leaves_nothing(memory, saved_model, monkeypatch, broken):
    upload = Store.upload

    def failing(self, file, path):
        if path.endswith(broken):
            raise StoreError(path, "the line was cut")
        upload(self, file, path)

    monkeypatch.setattr(Store, "upload", failing)
    with pytest.raises(UserError, match="cut"):
        place(saved_model, memory, "faces")
    assert names(memory) == set()


def test_what_is_there_is_not_written_over(memory, saved_model):
    place(saved_model, memory, "faces")
    with pytest.raises(UserError, match="a served version does not change"):
        place(saved_model, memory, "faces", version=1)
    assert place_files(saved_model, memory, "faces-onnx") == f"{memory}/faces-onnx"
    with pytest.raises(UserError, match="is there already"):
        place_files(saved_model, memory, "faces-onnx")


@pytest.mark.parametrize("name", ["../up", "a/b", "..", ""])
def test_a_name_is_one_name(memory, saved_model, name):
    with pytest.raises(UserError, match="not a model's name"):
        place(saved_model, memory, name)
