"""What the local server costs: its throughput beside calling the SavedModel in a loop, and beside a plain handler.

    python benchmarks/serving.py --seconds 60            # about 18 minutes
    python benchmarks/serving.py --seconds 60 --export exported/NAME/

Everything runs in one go on loopback, in rounds that visit every row, so that what else the machine does falls on all
alike. The clients are processes of their own without TensorFlow, which share the machine's cores with the server.
The model is `conv` with 64×64 RGB pictures and 30 latents, its weights untrained; `encode` takes floats, `encode_bytes`
JPEG files, which it decodes, turns upright and resizes.

Measured with `--seconds 35` on 2 cores with AMX, nothing else running; pictures/s, share of the direct call in a loop
at batch 32 (1,891 for floats, 1,456 for files), p50 and p99 in ms; no request failed:

    4 clients, 32 pictures      gRPC floats 1,740 (92 %, 73, 106), gRPC files 1,475 (101 %, 86, 112), REST b64 files
                                1,505 (103 %, 85, 109), REST JSON floats 316 (17 %), plain handler 1,334 (92 %)
    32 clients, 1 picture       batching on and off: gRPC floats 775 and 422, gRPC files 763 and 377, REST b64 files 965
                                and 414, REST JSON 271 and 237, plain handler 339

A version swap under load: 1,808 requests, none failed, the slowest 719 ms.
"""

import argparse
import asyncio
import base64
import http.server
import io
import json
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parent.parent
NAME = "bench"
SHAPE = (64, 64, 3)
PER_REQUEST = 32
PREDICT = "/tensorflow.serving.PredictionService/Predict"
LOADS = {"32 clients, 1 picture": (32, 1), "4 clients, 32 pictures": (4, PER_REQUEST)}


def pictures(count: int) -> np.ndarray:
    """Smooth pictures [count, H, W, 3], uint8, whose JPEG files are as large as those of photographs of this size."""
    from PIL import Image

    noise = np.random.default_rng(0).integers(0, 256, (count, 16, 16, 3), np.uint8)
    return np.stack(
        [np.asarray(Image.fromarray(each).resize(SHAPE[:2], Image.Resampling.BICUBIC)) for each in noise]
    )


def jpeg(picture: np.ndarray) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=90)
    return file.getvalue()


def write_requests(folder: Path) -> None:
    """The bodies that clients send, ready made: `KIND-COUNT`."""
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2

    for count in (1, PER_REQUEST):
        shown = pictures(count)
        files = [jpeg(picture) for picture in shown]
        floats = shown.astype(np.float32) / 255.0
        request = predict_pb2.PredictRequest()
        request.model_spec.name = NAME
        request.model_spec.signature_name = "encode"
        request.inputs["pictures"].CopyFrom(tf.make_tensor_proto(floats))
        (folder / f"grpc-{count}").write_bytes(request.SerializeToString())
        request.inputs.clear()
        request.model_spec.signature_name = "encode_bytes"
        request.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto(files))
        (folder / f"grpc bytes-{count}").write_bytes(request.SerializeToString())
        rows = [{"b64": base64.b64encode(file).decode()} for file in files]
        body = {"signature_name": "encode_bytes", "instances": rows}
        (folder / f"REST b64 bytes-{count}").write_text(json.dumps(body))
        body = {"signature_name": "encode", "instances": floats.round(4).tolist()}
        (folder / f"REST JSON-{count}").write_text(json.dumps(body))
        np.save(folder / f"floats-{count}.npy", floats)
        (folder / f"files-{count}.json").write_text(
            json.dumps([base64.b64encode(file).decode() for file in files])
        )


def write_export(folder: Path) -> None:
    from vae_tf import recipes
    from vae_tf.serving.decoding import Decoding
    from vae_tf.serving.export import write_saved_model
    from vae_tf.serving.pictures import PictureExport

    write_saved_model(
        PictureExport(recipes.build("conv", SHAPE, 30), "uint8", Decoding(SHAPE, "crop")), folder
    )


