"""PredictionService, ModelService and health through generated stubs, with TF Serving's status codes."""

import time

import grpc
import numpy as np
import pytest
import tensorflow as tf
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from tests.serving.server.conftest import serving
from vae_tf.serving.server.config_files import ModelConfig

Code = grpc.StatusCode


@pytest.fixture(scope="module")
def channel(toy):
    with grpc.insecure_channel(toy.target) as opened:
        yield opened


@pytest.fixture(scope="module")
def prediction(channel):
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


def request_of(signature="", outputs=(), version=None, label=None, name="toy", **inputs):
    request = predict_pb2.PredictRequest(output_filter=outputs)
    request.model_spec.name = name
    request.model_spec.signature_name = signature
    if version is not None:
        request.model_spec.version.value = version
    if label is not None:
        request.model_spec.version_label = label
    for key, value in inputs.items():
        request.inputs[key].CopyFrom(
            value
            if hasattr(value, "dtype") and not isinstance(value, np.ndarray)
            else tf.make_tensor_proto(value)
        )
    return request


def refusal(call, request, **options):
    with pytest.raises(grpc.RpcError) as caught:
        call(request, timeout=20, **options)
    return caught.value.code(), caught.value.details()


X = np.array([1.0, 2.0], np.float32)
THREE = {"tag": ["a", "b"], "signal": np.arange(10).reshape(2, 5), "sensor": np.ones((2, 2, 2), np.float32)}


def test_predict_answers_with_the_spec_that_was_used(prediction):
    answer = prediction.Predict(request_of(x=X), timeout=20)
    assert answer.model_spec.name == "toy" and answer.model_spec.version.value == 2
    assert answer.model_spec.signature_name == "serving_default"
    np.testing.assert_array_equal(tf.make_ndarray(answer.outputs["y"]), X / 2 + 3)
    assert list(answer.outputs["y"].float_val) == [3.5, 4.0], "as clients of TF Serving read it"


@pytest.mark.parametrize("which", [{"version": 1}, {"label": "stable"}], ids=str)
def test_version_and_label(prediction, which):
    answer = prediction.Predict(request_of(x=X, **which), timeout=20)
    assert answer.model_spec.version.value == 1 and list(answer.outputs["y"].float_val) == [2.5, 3.0]


def test_typed_values_are_read_as_well_as_content(prediction):
    request = request_of("rows")
    request.inputs["x"].CopyFrom(tf.compat.v1.make_tensor_proto(X))
    request.inputs["x"].ClearField("tensor_content")
    request.inputs["x"].float_val.extend(X.tolist())
    assert list(prediction.Predict(request, timeout=20).outputs["y"].float_val) == [3.5, 4.0]


def test_output_filter(prediction):
    everything = prediction.Predict(request_of("three", **THREE), timeout=20)
    assert set(everything.outputs) == {"tag", "tag_bytes", "total", "sensor"}
    some = prediction.Predict(request_of("three", ["total"], **THREE), timeout=20)
    assert set(some.outputs) == {"total"} and list(some.outputs["total"].int64_val) == [10, 35]
    code, text = refusal(prediction.Predict, request_of("three", ["nix"], **THREE))
    assert code == Code.INVALID_ARGUMENT and "output tensor alias not found in signature: nix" in text
    code, text = refusal(prediction.Predict, request_of("three", ["total", "total"], **THREE))
    assert (code, text) == (Code.INVALID_ARGUMENT, "duplicate output tensor alias: total")


@pytest.mark.parametrize(
    ("request_", "code", "text"),
    [
        (request_of(name="", x=X), Code.INVALID_ARGUMENT, "ModelSpec has no name specified."),
        (request_of(name="nix", x=X), Code.NOT_FOUND, "Servable not found for request: Latest(nix)"),
        (request_of(version=9, x=X), Code.NOT_FOUND, "Servable not found for request: Specific(toy, 9)"),
        (request_of(label="nix", x=X), Code.INVALID_ARGUMENT, "Unrecognized servable version label: nix"),
        (request_of("nix", x=X), Code.FAILED_PRECONDITION, 'Serving signature key "nix" not found.'),
        (request_of(), Code.INVALID_ARGUMENT, "input size does not match signature: 0!=1"),
        (request_of(z=X), Code.INVALID_ARGUMENT, "Sent extra: {z}. Missing but required: {x}"),
        (request_of(x=X.astype(np.float64)), Code.INVALID_ARGUMENT, "to be float32 but float64 is provided"),
        (request_of("rows", x=X[None]), Code.INVALID_ARGUMENT, "to have shape [?] but [1,2] is provided"),
        (request_of("brightness", image_bytes=[b"no picture"]), Code.INVALID_ARGUMENT, "JPEG"),
    ],
    ids=lambda value: str(value)[:40].replace("\n", " "),
)
def test_predict_refuses(prediction, request_, code, text):
    got, details = refusal(prediction.Predict, request_)
    assert got == code and text in details, details
    assert "/" not in details.replace("jpeg/", ""), "no path of the server"


def test_message_beyond_the_limit(toy, prediction):
    code, _ = refusal(prediction.Predict, request_of(x=np.zeros(toy.settings.limits.body, np.float32)))
    assert code == Code.RESOURCE_EXHAUSTED


