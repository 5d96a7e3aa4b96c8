"""What clients may not do, and that it harms nobody else."""

import base64
import contextlib
import io
import json
import socket
import threading
import time
import urllib.request

import grpc
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from tests.serving.server.conftest import Running, ask_busy, serving, wait_for
from vae_tf.serving.server import http_protocol
from vae_tf.serving.server.config_files import BatchingParameters, ModelConfig
from vae_tf.serving.server.limits import Limits

HEAD = "POST /v1/models/toy:predict HTTP/1.1\r\nhost: localhost\r\n"
BODY = '{"instances": [2.0]}'
LIMITS = Limits(
    body=100_000,
    queued=150_000,
    headers_time=0.4,
    body_time=0.6,
    idle_time=1.5,
    request_time=2.0,
    connections=300,
    rows=50,
    answer=1100,
    pixels=2_000_000,
    decoded=3_000_000,
)


@pytest.fixture(scope="module")
def strict(toy_versions):
    """Short times, one thread, a queue of two requests."""
    folder = toy_versions[1].parent
    batching = BatchingParameters(num_batch_threads=1, max_batch_size=1, max_enqueued_batches=2)
    with serving([ModelConfig("toy", folder)], limits=LIMITS, batching=batching) as running:
        yield running


@contextlib.contextmanager
def connection(running, text=""):
    with socket.create_connection(("127.0.0.1", running.server.rest_port), timeout=10) as opened:
        opened.sendall(text.encode())
        yield opened


def answer_of(opened):
    """All that comes until the server closes, or until one whole answer is there."""
    received = b""
    with contextlib.suppress(ConnectionError):
        while part := opened.recv(65536):
            received += part
            head, _, body = received.partition(b"\r\n\r\n")
            if body and f"content-length: {len(body)}".encode() in head.lower():
                break
    return received.decode()


def is_well(running):
    """Others are served, and soon."""
    began = time.monotonic()
    assert running.ask("/v1/models/toy:predict", BODY) == (200, {"predictions": [4.0]})
    return time.monotonic() - began < 1.0


def metric(running, name, **labels):
    with urllib.request.urlopen(running.url + "/monitoring/prometheus/metrics") as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    # The parser appends _total to the names of counters that lack it, as those of TF Serving do.
    samples = [
        sample
        for family in families
        for sample in family.samples
        if sample.name.removesuffix("_total") == name
    ]
    return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())


def test_announced_large_body_is_refused_before_it_is_sent(strict):
    with connection(strict, HEAD + "content-length: 1000000000\r\n\r\n") as opened:
        answer = answer_of(opened)
    assert answer.startswith("HTTP/1.1 413") and "The body is larger than 100,000 bytes." in answer
    assert is_well(strict)


def test_chunked_large_body_is_refused_on_the_way(strict):
    with connection(strict, HEAD + "transfer-encoding: chunked\r\n\r\n") as opened:
        with contextlib.suppress(ConnectionError):
            for _ in range(40):
                opened.sendall(b"1000\r\n" + b" " * 4096 + b"\r\n")
        answer = answer_of(opened)
    assert answer.startswith("HTTP/1.1 413")
    assert is_well(strict)


def test_endless_body_is_cut_off(strict, monkeypatch):
    """Whoever sends on after the refusal is closed in the end."""
    monkeypatch.setattr(http_protocol, "LINGER", 0.5)
    with connection(strict, HEAD + "transfer-encoding: chunked\r\n\r\n") as opened:
        began = time.monotonic()
        with pytest.raises(ConnectionError):
            while time.monotonic() - began < 15:
                opened.sendall(b"1000\r\n" + b" " * 4096 + b"\r\n")
                time.sleep(0.002)


@pytest.mark.parametrize(
    ("sent", "drip", "message"),
    [
        ("POST /v1/mod", "x", "The headers took longer than 0.4 s."),
        (HEAD, "x: y\r\n", "The headers took longer than 0.4 s."),
        (HEAD + "content-length: 100\r\n\r\n{", " ", "The body took longer than 0.6 s."),
    ],
    ids=["request line", "headers", "body"],
)
def test_slow_client_is_closed_however_it_drips(strict, sent, drip, message):
    with connection(strict, sent) as opened:
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - began < 1.0:
                opened.sendall(drip.encode())
                time.sleep(0.05)
        answer = answer_of(opened)
    assert answer.startswith("HTTP/1.1 408") and message in answer
    assert is_well(strict)


@pytest.mark.parametrize(
    "sent", ["", HEAD + f"content-length: {len(BODY)}\r\n\r\n{BODY}"], ids=["new", "kept alive"]
)
def test_idle_connection_is_closed(strict, sent):
    with connection(strict, sent) as opened:
        if sent:
            assert "200 OK" in answer_of(opened)
        began = time.monotonic()
        assert opened.recv(1) == b"" and 1.0 < time.monotonic() - began < 5.0


