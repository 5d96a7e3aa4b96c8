"""Pages against strangers' texts: every attack in every place, in every form, figures drawn in earnest."""

import shutil
from collections import Counter
from pathlib import Path

import pytest

from reports.records import PageForm
from tests.reliability.tries import tries
from tests.reports.conftest import Visit, browser, drawn_once  # noqa: F401
from tests.reports.hostile import ATTACKS, Seen, look, problems, write_pages

pytestmark = [pytest.mark.slow, pytest.mark.browser]
FORMS = {
    "files beside": PageForm(),
    "single file": PageForm(single_file=True),
    "without pictures": PageForm(pictures=False),
}
STUB = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>'


def look_through(
    folder: Path, turn: int, form: PageForm, harmless: list[tuple[Seen, list[str]]], tab: Visit
) -> tuple[int, list[str]]:
    """Number of texts that attacked, and what was wrong; `harmless` is what was seen of each page, and its names."""
    wrong, count = [], 0
    for (seen, names), (page, attacks) in zip(harmless, write_pages(folder, turn, form).items(), strict=True):
        found = problems(seen, page, [names, attacks], tab.tab)
        wrong += [f"{page.parent.name}/{page.name}, turn {turn}: {one}" for one in found + tab.complaints]
        wrong += [f"{page.name} asks for {url[:80]}" for url in tab.requests if not url.startswith(SAFE)]
        tab.complaints.clear()
        tab.requests.clear()
        count += len(attacks)
    return count, wrong


SAFE = ("file:", "data:", "blob:")


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", FORMS)
def test_every_text_as_every_attack(kind: str, browser, tmp_path: Path, monkeypatch, capsys) -> None:  # noqa: F811
    monkeypatch.setattr("reports.figures._render", lambda draw, theme, size, narrow: STUB)
    counted, wrong = Counter[str](), list[str]()
    visit = Visit(browser, 1280, "light")
    plain = write_pages(tmp_path / "harmless", None, FORMS[kind])
    harmless = [(look(visit.tab, page), names) for page, names in plain.items()]
    visit.context.close()
    for turn in range(tries(len(ATTACKS))):
        visit = Visit(browser, 1280, "light")
        count, found = look_through(tmp_path / str(turn), turn, FORMS[kind], harmless, visit)
        visit.context.close()
        shutil.rmtree(tmp_path / str(turn))
        counted.update(texts=count, pages=18)
        wrong += found
    with capsys.disabled():
        print(f"\npages, {kind}: {dict(counted)}, {len(wrong)} problems")
    assert not wrong, (Counter(one.split(",")[0] for one in wrong), wrong[:20])


@pytest.mark.timeout(3600)
def test_figures_draw_hostile_names(browser, tmp_path: Path, capsys) -> None:  # noqa: F811
    """Names get into SVG files, which are XML: one control character would make them unreadable."""
    turns = range(0, len(ATTACKS), max(1, len(ATTACKS) // tries(7)))
    broken, total = [], 0
    for turn in turns:
        visit = Visit(browser, 1280, "light")
        for page in write_pages(tmp_path / str(turn), turn, PageForm()):
            visit.open(page)
            visit.tab.wait_for_timeout(150)
            broken += visit.tab.evaluate(
                "[...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src.slice(-60))"
            )
            total += visit.tab.evaluate("document.images.length")
            broken += visit.complaints
        visit.context.close()
    with capsys.disabled():
        print(f"\npictures and figures on pages of hostile names: {total}, {len(broken)} broken")
    assert not broken, broken[:20]
