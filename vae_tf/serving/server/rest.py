"""TF Serving's REST API, metrics and health, as an ASGI application."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import orjson
from google.protobuf import json_format
from grpc import StatusCode as Code
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from tensorflow_serving.apis import get_model_metadata_pb2

from vae_tf.serving.server import admission, json_bodies
from vae_tf.serving.server.access import Guard
from vae_tf.serving.server.saved_model import DEFAULT, Signature
from vae_tf.serving.server.service import Service, metadata_of, refuse_examples
from vae_tf.serving.server.status import ServingError, invalid
from vae_tf.serving.server.tensors_json import quoted
from vae_tf.serving.server.versions import Version

MODEL = r"/v1/models/([^/:]+)(?:/versions/(\d+)|/labels/([^/:]+))?"
PREDICTION = re.compile(MODEL + r":(classify|regress|predict)", re.IGNORECASE)
STATUS = re.compile(
    r"/v1/models(?:/([^/:]+))?(?:/versions/(\d+)|/labels/([^/:]+))?(?:/(metadata))?", re.IGNORECASE
)
MAX_VERSION = 2**63 - 1
LARGE = 64 * 1024  # bytes; JSON larger than this is read and written in a thread
METRICS = "/monitoring/prometheus/metrics"
# Pages may have come with somebody's run, and need not hold the policy that ours do: they reach this server alone. What
# stands in them runs, as it does in a report of single files.
OF_PAGES = {
    "content-security-policy": "default-src 'none'; script-src 'self' 'unsafe-inline'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'",
    "x-content-type-options": "nosniff",
}


class ClientGone(ServingError):
    """Nobody is left to be answered."""

    def __init__(self) -> None:
        super().__init__(Code.CANCELLED, "The client has gone.")


def application(
    service: Service, pages: Path | None = None, hosts: Iterable[str] = (), token: str | None = None
) -> Starlette:
    """The API; and, under /, the files of a folder of pages.

    Args:
        service: What answers.
        pages: A report, say, whose pages ask the API.
        hosts, token: As `Guard` takes them.
    """

    async def alive(_: Any) -> Response:
        return JSONResponse({"status": "alive"})

    async def ready(_: Any) -> Response:
        said = "ready" if service.is_ready else "not ready"
        return JSONResponse({"status": said}, 200 if service.is_ready else 503)

    async def metrics(_: Any) -> Response:
        return Response(service.metrics.page(), media_type=CONTENT_TYPE_LATEST)

    return Starlette(
        routes=[
            Route("/health", alive),
            Route("/ready", ready),
            Route(METRICS, metrics),
            *routes_of(RestApi(service), pages),
        ],
        middleware=[Middleware(Guard, token=token, hosts=hosts)],
        exception_handlers={
            405: lambda request, error: error_response(405, f"Malformed request: {request.method}")
        },
    )


def routes_of(api: "RestApi", pages: Path | None) -> list[BaseRoute]:
    if pages is None:
        return [Route("/{path:path}", api)]
    return [Route("/v1/{path:path}", api), Mount("/", Pages(directory=pages, html=True))]


class Pages(StaticFiles):
    """Files that a browser takes for no more than what they are."""

    async def get_response(self, path: str, scope: Any) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(OF_PAGES)
        return response


def error_response(status: int, message: str) -> Response:
    return JSONResponse({"error": message}, status)


class RestApi:
    """Everything below /v1/models, as TF Serving answers it."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.threads = ThreadPoolExecutor(2, thread_name_prefix="json")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope.get("raw_path", scope["path"].encode()).decode("latin-1")
        method = scope["method"]
        prediction = PREDICTION.fullmatch(path) if method == "POST" else None
        status = STATUS.fullmatch(path) if method == "GET" else None
        try:
            if prediction:
                content = await self.predict(prediction, scope, receive)
            elif status:
                content = self.status(status)
            elif path.lower().startswith("/v1/"):
                raise invalid(f"Malformed request: {method} {path}")
            else:
                raise ServingError(Code.NOT_FOUND, f"Nothing is served at {path}; see /v1/models/NAME.")
        except ClientGone:
            return
        except ServingError as error:
            await error_response(error.http_status, error.message)(scope, receive, send)
        else:
            await self.give(content, send)

    async def give(self, content: bytes, send: Any) -> None:
        """Sends an answer piece by piece, each when the one before has been taken, so that a clock can watch."""
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
        with self.service.held_bytes.counted(len(content)):
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            for start in range(0, len(content), LARGE):
                piece, is_last = content[start : start + LARGE], start + LARGE >= len(content)
                await send({"type": "http.response.body", "body": piece, "more_body": not is_last})

    def status(self, match: re.Match[str]) -> bytes:
        name, number, label = named(match)
        if not name:
            raise invalid("Missing model name in request.")
        if match[4]:
            with self.service.models.lease(name, number, label) as version:
                return metadata_json(metadata_of(name, version))
        return json_of(self.service.models.status(name, number, label))

    async def predict(self, match: re.Match[str], scope: Any, receive: Any) -> bytes:
        name, number, label = named(match)
        method = match[4].lower()
        with self.service.counted(name, method.capitalize(), "REST"):
            async with contextlib.AsyncExitStack() as reading:
                body = await reading.enter_async_context(self.body_of(scope, receive))
                size = len(body)
                if method != "predict":
                    document = await self.aside(size, json_bodies.parse_body, body)
                    raise self.refusal(document, method, name, number, label)
                parsed = await self.aside(size, json_bodies.parse_predict, body)
                if parsed.is_rows:
                    admission.check_num_rows(len(parsed.values), self.service.limits)
                with self.service.models.lease(name, number, label) as version:
                    signature = signature_of(version, parsed.signature_name)
                    arrays = await self.aside(size, json_bodies.arrays_of, parsed, signature.inputs)
                    is_rows = parsed.is_rows
                    # While the request waits, its tensors are enough.
                    del body, parsed
                    await reading.aclose()
                    outputs = await unless_gone(receive, self.service.predict(name, signature, arrays))
                    size = sum(array.nbytes for array in outputs.values())
                    return await self.aside(size, json_bodies.answer, outputs, is_rows)

    @contextlib.asynccontextmanager
    async def body_of(self, scope: Any, receive: Any) -> AsyncIterator[bytes]:
        """The body, counted as held until its tensors have been made.

        Raises:
            ServingError: It is longer than the limit (where its length was announced, before reading any of it), or all
                bodies together are.
        """
        limits, size, parts = self.service.limits, 0, []
        held = self.service.held_bytes
        too_large = ServingError(
            Code.INVALID_ARGUMENT, f"The body is larger than {limits.body:,} bytes.", http_status=413
        )
        if any(key == b"content-length" and int(value) > limits.body for key, value in scope["headers"]):
            raise too_large
        try:
            is_complete = False
            while not is_complete:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                part = message.get("body", b"")
                if size + len(part) > limits.body:
                    raise too_large
                held.take(len(part))
                size += len(part)
                parts.append(part)
                is_complete = not message.get("more_body")
            yield b"".join(parts)
        finally:
            held.give(size)

    async def aside(self, size: int, function: Callable[..., Any], *arguments: Any) -> Any:
        """Small things at once, large ones in a thread."""
        if size < LARGE:
            return function(*arguments)
        return await asyncio.get_running_loop().run_in_executor(self.threads, function, *arguments)

    def refusal(
        self, document: dict[str, Any], method: str, name: str, number: int | None, label: str | None
    ) -> ServingError:
        signature_name = json_bodies.signature_name_of(document)
        examples = document.get("examples")
        shown = quoted(document)
        if "examples" not in document:
            return invalid(
                f"JSON Value: {shown} When method is classify, key 'examples' is expected and was not found"
            )
        if not isinstance(examples, list):
            return invalid(f"JSON Value: {shown} Expecting 'examples' value to be an list/array")
        if not examples:
            return invalid(f"JSON Value: {shown} 'examples' value is an empty array")
        with self.service.models.lease(name, number, label) as version:
            return refuse_examples(version, signature_name, method)