def test_large_bodies_at_a_time_are_limited(strict):
    """Each is within its limit, but not both together; what is refused or given up is free again."""
    sent = HEAD + "content-length: 95000\r\n\r\n" + " " * 90_000
    with connection(strict, sent), connection(strict, sent) as second:
        answer = answer_of(second)
    assert answer.startswith("HTTP/1.1 503") and "Too many large requests" in answer
    assert is_well(strict)


def test_200_idle_connections_hinder_nobody(strict):
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(connection(strict, "POST /v1"))
        assert is_well(strict)


def test_connections_beyond_the_limit_are_refused(strict):
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(connection(strict)) for _ in range(LIMITS.connections + 5)]
        assert "503" in answer_of(opened[-1])
    time.sleep(0.2)
    assert is_well(strict)


@pytest.mark.parametrize(
    "sent", ["nonsense\r\n\r\n", "GET /v1/models/toy HTTP/9.9\r\n\r\n", "\x00\x01\x02\r\n\r\n"]
)
def test_what_is_no_http_is_refused(strict, sent):
    with connection(strict, sent) as opened:
        assert answer_of(opened).startswith("HTTP/1.1 400")
    assert is_well(strict)


def test_request_that_takes_too_long(strict, gate):
    began = time.monotonic()
    status, answer = strict.predict({"signature_name": "busy", "instances": [1]})
    assert status == 504 and "Deadline exceeded" in answer["error"]
    assert time.monotonic() - began < LIMITS.request_time + 2
    gate.set()
    assert is_well(strict)


def test_full_queue_is_unavailable_by_rest(strict, gate):
    """One is computed, two wait, the others are refused at once."""
    answers = []
    threads = [ask_busy(strict, answers) for _ in range(8)]
    wait_for(lambda: len(answers) == 5, LIMITS.request_time)
    assert {status for status, _ in answers} == {503} and "queue" in answers[0][1]["error"]
    gate.set()
    for thread in threads:
        thread.join()
    assert [status for status, _ in answers[5:]] == [200] * 3
    assert is_well(strict)


def test_client_killed_mid_request_is_not_computed_for(strict, gate):
    def batches():
        return metric(strict, ":tensorflow:serving:batching_session:processed_batch_size_count")

    def cancelled():
        return metric(strict, ":tensorflow:serving:request_count", status="CANCELLED")

    num_batches, num_cancelled, answers = batches(), cancelled(), []
    thread = ask_busy(strict, answers)
    wait_for(lambda: strict.server.batcher.num_idle == 0)
    body = json.dumps({"signature_name": "busy", "instances": [1]})
    with connection(strict, HEAD + f"content-length: {len(body)}\r\n\r\n{body}"):
        wait_for(lambda: strict.server.batcher.lanes)
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "toy", "busy"
    request.inputs["steps"].CopyFrom(tf.make_tensor_proto(np.array([1])))
    with grpc.insecure_channel(strict.target) as channel:
        call = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict.future(request, timeout=20)
        wait_for(lambda: any(len(lane.tasks) == 2 for lane in strict.server.batcher.lanes.values()))
        call.cancel()
    wait_for(lambda: cancelled() == num_cancelled + 2)
    gate.set()
    thread.join()
    assert answers[0][0] == 200 and is_well(strict)
    assert batches() - num_batches == 2, "the first and the last; none for those who had gone"


def picture(shade):
    file = io.BytesIO()
    Image.new("L", (16, 16), shade).save(file, "JPEG", quality=100)
    return file.getvalue()


