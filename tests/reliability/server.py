"""Commands as real processes, without the seconds that TensorFlow takes to be imported: a server that forks.

It imports everything and computes nothing; every command is a fork of it, which is struck by `blows`. Run as
`python -m tests.reliability.server`; a line of input is a JSON list of commands to run at once, one of output tells
their ends.
"""

import json
import mmap
import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


class Server:
    """The test's end: starts the server, and gives it commands."""

    def __init__(self) -> None:
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.reliability.server"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *arguments: str, root: Path, **options) -> dict:
        """One command with its runs and cache below `root`, see `run`."""
        return self.together([{"arguments": arguments, "root": str(root), **options}])[0]

    def together(self, commands: list[dict]) -> list[dict]:
        self.process.stdin.write(json.dumps(commands) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the server has died"
        return json.loads(line)

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(timeout=60)


def run(command: dict, counter: mmap.mmap) -> None:
    """In the forked process: the command, with what it says in a file.

    Args:
        command: `arguments`; `root` of runs and cache; perhaps `at`, `how` and `target` of `blows.strike`; `limit`,
            bytes that a file may have.
        counter: Where the writes are counted.
    """
    from tests.reliability import blows

    root = Path(command["root"])
    os.environ["VAE_TF_RUNS"], os.environ["VAE_TF_CACHE"] = str(root / "runs"), str(root / "cache")
    output = os.open(output_of(command), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    sys.argv = ["cli.py", *command["arguments"]]
    if "limit" in command:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (command["limit"], command["limit"]))

    def count(number: int) -> None:
        counter[:4] = struct.pack("i", number)

    blows.strike(
        [f"{root}/runs", f"{root}/cache", *command.get("below", [])],
        command.get("at") if command.get("how") in (*blows.SIGNALS, "remove") else None,
        command.get("how", ""),
        count,
        command.get("target", ""),
    )
    import cli

    os._exit(cli.flushed(cli.main(list(command["arguments"]))))


def output_of(command: dict) -> str:
    return command.get("output") or str(Path(command["root"]) / "output.txt")


def serve() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    import_everything()
    for line in sys.stdin:
        commands = json.loads(line)
        children = [start(command) for command in commands]
        results = [wait(*child, command) for child, command in zip(children, commands, strict=True)]
        answers.write(json.dumps(results) + "\n")
        answers.flush()


def start(command: dict) -> tuple[int, mmap.mmap]:
    counter = mmap.mmap(-1, 4)
    child = os.fork()
    if child:
        return child, counter
    try:
        run(command, counter)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(99)


def wait(child: int, counter: mmap.mmap, command: dict) -> dict:
    """Exit code (or minus the signal), number of writes, seconds, and what was said.

    A command whose `how` is "clock" is killed `after` seconds after its start; "soon", after its write `at`.
    """
    began = time.monotonic()
    is_to_die = command.get("how") in ("soon", "clock")
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            break
        now = time.monotonic()
        (written,) = struct.unpack("i", counter[:4])
        if is_to_die and (
            written >= command["at"] if command["how"] == "soon" else now >= began + command["after"]
        ):
            time.sleep(command["after"] if command["how"] == "soon" else 0)
            os.kill(child, signal.SIGKILL)
            is_to_die = False
        if now - began > command.get("limit_s", 240):
            os.kill(child, signal.SIGKILL)
            command["hung"] = True
        time.sleep(0.001)
    (written,) = struct.unpack("i", counter[:4])
    output = Path(output_of(command))
    return {
        "code": os.waitstatus_to_exitcode(status),
        "writes": written,
        "seconds": time.monotonic() - began,
        "said": output.read_text(errors="replace") if output.exists() else "",
        "hung": command.get("hung", False),
    }


def import_everything() -> None:
    """All that commands import and no operation, since TensorFlow's threads would not survive a fork."""
    import matplotlib

    matplotlib.use("agg")
    import keras
    import sklearn.manifold
    import tensorflow
    import umap

    import cli
    import pipelines.chain.exports
    import pipelines.chain.latents
    import pipelines.chain.training
    import pipelines.chain.whole
    import pipelines.classes
    import pipelines.clusters
    import pipelines.embed
    import pipelines.evaluate
    import pipelines.export
    import pipelines.report
    import pipelines.train
    import reports.figures
    import vae_tf.serving.export
    import vae_tf.serving.parity
    import vae_tf.serving.warmup
    from vae_tf.training import loop

    tensorflow.get_logger().setLevel("ERROR")
    assert all((keras, sklearn, umap, cli, pipelines, vae_tf))
    # A report draws fifty figures, which are looked at elsewhere.
    empty = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>'
    reports.figures._render = lambda draw, theme, size, narrow: empty
    # Trainings of seconds save as often as those of hours.
    loop.SECONDS_BETWEEN_SAVES = 0.0


if __name__ == "__main__":
    serve()
