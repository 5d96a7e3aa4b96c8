"""What strangers may send to a server: drawn by hypothesis, sent over real sockets, and what came of it, counted.

`attack(targets, count)` sends `count` requests and returns a Counter of (kind, outcome). An outcome is an HTTP status,
a gRPC code, "closed" (no answer, connection closed) or "waits" (the request was never complete). It fails at once for
an answer that blames the server (5xx but for "busy"), or that tells a path of this machine.
"""

import base64
import collections
import contextlib
import dataclasses
import io
import json
import math
import select
import socket
from collections import Counter
from pathlib import Path

import grpc
import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from PIL import Image
from tensorflow_serving.apis import predict_pb2

BUSY = ("Too many large requests", "queue to which this task", " connections.")
FAILURES = ("UNKNOWN", "INTERNAL", "DATA_LOSS")
PER_RUN = 2000  # requests; hypothesis remembers each that it has drawn in a run
NUM_STALLED = 100
LARGEST_BODY = 300_000  # bytes that one place of a document grows to; places lie in one another


@dataclasses.dataclass(frozen=True)
class Input:
    """Of a signature: "float", "int", "bool", "text" or "picture", and the shape of one row."""

    kind: str
    shape: tuple[int, ...] = ()


@dataclasses.dataclass
class Target:
    """A server, what it serves under which name, and texts that no answer may hold."""

    rest_port: int
    grpc_port: int
    model: str
    signatures: dict[str, dict[str, Input]]
    secrets: tuple[str, ...] = ()

    def __post_init__(self):
        self.kept = None
        self.channel = grpc.insecure_channel(f"127.0.0.1:{self.grpc_port}")
        self.stalled = collections.deque()
        self.outcomes = Counter()

    def connect(self, port=None):
        return socket.create_connection(("127.0.0.1", port or self.rest_port), timeout=30)

    def close(self):
        self.channel.close()
        for opened in (*self.stalled, *([self.kept] if self.kept else [])):
            opened.close()


# Values, and documents that are right.

WILD_NUMBERS = [0, -1, 1, 255, 256, 2**31, 2**53 + 1, 2**63, 2**64, -(2**70), 10**400, 0.5, 1e38, 1e39, 1e308, math.nan,
                math.inf, -math.inf, -0.0, 5e-324]  # fmt: skip
