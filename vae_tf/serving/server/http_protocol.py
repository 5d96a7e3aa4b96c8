"""uvicorn's HTTP protocol with clocks: clients that send headers or a body too slowly are closed."""

import asyncio
import json
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from vae_tf.serving.server.limits import Limits

LINGER = (
    5.0  # seconds in which the rest of a refused body is read and thrown away, so that the answer arrives
)


class TimedProtocol(HttpToolsProtocol):
    """One clock per connection, set anew at every step of a request."""

    def __init__(self, *arguments: Any, limits: Limits, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.limits = limits
        self.clock: asyncio.TimerHandle | None = None
        self.is_receiving = False

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

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            self.refuse(503, f"More than {self.limits.connections:,} connections.")
        else:
            self.set_clock(self.limits.idle_time)

    def connection_lost(self, error: Exception | None) -> None:
        self.set_clock(None)
        super().connection_lost(error)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.is_receiving = True
        self.set_clock(
            self.limits.headers_time, f"The headers took longer than {self.limits.headers_time:g} s."
        )

    def on_headers_complete(self) -> None:
        self.set_clock(self.limits.body_time, f"The body took longer than {self.limits.body_time:g} s.")
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self.is_receiving = False
        self.set_clock(None if not self.cycle.response_complete else self.limits.idle_time)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self.set_clock(LINGER if self.is_receiving else self.limits.idle_time)
