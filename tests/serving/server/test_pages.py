"""A run's pages beside its model: what is given out under /, and to whom."""

import asyncio

import httpx
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


def get(app, path, host="127.0.0.1:8501", method="GET"):
    async def ask():
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://127.0.0.1"
        ) as client:
            return await client.request(method, path, headers={"Host": host})

    return asyncio.run(ask())


GIVEN = {
    "/": "<h1>Faces</h1>",
    "/index.html": "<h1>Faces</h1>",
    "/assets/report.css": "h1 {}",
    "/health": '{"status":"alive"}',
}


@pytest.mark.parametrize(("path", "text"), GIVEN.items())
def test_pages_are_given_out(pages, path, text):
    answer = get(application(Nothing(), pages, LOOPBACK), path)
    assert answer.status_code == 200 and answer.text == text


@pytest.mark.parametrize(
    "path", ["/out/run.json", "/../run.json", "/%2e%2e/run.json", "/..%2frun.json", "/assets/", "/none"]
)
def test_nothing_else_is(pages, path):
    answer = get(application(Nothing(), pages, LOOPBACK), path)
    assert answer.status_code == 404 and "secret" not in answer.text


def test_nor_to_a_name_that_only_leads_here(pages):
    app = application(Nothing(), pages, LOOPBACK)
    assert get(app, "/", host="evil.example:8501").status_code == 400
    assert get(app, "/", host="localhost:8501").status_code == 200


def test_pages_are_read_not_written(pages):
    assert get(application(Nothing(), pages, LOOPBACK), "/index.html", method="POST").status_code == 405


def test_the_interface_keeps_its_own_errors(pages):
    answer = get(application(Nothing(), pages, LOOPBACK), "/v1/nonsense")
    assert answer.status_code == 400 and answer.json() == {"error": "Malformed request: GET /v1/nonsense"}


def test_without_pages_there_are_none():
    assert get(application(Nothing()), "/").status_code == 404
