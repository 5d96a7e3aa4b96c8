"""Start and stop: REST and gRPC in one event loop, TensorFlow in threads."""

import asyncio
import dataclasses
import functools
import ipaddress
import socket
import ssl
from pathlib import Path
from typing import Any

import grpc
import uvicorn

from vae_tf.errors import UserError
from vae_tf.serving.server import rest, rpc
from vae_tf.serving.server.batching import Batcher
from vae_tf.serving.server.config_files import BatchingParameters, ModelConfig
from vae_tf.serving.server.http_protocol import TimedProtocol
from vae_tf.serving.server.limits import Limits
from vae_tf.serving.server.metrics import Metrics
from vae_tf.serving.server.service import Service
from vae_tf.serving.server.versions import Models

FAREWELL = 0.5  # seconds
# What a browser on this machine calls it, beside its addresses.
LOOPBACK = ("localhost",)


@dataclasses.dataclass(frozen=True)
class Certificate:
    """PEM files of TLS; the first holds the whole chain."""

    chain: Path
    key: Path

    def check(self) -> None:
        """Raises: UserError: They cannot be read, or do not belong together."""
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
                self.chain, self.key, password=no_password
            )
        except (OSError, ValueError) as error:
            raise UserError(
                f"The certificate {self.chain} with the key {self.key} cannot be used: {error}.",
                "Expected PEM files that belong together, the key without a password.",
            ) from None

    def for_grpc(self) -> grpc.ServerCredentials:
        return grpc.ssl_server_credentials([(self.key.read_bytes(), self.chain.read_bytes())])


def no_password() -> str:
    raise ValueError("the key has a password")


@dataclasses.dataclass(frozen=True)
class Settings:
    """Where to listen (port 0: any that is free), what to allow, and how often to look for new versions (seconds).

    With a `token`, whoever does not name it is turned away; with a `certificate`, both ports speak TLS alone.
    """

    host: str = "127.0.0.1"
    rest_port: int = 8501
    grpc_port: int = 8500
    batching: BatchingParameters = dataclasses.field(default_factory=BatchingParameters)
    is_batching: bool = True
    limits: Limits = dataclasses.field(default_factory=Limits)
    poll: float = 1.0
    token: str | None = None
    certificate: Certificate | None = None

    @property
    def is_loopback(self) -> bool:
        address = socket.getaddrinfo(self.host, None)[0][4][0]
        return ipaddress.ip_address(str(address).split("%")[0]).is_loopback


class Server:
    """Serves models, and a folder of pages under /, until `stop`; `start` and `stop` are called in one event loop.

    After `start`, `rest_port` and `grpc_port` are those really listened on.
    """

    def __init__(self, configs: list[ModelConfig], settings: Settings, pages: Path | None = None) -> None:
        self.settings, self.pages = settings, pages
        self.metrics = Metrics()
        self.models = Models(configs, self.metrics)
        self.batcher = Batcher(settings.batching, settings.is_batching, settings.limits.queued, self.metrics)
        self.service = Service(self.models, self.batcher, settings.limits, self.metrics)

    async def start(self) -> None:
        """Loads every model, then listens.

        Raises:
            UserError: A port is taken, or no version of some model can be loaded.
        """
        if self.settings.certificate is not None:
            self.settings.certificate.check()
        listener = self.listen()
        self.rest_port = listener.getsockname()[1]
        self.grpc, self.health = rpc.make_server(self.service, self.settings.limits, self.settings.token)
        await self.models.reconcile()
        self.check_models()
        await self.start_grpc()
        await self.start_rest(listener)
        await rpc.tell_health(self.health, True)
        self.watching = asyncio.create_task(self.models.watch(self.settings.poll))

    def listen(self) -> socket.socket:
        host, port = self.settings.host, self.settings.rest_port
        try:
            address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            return socket.create_server(address[4][:2], family=address[0], backlog=2048)
        except OSError as error:
            raise UserError(
                f"REST cannot listen on {host}:{port}: {error.strerror}.",
                "Choose others: --host, --rest-port.",
            ) from None

    def check_models(self) -> None:
        for model in self.models.by_name.values():
            if not model.is_available:
                errors = [f"version {n}: {v.error.message}" for n, v in model.versions.items() if v.error]
                raise UserError(
                    f"No version of {model.name} can be served. {' '.join(errors)}",
                    f"Look into {model.folder}, or export it anew: python cli.py export.",
                )

    async def start_grpc(self) -> None:
        host = f"[{self.settings.host}]" if ":" in self.settings.host else self.settings.host
        try:
            address, certificate = f"{host}:{self.settings.grpc_port}", self.settings.certificate
            if certificate is None:
                self.grpc_port = self.grpc.add_insecure_port(address)
            else:
                self.grpc_port = self.grpc.add_secure_port(address, certificate.for_grpc())
        except RuntimeError:
            raise UserError(
                f"gRPC cannot listen on {host}:{self.settings.grpc_port}.", "Choose another: --grpc-port."
            ) from None
        await self.grpc.start()

    async def start_rest(self, listener: socket.socket) -> None:
        limits = self.settings.limits
        protocol: Any = functools.partial(TimedProtocol, limits=limits)
        certificate, hosts = self.settings.certificate, LOOPBACK if self.settings.is_loopback else ()
        config = uvicorn.Config(
            rest.application(self.service, self.pages, hosts, self.settings.token),
            ssl_certfile=None if certificate is None else certificate.chain,
            ssl_keyfile=None if certificate is None else certificate.key,
            http=protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=int(limits.idle_time) + 1,
        )
        config.load()
        self.rest = uvicorn.Server(config)
        self.rest.lifespan = config.lifespan_class(config)
        self.listener = listener
        await self.rest.startup(sockets=[listener])
        self.ticking = asyncio.create_task(self.rest.main_loop())

    async def stop(self, grace: float) -> None:
        """No new requests; those in flight are answered within `grace` seconds, then cut off."""
        self.service.is_stopping = True
        await rpc.tell_health(self.health, False)
        self.watching.cancel()
        self.ticking.cancel()
        closing = asyncio.get_running_loop().call_later(grace, self.batcher.close)
        # A little longer, so that those who are cut off are told why.
        self.rest.config.timeout_graceful_shutdown = grace + FAREWELL  # type: ignore[assignment]
        await asyncio.gather(self.rest.shutdown(sockets=[self.listener]), self.grpc.stop(grace + FAREWELL))
        closing.cancel()
        self.batcher.close()
        self.models.close()