def named(match: re.Match[str]) -> tuple[str, int | None, str | None]:
    """Name, version and label of a path."""
    number = int(match[2]) if match[2] and len(match[2]) < 20 else None
    if match[2] and (number is None or number > MAX_VERSION):
        raise invalid(f"Failed to convert version: {match[2]} to numeric.")
    return unquote(match[1] or ""), number, unquote(match[3]) if match[3] else None


def signature_of(version: Version, name: str) -> Signature:
    """Raises: ServingError: There is none of this name, in the words of the REST API."""
    assert version.model is not None
    found = version.model.signatures.get(name or DEFAULT)
    if found is None:
        raise invalid(f'Serving signature name: "{name or DEFAULT}" not found in signature def')
    return found


async def unless_gone(receive: Any, work: Awaitable[Any]) -> Any:
    """The result, unless the client hangs up first: then the work is cancelled."""
    working = asyncio.ensure_future(work)
    watching = asyncio.ensure_future(receive())
    watching.add_done_callback(lambda done: done.cancelled() or working.cancel())
    try:
        return await working
    except asyncio.CancelledError:
        if watching.done():
            raise ClientGone from None
        raise
    finally:
        working.cancel()
        watching.cancel()


def json_of(message: Any) -> bytes:
    return json_format.MessageToJson(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    ).encode()


def metadata_json(response: Any) -> bytes:
    signatures = get_model_metadata_pb2.SignatureDefMap()
    response.metadata["signature_def"].Unpack(signatures)
    document = {
        "model_spec": orjson.loads(json_of(response.model_spec)),
        "metadata": {"signature_def": orjson.loads(json_of(signatures))},
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2)
