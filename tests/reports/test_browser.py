"""What a reader does with the pages, in Chromium; every visit also fails on errors and on requests."""

import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from reports.clusters import write_clusters
from reports.page import PAGES
from tests.reports.conftest import Visit
from tests.reports.shapes import CLASSES, COLORS, HOSTILE
from tests.reports.synthetic import clusters_record, map_record

pytestmark = pytest.mark.browser
FILES = [file for file, *_ in PAGES.values()]
NARROW = (390, "light")


def drawn(tab: Any) -> int:
    tab.wait_for_timeout(60)
    return int(tab.get_attribute("#map-canvas", "data-drawn"))


def open_list(tab: Any) -> None:
    tab.click("#map-list summary")
    tab.wait_for_selector("#list-table td")


def picture_shown(tab: Any, selector: str) -> Any:
    """The colour in the middle of an element; a canvas with a file's picture can't be read otherwise."""
    tab.wait_for_timeout(80)
    shot = np.asarray(Image.open(io.BytesIO(tab.locator(selector).screenshot())).convert("RGB"))
    return shot[shot.shape[0] // 2, shot.shape[1] // 2].astype(int)


def find_mark(tab: Any) -> tuple[float, float]:
    """Moves the mouse over the map until a thumbnail comes up."""
    box = tab.locator("#map-canvas").bounding_box()
    for y in range(15, int(box["height"]), 15):
        for x in range(15, int(box["width"]), 15):
            tab.mouse.move(box["x"] + x, box["y"] + y)
            if tab.evaluate("!document.getElementById('map-tip').hidden"):
                return box["x"] + x, box["y"] + y
    raise AssertionError("no mark under the mouse anywhere")


def expected_color(path: str) -> Any:
    return COLORS[CLASSES.index(path.rpartition("/")[0])].astype(int)


# A form of the report changes where pictures are, not how wide a page or which colours it has.
@pytest.mark.parametrize(
    ("kind", "visit"),
    [
        pytest.param(kind, view, marks=[] if kind == "report" or view == NARROW else [pytest.mark.slow])
        for kind in ("report", "mailed", "faceless")
        for view in (NARROW, (390, "dark"), (1440, "light"))
    ],
    indirect=["visit"],
)
@pytest.mark.parametrize("file", FILES)
def test_pages_fit_and_all_pictures_load(
    visit: Visit, kind: str, file: str, request: pytest.FixtureRequest
) -> None:
    tab = visit.open(request.getfixturevalue(kind) / file)
    assert tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    broken = "[...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src.slice(0, 99))"
    assert tab.evaluate(broken) == []
    assert tab.evaluate("[...document.images].every(i => i.alt)")
    assert tab.evaluate("document.querySelectorAll('img[src=x]').length") == 0


def test_hostile_names_stay_text(visit: Visit, pages: Path) -> None:
    tab = visit.open(pages / "clusters.html")
    assert HOSTILE in tab.inner_text("#map-legend")
    open_list(tab)
    assert HOSTILE in tab.inner_text("#list-table")
    tab.get_by_role("button", name=f"{HOSTILE}/002.png").click()
    assert HOSTILE in tab.inner_text("#map-panel")
    assert tab.evaluate("document.querySelectorAll('img[src=x]').length") == 0


def test_a_script_that_is_smuggled_in_does_not_run(visit: Visit, pages: Path) -> None:
    tab = visit.open(pages / "index.html")
    tab.evaluate(
        "document.body.insertAdjacentHTML('beforeend', '<img src=\"data:,\" onerror=\"window.bad = 1\">')"
    )
    tab.wait_for_timeout(100)
    assert tab.evaluate("window.bad") is None
    assert visit.complaints and all("Content Security Policy" in text for text in visit.complaints)
    visit.complaints.clear()


def test_pointing_shows_the_picture_and_a_click_keeps_it(visit: Visit, pages: Path) -> None:
    tab = visit.open(pages / "clusters.html")
    tab.locator("#map-canvas").scroll_into_view_if_needed()
    x, y = find_mark(tab)
    path = tab.inner_text("#map-tip .path")
    assert path in map_record().paths
    assert abs(picture_shown(tab, "#map-tip canvas") - expected_color(path)).max() < 25
    tab.mouse.click(x, y)
    facts = tab.inner_text("#map-panel")
    assert path in facts and any(word in facts for word in ("trained on", "unseen", "validation"))
    assert abs(picture_shown(tab, "#map-panel canvas >> nth=0") - expected_color(path)).max() < 25


def test_the_legend_hides_and_shows(visit: Visit, pages: Path) -> None:
    tab = visit.open(pages / "clusters.html")
    assert drawn(tab) == 60
    red = tab.get_by_role("button", name="red")
    red.click()
    assert drawn(tab) == 40
    assert red.get_attribute("aria-pressed") == "false"
    tab.get_by_role("button", name="unseen").click()
    assert drawn(tab) == 36
    tab.click("#legend-none")
    assert drawn(tab) == 0
    tab.click("#legend-all")
    tab.get_by_role("button", name="unseen").click()
    assert drawn(tab) == 60


def test_other_maps_and_other_colours(visit: Visit, pages: Path) -> None:
    tab = visit.open(pages / "clusters.html")
    assert "Perplexity 12." in tab.inner_text("#map-note")
    tab.get_by_role("radio", name="UMAP").check(force=True)
    assert "Trustworthiness 0.88" in tab.inner_text("#map-note")
    tab.select_option("#map-color", label="group")
    assert "none" in tab.inner_text("#map-legend")
    tab.select_option("#map-color", label="error")
    assert tab.locator("#map-legend canvas").count() == 1
    tab.check("#map-thumbnails")
    assert drawn(tab) == 60


def test_the_map_can_be_walked_by_keyboard(visit: Visit, report: Path) -> None:
    tab = visit.open(report / "clusters.html")
    tab.focus("#map-canvas")
    seen = []
    for key in ("ArrowRight", "ArrowRight", "ArrowUp", "ArrowLeft", "ArrowDown"):
        tab.keyboard.press(key)
        seen.append(tab.inner_text("#map-tip .path"))
    assert len(set(seen)) >= 4
    assert seen[-1] in tab.inner_text("#map-said")
    tab.keyboard.press("Enter")
    assert seen[-1] in tab.inner_text("#map-panel")
    tab.keyboard.press("Escape")
    assert tab.locator("#map-tip").is_hidden()


def test_walking_moves_a_zoomed_map_along(visit: Visit, report: Path) -> None:
    tab = visit.open(report / "clusters.html")
    tab.focus("#map-canvas")
    for key in ["ArrowRight", *["+"] * 8, *["ArrowRight"] * 6]:
        tab.keyboard.press(key)
        tab.wait_for_timeout(30)
    stage, tip = tab.locator("#map-canvas").bounding_box(), tab.locator("#map-tip").bounding_box()
    assert stage["x"] <= tip["x"] and tip["x"] + tip["width"] <= stage["x"] + stage["width"] + 1
    assert stage["y"] <= tip["y"] and tip["y"] + tip["height"] <= stage["y"] + stage["height"] + 1
    shot = np.asarray(Image.open(io.BytesIO(tab.locator("#map-canvas").screenshot())).convert("RGB"))
    assert len(np.unique(shot.reshape(-1, 3), axis=0)) > 10  # the marks around it were drawn, too


def test_the_wheel_zooms_only_once_the_map_has_the_focus(visit: Visit, report: Path) -> None:
    tab = visit.open(report / "clusters.html")
    box = tab.locator("#map-canvas").bounding_box()
    tab.mouse.move(box["x"] + 200, box["y"] + 200)
    tab.mouse.wheel(0, 120)
    tab.wait_for_timeout(150)
    assert tab.evaluate("window.scrollY") > 0
    tab.focus("#map-canvas")
    before = tab.evaluate("window.scrollY")
    tab.mouse.wheel(0, -300)
    tab.wait_for_timeout(150)
    assert tab.evaluate("window.scrollY") == before
    assert "zoomed" in tab.get_attribute("#map-canvas", "class")
    tab.click("#map-reset")
    tab.wait_for_timeout(60)
    assert "zoomed" not in tab.get_attribute("#map-canvas", "class")


def test_the_list_is_searched_and_turned(visit: Visit, report: Path) -> None:
    tab = visit.open(report / "clusters.html")
    open_list(tab)
    assert tab.inner_text("#list-place") == "1 to 25 of 60"
    tab.click("#list-on")
    assert tab.inner_text("#list-place") == "26 to 50 of 60"
    tab.fill("#map-find", "GREEN")
    assert tab.inner_text("#list-place") == "1 to 20 of 20"


def test_the_slider_moves_all_frames(visit: Visit, pages: Path) -> None:
    tab = visit.open(pages / "interpolation.html")
    box = tab.locator(".scrub").first
    slider, screens = box.locator("input"), box.locator("canvas")
    slider.focus()
    tab.keyboard.press("End")
    assert [screens.nth(i).get_attribute("data-frame") for i in range(2)] == ["8", "8"]
    assert "Frame 9 of 9: 100 %" in box.locator("output").inner_text()
    last = picture_shown(tab, ".scrub canvas >> nth=0")
    tab.keyboard.press("Home")
    assert "Frame 1 of 9: 0 %" in slider.get_attribute("aria-valuetext")
    first = picture_shown(tab, ".scrub canvas >> nth=0")
    assert abs(first - COLORS[0]).max() < 3 and abs(last - COLORS[2]).max() < 3


def test_a_walk_follows_its_slider_and_says_the_latent(visit: Visit, pages: Path) -> None:
    tab = visit.open(pages / "traversals.html")
    box = tab.locator(".scrub").first
    box.locator("input").focus()
    tab.keyboard.press("End")
    assert [box.locator("canvas").nth(i).get_attribute("data-frame") for i in range(2)] == ["8", "8"]
    assert box.locator("output").inner_text() == "Dimension 3: 2.00"
    assert abs(picture_shown(tab, ".scrub canvas >> nth=0") - COLORS[2]).max() < 3


def test_nothing_moves_until_it_is_played(visit: Visit, pages: Path) -> None:
    for file in ("traversals.html", "interpolation.html"):
        tab = visit.open(pages / file)
        figure = tab.locator(".moving").first
        image, button = figure.locator("img"), figure.get_by_role("button")
        still = image.get_attribute("src")
        assert still == image.get_attribute("data-still") and button.inner_text() == "Play"
        button.focus()
        tab.keyboard.press("Enter")
        assert image.get_attribute("src") == image.get_attribute("data-moving") != still
        assert button.get_attribute("aria-pressed") == "true" and button.inner_text() == "Stop"
        assert image.evaluate("i => i.decode().then(() => i.naturalWidth > 0)")
        button.click()
        assert image.get_attribute("src") == still


def test_a_map_of_many_pictures_and_sheets_is_quick(visit: Visit, tmp_path: Path) -> None:
    record = clusters_record()
    page = write_clusters(tmp_path, type(record)(**{**vars(record), "map": map_record(12_000), "bic": []}))
    assert len(list((tmp_path / "assets").glob("sheet-*.webp"))) >= 2
    tab = visit.open(page)
    assert drawn(tab) == 12_000
    assert (
        len(json.loads(tab.inner_text("#map-data", timeout=1000) or tab.text_content("#map-data"))["paths"])
        == 24_000
    )
    tab.locator("#map-canvas").scroll_into_view_if_needed()
    find_mark(tab)
    path = tab.inner_text("#map-tip .path")
    assert abs(picture_shown(tab, "#map-tip canvas") - expected_color(path)).max() < 40


@pytest.mark.parametrize("file", FILES)
def test_a_mailed_page_asks_for_nothing_and_has_its_style(
    visit: Visit, mailed: Path, tmp_path: Path, file: str
) -> None:
    page = Path(shutil.copy(mailed / file, tmp_path / "attached.html"))
    tab = visit.open(page)
    tab.wait_for_timeout(100)
    assert [url for url in visit.requests if not url.startswith("data:")] == [page.as_uri()]
    assert tab.evaluate("document.styleSheets[0].cssRules.length") > 50
    # What has not the hash of ours is refused, as it would be beside a page.
    tab.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: 'bad = 1'}))")
    assert tab.evaluate("window.bad") is None
    assert len(visit.complaints) == 1 and "Content Security Policy" in visit.complaints.pop()


def test_a_map_without_pictures_shows_what_is_known(visit: Visit, faceless: Path) -> None:
    tab = visit.open(faceless / "clusters.html")
    assert drawn(tab) == 60
    assert tab.locator("#map-thumbnails").is_hidden()
    tab.locator("#map-canvas").scroll_into_view_if_needed()
    x, y = find_mark(tab)
    shown = tab.inner_text("#map-tip")
    assert re.match(r"picture \d+\n", shown) and "group " in shown
    position = int(shown.split()[1]) - 1
    assert CLASSES[map_record().color_by[0].values[position]] in shown
    tab.mouse.click(x, y)
    assert f"Picture\npicture {position + 1}\n" in tab.inner_text("#map-panel")
    assert tab.locator("#map-panel canvas").count() == 0 and tab.locator("#map-tip canvas").is_hidden()
    open_list(tab)
    tab.fill("#map-find", "picture 17")
    assert tab.inner_text("#list-place") == "1 to 1 of 1"