def test_deadline_of_the_client(prediction):
    began = time.monotonic()
    with pytest.raises(grpc.RpcError) as caught:
        prediction.Predict(request_of("busy", steps=np.array([20_000])), timeout=0.2)
    assert caught.value.code() == Code.DEADLINE_EXCEEDED and time.monotonic() - began < 2


def test_metadata(prediction):
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "toy"
    answer = prediction.GetModelMetadata(request, timeout=20)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert answer.model_spec.version.value == 2 and answer.metadata["signature_def"].Unpack(signatures)
    assert signatures.signature_def["rows"].inputs["x"].dtype == tf.float32.as_datatype_enum
    request.metadata_field[:] = ["nix"]
    assert refusal(prediction.GetModelMetadata, request) == (
        Code.INVALID_ARGUMENT,
        "Metadata field nix is not supported",
    )
    request.metadata_field[:] = []
    assert "at least one metadata_field" in refusal(prediction.GetModelMetadata, request)[1]
    assert (
        refusal(prediction.GetModelMetadata, get_model_metadata_pb2.GetModelMetadataRequest())[1]
        == "Missing ModelSpec"
    )


def test_classify_regress_and_multi_inference_do_not_fit(prediction):
    for call, request, kind in (
        (prediction.Classify, classification_pb2.ClassificationRequest(), "classification"),
        (prediction.Regress, regression_pb2.RegressionRequest(), "regression"),
    ):
        request.model_spec.name = "toy"
        code, text = refusal(call, request)
        assert code == Code.INVALID_ARGUMENT and text.startswith(
            f"Expected {kind} signature method_name to be"
        )
        assert text.endswith("Was: tensorflow/serving/predict")
    request = inference_pb2.MultiInferenceRequest()
    for method in ("classify", "regress"):
        task = request.tasks.add(method_name=f"tensorflow/serving/{method}")
        task.model_spec.name = "toy"
    assert (
        "Duplicate evaluation of signature: serving_default" in refusal(prediction.MultiInference, request)[1]
    )
    request.tasks[1].model_spec.signature_name = "rows"
    assert "Expected classification signature" in refusal(prediction.MultiInference, request)[1]
    request.tasks[0].method_name = "tensorflow/serving/predict"
    assert refusal(prediction.MultiInference, request)[0] == Code.UNIMPLEMENTED


def test_model_status(channel):
    models = model_service_pb2_grpc.ModelServiceStub(channel)
    request = get_model_status_pb2.GetModelStatusRequest()
    assert refusal(models.GetModelStatus, request)[0] == Code.INVALID_ARGUMENT
    request.model_spec.name = "toy"
    answer = models.GetModelStatus(request, timeout=20).model_version_status
    assert [(each.version, each.state, each.status.error_code) for each in answer] == [(2, 30, 0), (1, 30, 0)]
    request.model_spec.version.value = 5
    assert refusal(models.GetModelStatus, request) == (
        Code.NOT_FOUND,
        "Could not find version 5 of model toy",
    )


def test_health(channel):
    stub = health_pb2_grpc.HealthStub(channel)
    for service in ("", "tensorflow.serving.PredictionService"):
        answer = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=20)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


@pytest.fixture
def changeable(model_folder, toy_versions):
    import shutil

    shutil.copytree(toy_versions[2], model_folder / "2")
    config = ModelConfig("toy", model_folder, base_path="/models/toy")
    with serving([config]) as running, grpc.insecure_channel(running.target) as opened:
        yield running, model_service_pb2_grpc.ModelServiceStub(opened)


def reload_request(name="toy", base_path="", labels=None, versions=()):
    request = model_management_pb2.ReloadConfigRequest()
    config = request.config.model_config_list.config.add(name=name, base_path=base_path)
    config.version_labels.update(labels or {})
    if versions:
        config.model_version_policy.specific.versions.extend(versions)
    return request


def test_labels_and_policy_change_while_serving(changeable):
    running, models = changeable
    assert running.ask("/v1/models/toy/versions/1:predict", '{"instances": [2.0]}')[0] == 404
    models.HandleReloadConfigRequest(reload_request(labels={"old": 1, "new": 2}, versions=[1, 2]), timeout=60)
    assert running.ask("/v1/models/toy/labels/old:predict", '{"instances": [2.0]}') == (
        200,
        {"predictions": [3.0]},
    )
    assert running.ask("/v1/models/toy/labels/new:predict", '{"instances": [2.0]}') == (
        200,
        {"predictions": [4.0]},
    )

    code, text = refusal(models.HandleReloadConfigRequest, reload_request(labels={"old": 9}, versions=[2]))
    assert (
        code == Code.FAILED_PRECONDITION
        and "version 9 of model toy, which is not currently available" in text
    )
    assert running.ask("/v1/models/toy/labels/new:predict", '{"instances": [2.0]}')[0] == 200

    for request in (
        reload_request("other"),
        reload_request("other", "/etc"),
        reload_request(base_path="/etc"),
    ):
        assert refusal(models.HandleReloadConfigRequest, request)[0] == Code.PERMISSION_DENIED
    models.HandleReloadConfigRequest(reload_request(base_path="/models/toy", versions=[1]), timeout=60)
    assert running.ask("/v1/models/toy:predict", '{"instances": [2.0]}') == (200, {"predictions": [3.0]})
    assert (
        refusal(models.HandleReloadConfigRequest, model_management_pb2.ReloadConfigRequest())[0]
        == Code.INVALID_ARGUMENT
    )
