"""Token, TLS and names of this machine: who is let in, by REST and by gRPC, and who is not."""

import base64
import datetime
import http.client
import ipaddress
import json
import ssl

import grpc
import numpy as np
import pytest
import tensorflow as tf
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from tests.serving.server.conftest import serving
from vae_tf.errors import UserError
from vae_tf.serving.server.access import Guard, names_token, read_token
from vae_tf.serving.server.config_files import ModelConfig
from vae_tf.serving.server.run import Certificate

TOKEN = "a-token-of-thirty-two-characters"
BODY = '{"signature_name": "rows", "instances": [2.0]}'


def write_certificate(folder, name="own"):
    """A key and a certificate for 127.0.0.1 that it signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "vae_tf")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return Certificate(folder / f"{name}.pem", folder / f"{name}.key")


@pytest.fixture(scope="module")
def guarded(toy_versions, tmp_path_factory):
    """A server with a token that speaks TLS alone."""
    certificate = write_certificate(tmp_path_factory.mktemp("certificate"))
    config = ModelConfig("toy", toy_versions[1].parent)
    with serving([config], token=TOKEN, certificate=certificate) as running:
        yield running


def ask(running, path="/v1/models/toy:predict", body=BODY, verified=True, **headers):
    """(status, headers, text) over TLS, whose certificate is checked."""
    chain = running.settings.certificate.chain if verified else None
    context = ssl.create_default_context(cafile=chain)
    opened = http.client.HTTPSConnection("127.0.0.1", running.server.rest_port, context=context, timeout=20)
    try:
        opened.request("GET" if body is None else "POST", path, body, headers)
        answer = opened.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        opened.close()


def basic(name, password):
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


GOOD = [f"Bearer {TOKEN}", f"bearer {TOKEN}", basic("anyone", TOKEN)]
BAD = ["", TOKEN, "Bearer", "Bearer ", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x", f"Token {TOKEN}", basic(TOKEN, ""),
       basic("anyone", TOKEN[1:]), "Basic !!!", "Basic /w==", "Bearer é"]  # fmt: skip


@pytest.mark.parametrize("said", GOOD)
def test_who_names_the_token_is_let_in(guarded, said):
    status, _, text = ask(guarded, authorization=said)
    assert status == 200 and json.loads(text) == {"predictions": [4.0]}


@pytest.mark.parametrize("said", [said for said in BAD if said.isascii()])
@pytest.mark.parametrize(
    "path", ["/v1/models/toy:predict", "/v1/models/toy", "/monitoring/prometheus/metrics", "/", "/no"]
)
def test_nobody_else_is(guarded, path, said):
    status, headers, text = ask(guarded, path, authorization=said)
    assert status == 401 and "token" in json.loads(text)["error"]
    assert headers["www-authenticate"].startswith("Basic "), "browsers then ask for it"


def test_health_needs_no_token(guarded):
    assert ask(guarded, "/health", None)[0] == ask(guarded, "/ready", None)[0] == 200
    assert ask(guarded, "/health/../v1/models/toy", None)[0] == 401
    assert ask(guarded, "/ready%2f..%2fv1/models/toy", None)[0] == 401


@pytest.mark.parametrize(
    ("said", "is_right"), [*((said, True) for said in GOOD), *((said, False) for said in BAD)]
)
def test_token_in_a_header(said, is_right):
    assert names_token(said, TOKEN) is is_right


def test_plain_http_is_not_answered(guarded):
    opened = http.client.HTTPConnection("127.0.0.1", guarded.server.rest_port, timeout=20)
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        opened.request("GET", "/health")
        opened.getresponse()
    with pytest.raises(ssl.SSLError):
        ask(guarded, "/health", None, verified=False)


def predict(channel, token=None):
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "toy", "rows"
    request.inputs["x"].CopyFrom(tf.make_tensor_proto(np.array([2.0], np.float32)))
    metadata = [] if token is None else [("authorization", f"Bearer {token}")]
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    return list(stub.Predict(request, timeout=20, metadata=metadata).outputs["y"].float_val)


def test_grpc_asks_for_the_token_too(guarded):
    credentials = grpc.ssl_channel_credentials(guarded.settings.certificate.chain.read_bytes())
    with grpc.secure_channel(guarded.target, credentials) as channel:
        assert predict(channel, TOKEN) == [4.0]
        for token in (None, "", TOKEN[:-1]):
            with pytest.raises(grpc.RpcError) as caught:
                predict(channel, token)
            assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED
        health = health_pb2_grpc.HealthStub(channel)
        assert health.Check(health_pb2.HealthCheckRequest(), timeout=20).status == 1
    with grpc.insecure_channel(guarded.target) as channel, pytest.raises(grpc.RpcError) as caught:
        predict(channel, TOKEN)
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


def test_token_file(tmp_path):
    file = tmp_path / "token"
    with pytest.raises(UserError, match="cannot be read: No such file"):
        read_token(file)
    for text in ("", "short\n", "two words, which no header has", "é" * 32, f"{TOKEN}\n{TOKEN}"):
        file.write_text(text)
        with pytest.raises(UserError, match="holds no token: at least 16"):
            read_token(file)
    file.write_text(f"{TOKEN}\n")
    assert read_token(file) == TOKEN


def test_certificate_that_cannot_be_used_is_told(tmp_path):
    own, other = write_certificate(tmp_path), write_certificate(tmp_path, "other")
    own.check()
    (tmp_path / "nonsense").write_text("nonsense")
    key = serialization.load_pem_private_key(own.key.read_bytes(), None)
    locked = serialization.BestAvailableEncryption(b"secret")
    (tmp_path / "locked").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)
    )
    for bad in (
        Certificate(own.chain, other.key),
        Certificate(tmp_path / "none", own.key),
        Certificate(tmp_path / "nonsense", own.key),
        Certificate(own.chain, tmp_path / "locked"),
    ):
        with pytest.raises(UserError, match="cannot be used"):
            bad.check()


def test_a_strangers_name_for_this_machine_is_refused(toy):
    """Names that browsers send for loopback are own; a page that makes its own name lead here sends that."""
    port = toy.server.rest_port

    def status(host):
        opened = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        opened.putrequest("GET", "/v1/models/toy", skip_host=True)
        if host is not None:
            opened.putheader("host", host)
        opened.endheaders()
        return opened.getresponse().status

    own = [None, "localhost", f"LOCALHOST:{port}", f"127.0.0.1:{port}", "127.0.0.2", "[::1]", f"[::1]:{port}"]
    assert [status(host) for host in own] == [200] * len(own)
    strange = [
        "evil.example",
        f"evil.example:{port}",
        "localhost.evil.example",
        "10.0.0.1",
        "[::2]:80",
        "127.0.0.1.nip",
    ]
    assert [status(host) for host in strange] == [400] * len(strange)


def test_other_machines_may_call_it_what_they_like():
    guard = Guard(None, None)
    assert guard.refusal({"headers": [(b"host", b"faces.example")], "path": "/v1/models/toy"}) is None


def test_default_is_loopback():
    from vae_tf.serving.server.run import Settings

    assert Settings().is_loopback and Settings().host == "127.0.0.1"
