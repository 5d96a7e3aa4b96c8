"""100,000 requests that a stranger might send, to real server processes: none fails them, none opens a path.

Two servers: a run with its pages and its export, and a model with inputs of every type. Their memory is measured after
a tenth of the requests and at the end; every path that Python opens meanwhile is written down.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.reliability import server_attacks
from tests.reliability.server_attacks import Input, Target
from tests.reliability.tries import tries
from tests.serving.server.conftest import write_models

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
PICTURE = (16, 16, 3)
FACES = {
    "encode": {"pictures": Input("float", PICTURE)},
    "encode_uint8": {"pictures": Input("int", PICTURE)},
    "encode_bytes": {"image_bytes": Input("picture")},
    "preprocess_bytes": {"image_bytes": Input("picture")},
    "reconstruct_bytes": {"image_bytes": Input("picture")},
    "decode": {"latents": Input("float", (3,))},
    "decode_png": {"latents": Input("float", (3,))},
}
TOY = {
    "any_shape": {"x": Input("float", (2,))},
    "rows": {"x": Input("float")},
    "three": {"tag": Input("text"), "signal": Input("int", (5,)), "sensor": Input("float", (2, 2))},
    "brightness": {"image_bytes": Input("picture")},
    "total": {"x": Input("float", (2,))},
    "small": {"x": Input("int", (2,))},
    "types": {
        "double": Input("float"), "yes": Input("bool"), "whole": Input("int"), "large": Input("int"),
        "half": Input("float"), "deep": Input("int"),
    },
}  # fmt: skip


class Audited:
    """A server process that writes down what it opens."""

    def __init__(self, log, *arguments, **environment):
        self.log = log
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.reliability.audited", str(log), "serve", *arguments,
             "--rest-port", "0", "--grpc-port", "0"],
            cwd=ROOT, text=True, errors="backslashreplace", env={**os.environ, **environment}, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.lines = []
        self.reader = threading.Thread(
            target=lambda: self.lines.extend(iter(self.process.stdout.readline, ""))
        )
        self.reader.start()
        end = time.monotonic() + 120
        while not any("docker run" in line for line in list(self.lines)):
            assert time.monotonic() < end and self.process.poll() is None, self.lines
            time.sleep(0.05)
        found = re.search(r"REST http://127.0.0.1:(\d+)/.* gRPC 127.0.0.1:(\d+)", "".join(self.lines))
        self.ports = int(found[1]), int(found[2])
        self.num_before = len(log.read_text().splitlines())

    def opened(self):
        """Every path since it listens."""
        return [json.loads(line) for line in self.log.read_text().splitlines()[self.num_before :]]

    @property
    def steering(self):
        """What it wrote of what could move a terminal's cursor."""
        # Bytes that are no UTF-8 were replaced as they were read.
        return [line for line in list(self.lines) if not line.rstrip("\n").isprintable() or "\\x" in line]

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        self.reader.join(10)
        return code


def make_run(folder):
    """A run with an export and pages, beside which lies what nobody may read."""
    from vae_tf import recipes
    from vae_tf.artifacts.runs import new_run
    from vae_tf.serving.decoding import Decoding
    from vae_tf.serving.export import write_saved_model
    from vae_tf.serving.pictures import PictureExport

    made = new_run("faces-conv-z3", {"config": {}, "parent": None, "note": "SECRET-NOTE"}, folder)
    run = made.folder
    (run / "secret.txt").write_text("SECRET-NOTE")
    with made.writing("train", {}):
        pass
    model = recipes.build("conv", PICTURE, 3)
    with made.writing("export", {}) as stage:
        write_saved_model(PictureExport(model, "uint8", Decoding(PICTURE, "crop")), stage.folder / "1")
    (run / "report" / "assets").mkdir(parents=True)
    (run / "report" / "index.html").write_text("<h1>Faces</h1>")
    (run / "report" / "out").symlink_to(run)
    return run


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    runs, toys = tmp_path_factory.mktemp("runs"), tmp_path_factory.mktemp("toys")
    make_run(runs)
    write_models(toys / "toy", (1,))
    logs = tmp_path_factory.mktemp("logs")
    faces = Audited(logs / "faces", VAE_TF_RUNS=str(runs))
    toy = Audited(logs / "toy", str(toys))
    yield {"faces": (faces, runs), "toy": (toy, toys)}
    # Both first: one that is left would keep the test from ending.
    assert [server.end() for server in (faces, toy)] == [143, 143]
    for server in (faces, toy):
        before, found, after = "".join(server.lines).partition("Traceback")
        # Said before the shortened words of pytest, which would leave out what it was.
        print(before[-500:] + found + after[:8000] if found else "  no traceback")
        assert not found
    shutil.rmtree(logs)


@pytest.mark.timeout(3600)
def test_nothing_that_strangers_send_fails_the_server(servers):
    secrets = (
        "SECRET-NOTE",
        "root:x:0",
        str(ROOT),
        sys.prefix,
        *(str(folder) for _, folder in servers.values()),
    )
    (faces, _), (toy, _) = servers["faces"], servers["toy"]
    targets = [
        Target(*faces.ports, "faces-conv-z3", FACES, secrets),
        Target(*toy.ports, "toy", TOY, secrets),
    ]
    count = tries(100_000)
    server_attacks.attack(targets, count // 10, first_seed=10**6)
    for target in targets:
        target.outcomes.clear()
    before = [server_attacks.resident(server.process.pid) for server in (faces, toy)]
    began = time.monotonic()
    outcomes = server_attacks.attack(targets, count)
    seconds = time.monotonic() - began
    after = [server_attacks.resident(server.process.pid) for server in (faces, toy)]
    tell(outcomes, count, seconds, before, after)
    for name, (server, _) in servers.items():
        print(
            f"  {name} wrote {len(server.lines):,} lines, {len(server.steering)} of them with strangers' bytes"
        )
    for target in targets:
        well = server_attacks.http("GET", b"/ready")
        assert server_attacks.ask(target, "well", well) == "200"
        target.close()
    for (name, (server, folder)), first, last in zip(servers.items(), before, after, strict=True):
        assert server.process.poll() is None, name
        assert last - first < min(50, 0.1 * first), f"{name}: {first:.0f} MB, then {last:.0f} MB"
        allowed = (str(folder), str(ROOT), sys.prefix, sys.base_prefix)
        strange = {tuple(each) for each in server.opened() if not each[1].startswith(allowed)}
        assert not strange - {("open", "/etc/mime.types"), ("open", "/etc/hosts")}, strange
        assert not server.steering, server.steering[:5]


def tell(outcomes, count, seconds, before, after):
    print(f"\n{count:,} requests in {seconds:.0f} s, {count / seconds:.0f} a second")
    for kind in sorted({kind for kind, _ in outcomes}):
        found = Counter({outcome: num for (each, outcome), num in outcomes.items() if each == kind})
        print(f"  {kind}: " + ", ".join(f"{outcome} {num:,}" for outcome, num in found.most_common()))
    for name, first, last in zip(("faces", "toy"), before, after, strict=True):
        print(f"  memory of {name}: {first:.0f} MB, {last - first:+.1f} MB")
