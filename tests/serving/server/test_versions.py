"""New versions under load, versions that do not load, warm-up, and what models.config asks for."""

import gc
import shutil
import threading
import time
import weakref

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2, prediction_service_pb2_grpc

from tests.serving.server.conftest import ask_busy, serving, wait_for
from vae_tf.errors import UserError
from vae_tf.serving.server import config_files
from vae_tf.serving.server.config_files import BatchingParameters, ModelConfig
from vae_tf.serving.server.saved_model import LoadedModel


def add_version(folder, source, number):
    """As a careful person copies: beside, then renamed."""
    shutil.copytree(source, folder.parent / "being-written")
    (folder.parent / "being-written").rename(folder / str(number))


def states(running):
    """{version: state} as the status tells it."""
    _, answer = running.ask("/v1/models/toy")
    return {int(each["version"]): each["state"] for each in answer["model_version_status"]}


def ask_one(running):
    status, answer = running.ask("/v1/models/toy:predict", '{"instances": [2.0]}')
    return answer["predictions"][0] if status == 200 else answer


def test_swap_under_load_fails_no_request(model_folder, toy_versions):
    answers = {"rest": [], "grpc": []}
    with serving([ModelConfig("toy", model_folder)]) as running:
        old = weakref.ref(running.server.models.by_name["toy"].versions[1].model)
        is_over = threading.Event()

        def hammer_rest():
            while not is_over.is_set():
                answers["rest"].append(ask_one(running))

        def hammer_grpc():
            request = predict_pb2.PredictRequest()
            request.model_spec.name, request.model_spec.signature_name = "toy", "rows"
            request.inputs["x"].CopyFrom(tf.make_tensor_proto(np.float32([2.0])))
            with grpc.insecure_channel(running.target) as channel:
                stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
                while not is_over.is_set():
                    answers["grpc"].append(stub.Predict(request, timeout=20).outputs["y"].float_val[0])

        threads = [threading.Thread(target=work) for work in (hammer_rest, hammer_rest, hammer_grpc)]
        for thread in threads:
            thread.start()
        add_version(model_folder, toy_versions[2], 2)
        wait_for(lambda: states(running) == {2: "AVAILABLE", 1: "END"})
        time.sleep(0.1)
        is_over.set()
        for thread in threads:
            thread.join()

        def is_released():
            gc.unfreeze()
            gc.collect()
            return old() is None

        wait_for(is_released)
    for got in answers.values():
        assert set(got) == {3.0, 4.0}, "each answer is one version's, and no error"
    assert answers["grpc"] == sorted(answers["grpc"]), "never back to the old one"


def test_old_version_stays_for_its_last_request(model_folder, toy_versions, gate):
    answers = []
    with serving(
        [ModelConfig("toy", model_folder)], batching=BatchingParameters(num_batch_threads=2)
    ) as running:
        thread = ask_busy(running, answers)
        wait_for(lambda: running.server.batcher.num_idle == 1)
        add_version(model_folder, toy_versions[2], 2)
        wait_for(lambda: states(running) == {2: "AVAILABLE", 1: "UNLOADING"})
        assert ask_one(running) == 4.0 and thread.is_alive()
        gate.set()
        thread.join()
        assert answers == [(200, {"predictions": [1]})]
        wait_for(lambda: states(running)[1] == "END")


def test_version_that_does_not_load_is_told_and_the_old_one_serves_on(model_folder, toy_versions):
    with serving([ModelConfig("toy", model_folder)]) as running:
        broken = model_folder / "2"
        broken.mkdir()
        time.sleep(0.2)
        assert states(running) == {1: "AVAILABLE"}, "a folder without saved_model.pb is still being written"
        (broken / "saved_model.pb").write_bytes(b"nothing")
        wait_for(lambda: states(running).get(2) == "END")
        told = running.ask("/v1/models/toy/versions/2")[1]["model_version_status"][0]["status"]
        assert told["error_code"] != "OK" and "cannot be loaded" in told["error_message"]
        assert str(model_folder) not in told["error_message"]
        assert ask_one(running) == 3.0 and states(running)[1] == "AVAILABLE"
        assert running.ask("/v1/models/toy/versions/2:predict", '{"instances": [2.0]}')[0] == 404
        shutil.rmtree(broken)
        add_version(model_folder, toy_versions[2], 2)
        wait_for(lambda: states(running).get(2) == "AVAILABLE")
        assert ask_one(running) == 4.0


def test_deleted_version_is_rolled_back(model_folder, toy_versions):
    add_version(model_folder, toy_versions[2], 2)
    with serving([ModelConfig("toy", model_folder)]) as running:
        assert ask_one(running) == 4.0
        shutil.rmtree(model_folder / "2")
        wait_for(lambda: ask_one(running) == 3.0)
        shutil.rmtree(model_folder / "1")
        time.sleep(0.2)
        assert ask_one(running) == 3.0, "an empty folder takes nothing away"


