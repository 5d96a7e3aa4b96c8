"""Every page of a report against axe-core's rules (WCAG 2 A and AA, and best practices)."""

from pathlib import Path
from typing import Any

import pytest

from reports.page import PAGES
from tests.reports.conftest import Visit

pytestmark = pytest.mark.browser
FILES = [file for file, *_ in PAGES.values()]


def violations(tab: Any) -> list[str]:
    """What axe-core finds wrong, one line for each element."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    # Preloading would fetch the styles once more, which a page from the disk may not.
    found = axe.run(tab, options={"preload": False}).response["violations"]
    return [f"{rule['id']}: {node['html'][:120]}" for rule in found for node in rule["nodes"]]


@pytest.mark.parametrize(
    "visit", [(390, "dark"), pytest.param((1440, "light"), marks=pytest.mark.slow)], indirect=True, ids=str
)
@pytest.mark.parametrize("file", FILES)
def test_no_page_breaks_a_rule(visit: Visit, report: Path, file: str) -> None:
    tab = visit.open(report / file)
    assert violations(tab) == []


@pytest.mark.parametrize("visit", [(390, "light"), (1440, "dark")], indirect=True, ids=str)
def test_the_map_in_full_use_breaks_none(visit: Visit, report: Path) -> None:
    tab = visit.open(report / "clusters.html")
    tab.focus("#map-canvas")
    for key in ("ArrowRight", "Enter", "a"):
        tab.keyboard.press(key)
    tab.locator("#map-legend button").first.click()
    tab.fill("#map-find", "green")
    tab.click("#map-list summary")
    tab.wait_for_selector("#list-table td")
    assert tab.locator("#selection-table td").count() and tab.locator("#map-panel .near button").count()
    assert violations(tab) == []


def test_the_rules_catch_what_is_wrong(visit: Visit, report: Path) -> None:
    tab = visit.open(report / "index.html")
    tab.evaluate("document.body.append(document.createElement('button'))")
    assert any(line.startswith("button-name") for line in violations(tab))
