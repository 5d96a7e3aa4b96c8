"""Requests from the REST documentation of TF Serving, and from its tests, with the answers that they state."""

import base64
import json
import math
import subprocess

import pytest

from tests.serving.server.conftest import Running

BYTES = base64.b64encode(b"\x00\xff image").decode()
ROW = {"tag": "foo", "signal": [1, 2, 3, 4, 5], "sensor": [[1, 2], [3, 4]]}
OTHER = {"tag": "bar", "signal": [3, 4, 1, 2, 5], "sensor": [[4, 5], [6, 8]]}
TYPES = {"double": [0.1], "yes": [True], "whole": [-3], "large": [2**64 - 1], "half": [0.5], "deep": [65535]}


def named(signature, **rest):
    return {"signature_name": signature, **rest}


GOOD = {
    # the documentation's own
    "list of scalars": ({"instances": [1.0, 2.0, 5.0]}, {"predictions": [2.5, 3.0, 4.5]}),
    "list of tensors": ({"instances": [[[1, 2]], [[3, 4]]]}, {"predictions": [[[2.5, 3.0]], [[3.5, 4.0]]]}),
    "named rows": (
        named("three", instances=[ROW, OTHER]),
        {"predictions": [
            {"sensor": [[1.0, 2.0], [3.0, 4.0]], "tag": "foo", "tag_bytes": {"b64": "Zm9v"}, "total": 15},
            {"sensor": [[4.0, 5.0], [6.0, 8.0]], "tag": "bar", "tag_bytes": {"b64": "YmFy"}, "total": 15},
        ]},
    ),
    "named columns": (
        named("three", inputs={key: [ROW[key], OTHER[key]] for key in ROW}),
        {"outputs": {
            "sensor": [[[1.0, 2.0], [3.0, 4.0]], [[4.0, 5.0], [6.0, 8.0]]],
            "tag": ["foo", "bar"],
            "tag_bytes": [{"b64": "Zm9v"}, {"b64": "YmFy"}],
            "total": [15, 15],
        }},
    ),
    # from its tests
    "matrix": ({"instances": [[1.0, 2.0], [3.0, 4.0]]}, {"predictions": [[2.5, 3.0], [3.5, 4.0]]}),
    "unnamed column": ({"inputs": [1.0, 2.0]}, {"outputs": [2.5, 3.0]}),
    "scalar column": ({"inputs": 2.0}, {"outputs": 3.0}),
    "named column": (named("rows", inputs={"x": [1.0]}), {"outputs": [2.5]}),
    "named row of one input": (named("rows", instances=[{"x": 1.0}]), {"predictions": [2.5]}),
    "signature by name": (named("serving_default", instances=[3.0, 4.0]), {"predictions": [3.5, 4.0]}),
    "empty signature name": (named("", instances=[3.0]), {"predictions": [3.5]}),
    "exponent": ({"instances": [1e2, -1.0]}, {"predictions": [52.0, 1.5]}),
    "empty column": ({"inputs": []}, {"outputs": []}),
    "unknown keys are passed over": ({"instances": [1.0], "comment": 3}, {"predictions": [2.5]}),
    "bytes and text": (
        named("three", instances=[{**ROW, "tag": {"b64": "Zm9v"}}]),
        {"predictions": [
            {"sensor": [[1.0, 2.0], [3.0, 4.0]], "tag": "foo", "tag_bytes": {"b64": "Zm9v"}, "total": 15},
        ]},
    ),
    "scalar output in columns": (named("total", inputs=[[1, 2], [3, 4]]), {"outputs": 10.0}),
    "types": (named("types", inputs=TYPES), {"outputs": TYPES}),
    "uint8": (named("small", instances=[[0, 255]]), {"predictions": [[0, 255]]}),
}  # fmt: skip

