"""Commands that take a model elsewhere."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.shared_options import RunArgument
from vae_tf.errors import UserError

app = typer.Typer()


@app.command(
    rich_help_panel="Chain",
    epilog="Examples: export faces-conv-z30 · export --to models/ (models/NAME/1/, ready for TF Serving) · "
    "export --format onnx --weights int8",
)
def export(
    run: RunArgument = None,
    form: Annotated[
        str,
        typer.Option(
            "--format", help="saved-model, onnx (onnxruntime) or litert (telephones).", metavar="FORMAT"
        ),
    ] = "saved-model",
    weights: Annotated[
        str | None,
        typer.Option(help="float32, float16 or int8, with --format onnx or litert.", metavar="TYPE"),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(help="Place a copy as DIR/NAME/N/, as TF Serving expects it.", metavar="DIR"),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="NAME of the model; the run's own where left out.", metavar="NAME")
    ] = None,
    version: Annotated[
        int | None, typer.Option(help="N; the next free number where left out.", metavar="N")
    ] = None,
) -> None:
    """A SavedModel for TF Serving, or ONNX or LiteRT, with the proof that it gives the run's outputs."""
    from pipelines.chain import exports

    if form == "saved-model":
        if weights not in (None, "float32"):
            raise UserError(
                f"--weights {weights} goes with --format onnx or litert.",
                f"python cli.py export --format onnx --weights {weights}",
            )
        exports.export(run, to, name, version)
        return
    if version is not None:
        raise UserError("--version is for TF Serving, which reads SavedModels.", "Leave it out.")
    exports.export_as(run, form, weights or "float32", to, name)


@app.command(
    rich_help_panel="Chain",
    epilog="Examples: serve · serve faces-conv-z30 --rest-port 9000 · serve exported/",
)
def serve(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN|DIR]",
            help="Name, number or folder of a run, or a folder that export --to wrote; the newest run where left out.",
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; only this machine by default.")
    ] = "127.0.0.1",
    rest_port: Annotated[
        int, typer.Option(help="Of the REST API; 0 takes a free one.", min=0, max=65535)
    ] = 8501,
    grpc_port: Annotated[int, typer.Option(help="Of gRPC; 0 takes a free one.", min=0, max=65535)] = 8500,
    batching: Annotated[
        bool, typer.Option(help="Compute requests that wait together (batching_parameters.txt).")
    ] = True,
    poll: Annotated[float, typer.Option(help="Seconds between looks for new versions.", min=0.05)] = 1.0,
    grace: Annotated[
        float, typer.Option(help="Seconds that requests in flight have at the end.", min=0)
    ] = 10.0,
    request_time: Annotated[float, typer.Option(help="Seconds that a request may take.", min=0.01)] = 30.0,
    max_body: Annotated[int, typer.Option(help="Largest request, MiB.", min=1, max=1024)] = 64,
    max_rows: Annotated[int, typer.Option(help="Most rows of one request.", min=1)] = 4096,
    max_pixels: Annotated[
        int, typer.Option(help="Most pixels that the pictures of one request may decode to, millions.", min=1)
    ] = 64,
    token: Annotated[
        Path | None,
        typer.Option(
            help="File with the token that every request must name; everybody may ask where left out."
        ),
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option(help="TLS: PEM file of the certificate, with its chain.")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="TLS: PEM file of the certificate's key.")] = None,
) -> int:
    """Serve an export as TF Serving would, by REST and gRPC: for development and small sites."""
    from pipelines import serve as command

    options = command.ServeOptions(
        host, rest_port, grpc_port, batching, poll, grace, request_time, max_body, max_rows, max_pixels,
        token, certificate, key,
    )  # fmt: skip
    return command.serve(run, options)
