"""Hours in minutes: flat memory, a thousand idle connections, a gigabyte that is refused.

VAE_TF_REQUESTS says how many requests (100,000 unless it does). Requests at which the graph itself fails are left out:
TensorFlow 2.21 keeps about 1 kB of each, in a bare loop around a signature as well as here.
"""

import contextlib
import os
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.serving.server.conftest import write_models
from tests.serving.server.test_command import Process

pytestmark = pytest.mark.slow
NUM_REQUESTS = int(os.environ.get("VAE_TF_REQUESTS", "100000"))
BODIES = (
    b'{"signature_name": "rows", "instances": [1.0, 2.0]}',
    b'{"signature_name": "three", "instances": [{"tag": "a", "signal": [1, 2, 3, 4, 5], "sensor": [[1, 2], [3, 4]]}]}',
    b'{"instances": [NaN]}',
    b'{"instances": [',
    b'{"instances": [["ragged"], 1]}',
)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("endurance") / "toy"
    write_models(folder, (1,))
    process = Process(str(folder))
    yield process
    assert process.end(15) == 143


def resident(server):
    """Megabytes of memory that the server holds."""
    text = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0]) / 1024


def ask(opened, body):
    opened.sendall(
        b"POST /v1/models/toy:predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n" % len(body)
        + body
    )
    received = b""
    while b"\r\n\r\n" not in received:
        received += opened.recv(65536)
    head, rest = received.split(b"\r\n\r\n", 1)
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    while len(rest) < length:
        rest += opened.recv(65536)
    return int(head.split()[1])


def ask_many(server, count):
    """Good and bad requests over four connections; returns the statuses seen."""
    seen = [set() for _ in range(4)]

    def one(number):
        with socket.create_connection(("127.0.0.1", int(server.rest))) as opened:
            for position in range(count // 4):
                seen[number].add(ask(opened, BODIES[position % len(BODIES)]))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return set.union(*seen)


@pytest.mark.timeout(3000)
def test_memory_is_flat(server):
    ask_many(server, NUM_REQUESTS // 10)
    before = resident(server)
    assert ask_many(server, NUM_REQUESTS) == {200, 400}
    grown = resident(server) - before
    print(f"{NUM_REQUESTS:,} requests: {before:.0f} MB and {grown:+.1f} MB")
    assert grown < 20, f"{grown:.1f} MB more after {NUM_REQUESTS:,} requests"


def test_a_thousand_idle_connections(server):
    with contextlib.ExitStack() as stack:
        for _ in range(1000):
            opened = stack.enter_context(
                socket.create_connection(("127.0.0.1", int(server.rest)), timeout=10)
            )
            opened.sendall(b"POST /v1")
        with socket.create_connection(("127.0.0.1", int(server.rest)), timeout=10) as opened:
            began = time.monotonic()
            assert [ask(opened, BODIES[0]) for _ in range(100)] == [200] * 100
            assert time.monotonic() - began < 5


@pytest.mark.parametrize("announced", [True, False], ids=["content-length", "chunked"])
def test_a_gigabyte_is_refused_in_little_memory(server, announced, tmp_path):
    before = resident(server)
    large = tmp_path / "large"
    with open(large, "wb") as file:
        file.truncate(10**9)
    command = ["curl", "-sS", "-o", tmp_path / "answer", "-w", "%{http_code}", "-X", "POST", "-T", large]
    command += [] if announced else ["-H", "transfer-encoding: chunked"]
    done = subprocess.run(
        [*command, f"http://127.0.0.1:{server.rest}/v1/models/toy:predict"], capture_output=True, text=True
    )
    assert done.stdout == "413" and "larger than" in (tmp_path / "answer").read_text()
    assert resident(server) - before < 200
    with socket.create_connection(("127.0.0.1", int(server.rest)), timeout=10) as opened:
        assert ask(opened, BODIES[0]) == 200