def write_warm_up(version, **inputs):
    (version / "assets.extra").mkdir()
    log = prediction_log_pb2.PredictionLog()
    request = log.predict_log.request
    request.model_spec.name, request.model_spec.signature_name = "toy", "rows"
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    other = prediction_log_pb2.PredictionLog()
    other.classify_log.request.model_spec.name = "toy"
    with tf.io.TFRecordWriter(str(version / "assets.extra/tf_serving_warmup_requests")) as file:
        for each in (log, other, log):
            file.write(each.SerializeToString())


def test_warm_up_requests_are_replayed(model_folder):
    write_warm_up(model_folder / "1", x=np.float32([1.0]))
    assert LoadedModel(model_folder / "1").num_warmed_up == 2


def test_version_whose_warm_up_fails_is_not_served(model_folder):
    write_warm_up(model_folder / "1", x=np.float32([[1.0]]))
    with (
        pytest.raises(UserError, match="No version of toy can be served"),
        serving([ModelConfig("toy", model_folder)]),
    ):
        pass


CONFIG = """
model_config_list {
  config {
    name: "toy"
    base_path: "%s"  # as inside the container
    model_platform: "tensorflow"
    model_version_policy { specific { versions: 1 versions: 3 } }
    version_labels { key: "stable" value: 1 }
  }
}
"""


@pytest.mark.parametrize(
    "base_path", ["/models/toy", "/somewhere/else/toy", None], ids=["docker", "other", "real"]
)
def test_models_config_names_policy_and_labels(model_folder, base_path):
    path = model_folder.parent / "models.config"
    path.write_text(CONFIG % (base_path or model_folder))
    [config] = config_files.find_models(model_folder.parent)
    assert (config.name, config.folder, config.labels) == ("toy", model_folder, {"stable": 1})
    assert list(config.policy.specific.versions) == [1, 3]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model_config_list { config { name: 'toy' base_path: '/models/nix' } }", None),
        ("model_config_list { config { name: 'nix' base_path: '/models/nix' } }", "does not exist"),
        ("model_config_list { config { base_path: '/models/toy' } }", "needs a name"),
        ("model_config_list { }", "names no model"),
        ("model_config_list { config { nmae: 'toy' } }", "cannot be read"),
    ],
)
def test_models_config_that_makes_no_sense(model_folder, text, message):
    (model_folder.parent / "models.config").write_text(text)
    if message is None:
        assert config_files.find_models(model_folder.parent)[0].folder == model_folder
    else:
        with pytest.raises(UserError, match=message):
            config_files.find_models(model_folder.parent)


@pytest.mark.parametrize(
    ("policy", "wanted"),
    [
        ("", [5]),
        ("latest { num_versions: 2 }", [3, 5]),
        ("all { }", [1, 3, 5]),
        ("specific { versions: 1 versions: 9 }", [1]),
    ],
)
def test_version_policy(model_folder, policy, wanted):
    from google.protobuf import text_format

    from vae_tf.serving.server.metrics import Metrics
    from vae_tf.serving.server.versions import ServedModel

    parsed = text_format.Parse(policy, config_files.VersionPolicy())
    assert ServedModel(ModelConfig("toy", model_folder, parsed), Metrics()).aspired([5, 1, 3]) == wanted


def test_folders_that_can_be_served(model_folder, tmp_path):
    assert [(m.name, m.folder) for m in config_files.find_models(model_folder)] == [("toy", model_folder)]
    assert [(m.name, m.folder) for m in config_files.find_models(tmp_path)] == [("toy", model_folder)]
    for folder, message in (
        (model_folder / "1", "is one version"),
        (model_folder / "1" / "variables", "holds no model"),
    ):
        with pytest.raises(UserError, match=message):
            config_files.find_models(folder)


PARAMETERS = """
max_batch_size { value: 16 }  # rows
batch_timeout_micros { value: 500 }
num_batch_threads { value: 3 }
max_enqueued_batches { value: 7 }
allowed_batch_sizes: 4
allowed_batch_sizes: 16
pad_variable_length_inputs: true
"""


def test_batching_parameters(tmp_path):
    path = tmp_path / "batching_parameters.txt"
    assert config_files.read_batching_parameters(path) == config_files.BatchingParameters()
    path.write_text(PARAMETERS)
    read = config_files.read_batching_parameters(path)
    assert read == config_files.BatchingParameters(16, 500, 3, 7, (4, 16))
    assert [read.padded(rows) for rows in (1, 4, 5, 16, 17)] == [4, 4, 16, 16, 17]
    for text, message in (
        ("max_batch_size { value: 0 }", "must be positive"),
        ("max_batch_size { value: 8 } allowed_batch_sizes: 4", "last must be max_batch_size"),
        ("max_batch_szie { value: 8 }", "cannot be read"),
    ):
        path.write_text(text)
        with pytest.raises(UserError) as caught:
            config_files.read_batching_parameters(path)
        assert message in str(caught.value)
