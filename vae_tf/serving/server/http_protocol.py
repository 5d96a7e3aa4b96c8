"""uvicorn's HTTP protocol with clocks and bounds.

Clients that send headers or a body too slowly are closed, as are those that take nothing of their answer, and those
whose headers or trailers have no end.
"""

import asyncio
import json
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from vae_tf.serving.server.limits import Limits

LINGER = (
    5.0  # seconds in which the rest of a refused body is read and thrown away, so that the answer arrives
)
CHUNK = 8  # bytes of a body for each byte of framing that is allowed for


class LenientTransport:
    """A transport that takes what comes after its end, and drops it.

    uvicorn tells only the last of several requests in a row that the client has gone; answers to those before it were
    written to a closed transport, of which uvloop makes an exception.
    """

    def __init__(self, transport: Any) -> None:
        self.transport = transport

    def write(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.transport, name)


class TimedProtocol(HttpToolsProtocol):
    """One clock per connection, set anew at every step of a request."""

    def __init__(self, *arguments: Any, limits: Limits, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.limits = limits
        self.clock: asyncio.TimerHandle | None = None
        self.writing: asyncio.TimerHandle | None = None
        self.is_receiving = False
        self.num_fed = 0  # bytes of the piece that is being parsed
        self.num_beside = 0  # bytes of the request that are none of its body

    def set_clock(self, seconds: float | None, message: str = "") -> None:
        if self.clock is not None:
            self.clock.cancel()
        self.clock = None if seconds is None else self.loop.call_later(seconds, self.refuse, 408, message)

    def refuse(self, status: int, message: str) -> None:
        """Closes the connection, with an error where no answer has begun and a request was under way."""
        if message and (self.cycle is None or not self.cycle.response_started):
            body = json.dumps({"error": message}).encode()
            head = b"content-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(
                body
            )
            self.transport.write(STATUS_LINE[status] + head + body)
        self.transport.close()
        # Closing waits for what has not been taken yet.
        self.loop.call_later(LINGER, self.transport.abort)

    def connection_made(self, transport: Any) -> None:
        lenient: Any = LenientTransport(transport)
        super().connection_made(lenient)
        if len(self.connections) > self.limits.connections:
            self.refuse(503, f"More than {self.limits.connections:,} connections.")
        else:
            self.set_clock(self.limits.idle_time)

    def connection_lost(self, error: Exception | None) -> None:
        self.set_clock(None)
        self.watch_writing(False)
        super().connection_lost(error)

    def watch_writing(self, is_waiting: bool) -> None:
        if self.writing is not None:
            self.writing.cancel()
        self.writing = (
            self.loop.call_later(self.limits.answer_time, self.transport.abort) if is_waiting else None
        )

    def pause_writing(self) -> None:
        super().pause_writing()
        self.watch_writing(True)

    def resume_writing(self) -> None:
        super().resume_writing()
        self.watch_writing(False)

    def data_received(self, data: bytes) -> None:
        self.num_fed = len(data)
        super().data_received(data)
        if not self.is_receiving or self.transport.is_closing():
            return
        self.num_beside += len(data)
        if self.num_beside > self.limits.headers:
            self.refuse(431, f"There are more than {self.limits.headers:,} bytes beside the body.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.is_receiving = True
        # The piece in which it begins may hold other requests, too.
        self.num_beside = -self.num_fed
        self.set_clock(
            self.limits.headers_time, f"The headers took longer than {self.limits.headers_time:g} s."
        )

    def on_headers_complete(self) -> None:
        self.set_clock(self.limits.body_time, f"The body took longer than {self.limits.body_time:g} s.")
        if len(self.pipeline) >= self.limits.pipelined:
            raise ValueError("Too many requests wait for those before them.")
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        # Chunks may be small: each has a few bytes of its own.
        self.num_beside -= len(body) + len(body) // CHUNK
        super().on_body(body)

    def on_message_complete(self) -> None:
        self.is_receiving = False
        self.set_clock(None if not self.cycle.response_complete else self.limits.idle_time)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        is_waiting = self.cycle.response_complete  # and no other request has been sent meanwhile
        self.set_clock(LINGER if self.is_receiving else self.limits.idle_time if is_waiting else None)
