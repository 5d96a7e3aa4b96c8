"""A run's pages beside its model: what is given out under /, and to whom."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import unquote

import pytest

from vae_tf.serving.server.rest import application
from vae_tf.serving.server.run import LOOPBACK


class Nothing:
    """A service of which these tests ask nothing."""

    is_ready = True


@pytest.fixture
def pages(tmp_path):
    folder = tmp_path / "report"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<h1>Faces</h1>")
    (folder / "assets" / "report.css").write_text("h1 {}")
    (tmp_path / "run.json").write_text("secret")
    (folder / "out").symlink_to(tmp_path)
    return folder


class Answer:
    """What an ASGI application answers to one request."""

    def __init__(self, app, path, host="127.0.0.1:8501", method="GET"):
        self.body, self.was_sent, self.headers = b"", False, {}
        scope = {"type": "http", "method": method, "path": unquote(path), "raw_path": path.encode(), "root_path": "",
                 "query_string": b"", "headers": [(b"host", host.encode())]}  # fmt: skip
        # In a thread of its own: a browser that is open for other tests keeps a loop in this one.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, app(scope, self.receive, self.send)).result()

    async def receive(self):
        if self.was_sent:
            # The client stays until it is answered.
            await asyncio.Event().wait()
        self.was_sent = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(self, message):
        self.status_code = message.get("status") or self.status_code
        self.headers |= {name.decode(): value.decode() for name, value in message.get("headers", [])}
        self.body += message.get("body", b"")

    @property
    def text(self):
        return self.body.decode()


GIVEN = {
    "/": "<h1>Faces</h1>",
    "/index.html": "<h1>Faces</h1>",
    "/assets/report.css": "h1 {}",
    "/health": '{"status":"alive"}',
}


@pytest.mark.parametrize(("path", "text"), GIVEN.items())
def test_pages_are_given_out(pages, path, text):
    answer = Answer(application(Nothing(), pages, LOOPBACK), path)
    assert answer.status_code == 200 and answer.text == text


def test_pages_that_came_with_a_run_reach_nobody_else(pages):
    """What they may do here is what ours allow themselves, and what stands in them may run."""
    from reports.page import policy

    (pages / "404.html").write_text("<h1>Nothing here</h1>")
    inside = "'self' 'unsafe-inline'"
    for path, status in (("/", 200), ("/none", 404)):
        answer = Answer(application(Nothing(), pages, LOOPBACK), path)
        assert answer.status_code == status and "<h1>" in answer.text
        assert answer.headers["content-security-policy"] == policy(
            inside, inside, "'self' data: blob:", asks_server=True
        )
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path", ["/out/run.json", "/../run.json", "/%2e%2e/run.json", "/..%2frun.json", "/assets/", "/none"]
)
def test_nothing_else_is(pages, path):
    answer = Answer(application(Nothing(), pages, LOOPBACK), path)
    assert answer.status_code == 404 and "secret" not in answer.text


def test_nor_to_a_name_that_only_leads_here(pages):
    app = application(Nothing(), pages, LOOPBACK)
    assert Answer(app, "/", host="evil.example:8501").status_code == 400
    assert Answer(app, "/", host="localhost:8501").status_code == 200


def test_pages_are_read_not_written(pages):
    assert Answer(application(Nothing(), pages, LOOPBACK), "/index.html", method="POST").status_code == 405


def test_the_interface_keeps_its_own_errors(pages):
    answer = Answer(application(Nothing(), pages, LOOPBACK), "/v1/nonsense")
    assert answer.status_code == 400 and json.loads(answer.text) == {
        "error": "Malformed request: GET /v1/nonsense"
    }


def test_without_pages_there_are_none():
    assert Answer(application(Nothing()), "/").status_code == 404