def plain_server(folder: Path, requests: Path, port: int) -> None:
    """One request at a time; GET /floats/SECONDS and /files/SECONDS call the signature in a loop, without HTTP."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(folder))
    by_floats, by_files = loaded.signatures["encode"], loaded.signatures["encode_bytes"]
    floats = np.load(requests / f"floats-{PER_REQUEST}.npy")
    files = [
        base64.b64decode(each) for each in json.loads((requests / f"files-{PER_REQUEST}.json").read_text())
    ]

    def loop(kind: str, seconds: float) -> dict[str, Any]:
        took, end = [], time.perf_counter() + seconds
        while time.perf_counter() < end:
            began = time.perf_counter()
            if kind == "floats":
                outputs = by_floats(pictures=tf.constant(floats))
            else:
                outputs = by_files(image_bytes=tf.constant(files))
            [value.numpy() for value in outputs.values()]
            took.append(time.perf_counter() - began)
        return {"latencies": took, "failed": 0}

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self, document: Any) -> None:
            body = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.send_header("connection", "close")
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            _, kind, seconds = self.path.split("/")
            self.answer(loop(kind, float(seconds)))

        def do_POST(self) -> None:
            rows = json.loads(self.rfile.read(int(self.headers["content-length"])))["instances"]
            outputs = by_files(image_bytes=tf.constant([base64.b64decode(row["b64"]) for row in rows]))
            columns = {name: value.numpy().tolist() for name, value in outputs.items()}
            self.answer(
                {
                    "predictions": [
                        dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
                    ]
                }
            )

        def log_message(self, *arguments: Any) -> None:
            pass

    class Plain(http.server.HTTPServer):
        request_queue_size = 128

    Plain(("127.0.0.1", port), Handler).serve_forever()


async def ask_rest(port: int, body: bytes, name: str, keeps: bool) -> Any:
    """A function that sends the body once and raises where the answer is not 200."""
    head = f"POST /v1/models/{name}:predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    streams: list[Any] = []

    async def ask() -> None:
        if not streams:
            streams[:] = await asyncio.open_connection("127.0.0.1", port)
        reader, writer = streams
        writer.write(head + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        lines = answer.lower().split(b"\r\n")
        length = next(int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length"))
        await reader.readexactly(length)
        if not keeps:
            writer.close()
            streams.clear()
        if b" 200 " not in lines[0] + b" ":
            raise OSError(lines[0].decode())

    return ask


async def ask_grpc(port: int, body: bytes) -> Any:
    import grpc

    channel = grpc.aio.insecure_channel(
        f"127.0.0.1:{port}",
        options=[("grpc.max_receive_message_length", -1), ("grpc.use_local_subchannel_pool", 1)],
    )
    call = channel.unary_unary(PREDICT)  # bytes out, bytes in

    async def ask() -> None:
        await call(body)

    return ask


async def client(kind: str, port: int, body: bytes, clients: int, seconds: float) -> dict[str, Any]:
    """Closed loop: each client asks again as soon as it has its answer."""
    latencies: list[float] = []
    failures: list[str] = []
    end = time.perf_counter() + seconds

    async def one() -> None:
        ask = await (
            ask_grpc(port, body) if kind.startswith("grpc") else ask_rest(port, body, NAME, kind != "plain")
        )
        while time.perf_counter() < end:
            began = time.perf_counter()
            try:
                await ask()
                latencies.append(time.perf_counter() - began)
            except Exception as error:
                failures.append(f"{type(error).__name__}: {error}"[:200])

    await asyncio.gather(*(one() for _ in range(clients)))
    return {"latencies": latencies, "failed": len(failures), "failures": failures[:3]}


def free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


def started(command: list[str], url: str, processes: list[Any]) -> None:
    processes.append(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL))
    for _ in range(600):
        try:
            urllib.request.urlopen(url, timeout=5).read()
            return
        except OSError:
            if processes[-1].poll() is not None:
                raise SystemExit(f"{command} ended with {processes[-1].returncode}") from None
            time.sleep(0.2)
    raise SystemExit(f"{url} does not answer")


def client_command(kind: str, port: int, request: Path, clients: int, seconds: float) -> list[str]:
    command = [sys.executable, __file__, "--client", kind, "--port", str(port), "--request", str(request)]
    return [*command, "--clients", str(clients), "--seconds", str(seconds)]


def run_client(kind: str, port: int, request: Path, clients: int, seconds: float) -> dict[str, Any]:
    command = client_command(kind, port, request, clients, seconds)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def swap(model: Path, rest: int, grpc: int, requests: Path, seconds: float) -> str:
    """A second version appears under load."""
    ports = {"grpc": grpc, "REST b64 bytes": rest}
    running = []
    for (kind, port), count in zip(ports.items(), (PER_REQUEST, 1), strict=True):
        command = client_command(kind, port, requests / f"{kind}-{count}", 4, seconds)
        running.append(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True))
    time.sleep(seconds / 4)
    shutil.copytree(model / "1", model.parent / "being-written")
    (model.parent / "being-written").rename(model / "2")
    results = [json.loads(process.communicate()[0]) for process in running]
    status = json.loads(urllib.request.urlopen(f"http://127.0.0.1:{rest}/v1/models/{NAME}").read())
    states = ", ".join(f"{each['version']} {each['state']}" for each in status["model_version_status"])
    asked = sum(len(result["latencies"]) + result["failed"] for result in results)
    failed = sum(result["failed"] for result in results)
    slowest = max(max(result["latencies"]) for result in results)
    return f"swap under load: {asked:,} requests, {failed} failed, slowest {slowest * 1e3:.0f} ms; versions {states}"


def table(results: dict[tuple[str, ...], list[dict[str, Any]]], seconds: float) -> None:
    reference = {
        kind: rate(results["direct call in a loop", f"32 {kind}", ""], PER_REQUEST, seconds)
        for kind in ("floats", "files")
    }
    print(
        "| what | load | batching | requests/s | pictures/s | of the direct call | p50 ms | p99 ms | failed |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for (kind, load, batching), rounds in results.items():
        count = LOADS[load][1] if load in LOADS else PER_REQUEST
        times = np.concatenate([each["latencies"] for each in rounds]) * 1e3
        speed = rate(rounds, count, seconds)
        same = "files" if "bytes" in kind or "files" in load or kind == "plain handler" else "floats"
        failed = sum(each["failed"] for each in rounds)
        print(
            f"| {kind} | {load} | {batching} | {speed / count:,.1f} | {speed:,.0f} | {speed / reference[same]:.0%} "
            f"| {np.percentile(times, 50):.1f} | {np.percentile(times, 99):.1f} | {failed} |"
        )


def rate(rounds: list[dict[str, Any]], count: int, seconds: float) -> float:
    """Pictures per second: the mean of the rounds."""
    return statistics.mean(len(each["latencies"]) * count / (seconds / len(rounds)) for each in rounds)


def measure(seconds: float, rounds: int, export: Path | None, kinds: list[str]) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        model, requests = Path(temporary, NAME), Path(temporary, "requests")
        requests.mkdir()
        write_requests(requests)
        if export is None:
            write_export(model / "1")
        else:
            shutil.copytree(export, model)
        processes: list[Any] = []
        try:
            ports = {batching: (free_port(), free_port()) for batching in ("on", "off")}
            for batching, (rest, grpc) in ports.items():
                command = [
                    sys.executable,
                    "cli.py",
                    "serve",
                    str(model),
                    "--rest-port",
                    str(rest),
                    "--grpc-port",
                    str(grpc),
                ]
                command += ["--no-batching"] if batching == "off" else []
                started(command, f"http://127.0.0.1:{rest}/ready", processes)
            plain = free_port()
            newest = max(model.iterdir(), key=lambda path: int(path.name))
            command = [
                sys.executable,
                __file__,
                "--plain",
                str(newest),
                "--request",
                str(requests),
                "--port",
                str(plain),
            ]
            started(command, f"http://127.0.0.1:{plain}/files/0.1", processes)
            results: dict[tuple[str, ...], list[dict[str, Any]]] = {}
            for number in range(rounds + 1):  # the first is a short one to warm up
                each = seconds / rounds if number else 1.0
                for key, result in one_round(ports, plain, requests, each, kinds):
                    if number:
                        results.setdefault(key, []).append(result)
            table(results, seconds)
            print(swap(model, *ports["on"], requests, max(seconds / 2, 12)))
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait()


def one_round(
    ports: dict[str, tuple[int, int]], plain: int, requests: Path, seconds: float, kinds: list[str]
) -> Any:
    for kind in ("floats", "files"):
        answer = urllib.request.urlopen(f"http://127.0.0.1:{plain}/{kind}/{seconds}").read()
        yield ("direct call in a loop", f"32 {kind}", ""), json.loads(answer)
    for load, (clients, count) in LOADS.items():
        for kind in kinds:
            for batching, (rest, grpc) in ports.items():
                port = grpc if kind.startswith("grpc") else rest
                request = requests / f"{kind}-{count}"
                yield (kind, load, batching), run_client(kind, port, request, clients, seconds)
        request = requests / f"REST b64 bytes-{count}"
        yield ("plain handler", load, ""), run_client("plain", plain, request, clients, seconds)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="of each row, over all rounds")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--export", type=Path, help="folder of versions; must have encode and encode_bytes")
    parser.add_argument("--kinds", default="grpc,grpc bytes,REST b64 bytes,REST JSON")
    parser.add_argument("--client", help=argparse.SUPPRESS)
    parser.add_argument("--plain", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--request", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--clients", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.client:
        body = given.request.read_bytes()
        print(json.dumps(asyncio.run(client(given.client, given.port, body, given.clients, given.seconds))))
    elif given.plain:
        plain_server(given.plain, given.request, given.port)
    else:
        measure(given.seconds, given.rounds, given.export, given.kinds.split(","))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
