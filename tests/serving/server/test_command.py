"""The command as a person meets it: what it prints works, README's lines work, and signals end it decently."""

import base64
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cli
from vae_tf import recipes
from vae_tf.artifacts.stage import finish_stage
from vae_tf.serving.decoding import Decoding
from vae_tf.serving.export import write_saved_model
from vae_tf.serving.pictures import PictureExport
from vae_tf.serving.placing import place

ROOT = Path(__file__).parents[3]


class Process:
    """`python cli.py serve …` on free ports; `lines` is what it has printed."""

    def __init__(self, *arguments, **environment):
        command = [sys.executable, "cli.py", "serve", *arguments, "--rest-port", "0", "--grpc-port", "0"]
        self.process = subprocess.Popen(
            command, cwd=ROOT, text=True, env={**os.environ, **environment},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.lines = []
        self.reader = threading.Thread(
            target=lambda: self.lines.extend(iter(self.process.stdout.readline, ""))
        )
        self.reader.start()
        end = time.monotonic() + 90
        while not any("docker run" in line for line in list(self.lines)):
            assert time.monotonic() < end and self.process.poll() is None, self.lines
            time.sleep(0.05)
        self.rest, self.grpc = re.search(
            r"REST http://127.0.0.1:(\d+)/.* gRPC 127.0.0.1:(\d+)", self.text
        ).groups()

    @property
    def text(self):
        return "".join(self.lines)

    def end(self, number):
        self.process.send_signal(number)
        self.process.wait(30)
        self.reader.join(10)
        return self.process.returncode


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """What `export --to` writes: exported/faces/1, with a models.config as TF Serving's container sees it."""
    model = recipes.build("conv", (16, 16, 3), 3)
    folder, version = tmp_path_factory.mktemp("exported"), tmp_path_factory.mktemp("stage") / "1"
    write_saved_model(PictureExport(model, "uint8", Decoding((16, 16, 3), "crop")), version)
    place(version, folder, "faces")
    return model, folder


@pytest.fixture(scope="module")
def served(exported):
    process = Process(str(exported[1]))
    yield process
    assert process.end(signal.SIGTERM) == 143
    assert "stopping: requests in flight have 10 s" in process.text
    assert "Traceback" not in process.text


@pytest.fixture(scope="module")
def readme():
    """Indented blocks of README's section, each one text."""
    section = (ROOT / "README.md").read_text().split("\n## Serve\n")[1].split("\n## ")[0]
    lines = [
        line[4:] if line.startswith("    ") else None if line.strip() else "" for line in section.split("\n")
    ]
    return ["\n".join(block).strip() for block in blocks(lines) if any(block)]


def blocks(lines):
    block = []
    for line in [*lines, None]:
        if line is None:
            yield block
            block = []
        else:
            block.append(line)


def moved(text, served):
    return text.replace("8501", served.rest).replace("8500", served.grpc)


def test_printed_curl_line_works(served, exported):
    line = next(line for line in served.lines if "try: " in line).split("try: ")[1]
    answer = subprocess.run(line, shell=True, capture_output=True, text=True, check=True).stdout
    expected = exported[0].decode(np.zeros((1, 3), np.float32))
    np.testing.assert_allclose(json.loads(answer)["outputs"], expected, atol=1e-6)


def test_it_says_what_it_is(served):
    assert "faces, version 1: decode, decode_png, encode, encode_bytes" in served.text
    assert "development and small sites" in served.text
    assert ":/models tensorflow/serving --model_config_file=/models/models.config" in served.text
    assert "neither TLS" not in served.text, "that is said where other machines can reach it"


def test_what_others_can_reach_is_said_to_be_open(capsys):
    from pipelines.serve import curl_options, warn_of_openness
    from vae_tf.serving.server.run import Certificate, Settings

    certificate = Certificate(Path("my own.pem"), Path("own.key"))
    for token, chain, missing in (
        (None, None, "without encryption and without a token: see --certificate and --token."),
        ("t" * 32, None, "without encryption: see --certificate."),
        (None, certificate, "without a token: see --token."),
        ("t" * 32, certificate, ""),
    ):
        settings = Settings(host="0.0.0.0", token=token, certificate=chain)
        warn_of_openness(settings)
        said = " ".join("".join(capsys.readouterr()).split())
        assert missing in said and bool(said) == bool(missing) and "ttt" not in said
        assert ("--cacert 'my own.pem'" in curl_options(settings)) == (chain is not None)
        assert ("Authorization: Bearer TOKEN" in curl_options(settings)) == (token is not None)


def test_readmes_curl_line(served, exported, readme):
    line = next(line for block in readme for line in block.split("\n") if line.startswith("curl"))
    answer = subprocess.run(
        moved(line, served), shell=True, capture_output=True, text=True, check=True
    ).stdout
    expected = exported[0].decode(np.float32([[0.5, 0, -1]]))
    np.testing.assert_allclose(json.loads(answer)["outputs"], expected, atol=1e-6)


def test_readmes_grpc_client(served, exported, readme):
    code = next(block for block in readme if "import grpc" in block)
    names = {}
    exec(moved(code[code.index("import grpc") :], served), names)
    expected = exported[0].decode(np.float32([[0.5, 0, -1]]))
    np.testing.assert_allclose(names["pictures"], expected, atol=1e-6)


def test_rest_gives_the_models_latents(served, exported, pictures):
    floats = pictures[:5].astype(np.float32) / 255.0
    answer = rest(served, {"signature_name": "encode", "instances": floats.tolist()})
    got = [row["mean"] for row in answer["predictions"]]
    np.testing.assert_allclose(got, exported[0].encode(pictures[:5])["mean"], atol=1e-5)


def rest(served, document):
    command = ["curl", "-sS", "-d", "@-", f"http://localhost:{served.rest}/v1/models/faces:predict"]
    answer = subprocess.run(
        command, input=json.dumps(document), capture_output=True, text=True, check=True
    ).stdout
    return json.loads(answer)


def test_files_in_and_files_out_by_base64(served, exported, pictures):
    rows = []
    for picture in pictures[:3]:
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "PNG")
        rows.append({"b64": base64.b64encode(file.getvalue()).decode()})
    answer = rest(served, {"signature_name": "encode_bytes", "instances": rows})
    expected = exported[0].encode(pictures[:3])["mean"]
    np.testing.assert_allclose([row["mean"] for row in answer["predictions"]], expected, atol=1e-5)

    [row] = rest(served, {"signature_name": "decode_png", "instances": [[0.5, 0, -1]]})["predictions"]
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(row["b64"]))))
    np.testing.assert_allclose(shown / 255.0, exported[0].decode(np.float32([[0.5, 0, -1]]))[0], atol=1 / 255)


