"""The command `serve`: a run's export, or a folder of exports, behind TF Serving's REST and gRPC interfaces."""

import asyncio
import dataclasses
import gc
import json
import logging
import math
import resource
import shlex
import signal
from pathlib import Path
from typing import Any

from pipelines.console import import_tensorflow_quietly, say, warn
from vae_tf.artifacts.run import Run
from vae_tf.artifacts.runs import find_run
from vae_tf.errors import UserError

MANY_NUMBERS = 100  # more than these are not typed into an example


@dataclasses.dataclass(frozen=True)
class ServeOptions:
    """Sizes in MiB and millions of pixels, times in seconds."""

    host: str
    rest_port: int
    grpc_port: int
    batching: bool
    poll: float
    grace: float
    request_time: float
    max_body: int
    max_rows: int
    max_pixels: int
    token: Path | None
    certificate: Path | None
    key: Path | None


def serve(text: str | None, options: ServeOptions) -> int:
    """Serves until SIGTERM or SIGINT; returns the exit code that shells expect of these, 143 or 130.

    Raises:
        UserError: There is nothing to serve, or a port is taken.
    """
    folder = None if text is None or artifacts_of(text) else Path(text)
    run = None if folder else find_run(text)
    import_tensorflow_quietly()
    logging.basicConfig(level=logging.ERROR, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("vae_tf.serving").setLevel(logging.INFO)
    from vae_tf.serving.server import config_files

    if folder:
        models = config_files.find_models(folder)
        parameters = config_files.read_batching_parameters(folder / config_files.BATCHING)
    else:
        assert run is not None
        from pipelines.export import model_name

        exported = export_of(run)
        models = [config_files.ModelConfig(model_name(run), exported)]
        parameters = config_files.read_batching_parameters(exported / config_files.BATCHING)
    return listen(models, settings_of(options, parameters), options.grace, folder, run)


def artifacts_of(text: str) -> bool:
    """Whether a text names a run rather than a folder of models."""
    return not Path(text).is_dir() or (Path(text) / "run.json").exists()


def export_of(run: Run) -> Path:
    """The folder of versions of a run's newest export, which is made where there is none."""
    stage = run.newest("export")
    if stage is None:
        from pipelines.export import export
        from pipelines.run_data import own_pictures

        say(f"{run.name} has no export yet: making one")
        return export(own_pictures(run)).folder
    for kind, what in {"anomalies": "its verdict on oddness", "predictions": "its calibration"}.items():
        later = run.newest(kind)
        if later is not None and later.record["finished"] > stage.record["finished"]:
            warn(f"The export is older than the run's {kind}: python cli.py export {run.name} adds {what}.")
    return stage.folder


def settings_of(options: ServeOptions, parameters: Any) -> Any:
    from vae_tf.serving.server.access import read_token
    from vae_tf.serving.server.limits import MEBIBYTE, Limits
    from vae_tf.serving.server.run import Certificate, Settings

    if (options.certificate is None) != (options.key is None):
        raise UserError("TLS needs both --certificate and --key.")
    limits = Limits(
        body=options.max_body * MEBIBYTE,
        rows=options.max_rows,
        pixels=options.max_pixels * 10**6,
        decoded=2 * options.max_pixels * 10**6,
        request_time=options.request_time,
    )
    return Settings(
        host=options.host,
        rest_port=options.rest_port,
        grpc_port=options.grpc_port,
        batching=parameters,
        is_batching=options.batching,
        limits=limits,
        poll=options.poll,
        token=None if options.token is None else read_token(options.token),
        certificate=Certificate(options.certificate, options.key)
        if options.certificate and options.key
        else None,
    )


def listen(
    models: list[Any], settings: Any, grace: float, folder: Path | None = None, run: Run | None = None
) -> int:
    allow_many_files()
    gc.set_threshold(50_000, 20, 20)  # lists of a large JSON body are no garbage; see versions.collect
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(until_stopped(models, settings, grace, folder, run))


def allow_many_files() -> None:
    """Each connection is a file, and shells often allow 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 16_384 if hard == resource.RLIM_INFINITY else min(hard, 16_384)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def loop_factory() -> Any:
    """uvloop where it is installed: it has no wheels for every system."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


async def until_stopped(
    models: list[Any], settings: Any, grace: float, folder: Path | None, run: Run | None
) -> int:
    from vae_tf.serving.server.run import Server

    loop = asyncio.get_running_loop()
    signals: asyncio.Queue[int] = asyncio.Queue()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signals.put_nowait, int(number))
    pages = run.report if run is not None and run.report.is_dir() else None
    server = Server(models, settings, pages)
    starting, stopped = asyncio.create_task(server.start()), asyncio.create_task(signals.get())
    await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
    if starting.done():
        await starting
        introduce(server, folder)
        await stopped
        say(f"stopping: requests in flight have {grace:g} s")
        await server.stop(grace)
    return 128 + stopped.result()


