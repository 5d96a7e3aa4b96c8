"""The linked maps in Chromium: pointing, choosing, selecting, finding and saving, on a desk and on a phone."""

import csv
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from reports.clusters import write_clusters
from reports.map_records import ColorBy
from reports.records import PageForm
from tests.reports.conftest import Visit
from tests.reports.shapes import COLORS
from tests.reports.synthetic import RUN, clusters_record, map_record

pytestmark = pytest.mark.browser
RECORD = map_record()
LABELS = np.asarray(RECORD.color_by[0].values)
VIEWS = [(390, "dark"), (390, "light"), (1440, "dark"), (1440, "light")]


def places(tab: Any, of: str = "window.vaeMap.view") -> np.ndarray:
    """Where each mark lies on the large canvas [N, 2], in CSS pixels."""
    script = f"Array.from({{length: window.vaeMap.total}}, (_, i) => [{of}.placeX(i), {of}.placeY(i)])"
    return np.array(tab.evaluate(script))


def opened(visit: Visit, page: Path) -> Any:
    tab = visit.open(page)
    tab.locator("#map-canvas").scroll_into_view_if_needed()
    tab.wait_for_timeout(60)
    return tab


def selected(tab: Any) -> set[int]:
    return set(tab.evaluate("window.vaeMap.members(window.vaeMap.selection)"))


def at(tab: Any, x: float, y: float) -> tuple[float, float]:
    box = tab.locator("#map-canvas").bounding_box()
    return box["x"] + x, box["y"] + y


def use(tab: Any, tool: str) -> None:
    tab.get_by_role("radio", name=tool).check(force=True)
    tab.locator("#map-canvas").scroll_into_view_if_needed()