BAD = {
    "empty": ("", "JSON Parse error: The document is empty"),
    "no JSON": ("instances = [1, 2]", "JSON Parse error: Invalid value"),
    "cut off": ('{"instances": [1, 2', "JSON Parse error"),
    "not UTF-8": (b'{"instances": ["\xff"]}', "JSON Parse error"),
    "no object": ("[1, 2]", "Is not object"),
    "neither key": ({"signature_name": "rows"}, "Missing 'inputs' or 'instances' key"),
    "both keys": ({"instances": [1.0], "inputs": [1.0]}, "expecting only one of 'inputs' or 'instances'"),
    "instances is no list": ({"instances": 1.0}, "Excepting 'instances' to be an list/array"),
    "no instances": ({"instances": []}, "No values in 'instances' array"),
    "text for floats": ({"instances": ["x", "y"]}, "not of expected type: float"),
    "truth for floats": ({"instances": [1.0, True]}, "Type: True is not of expected type: float"),
    "null": ({"instances": [1.0, None]}, "Type: Null is not of expected type: float"),
    "object for float": ({"inputs": [{"a": 1, "b": 2}]}, "Type: Object is not of expected type: float"),
    "signature name is a number": ({"signature_name": 100}, "'signature_name' key must be a string value."),
    "unknown signature": (named("nix", instances=[1.0]), 'Serving signature name: "nix" not found in signature def'),
    "ragged rows": ({"instances": [[1.0, 2.0], [1.0]]}, "Expecting shape [2] but got: [1]"),
    "ragged columns": ({"inputs": [[1.0, 2.0], [1.0]]}, "Encountered list at unexpected size: 1 at level: 1"),
    "scalars beside lists": ({"inputs": [[1.0], 2.0]}, "found at incorrect level"),
    "lists beside scalars": ({"inputs": [1.0, [2.0]]}, "Encountered list at unexpected level: 1"),
    "wrong shape": (named("rows", instances=[[1.0, 2.0]]), 'Expects input "x" to have shape [?] but [1,2]'),
    "missing input": (named("three", inputs={"tag": ["a"]}), "Missing named input: sensor in 'inputs' object."),
    "missing key in a row": (named("three", instances=[ROW, {"tag": "a"}]), "keys must be equal to: sensor,signal,tag"),
    "unknown key in a row": (named("rows", instances=[{"x": 1.0, "z": 1.0}]), "keys must be equal to: x"),
    "plain list for three inputs": (named("three", instances=[1.0]), "expecting list of objects as multiple"),
    "plain columns for three inputs": (named("three", inputs=[1.0]), "expecting an object as multiple"),
    "list among objects": (named("rows", instances=[{"x": 1.0}, 1.0]), "Expecting object but got list at item 1"),
    "object among lists": (named("rows", instances=[1.0, {"x": 1.0}]), "but got object at item 1"),
    "rows of a scalar output": (named("total", instances=[[1, 2]]), "Tensor name: total has no shape information"),
    "256 for uint8": (named("small", instances=[[0, 256]]), "Value: 256 Type: Number is not of expected type: uint8"),
    "-1 for uint8": (named("small", instances=[[0, -1]]), "JSON Value: -1"),
    "decimal for an integer": (named("small", instances=[[0, 1.5]]), "not of expected type: uint8"),
    "whole decimal for an integer": (named("small", inputs=[[0, 1.0]]), "not of expected type: uint8"),
    "2**63 for int64": (named("busy", instances=[2**63]), "not of expected type: int64"),
    "2**70 for int64": (named("busy", instances=[2**70]), "not of expected type: int64"),
    "large whole number for float": ({"instances": [2**24 + 1]}, "to float without loss of precision"),
    "1e39 for float": ({"instances": [1e39]}, "to float without loss of precision"),
    "no base64": (named("brightness", instances=[{"b64": "%%%"}]), "Unable to base64 decode"),
    "base64 for floats": ({"instances": [{"b64": "AAAA"}]}, "not of expected type: float"),
    "b64 is a number": (named("brightness", inputs=[{"b64": 3}]), "not formatted correctly for base64 data"),
    "no picture": (named("brightness", instances=[{"b64": BYTES}]), ""),
    "nested beyond reason": ('{"inputs": ' + "[" * 900 + "]" * 900 + "}", "nested deeper"),
    "nested beyond any reader": ('{"inputs": ' + "[" * 40_000 + "]" * 40_000 + "}", "JSON Parse error"),
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_documented_request_is_answered(toy: Running, name):
    request, wanted = GOOD[name]
    status, answer = toy.predict(request, "/v1/models/toy/versions/1:predict")
    assert (status, answer) == (200, wanted)


@pytest.mark.parametrize("name", BAD)
def test_bad_request_is_refused(toy: Running, name):
    request, message = BAD[name]
    status, answer = toy.predict(request)
    assert status == 400, answer
    assert list(answer) == ["error"] and message in answer["error"], answer


def test_whole_floats_are_written_as_decimals(toy: Running):
    """Clients infer types from the tokens; TF Serving appends ".0" for that reason."""
    command = ["curl", "-sS", "-d", '{"instances": [2.0]}', toy.url + "/v1/models/toy/versions/1:predict"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "".join(answer.split()) == '{"predictions":[3.0]}'


def test_curl_gets_headers_and_status(toy: Running):
    command = ["curl", "-sSi", "-d", '{"instances": [1.0,5.0]}', toy.url + "/v1/models/half:predict"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    head, body = answer.split("\n\n")
    assert head.startswith("HTTP/1.1 404") and "content-type: application/json" in head.lower()
    assert json.loads(body) == {"error": "Servable not found for request: Latest(half)"}


def test_nan_and_infinity_in_both_directions(toy: Running):
    status, answer = toy.predict(
        '{"instances": [NaN, Infinity, -Infinity, 2]}', "/v1/models/toy/versions/1:predict"
    )
    first, *rest = answer["predictions"]
    assert status == 200 and math.isnan(first) and rest == [math.inf, -math.inf, 3.0]


@pytest.mark.parametrize("beside", ["0.3", "NaN"])
def test_floats_are_written_in_their_shortest_decimals(toy: Running, beside):
    """0.2 in float32 is 0.20000000298; the documentation's numbers come back as they were sent."""
    inputs = '{"tag": [""], "signal": [[0, 0, 0, 0, 0]], "sensor": [[[0.2, BESIDE], [0.1, 1e-7]]]}'.replace(
        "BESIDE", beside
    )
    status, answer = toy.predict('{"signature_name": "three", "inputs": ' + inputs + "}")
    sensor = answer["outputs"]["sensor"][0]
    assert status == 200 and (sensor[0][0], sensor[1]) == (0.2, [0.1, 1e-7])


PATHS = [
    ("GET", "/v1/foo", 400, "Malformed request: GET /v1/foo"),
    ("POST", "/v1/foo", 400, "Malformed request: POST /v1/foo"),
    ("GET", "/v1/models", 400, "Missing model name in request."),
    ("POST", "/v1/models", 400, "Malformed request"),
    ("GET", "/v1/models/debug/model_name", 400, "Malformed request"),
    ("GET", "/v1/models/foo:predict", 400, "Malformed request: GET /v1/models/foo:predict"),
    ("GET", "/v1/models/foo/version/50:predict", 400, "Malformed request"),
    ("POST", "/v1/models/foo/versions/HELLO:regress", 400, "Malformed request"),
    ("POST", f"/v1/models/foo/versions/{2**64 - 1}:regress", 400, "Failed to convert version"),
    ("POST", "/v1/models/foo/versions/50/labels/some_label:regress", 400, "Malformed request"),
    ("POST", "/v1/models/foo/metadata", 400, "Malformed request"),
    ("PUT", "/v1/models/toy:predict", 400, "Malformed request: PUT"),
    ("DELETE", "/v1/models/toy", 400, "Malformed request: DELETE"),
    ("POST", "/v1/models/foo:predict", 404, "Servable not found for request: Latest(foo)"),
    ("POST", "/v1/models/toy/versions/99:predict", 404, "Servable not found for request: Specific(toy, 99)"),
    ("POST", "/v1/models/toy/labels/nix:predict", 400, "Unrecognized servable version label: nix"),
    ("POST", "/v1/models/toy/labels/gone:predict", 404, "Servable not found for request: Specific(toy, 7)"),
    ("GET", "/v1/models/foo", 404, "Could not find any versions of model foo"),
    ("GET", "/v1/models/toy/versions/99", 404, "Could not find version 99 of model toy"),
    ("GET", "/v1/models/foo/metadata", 404, "Servable not found for request: Latest(foo)"),
    ("GET", "/v1/models/..%2F..%2Fetc%2Fpasswd", 404, "Could not find any versions of model ../../etc/passwd"),
    ("GET", "/etc/passwd", 404, "Nothing is served at /etc/passwd"),
    ("GET", "/", 404, "Nothing is served"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "status", "message"), PATHS, ids=lambda value: str(value)[:50])
def test_paths_that_lead_nowhere(toy: Running, method, path, status, message):
    body = '{"instances": [1.0], "examples": [{"x": 1}]}' if method in ("POST", "PUT") else None
    got, answer = toy.ask(path, body, method)
    assert got == status and message in answer["error"], answer


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/v1/models/toy", 4.0), ("/V1/Models/toy", 4.0),
        ("/v1/models/toy/versions/1", 3.0), ("/v1/models/toy/labels/stable", 3.0),
    ],
)  # fmt: skip
def test_version_is_the_newest_or_the_named_one(toy: Running, path, wanted):
    assert toy.ask(path + ":predict", '{"instances": [2.0]}') == (200, {"predictions": [wanted]})


def test_status_of_all_versions_and_of_one(toy: Running):
    def told(number):
        return {
            "version": str(number),
            "state": "AVAILABLE",
            "status": {"error_code": "OK", "error_message": ""},
        }

    assert toy.ask("/v1/models/toy") == (200, {"model_version_status": [told(2), told(1)]})
    assert toy.ask("/v1/models/toy/versions/1") == (200, {"model_version_status": [told(1)]})
    assert toy.ask("/v1/models/toy/labels/stable") == (200, {"model_version_status": [told(1)]})


def test_metadata_states_the_signatures(toy: Running):
    status, answer = toy.ask("/v1/models/toy/versions/1/metadata")
    assert status == 200 and answer["model_spec"] == {"name": "toy", "signature_name": "", "version": "1"}
    small = answer["metadata"]["signature_def"]["signature_def"]["small"]
    assert small["method_name"] == "tensorflow/serving/predict"
    assert small["inputs"]["x"]["dtype"] == "DT_UINT8"
    assert [dim["size"] for dim in small["inputs"]["x"]["tensor_shape"]["dim"]] == ["-1", "2"]


@pytest.mark.parametrize(
    ("method", "body", "status", "message"),
    [
        ("classify", {"examples": [{"x": 1.0}]}, 400,
         "Expected classification signature method_name to be tensorflow/serving/classify. Was: tensorflow/serving/pr"),
        ("regress", {"examples": [{"x": 1.0}]}, 400,
         "Expected regression signature method_name to be tensorflow/serving/regress. Was: tensorflow/serving/predict"),
        ("regress", {"signature_name": "nix", "examples": [{}]}, 400, "No signature was found with the name: nix"),
        ("classify", {"instances": [1.0]}, 400, "key 'examples' is expected and was not found"),
        ("classify", {"examples": 3}, 400, "Expecting 'examples' value to be an list/array"),
        ("classify", {"examples": []}, 400, "'examples' value is an empty array"),
        ("classify", "", 400, "The document is empty"),
    ],
)  # fmt: skip
def test_classify_and_regress_do_not_fit(toy: Running, method, body, status, message):
    got, answer = toy.predict(body, f"/v1/models/toy:{method}")
    assert got == status and message in answer["error"]


def test_health_and_readiness(toy: Running):
    assert toy.ask("/health")[0] == toy.ask("/ready")[0] == 200
