"""One synthetic report and one browser for all tests of the pages."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reports import figures
from reports.records import PageForm
from tests.reports import chromium
from tests.reports.synthetic import write_report


@pytest.fixture(scope="session")
def drawn_once() -> Iterator[None]:
    """Figures are the same in all forms of the report, and are drawn for the first of them."""
    drawn: dict[Any, bytes] = {}
    render = figures._render

    def remember(draw: Any, theme: figures.Theme, *form: Any) -> bytes:
        shown = [repr(cell.cell_contents) for cell in draw.__closure__ or ()]
        key = (draw.__qualname__, *shown, theme, *form)
        if key not in drawn:
            drawn[key] = render(draw, theme, *form)
        return drawn[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "_render", remember)
        yield


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory, drawn_once: None) -> Path:
    return write_report(tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="session")
def mailed(tmp_path_factory: pytest.TempPathFactory, drawn_once: None) -> Path:
    """The same report, each page as one file."""
    return write_report(tmp_path_factory.mktemp("mailed"), PageForm(single_file=True))


@pytest.fixture(scope="session")
def faceless(tmp_path_factory: pytest.TempPathFactory, drawn_once: None) -> Path:
    """The same report without pictures."""
    return write_report(tmp_path_factory.mktemp("faceless"), PageForm(pictures=False))


@pytest.fixture(params=["report", pytest.param("mailed", marks=pytest.mark.slow)])
def pages(request: pytest.FixtureRequest) -> Path:
    """The report with files beside it, and the one without: both do the same in a browser."""
    folder: Path = request.getfixturevalue(request.param)
    return folder


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    if reason := chromium.missing():
        pytest.skip(reason)
    with chromium.launched() as running:
        yield running


class Visit:
    """A browser tab that notes everything that a page should not do."""

    def __init__(self, browser: Any, width: int, scheme: str) -> None:
        self.context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.tab = self.context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.tab.on("console", self._note)
        self.tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.tab.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))
        self.tab.on("requestfailed", lambda request: self.complaints.append(f"failed: {request.url[:99]}"))
        self.tab.on("request", lambda request: self.requests.append(request.url))

    def _note(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def open(self, page: Path) -> Any:
        self.tab.goto(page.resolve().as_uri())
        return self.tab


@pytest.fixture
def visit(browser: Any, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """Parametrise indirectly with (width, scheme) for another window than a light one of 1280 pixels."""
    width, scheme = getattr(request, "param", (1280, "light"))
    tab = Visit(browser, width, scheme)
    yield tab
    tab.context.close()
    assert tab.complaints == []
    assert [url for url in tab.requests if not url.startswith(("file:", "data:", "blob:"))] == []
