"""What a client may ask of the server; whatever lies beyond is refused with a plain error."""

import dataclasses

MEBIBYTE = 2**20


@dataclasses.dataclass(frozen=True)
class Limits:
    """Sizes in bytes, times in seconds."""

    body: int = 64 * MEBIBYTE  # of one request, by REST or gRPC
    queued: int = 512 * MEBIBYTE  # of all requests that wait
    connections: int = 4096  # REST, idle ones included
    calls: int = 4096  # gRPC calls at a time
    headers_time: float = 10.0  # from the first byte of a request to the end of its headers
    body_time: float = 60.0  # from there to the end of its body
    idle_time: float = 75.0  # a connection without a request
    request_time: float = 30.0  # waiting and computing