def circle_around(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centre of some marks, and points of a circle that reaches halfway through them [48, 2]."""
    centre = np.median(points, axis=0)
    radius = np.median(np.linalg.norm(points - centre, axis=1)) + 0.37
    angles = np.linspace(0, 2 * np.pi, 48)
    return centre, centre + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def lasso(tab: Any, members: np.ndarray, modifier: str = "") -> set[int]:
    """Draws a circle with the mouse; returns the marks that lie within, by their distance."""
    points = places(tab)
    centre, outline = circle_around(points[members])
    radius = np.linalg.norm(outline[0] - centre)
    if modifier:
        tab.keyboard.down(modifier)
    tab.mouse.move(*at(tab, *outline[0]))
    tab.mouse.down()
    for x, y in outline[1:]:
        tab.mouse.move(*at(tab, x, y))
    tab.mouse.up()
    if modifier:
        tab.keyboard.up(modifier)
    distance = np.linalg.norm(points - centre, axis=1)
    assert (abs(distance - radius) > 0.02 * radius).sum() > 50  # few lie where circle and polygon differ
    return set(np.flatnonzero(distance < radius).tolist())


def about(found: set[int], expected: set[int]) -> bool:
    """Equal but for a mark on the outline itself."""
    return len(found ^ expected) <= 1 and len(expected) >= 5


def saved(tab: Any) -> list[list[str]]:
    with tab.expect_download() as download:
        tab.click("#selection-save")
    text = Path(download.value.path()).read_bytes().decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline="")))


@pytest.mark.parametrize("visit", VIEWS, indirect=True, ids=str)
def test_a_lasso_lists_counts_and_saves(visit: Visit, report: Path) -> None:
    tab = opened(visit, report / "clusters.html")
    use(tab, "Lasso")
    expected = lasso(tab, LABELS == 1)
    found = selected(tab)
    assert about(found, expected)
    assert tab.inner_text("#selection-title") == f"Selected by eye: {len(found)} pictures"
    assert "Selected by eye, no p-value" in tab.inner_text("#selection-classes")
    assert tab.locator("#selection-tiles button").count() == len(found)
    green = np.sum(LABELS[list(found)] == 1)
    fold = green / len(found) / np.mean(LABELS == 1)
    first = tab.locator("#selection-table tbody tr").first
    assert first.locator("th").inner_text() == "green"
    assert first.locator("td").all_inner_texts()[0::3] == [str(green), f"{fold:.2g}×"]
    rows = saved(tab)
    assert rows[0][:3] == ["file", "part", "class"]
    assert [row[0] for row in rows[1:]] == [RECORD.paths[i] for i in sorted(found)]
    assert [row[1] for row in rows[1:]] == [RECORD.splits[i] for i in sorted(found)]
    assert tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_shift_adds_alt_takes_away_and_a_box_selects(visit: Visit, pages: Path) -> None:
    tab = opened(visit, pages / "clusters.html")
    use(tab, "Lasso")
    first = lasso(tab, LABELS == 0)
    second = lasso(tab, LABELS == 2, "Shift")
    assert about(selected(tab), first | second)
    lasso(tab, LABELS == 0, "Alt")
    assert about(selected(tab), second - first)
    use(tab, "Box")
    points = places(tab)
    (left, top), (right, bottom) = points[LABELS == 1].min(0) - 3, points[LABELS == 1].max(0) + 3
    tab.mouse.move(*at(tab, left, top))
    tab.mouse.down()
    tab.mouse.move(*at(tab, (left + right) / 2, top))
    tab.mouse.move(*at(tab, right, bottom))
    tab.mouse.up()
    within = np.all((points > [left, top]) & (points < [right, bottom]), axis=1)
    assert selected(tab) == set(np.flatnonzero(within).tolist())
    tab.click("#selection-clear")
    assert selected(tab) == set() and tab.locator("#selection").is_hidden()


def test_a_finger_draws_a_lasso(visit: Visit, report: Path) -> None:
    tab = opened(visit, report / "clusters.html")
    use(tab, "Lasso")
    points = places(tab)
    centre, outline = circle_around(points[LABELS == 1])
    session = visit.context.new_cdp_session(tab)
    session.send("Emulation.setTouchEmulationEnabled", {"enabled": True})
    scroll = tab.evaluate("window.scrollY")
    for k, (x, y) in enumerate(outline):
        touch = dict(zip("xy", at(tab, x, y), strict=True))
        session.send(
            "Input.dispatchTouchEvent", {"type": "touchMove" if k else "touchStart", "touchPoints": [touch]}
        )
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    distance = np.linalg.norm(points - centre, axis=1)
    inside = distance < np.linalg.norm(outline[0] - centre)
    assert about(selected(tab), set(np.flatnonzero(inside).tolist()))
    assert tab.evaluate("window.scrollY") == scroll


def test_the_keyboard_selects_one_a_box_and_all(visit: Visit, report: Path) -> None:
    tab = opened(visit, report / "clusters.html")
    tab.focus("#map-canvas")
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press(" ")
    (first,) = selected(tab)
    assert tab.evaluate("window.vaeMap.state.current") == first
    tab.keyboard.press(" ")
    assert selected(tab) == set()
    tab.keyboard.press("b")
    assert "Box begun" in tab.text_content("#map-said")
    for key in ("ArrowLeft", "ArrowLeft", "ArrowUp", "ArrowUp"):
        tab.keyboard.press(key)
    last = tab.evaluate("window.vaeMap.state.current")
    tab.keyboard.press("b")
    points = places(tab)
    low, high = np.minimum(points[first], points[last]), np.maximum(points[first], points[last])
    within = np.all((points >= low) & (points <= high), axis=1)
    assert first != last and {first, last} <= selected(tab) == set(np.flatnonzero(within).tolist())
    assert tab.text_content("#map-said").endswith("selected")
    tab.locator("#map-legend button").first.click()
    tab.focus("#map-canvas")
    tab.keyboard.press("a")
    assert selected(tab) == set(np.flatnonzero(LABELS != 0).tolist())


def test_formulas_in_names_are_saved_as_text(visit: Visit, tmp_path: Path) -> None:
    names = ['=HYPERLINK("x")', "+1", "-2", "@SUM(A1)", "\t=1", " =1", 'a,"b"\nc.png', "–.png", "ok/=1.png"]
    paths = [*names, *RECORD.paths[len(names) :]]
    page = write_clusters(tmp_path, replace(clusters_record(), map=replace(RECORD, paths=paths)))
    tab = opened(visit, page)
    tab.click("#select-shown")
    rows = saved(tab)
    assert len(rows) == 61
    found = [row[0] for row in rows[1:]]
    assert found[6:] == paths[6:]
    assert found[:6] == [f"'{name}" for name in names[:6]]


@pytest.mark.parametrize("visit", [(390, "light"), (1440, "dark")], indirect=True, ids=str)
def test_what_is_pointed_at_in_one_map_is_shown_in_the_others(visit: Visit, pages: Path) -> None:
    tab = opened(visit, pages / "clusters.html")
    small = tab.locator("#map-minis canvas:visible")
    assert small.count() == 2
    before = small.first.screenshot()
    tab.mouse.move(*at(tab, *places(tab)[17]))
    tab.wait_for_timeout(80)
    assert small.first.screenshot() != before
    assert tab.inner_text("#map-tip .path") == RECORD.paths[tab.evaluate("window.vaeMap.state.current")]
    box = small.first.bounding_box()
    tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    for x in range(10, int(box["width"]), 8):
        for y in range(10, int(box["height"]), 8):
            tab.mouse.move(box["x"] + x, box["y"] + y)
            if tab.locator("#map-tip").is_visible():
                break
        else:
            continue
        break
    assert tab.inner_text("#map-tip .path") in RECORD.paths
    tab.mouse.down()
    tab.mouse.up()
    assert tab.locator("#map-panel dd").first.inner_text() in RECORD.paths
    tab.get_by_role("button", name="UMAP: make it large").click()
    assert tab.get_by_role("radio", name="UMAP").is_checked()
    assert tab.locator("#map-minis figure:visible button").all_inner_texts() == [
        "t-SNE: make it large",
        "PCA: make it large",
    ]


def test_a_chosen_picture_comes_with_reconstruction_and_neighbours(visit: Visit, pages: Path) -> None:
    tab = opened(visit, pages / "clusters.html")
    tab.mouse.click(*at(tab, *places(tab)[20]))
    panel = tab.locator("#map-panel")
    chosen = tab.evaluate("window.vaeMap.state.chosen")
    assert RECORD.neighbours is not None
    names = panel.locator(".near .picture").evaluate_all("all => all.map(b => b.ariaLabel)")
    assert names == [RECORD.paths[i] for i in RECORD.neighbours[chosen]]
    # Reconstructions of every second picture are kept; those of the synthetic page are negatives.
    tab.evaluate("window.vaeMap.choose(20)")
    tab.wait_for_timeout(80)
    shot = np.asarray(Image.open(io.BytesIO(panel.locator("canvas").nth(1).screenshot())).convert("RGB"))
    middle = shot[shot.shape[0] // 2, shot.shape[1] // 2].astype(int)
    assert abs(middle - (255 - COLORS[LABELS[20]].astype(int))).max() < 25
    tab.evaluate("window.vaeMap.choose(21)")
    assert "Reconstructions of 30 of 60 pictures are kept" in panel.inner_text()
    neighbour = panel.locator(".near .picture").first
    name = neighbour.get_attribute("aria-label")
    neighbour.click()
    assert panel.locator("dd").first.inner_text() == name
    panel.get_by_role("button", name="Select these").click()
    assert len(selected(tab)) == 5


def test_finding_makes_stand_out_and_selects(visit: Visit, report: Path) -> None:
    tab = opened(visit, report / "clusters.html")
    plain = tab.locator("#map-canvas").screenshot()
    tab.fill("#map-find", "PERSON 3")
    assert tab.inner_text("#find-count") == "4 pictures found"
    tab.wait_for_timeout(80)
    assert tab.locator("#map-canvas").screenshot() != plain
    tab.click("#find-select")
    assert selected(tab) == {12, 13, 14, 15}
    tab.fill("#map-find", "005.png")
    tab.press("#map-find", "Enter")
    assert "/005.png" in tab.inner_text("#map-panel")
    tab.fill("#map-find", "no such thing")
    assert tab.inner_text("#find-count") == "0 pictures found" and tab.locator("#find-select").is_hidden()


def test_a_latent_colours_but_does_not_crowd(visit: Visit, report: Path) -> None:
    tab = opened(visit, report / "clusters.html")
    tab.mouse.click(*at(tab, *places(tab)[20]))
    assert "latent 2" not in tab.inner_text("#map-panel") + tab.inner_text("#map-tip")
    tab.select_option("#map-color", label="latent 2 (KL 1.2 nats)")
    chosen = tab.evaluate("window.vaeMap.state.chosen")
    value = float(tab.evaluate(f"window.vaeMap.valueOf(window.vaeMap.column(), {chosen})"))
    assert value == pytest.approx(float(RECORD.color_by[-1].values[chosen]), rel=1e-3)
    assert tab.locator("#map-legend canvas").count() == 1


def test_forty_classes_have_forty_letters(visit: Visit, tmp_path: Path) -> None:
    names = [f"person {i}" for i in range(40)]
    column = ColorBy(name="class", kind="category", values=np.arange(80) % 40, categories=names)
    record = replace(clusters_record(80), map=replace(map_record(80), color_by=[column]))
    tab = opened(visit, write_clusters(tmp_path, record))
    letters = tab.locator("#map-legend .letter").all_inner_texts()
    assert len(letters) == 40 and len(set(letters)) == 40
    plain = tab.locator("#map-canvas").screenshot()
    tab.locator("#map-legend button").nth(3).hover()
    tab.wait_for_timeout(80)
    assert tab.locator("#map-canvas").screenshot() != plain  # its two marks stand out


def test_without_pictures_names_are_numbers_in_every_list(visit: Visit, tmp_path: Path) -> None:
    record = replace(clusters_record(), run=replace(RUN, form=PageForm(pictures=False)))
    tab = opened(visit, write_clusters(tmp_path, record))
    tab.mouse.click(*at(tab, *places(tab)[20]))
    assert all(name.startswith("picture ") for name in tab.locator(".near .picture").all_inner_texts())
    tab.click("#select-shown")
    assert [row[0] for row in saved(tab)[1:]] == [f"picture {i + 1}" for i in range(60)]
    assert tab.locator("#map-panel canvas").count() == 0
