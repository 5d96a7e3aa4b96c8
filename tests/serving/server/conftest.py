"""A small SavedModel with signatures of every kind, and servers for it, in a thread of this process."""

import asyncio
import contextlib
import json
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from vae_tf.serving.server.config_files import BatchingParameters, ModelConfig
from vae_tf.serving.server.limits import Limits


def write_models(folder: Path, numbers: tuple[int, ...]) -> dict[int, Path]:
    """Version 1 is half plus two, TF Serving's own example; version 2 half plus three; both have more signatures."""
    import tensorflow as tf

    def spec(shape, dtype, name):
        return tf.TensorSpec(shape, dtype, name=name)

    class Toy(tf.Module):
        def __init__(self):
            super().__init__()
            self.offset = tf.Variable(0.0)

        @tf.function(input_signature=[spec(None, tf.float32, "x")])
        def any_shape(self, x):
            return {"y": x / 2.0 + self.offset}

        @tf.function(input_signature=[spec([None], tf.float32, "x")])
        def rows(self, x):
            return {"y": x / 2.0 + self.offset}

        @tf.function(
            input_signature=[
                spec([None], tf.string, "tag"),
                spec([None, 5], tf.int64, "signal"),
                spec([None, 2, 2], tf.float32, "sensor"),
            ]
        )
        def three(self, tag, signal, sensor):
            total = tf.reduce_sum(signal, axis=1)
            return {"tag": tag, "tag_bytes": tag, "total": total, "sensor": sensor}

        @tf.function(input_signature=[spec([None], tf.string, "image_bytes")])
        def brightness(self, image_bytes):
            def mean(file):
                return tf.reduce_mean(tf.cast(tf.io.decode_jpeg(file, channels=1), tf.float32))

            return {"mean": tf.map_fn(mean, image_bytes, fn_output_signature=tf.TensorSpec([], tf.float32))}

        @tf.function(input_signature=[spec([None, 2], tf.float32, "x")])
        def total(self, x):
            return {"total": tf.reduce_sum(x)}

        @tf.function(input_signature=[spec([None, 2], tf.uint8, "x")])
        def small(self, x):
            return {"x": x}

        @tf.function(
            input_signature=[
                spec([None], tf.float64, "double"), spec([None], tf.bool, "yes"), spec([None], tf.int32, "whole"),
                spec([None], tf.uint64, "large"), spec([None], tf.float16, "half"), spec([None], tf.uint16, "deep"),
            ]
        )  # fmt: skip
        def types(self, double, yes, whole, large, half, deep):
            return {"double": double, "yes": yes, "whole": whole, "large": large, "half": half, "deep": deep}

        @tf.function(input_signature=[spec([None], tf.int64, "steps")])
        def busy(self, steps):
            """About 0.1 ms of work for each step, whatever the number of rows."""
            matrix = tf.ones([160, 160]) / 160.0
            last = tf.reduce_max(steps)
            _, result = tf.while_loop(
                lambda i, m: i < last,
                lambda i, m: (i + 1, tf.matmul(m, matrix)),
                [tf.constant(0, tf.int64), matrix],
            )
            return {"steps": steps + tf.cast(result[0, 0] * 0.0, tf.int64)}

    toy = Toy()
    names = ("any_shape", "rows", "three", "brightness", "total", "small", "types", "busy")
    signatures = {"serving_default": toy.any_shape, **{name: getattr(toy, name) for name in names}}
    for number in numbers:
        toy.offset.assign(number + 1.0)
        tf.saved_model.save(toy, str(folder / str(number)), signatures=signatures)
    return {number: folder / str(number) for number in numbers}


class Running:
    """A server in a thread; `inside(coroutine)` runs something in its event loop."""

    def __init__(self, configs, **settings):
        from vae_tf.serving.server.run import Server, Settings

        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.settings = Settings(rest_port=0, grpc_port=0, **{"poll": 0.05, **settings})

        async def start():
            self.server = Server(configs, self.settings)
            await self.server.start()

        try:
            self.inside(start())
        except BaseException:
            self.loop.call_soon_threadsafe(self.loop.stop)
            raise
        self.url = f"http://127.0.0.1:{self.server.rest_port}"
        self.target = f"127.0.0.1:{self.server.grpc_port}"

    def inside(self, coroutine, timeout=60):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(timeout)

    def stop(self, grace=5.0):
        self.inside(self.server.stop(grace))
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)

    def ask(self, path, body=None, method=None):
        """(status, parsed body)."""
        data = body if body is None or isinstance(body, bytes) else body.encode()
        request = urllib.request.Request(self.url + path, data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def predict(self, document, path="/v1/models/toy:predict"):
        return self.ask(path, document if isinstance(document, str | bytes) else json.dumps(document))


@pytest.fixture(scope="session")
def toy_versions(tmp_path_factory):
    """Two versions to be copied from: half plus two, half plus three."""
    return write_models(tmp_path_factory.mktemp("toy"), (1, 2))


@pytest.fixture
def model_folder(toy_versions, tmp_path):
    """An own copy that a test may change: toy/1."""
    import shutil

    shutil.copytree(toy_versions[1], tmp_path / "toy" / "1")
    return tmp_path / "toy"


@contextlib.contextmanager
def serving(configs, **settings):
    running = Running(configs, **settings)
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="session")
def toy(toy_versions):
    """A server of both versions, with labels, that no test may change."""
    from vae_tf.serving.server.config_files import VersionPolicy

    policy = VersionPolicy()
    policy.all.SetInParent()
    folder = next(iter(toy_versions.values())).parent
    config = ModelConfig("toy", folder, policy, {"stable": 1, "gone": 7})
    with serving(
        [config], batching=BatchingParameters(num_batch_threads=2), limits=Limits(body=100_000)
    ) as running:
        yield running


@pytest.fixture
def gate(monkeypatch):
    """Requests to the signature `busy` are computed only once this event is set; it is set at the end."""
    from vae_tf.serving.server import batching

    compute, opened = batching.compute, threading.Event()

    def when_open(signature, *arguments):
        if signature.name == "busy":
            opened.wait(60)
        return compute(signature, *arguments)

    monkeypatch.setattr(batching, "compute", when_open)
    yield opened
    opened.set()


def wait_for(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def ask_busy(running, answers):
    """Asks `busy` in a thread of its own, which appends (status, answer)."""
    body = {"signature_name": "busy", "instances": [1]}
    thread = threading.Thread(target=lambda: answers.append(running.predict(body)))
    thread.start()
    return thread