def test_truncated_jpeg_hurts_nobody_beside_it(toy):
    files = [picture(10 * n) for n in range(12)]
    files[5] = files[5][:100]
    answers = [None] * len(files)

    def ask(position):
        row = {"b64": base64.b64encode(files[position]).decode()}
        answers[position] = toy.predict({"signature_name": "brightness", "instances": [row]})

    threads = [threading.Thread(target=ask, args=(position,)) for position in range(len(files))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers[5][0] == 400 and "error" in answers[5][1]
    for position, (status, answer) in enumerate(answers):
        assert position == 5 or (status == 200 and abs(answer["predictions"][0] - 10 * position) < 1.5)


def test_metrics_are_prometheus_text_with_the_names_of_tf_serving(strict):
    before = metric(strict, ":tensorflow:serving:request_count", model_name="toy", status="OK")
    bad = metric(strict, ":tensorflow:serving:request_count", model_name="toy", status="INVALID_ARGUMENT")
    assert is_well(strict)
    assert strict.predict("nonsense")[0] == 400
    assert metric(strict, ":tensorflow:serving:request_count", model_name="toy", status="OK") == before + 1
    assert metric(strict, ":tensorflow:serving:request_count", status="INVALID_ARGUMENT") == bad + 1
    labels = {"model_name": "toy", "API": "Predict", "entrypoint": "REST"}
    assert metric(strict, ":tensorflow:serving:request_latency_count", **labels) >= 2
    assert metric(strict, ":tensorflow:serving:model_version_state", version="2") == 30


def test_unknown_names_do_not_fill_the_metrics(strict):
    for number in range(3):
        strict.ask(f"/v1/models/unknown{number}:predict", BODY)
    with urllib.request.urlopen(strict.url + "/monitoring/prometheus/metrics") as answer:
        assert b"unknown" not in answer.read()


def test_shutdown_answers_what_is_in_flight(toy_versions, gate):
    answers = []
    running = Running([ModelConfig("toy", toy_versions[1].parent)])
    idle = running.server.batcher.num_idle
    thread = ask_busy(running, answers)
    wait_for(lambda: running.server.batcher.num_idle == idle - 1)
    stopping = threading.Thread(target=running.stop, args=(10.0,))
    stopping.start()
    wait_for(lambda: is_refused(running.server.rest_port) and is_refused(running.server.grpc_port))
    assert thread.is_alive() and stopping.is_alive(), "still in flight"
    gate.set()
    thread.join()
    stopping.join()
    assert answers == [(200, {"predictions": [1]})]


def test_shutdown_cuts_off_what_outlasts_its_grace(toy_versions, gate):
    answers = []
    running = Running([ModelConfig("toy", toy_versions[1].parent)])
    idle = running.server.batcher.num_idle
    thread = ask_busy(running, answers)
    wait_for(lambda: running.server.batcher.num_idle == idle - 1)
    began = time.monotonic()
    running.stop(0.3)
    assert time.monotonic() - began < 3
    thread.join()
    assert answers == [(503, {"error": "The server is shutting down."})]


def is_refused(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except ConnectionRefusedError:
        return True
    return False


@pytest.mark.parametrize(
    ("host", "is_loopback"), [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False)]
)
def test_loopback_is_recognised(host, is_loopback):
    from vae_tf.serving.server.run import Settings

    assert Settings(host=host).is_loopback == is_loopback


def refused(running, document, text):
    status, answer = running.predict(document)
    assert status == 400 and text in answer["error"], answer
    assert is_well(running)


def test_rows_of_a_request_are_limited(strict):
    assert strict.predict({"signature_name": "rows", "instances": [0] * 50})[0] == 200
    refused(strict, {"signature_name": "rows", "instances": [0] * 51}, "has 51 rows; 50 at a time")
    refused(strict, {"signature_name": "rows", "inputs": [0] * 51}, "has 51 rows; 50 at a time")
    refused(strict, {"instances": [0] * 51}, "has 51 rows; 50 at a time")


def test_answer_of_a_request_is_limited(strict):
    """Of every row, 16 bytes are `sensor` and 8 `total`."""
    row = {"tag": "", "signal": [0] * 5, "sensor": [[0, 0], [0, 0]]}
    assert strict.predict({"signature_name": "three", "instances": [row] * 20})[0] == 200
    document = {"signature_name": "three", "instances": [row] * 50}
    refused(strict, document, "The answer to 50 rows would be")


def png(width, height):
    file = io.BytesIO()
    Image.new("1", (width, height)).save(file, "PNG")
    return {"b64": base64.b64encode(file.getvalue()).decode()}


def test_pixels_of_a_request_are_limited(strict):
    """A few bytes hold many pixels; what is refused was not decoded."""
    within = {"signature_name": "brightness", "instances": [png(1000, 1000)] * 2}
    assert strict.predict(within)[0] == 200
    beyond = {"signature_name": "brightness", "instances": [png(1000, 1000)] * 2 + [png(1, 1)]}
    refused(strict, beyond, "The pictures have 2,000,001 pixels; 2,000,000 at a time")
    refused(strict, {"signature_name": "brightness", "instances": [png(8_000, 8_000)]}, "pixels")


def test_pixels_at_a_time_are_limited(strict):
    service = strict.server.service
    with service.held_pixels.lent(2_500_000):
        status, answer = strict.predict({"signature_name": "brightness", "instances": [png(1000, 1000)]})
        assert status == 503 and "Too many large requests" in answer["error"]
    assert strict.predict({"signature_name": "brightness", "instances": [png(1000, 1000)]})[0] == 200
    wait_for(lambda: service.held_pixels.held == service.held_bytes.held == 0)


@pytest.mark.parametrize(
    "sent",
    [
        "GET /" + "a" * 2_000_000,
        HEAD + "a: " + "b" * 2_000_000,
        HEAD + "a: b\r\n" * 400_000,
        HEAD + "transfer-encoding: chunked\r\n\r\n0\r\n" + "a: b\r\n" * 400_000,
    ],
    ids=["path", "header", "headers", "trailers"],
)
def test_headers_without_end_are_cut_off(strict, sent):
    """All of it would be kept until the clock ends the request."""
    with connection(strict) as opened:
        with contextlib.suppress(ConnectionError):
            opened.sendall(sent.encode())
        answer = answer_of(opened)
    assert answer == "" or answer.startswith(("HTTP/1.1 431", "HTTP/1.1 400")), answer[:200]
    assert is_well(strict)
    wait_for(lambda: not strict.server.rest.server_state.connections, 5)


def test_requests_that_wait_for_those_before_them_are_limited(strict, gate):
    body = json.dumps({"signature_name": "busy", "instances": [1]})
    first = HEAD + f"content-length: {len(body)}\r\n\r\n{body}"
    with connection(strict, first + "GET /health HTTP/1.1\r\n\r\n" * 1000) as opened:
        assert "400 Bad Request" in answer_of(opened)
    gate.set()
    assert is_well(strict)


def test_pipelined_requests_are_answered_in_turn(strict):
    request = HEAD + f"content-length: {len(BODY)}\r\n\r\n{BODY}"
    with connection(strict, request * 20) as opened:
        received = b""
        while received.count(b"predictions") < 20:
            part = opened.recv(65536)
            assert part, received
            received += part
    assert received.count(b"HTTP/1.1 200") == 20


def test_answer_that_nobody_takes_is_dropped(toy_versions):
    """Its bytes are held, and counted, until the client has taken nothing for some time."""
    limits = Limits(answer_time=0.5, idle_time=0.5, headers_time=0.5, body_time=0.5)
    with serving([ModelConfig("toy", toy_versions[1].parent)], limits=limits) as running:
        service = running.server.service
        body = json.dumps({"signature_name": "rows", "instances": [0.123456] * 4000})
        request = HEAD + f"content-length: {len(body)}\r\n\r\n{body}"
        opened = socket.socket()
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        opened.connect(("127.0.0.1", running.server.rest_port))
        with opened:
            opened.setblocking(False)
            with contextlib.suppress(BlockingIOError, ConnectionError):
                for _ in range(2000):
                    opened.sendall(request.encode())
            wait_for(lambda: not running.server.rest.server_state.connections, 30)
        assert service.held_bytes.held == 0
        assert is_well(running)


def test_few_bytes_by_grpc_do_not_become_a_gigabyte(strict):
    """The last value of a tensor stands for all that are left out."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "toy", "rows"
    request.inputs["x"].dtype = 1
    request.inputs["x"].tensor_shape.dim.add().size = 2**27
    request.inputs["x"].float_val.append(0.0)
    with grpc.insecure_channel(strict.target) as channel, pytest.raises(grpc.RpcError) as caught:
        prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(request, timeout=20)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "134,217,728 rows" in caught.value.details()


def test_bytes_that_are_no_message_are_the_clients_mistake(strict):
    with grpc.insecure_channel(strict.target) as channel:
        for method in (
            "PredictionService/Predict",
            "PredictionService/Classify",
            "ModelService/GetModelStatus",
        ):
            with pytest.raises(grpc.RpcError) as caught:
                channel.unary_unary(f"/tensorflow.serving.{method}")(b"\xff" * 20, timeout=20)
            assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        with pytest.raises(grpc.RpcError) as caught:
            list(channel.unary_stream("/grpc.health.v1.Health/Watch")(b"\xff" * 20, timeout=20))
        assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        check = channel.unary_unary("/grpc.health.v1.Health/Check")
        assert check(b"", timeout=20) == b"\x08\x01"


@pytest.mark.parametrize(
    "body",
    [
        '{"instances": ' + "[" * 900 + "]" * 900 + "}",
        '{"instances": {"a": ' + '{"a": ' * 900 + "1" + "}" * 900 + "}}",
        '{"signature_name": "\\ud800", "instances": [1]}',
        '{"instances": [{"\\udfff": 1}]}',
        '{"instances": [' + "9" * 4000 + "]}",
        '{"instances": [NaN, ' + "9" * 4000 + "]}",
        '{"instances": [' + "9" * 5000 + ", NaN]}",
        '{"signature_name": 3, "instances": ' + "[" * 900 + "]" * 900 + "}",
    ],
)
def test_odd_json_is_the_clients_mistake(strict, body):
    status, answer = strict.predict(body)
    assert status == 400 and answer["error"]