def introduce(server: Any, folder: Path | None) -> None:
    """What is served, where, how to ask it, and what it is not."""
    settings = server.settings
    shown = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"{'http' if settings.certificate is None else 'https'}://{shown}:{server.rest_port}"
    for model in server.models.by_name.values():
        numbers = ", ".join(str(n) for n, version in sorted(model.versions.items()) if version.is_available)
        signatures = ", ".join(sorted(newest(model).signatures))
        say(f"{model.name}, version {numbers}: {signatures}", style="bold")
    say(f"  REST {address}/v1/models/NAME   gRPC {shown}:{server.grpc_port}")
    if server.pages is not None:
        say(f"  pages {address}/", style="bold")
    say(f"  metrics {address}/monitoring/prometheus/metrics   also /health, /ready")
    if settings.token is not None:
        say(
            "  Whoever asks must name the token: -H 'Authorization: Bearer TOKEN'; browsers ask for it as a password."
        )
    if not settings.is_loopback:
        warn_of_openness(settings)
    first = next(iter(server.models.by_name.values()))
    say(f"  try: {example(first, address, curl_options(settings))}")
    say("  For development and small sites; TF Serving takes the same folder:")
    say(f"  {docker_line(first, folder)}", style="dim")


def warn_of_openness(settings: Any) -> None:
    lacking = {"--certificate": settings.certificate, "--token": settings.token}
    missing = [option for option, given in lacking.items() if given is None]
    if missing:
        without = {"--certificate": "encryption", "--token": "a token"}
        warn(
            f"{settings.host} can be reached from other machines, without "
            f"{' and without '.join(without[option] for option in missing)}: see {' and '.join(missing)}."
        )


def curl_options(settings: Any) -> str:
    """What curl needs beside the address."""
    token = "" if settings.token is None else "-H 'Authorization: Bearer TOKEN' "
    certificate = settings.certificate
    return token + (f"--cacert {shlex.quote(str(certificate.chain))} " if certificate is not None else "")


def newest(model: Any) -> Any:
    with model.lease() as version:
        return version.model


def example(model: Any, address: str, options: str = "") -> str:
    """A curl line that works: the signature that needs the least to be typed."""
    signature = min(newest(model).signatures.values(), key=lambda each: (size_of(each), each.name))
    values = {name: filled((1, *(spec.shape or ())[1:]), spec) for name, spec in signature.inputs.items()}
    body: dict[str, Any] = {"signature_name": signature.name, "inputs": values}
    url = shlex.quote(f"{address}/v1/models/{model.name}:predict")
    if size_of(signature) <= MANY_NUMBERS:
        return f"curl {options}-d {shlex.quote(json.dumps(body))} {url}"
    shapes = {name: [1, *(spec.shape or ())[1:]] for name, spec in signature.inputs.items()}
    code = (
        "import json, numpy; print(json.dumps({'signature_name': "
        f"{signature.name!r}, 'inputs': {{n: numpy.zeros(s, int).tolist() for n, s in {shapes!r}.items()}}}}))"
    )
    return f"python -c {shlex.quote(code)} | curl {options}-d @- {url}"


def size_of(signature: Any) -> float:
    """Numbers to type for one row; strings, which are mostly the bytes of pictures, come last."""
    specs = list(signature.inputs.values())
    if not specs or any(spec.shape is None or spec.dtype.name == "string" for spec in specs):
        return math.inf
    return sum(math.prod(n or 1 for n in spec.shape) for spec in specs)


def filled(shape: tuple[int | None, ...], spec: Any) -> Any:
    """Nested lists of zeros, or of an empty string."""
    if not shape or spec.shape == ():
        return "" if spec.dtype.name == "string" else 0
    return [filled(shape[1:], spec)] * (shape[0] or 1) if len(shape) > 1 else [0] * (shape[0] or 1)


def docker_line(model: Any, folder: Path | None) -> str:
    from vae_tf.serving.server.config_files import BATCHING, MODELS

    ports = "docker run -p 8501:8501 -p 8500:8500"
    if folder is not None and (folder / MODELS).is_file():
        batching = f" --enable_batching --batching_parameters_file=/models/{BATCHING}"
        return (
            f"{ports} -v {shlex.quote(str(folder.resolve()))}:/models tensorflow/serving "
            f"--model_config_file=/models/{MODELS}" + (batching if (folder / BATCHING).is_file() else "")
        )
    mounted = shlex.quote(f"{model.folder.resolve()}:/models/{model.name}")
    return f"{ports} -v {mounted} -e MODEL_NAME={shlex.quote(model.name)} tensorflow/serving"
