"""A connection that ends while an answer is made is no fault of whoever answers."""

import asyncio
import functools

import pytest
import uvicorn

from vae_tf.serving.server.http_protocol import TimedProtocol
from vae_tf.serving.server.limits import Limits

uvloop = pytest.importorskip("uvloop")
ASKED = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"


def ask(data, after=lambda writer: None):
    """What a client hears that sends `data`, of a server that takes 0.3 s; `after` is done while it waits."""
    said, answered = [], []

    async def answer(scope, receive, send):
        await asyncio.sleep(0.3)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})
        answered.append(True)

    async def main():
        config = uvicorn.Config(answer, ws="none", lifespan="off", log_config=None)
        config.load()
        state = uvicorn.server.ServerState()
        protocol = functools.partial(TimedProtocol, config, state, {}, limits=Limits())
        server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(data)
        await asyncio.sleep(0.1)
        after(writer)
        said.append(await reader.read())
        while state.tasks:
            await asyncio.sleep(0.01)
        server.close()

    uvloop.run(main())
    return said[0], answered


@pytest.mark.parametrize("num", [1, 2, 5])
def test_who_asks_and_goes_leaves_no_traceback(caplog, num):
    said, answered = ask(ASKED * num, after=lambda writer: writer.transport.abort())
    assert not said and answered
    assert "Exception in ASGI application" not in caplog.text


def test_who_sends_nonsense_after_a_request_hears_so(caplog):
    said, answered = ask(ASKED * 2 + b"\0\1\2\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 400") and answered
    assert "Exception in ASGI application" not in caplog.text


def test_whoever_stays_is_answered():
    said, answered = ask(ASKED + ASKED.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
    assert said.count(b"HTTP/1.1 200") == 2 and said.endswith(b"\r\n\r\nok") and len(answered) == 2