WILD_TEXTS = [
    "",
    "\0",
    "\ud800",
    "é\u202e<script>",
    "../../etc/passwd",
    "A" * 5000,
    "b64",
    "NaN",
    "%s%n",
    "🦄",
]
leaf = (
    st.none()
    | st.booleans()
    | st.sampled_from(WILD_NUMBERS)
    | st.sampled_from(WILD_TEXTS)
    | st.integers(-300, 300)
    | st.text(max_size=4)
)
any_json = st.recursive(
    leaf,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["instances", "inputs", "signature_name", "b64", "examples", "x", "\ud800"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


def files():
    """Pictures of the kinds that a decoder takes different ways for."""
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (24, 20, 3), np.uint8)
    made = []

    def save(picture, form, **options):
        file = io.BytesIO()
        picture.save(file, form, **options)
        made.append(file.getvalue())

    rgb = Image.fromarray(pixels)
    exif = Image.Exif()
    exif[0x0112] = 6
    save(rgb, "JPEG", quality=90)
    save(rgb, "JPEG", progressive=True, exif=exif)
    save(rgb.convert("CMYK"), "JPEG")
    save(rgb.convert("L"), "JPEG")
    save(rgb, "PNG", exif=exif)
    save(rgb.convert("RGBA"), "PNG")
    save(rgb.convert("P"), "PNG", transparency=0)
    save(rgb.convert("1"), "PNG")
    save(Image.fromarray(pixels[..., 0].astype(np.uint16) * 257), "PNG")
    save(rgb, "GIF")
    save(rgb, "BMP")
    save(Image.new("1", (20_000, 20_000)), "PNG")
    return made


FILES = files()


@st.composite
def mutated(draw, base, times=4):
    """Bytes with some flipped, cut out, doubled, cut off or written over."""
    data = bytearray(draw(base))
    for _ in range(draw(st.integers(1, times))):
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        size = draw(st.sampled_from([1, 1, 2, 4, 16, 100]))
        match draw(st.sampled_from(["flip", "write", "cut", "double", "end", "number"])):
            case "flip":
                data[at : at + 1] = bytes([data[at] ^ 1 << draw(st.integers(0, 7))]) if data else b""
            case "write":
                data[at : at + size] = draw(st.binary(min_size=1, max_size=4))
            case "cut":
                del data[at : at + size]
            case "double":
                data[at:at] = data[at : at + size]
            case "end":
                del data[at:]
            case "number":
                data[at : at + 4] = draw(
                    st.sampled_from([b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0"])
                )
    return bytes(data)


picture_bytes = st.sampled_from(FILES) | mutated(st.sampled_from(FILES)) | st.binary(max_size=40)


def nested(shape, value):
    return [nested(shape[1:], value) for _ in range(shape[0])] if shape else value


@st.composite
def row_value(draw, spec):
    match spec.kind:
        case "float":
            value = draw(st.floats(-1, 1, width=32) | st.sampled_from([0, 1, math.nan, 1e30]))
        case "int":
            value = draw(st.integers(0, 255))
        case "bool":
            value = draw(st.booleans())
        case "text":
            value = draw(st.text("ab é", max_size=6))
        case "picture":
            value = {"b64": base64.b64encode(draw(picture_bytes)).decode()}
    return nested(spec.shape, value)


@st.composite
def right_document(draw, target):
    name = draw(st.sampled_from(sorted(target.signatures)))
    inputs = target.signatures[name]
    num = draw(st.integers(1, 3))
    rows = [{key: draw(row_value(spec)) for key, spec in inputs.items()} for _ in range(num)]
    if draw(st.booleans()):
        return {"signature_name": name, "inputs": {key: [row[key] for row in rows] for key in inputs}}
    return {
        "signature_name": name,
        "instances": rows if len(inputs) > 1 else [next(iter(row.values())) for row in rows],
    }


@st.composite
def wrong_document(draw, target):
    """A right one in which some places hold something else."""
    document = draw(right_document(target))
    for _ in range(draw(st.integers(1, 3))):
        node = document
        while True:
            keys = list(node) if isinstance(node, dict) else range(len(node))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(node[key], dict | list) and node[key] and draw(st.integers(0, 3)):
                node = node[key]
                continue
            match draw(st.sampled_from(["replace", "delete", "wrap", "double", "many"])):
                case "replace":
                    node[key] = draw(any_json)
                case "delete":
                    del node[key]
                case "wrap":
                    node[key] = [node[key]]
                case "double":
                    node[key] = [node[key], node[key]]
                case "many":
                    most = LARGEST_BODY // len(json.dumps(node[key]))
                    node[key] = [node[key]] * min(draw(st.sampled_from([0, 2, 17, 5000])), most)
            break
    return document


def deep(opening, closing, depth, inside=""):
    return f'{{"instances": {opening * depth}{inside}{closing * depth}}}'.encode()


ODD_BODIES = [
    b"", b"{}", b"[]", b"null", b"\xef\xbb\xbf{}", b"\xff\xfe{\0}\0", b'{"instances": [1', b'{"instances": [1]} x',
    b'{"instances": [01]}', b'{"instances": [1e999, -1e999]}', b'{"instances": [NaN, Infinity, -Infinity]}',
    b'{"instances": [' + b"9" * 5000 + b"]}", b'{"instances": [' + b"9" * 4000 + b", NaN]}",
    b'{"instances": [1], "instances": [2]}', b'{"signature_name": "\\ud800", "instances": [1]}',
    b'{"inputs": {"x": 1, "\\udfff": 2}}', b'{"instances": ["\\ud800"]}', b'{"instances": [{"b64": "\\ud800"}]}',
    deep("[", "]", 10), deep("[", "]", 40), deep("[", "]", 1000), deep("[", "]", 100_000), deep("[", "", 100_000),
    deep('{"a":', "}", 900, "1"), deep('{"a":', "}", 50_000, "1"), deep("[[1],", "]", 900),
    b'{"instances": [' + b"[]," * 20_000 + b"[]]}", b'{"instances": [' + b'"' + b"A" * 90_000 + b'"]}',
]  # fmt: skip


# Requests of HTTP.


def http(method, path, body=b"", *headers):
    head = [f"{method} ".encode() + path + b" HTTP/1.1", b"host: localhost", *headers]
    return b"\r\n".join([*head, b"content-length: %d" % len(body), b"", body])


@st.composite
def prediction_path(draw, target):
    version = draw(
        st.sampled_from(
            [""] * 8 + ["/versions/1", "/versions/9", "/labels/none", "/versions/99999999999999999999"]
        )
    )
    method = draw(st.sampled_from(["predict"] * 10 + ["classify", "regress", "PREDICT", "nothing"]))
    return f"/v1/models/{target.model}{version}:{method}".encode()


@st.composite
def of_json(draw, target):
    body = draw(
        st.one_of(
            right_document(target).map(encode),
            right_document(target).map(encode),
            wrong_document(target).map(encode),
            wrong_document(target).map(encode),
            any_json.map(encode),
            mutated(right_document(target).map(encode)),
            st.sampled_from(ODD_BODIES),
        )
    )
    return http("POST", draw(prediction_path(target)), body)


def encode(document):
    text = json.dumps(document)
    return text.encode() if len(text) <= 4 * LARGEST_BODY else b"{}"


@st.composite
def of_pictures(draw, target):
    """Files in every way that JSON can hold them; the server without such a signature refuses them."""
    names = [
        name
        for name, inputs in target.signatures.items()
        if any(i.kind == "picture" for i in inputs.values())
    ]
    name = draw(st.sampled_from(names))
    rows = []
    for _ in range(draw(st.integers(1, 4))):
        text = base64.b64encode(draw(picture_bytes)).decode()
        if not draw(st.integers(0, 4)):
            text = draw(
                st.sampled_from([text[:-3], text + "=", text.replace("A", "!"), " " + text, "", "=" * 9])
            )
        rows.append({"b64": text})
    return http(
        "POST",
        f"/v1/models/{target.model}:predict".encode(),
        encode({"signature_name": name, "instances": rows}),
    )


PIECES = [
    "v1",
    "models",
    "..",
    ".",
    "",
    "%2e%2e",
    "%2f",
    "%00",
    "etc",
    "passwd",
    "secret.txt",
    "run.json",
    "index.html",
    "out",
    "metadata",
    "versions",
    "1",
    "labels",
    "health",
    "ready",
    "monitoring",
    "prometheus",
    "metrics",
    "\\..",
    "%ff",
    "%",
    "%zz",
    "é",
    ";x",
    "a" * 3000,
    "C:",
    "file:",
    "~root",
    "proc",
    "self",
    "environ",
    "..%2f..%2fsecret.txt",
    "....",
    "%252e%252e",
    "models:predict",
]
METHODS = ["GET"] * 6 + [
    "POST",
    "HEAD",
    "PUT",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "PATCH",
    "PROPFIND",
    "NONSENSE",
]


@st.composite
def of_paths(draw, target):
    path = "/" + "/".join(draw(st.lists(st.sampled_from([*PIECES, target.model]), max_size=7)))
    path = draw(st.sampled_from(["", "", "", "", "http://localhost", "//", "*"])) + path
    path += draw(st.sampled_from(["", "", "?x=../..", "#x"]))
    headers = draw(
        st.lists(
            st.sampled_from(
                [
                    b"range: bytes=0-",
                    b"range: bytes=-1,5-2,x",
                    b"if-modified-since: x",
                    b"if-none-match: *",
                    b"host: evil.example",
                    b"x-forwarded-host: x",
                    b"accept-encoding: gzip",
                    b"authorization: Basic !!",
                    b"cookie: " + b"c" * 500,
                ]
            ),
            max_size=2,
        )
    )
    return http(draw(st.sampled_from(METHODS)), path.encode("latin-1"), b"", *headers)


BROKEN = [
    b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n",
    b"GET /health HTTP/1.0\r\n\r\n",
    b"GET /health\r\n\r\n",
    b"\r\n\r\n\r\n",
    b"GET /health HTTP/9.9\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40),
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"POST /v1/models/m:predict HTTP/1.1\r\ncontent-length: 5\r\ncontent-length: 7\r\n\r\n{}   ",
    b"POST /v1/models/m:predict HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
    b"POST /v1/models/m:predict HTTP/1.1\r\ncontent-length: 99999999999999999999\r\n\r\n",
    b"POST /v1/models/m:predict HTTP/1.1\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /v1/models/m:predict HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    b"POST /v1/models/m:predict HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    b"POST /v1/models/m:predict HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n{}\r\n0\r\n\r\n",
    b"POST /v1/models/m:predict HTTP/1.1\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\na: b\r\n\r\n",
    b"POST /v1/models/m:predict HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n{}",
    b"GET / HTTP/1.1\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAA\r\n\r\n",
    b"GET /health HTTP/1.1\r\n" + b"a: b\r\n" * 3000 + b"\r\n",
    b"GET /health HTTP/1.1\r\na: " + b"b" * 60_000 + b"\r\n\r\n",
    b"GET /health HTTP/1.1\r\n a: b\r\n\r\n",
    b"GET /health HTTP/1.1\r\na\0: b\r\n\r\n",
    b"GET /" + b"a" * 60_000 + b" HTTP/1.1\r\n\r\n",
    b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n" * 20,
    b"GET /health HTTP/1.1\nhost: localhost\n\n",
    b"CONNECT localhost:80 HTTP/1.1\r\nhost: localhost:80\r\n\r\nmore",
]


def of_broken_http(target):
    named = [each.replace(b"models/m:", b"models/" + target.model.encode() + b":") for each in BROKEN]
    return st.sampled_from(named) | mutated(st.sampled_from(named))


def halves(target):
    """Requests that end in their midst; the client stays, or goes."""
    whole = of_json(target)
    return st.tuples(whole, st.floats(0, 1), st.booleans()).map(
        lambda drawn: (drawn[0][: int(len(drawn[0]) * drawn[1])], drawn[2])
    )


# Calls of gRPC.

CALLS = ["tensorflow.serving.PredictionService/Predict"] * 6 + [
    "tensorflow.serving.PredictionService/GetModelMetadata", "tensorflow.serving.PredictionService/Classify",
    "tensorflow.serving.PredictionService/Regress", "tensorflow.serving.PredictionService/MultiInference",
    "tensorflow.serving.ModelService/GetModelStatus", "grpc.health.v1.Health/Check", "no.such.Service/Method",
]  # fmt: skip


@st.composite
def predict_request(draw, target):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = draw(st.sampled_from([target.model] * 8 + ["", "nix"]))
    name = draw(st.sampled_from([*sorted(target.signatures), "", "nix"]))
    request.model_spec.signature_name = name
    keys = [*target.signatures.get(name, {"x": None}), *draw(st.sampled_from([[], [], [], ["more"]]))]
    for key in keys:
        proto = request.inputs[key]
        spec = target.signatures.get(name, {}).get(key)
        shape = (draw(st.integers(0, 3)), *spec.shape) if spec else ()
        if not draw(st.integers(0, 2)):
            sizes = st.sampled_from([-1, 0, 1, 2, 3, 30, 5000, 2**31, 2**40, 2**62])
            shape = tuple(draw(st.lists(sizes, max_size=4)))
        proto.dtype = draw(st.sampled_from([1] * 6 + [3, 4, 7, 9, 10, 17, 19, 23]) | st.integers(0, 130))
        if spec and draw(st.integers(0, 3)):
            proto.dtype = {"float": 1, "int": 4, "bool": 10, "text": 7, "picture": 7}[spec.kind]
        proto.tensor_shape.unknown_rank = not draw(st.integers(0, 15))
        for size in shape:
            proto.tensor_shape.dim.add().size = size
        match draw(st.sampled_from(["float", "float", "content", "string", "int", "none"])):
            case "float":
                proto.float_val.extend(draw(st.lists(st.floats(width=32), max_size=3)))
            case "content":
                proto.tensor_content = draw(st.binary(max_size=32))
            case "string":
                proto.string_val.extend(draw(st.lists(picture_bytes, max_size=3)))
            case "int":
                proto.int_val.extend(draw(st.lists(st.integers(-300, 300), max_size=3)))
    request.output_filter.extend(draw(st.sampled_from([[], [], [], ["y"], ["nix"], ["mean", "mean"]])))
    return request.SerializeToString()


@st.composite
def of_grpc(draw, target):
    data = draw(predict_request(target) | mutated(predict_request(target)) | st.binary(max_size=30))
    return draw(st.sampled_from(CALLS)), data


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\0\0\0\4\0\0\0\0\0"


def of_frames():
    """Bytes for the gRPC port: other protocols, and HTTP/2 that goes wrong."""
    frame = st.tuples(
        st.binary(max_size=30),
        st.integers(0, 12),
        st.integers(0, 255),
        st.sampled_from([0, 1, 2, 3, 2**31 - 1]),
    ).map(lambda f: len(f[0]).to_bytes(3, "big") + bytes(f[1:3]) + f[3].to_bytes(4, "big") + f[0])
    frames = st.lists(frame, max_size=5).map(lambda each: PREFACE + SETTINGS + b"".join(each))
    lies = st.just(PREFACE + SETTINGS + b"\xff\xff\xff\0\0\0\0\0\1" + bytes(1000))
    return frames | mutated(frames) | lies | st.sampled_from(BROKEN) | st.binary(max_size=100)


# What came of it.


def check(target, kind, status, text):
    """Fails where the answer blames the server, or tells what nobody should know."""
    blames_us = status >= 500 and not (status == 503 and any(said in text for said in BUSY))
    assert not blames_us, f"{kind}: {status} {text[:500]}"
    assert not any(secret in text for secret in (*target.secrets, "Traceback")), f"{kind}: {text[:500]}"


def complete(received):
    """(status, body) of the first whole answer in some bytes; None while there is none."""
    head, found, rest = received.partition(b"\r\n\r\n")
    if not found:
        return None
    status = int(head.split(b" ", 2)[1])
    if status == 100:
        return complete(rest)
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    length = int(lengths[0].split(b":")[1]) if lengths else 0
    return (status, rest) if len(rest) >= length else None


def answer_of(opened, is_head=False, patience=30.0):
    """(status, text); (0, "") where the server closed without one, None while it says nothing."""
    received = b""
    while True:
        if received and (found := complete(received)) is not None:
            return found[0], found[1].decode(errors="replace")
        if is_head and b"\r\n\r\n" in received:
            return int(received.split(b" ", 2)[1]), ""
        if not select.select([opened], [], [], patience)[0]:
            return None
        try:
            part = opened.recv(1 << 20)
        except ConnectionError:
            part = b""
        if not part:
            return 0, ""
        received += part


def ask(target, kind, data):
    """One request on the connection that is kept alive, made anew after the server closes it."""
    for _ in range(2):
        opened = target.kept = target.kept or target.connect()
        try:
            opened.sendall(data)
            found = answer_of(opened, is_head=data.startswith(b"HEAD"))
        except ConnectionError:
            found = 0, ""
        assert found is not None, f"{kind}: no answer within 30 s: {data[:200]!r}"
        if found[0] in (0, 400, 413, 431):
            opened.close()
            target.kept = None
        if found[0]:
            check(target, kind, *found)
            return str(found[0])
    return "closed"


def ask_odd(target, data, port=None, goes=False):
    """One request on a connection of its own, which is left open for a while where no answer comes at once."""
    opened = target.connect(port)
    with contextlib.suppress(ConnectionError):
        opened.sendall(data)
    if goes:
        opened.close()
        return "client went"
    if port is not None:
        # gRPC's port answers by frames of HTTP/2.
        opened.close()
        return "sent"
    found = answer_of(opened, patience=0.005)
    if found is not None:
        opened.close()
        return finish(target, found)
    target.stalled.append(opened)
    if len(target.stalled) > NUM_STALLED:
        with target.stalled.popleft() as oldest:
            found = answer_of(oldest, patience=0)
            target.outcomes["stalled", "still waits" if found is None else finish(target, found)] += 1
    return "waits"


def finish(target, found):
    if not found[0]:
        return "closed"
    check(target, "odd", *found)
    return str(found[0])


def call(target, method, data):
    try:
        target.channel.unary_unary(f"/{method}")(data, timeout=30)
    except grpc.RpcError as error:
        code, text = error.code().name, error.details() or ""
        assert code not in FAILURES, f"{method}: {code} {text[:500]}"
        assert not any(secret in text for secret in (*target.secrets, "Traceback")), text[:500]
        return code
    return "OK"


KINDS = ["json"] * 10 + ["pictures"] * 3 + ["path"] * 3 + ["http"] * 2 + ["half"] + ["grpc"] * 5 + ["frames"]


@st.composite
def requests(draw, targets):
    """(target, kind, what is sent)."""
    target = draw(st.sampled_from(targets))
    kind = draw(st.sampled_from(KINDS))
    drawn = {
        "json": lambda: of_json(target),
        "pictures": lambda: of_pictures(target),
        "path": lambda: of_paths(target),
        "http": lambda: of_broken_http(target),
        "half": lambda: halves(target),
        "grpc": lambda: of_grpc(target),
        "frames": of_frames,
    }[kind]()
    return target, kind, draw(drawn)


def send(target, kind, sent):
    match kind:
        case "json" | "pictures":
            return ask(target, kind, sent)
        case "path":
            # CONNECT and upgrades make of a connection what HTTP no longer is.
            return ask_odd(target, sent) if sent.startswith(b"CONNECT") else ask(target, kind, sent)
        case "http":
            return ask_odd(target, sent)
        case "half":
            return ask_odd(target, sent[0], goes=sent[1])
        case "grpc":
            return call(target, *sent)
        case "frames":
            return ask_odd(target, sent, port=target.grpc_port)


def attack(targets, count, first_seed=0):
    """Sends `count` requests; returns how often each (kind, outcome) came."""
    for start in range(0, count, PER_RUN):

        @seed(first_seed + start)
        @settings(
            max_examples=min(PER_RUN, count - start), database=None, deadline=None, derandomize=False,
            phases=[Phase.generate], suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(requests(targets))
        def run(drawn):
            target, kind, sent = drawn
            target.outcomes[kind, send(target, kind, sent)] += 1

        run()
        if start and not start % 10_000:
            so_far = sum((target.outcomes for target in targets), Counter())
            print(f"{start:,} sent: {dict(so_far.most_common(12))}", flush=True)
    return sum((target.outcomes for target in targets), Counter())


def resident(pid):
    """Megabytes of memory that a process holds."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0]) / 1024
