"""What strangers send to the gRPC port does not reach the terminal of whoever serves."""

import os
import subprocess
import sys

# A server of gRPC alone, to which a client says goodbye in its own words.
SERVE = """
import asyncio, socket
import vae_tf.serving.server
import grpc

def frame(kind, body):
    return len(body).to_bytes(3, "big") + bytes([kind, 0, 0, 0, 0, 0]) + body

async def main():
    server = grpc.aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    with socket.create_connection(("127.0.0.1", port)) as client:
        goodbye = frame(7, bytes(4) + b"\\x12\\x34\\x56\\x78" + b"\\x1b]0;owned\\x07")
        client.sendall(b"PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n" + frame(4, b"") + goodbye)
        await asyncio.sleep(0.3)
    await server.stop(0)
    print("done")

asyncio.run(main())
"""


def test_a_goodbye_that_steers_terminals_is_not_written():
    environment = {name: value for name, value in os.environ.items() if name != "GRPC_VERBOSITY"}
    found = subprocess.run([sys.executable, "-c", SERVE], env=environment, capture_output=True, timeout=60)
    assert found.stdout == b"done\n" and found.stderr == b""
