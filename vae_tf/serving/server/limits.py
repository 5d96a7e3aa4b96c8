"""What a client may ask of the server; whatever lies beyond is refused with a plain error."""

import contextlib
import dataclasses
from collections.abc import Iterator

from grpc import StatusCode as Code

from vae_tf.serving.server.status import ServingError

KIBIBYTE, MEBIBYTE = 2**10, 2**20


@dataclasses.dataclass(frozen=True)
class Limits:
    """Sizes in bytes, times in seconds."""

    body: int = 64 * MEBIBYTE  # of one request, by REST or gRPC
    queued: int = (
        512 * MEBIBYTE
    )  # of all requests that are read or wait, and of all answers that are being sent
    rows: int = 4096  # of one request: the product of all sizes that its signature leaves open
    answer: int = 256 * MEBIBYTE  # of one request's outputs: a short latent may ask for a large picture
    pixels: int = (
        64_000_000  # of all pictures in one request, once decoded: a small file may hold a large picture
    )
    decoded: int = 128_000_000  # pixels of all requests that wait or are computed
    connections: int = 4096  # REST, idle ones included
    pipelined: int = 64  # REST requests of one connection that wait for those before them
    calls: int = 4096  # gRPC calls at a time
    headers: int = 64 * KIBIBYTE  # of one REST request, beyond the first piece that arrives
    headers_time: float = 10.0  # from the first byte of a request to the end of its headers
    body_time: float = 60.0  # from there to the end of its body
    idle_time: float = 75.0  # a connection without a request
    request_time: float = 30.0  # waiting and computing
    answer_time: float = 30.0  # in which a client takes nothing of an answer that waits for it


class Budget:
    """What all requests together hold at a time, in bytes or in pixels."""

    def __init__(self, limit: int) -> None:
        self.limit, self.held = limit, 0

    def take(self, amount: int) -> None:
        """Raises: ServingError: Others hold too much of it already."""
        if self.held + amount > self.limit:
            raise ServingError(Code.UNAVAILABLE, "Too many large requests at a time.")
        self.held += amount

    def give(self, amount: int) -> None:
        self.held -= amount

    @contextlib.contextmanager
    def lent(self, amount: int) -> Iterator[None]:
        """Raises: ServingError: As `take` does."""
        self.take(amount)
        try:
            yield
        finally:
            self.give(amount)

    @contextlib.contextmanager
    def counted(self, amount: int) -> Iterator[None]:
        """For an answer: what has been computed is sent, but until it has been, new requests may find no room."""
        self.held += amount
        try:
            yield
        finally:
            self.give(amount)