def test_run_is_served_under_its_name_and_ctrl_c_ends_it(exported, tmp_path):
    run = tmp_path / "00001-faces-conv-z3"
    for stage in ("train", "export"):
        (run / stage).mkdir(parents=True)
        finish_stage(run / stage, stage, {}, 1.0, {})
    (run / "run.json").write_text(json.dumps({"schema_version": 1}))
    shutil.copytree(exported[1] / "faces" / "1", run / "export" / "1")
    process = Process(VAE_TF_RUNS=str(tmp_path))
    try:
        assert "faces-conv-z3, version 1" in process.text
        assert f"{run / 'export'}:/models/faces-conv-z3 -e MODEL_NAME=faces-conv-z3" in process.text
    finally:
        assert process.end(signal.SIGINT) == 130
    assert "Traceback" not in process.text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no-such-run"], "There is no run 'no-such-run'"),
        ([], "There is no trained run"),
        (["{exported}/faces/1"], "is one version of a model"),
        (["{exported}/faces/1/variables"], "holds no model"),
        (["{exported}", "--rest-port", "{taken}"], "REST cannot listen on 127.0.0.1:"),
        (["{exported}", "--rest-port", "0", "--grpc-port", "{taken}"], "gRPC cannot listen on 127.0.0.1:"),
        (["{exported}", "--certificate", "own.pem"], "TLS needs both --certificate and --key."),
        (["{exported}", "--token", "no-such-file"], "The token in no-such-file cannot be read"),
        (
            ["{exported}", "--certificate", "no.pem", "--key", "no.key"],
            "The certificate no.pem with the key no.key",
        ),
    ],
)
def test_mistakes_are_told_in_a_line(exported, capsys, arguments, message):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        names = {"exported": exported[1], "taken": taken.getsockname()[1]}
        assert cli.main(["serve", *(argument.format(**names) for argument in arguments)]) == 2
    assert message in capsys.readouterr().err
