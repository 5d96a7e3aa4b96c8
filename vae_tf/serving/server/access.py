"""Who may ask: whoever names the token, where there is one, and calls this machine by its own name.

A token is sent as `Authorization: Bearer TOKEN`. Browsers send what a person typed into their own dialogue (Basic, with
any name), so that a run's pages work as well.
"""

import base64
import binascii
import hmac
import ipaddress
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import grpc
from grpc import StatusCode as Code
from starlette.responses import JSONResponse

from vae_tf.errors import UserError

SHORTEST_TOKEN = 16  # characters
# Whoever balances load or restarts servers asks these without a token; they tell nothing else.
OPEN_PATHS = ("/health", "/ready")
HEALTH_SERVICE = "/grpc.health.v1.Health/"
UNKNOWN = "The token is missing or wrong: Authorization: Bearer TOKEN."
CHALLENGE = {"www-authenticate": 'Basic realm="vae_tf, any name; the token is the password"'}


def read_token(path: Path) -> str:
    """Raises: UserError: There is no such file, or what it holds is too short, or no line of visible ASCII."""
    try:
        token = path.read_text("ascii").strip()
    except OSError as error:
        raise UserError(f"The token in {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        token = ""
    if len(token) < SHORTEST_TOKEN or not all("!" <= letter <= "~" for letter in token):
        raise UserError(
            f"{path} holds no token: at least {SHORTEST_TOKEN} visible ASCII characters on one line.",
            f"python -c 'import secrets; print(secrets.token_urlsafe(32))' > {path}; chmod 600 {path}",
        )
    return token


def names_token(authorization: str, token: str) -> bool:
    """Whether an Authorization header holds the token; takes equally long for every wrong one of a length."""
    scheme, _, said = authorization.partition(" ")
    if scheme.lower() == "basic":
        try:
            said = base64.b64decode(said, validate=True).decode().partition(":")[2]
        except (binascii.Error, ValueError):
            return False
    elif scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(said.strip().encode(), token.encode())


class Guard:
    """ASGI: answers 401 to whoever does not name the token, and 400 to who comes by a stranger's name.

    Args:
        app: What it guards.
        token: None lets everybody in.
        hosts: The names of this machine that requests may be addressed to; none for any. A stranger's page must not
            reach a server on this machine by a name of its own that it makes lead here; browsers always send the name.
    """

    def __init__(self, app: Any, token: str | None, hosts: Iterable[str] = ()) -> None:
        self.app, self.token, self.hosts = app, token, frozenset(hosts)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await (self.refusal(scope) or self.app)(scope, receive, send)

    def refusal(self, scope: Any) -> JSONResponse | None:
        headers = {key: value.decode("latin-1") for key, value in scope["headers"]}
        if self.hosts and not self.is_own(headers.get(b"host", "")):
            return JSONResponse({"error": "This server is known by another name: Host."}, 400)
        if self.token is None or scope["path"] in OPEN_PATHS:
            return None
        if names_token(headers.get(b"authorization", ""), self.token):
            return None
        return JSONResponse({"error": UNKNOWN}, 401, CHALLENGE)

    def is_own(self, host: str) -> bool:
        name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
        return not name or name.lower() in self.hosts or is_loopback(name)


def is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


class CallGuard(grpc.aio.ServerInterceptor):
    """gRPC: UNAUTHENTICATED, before a message is read, for all but the health service."""

    def __init__(self, token: str) -> None:
        self.token = token

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        said = dict(details.invocation_metadata).get("authorization", "")
        if details.method.startswith(HEALTH_SERVICE) or names_token(str(said), self.token):
            return await continuation(details)
        return grpc.stream_stream_rpc_method_handler(refuse)


async def refuse(_: Any, context: Any) -> None:
    await context.abort(Code.UNAUTHENTICATED, UNKNOWN)
