"""Texts of strangers stay texts on every page, in a browser; tests/reliability/test_pages.py does it at length."""

import base64
import dataclasses
from pathlib import Path

import numpy as np
import pytest

from reports.anomaly_figures import score_spread
from reports.anomaly_records import ScoreSpread
from reports.cluster_records import ClustersRecord
from reports.maps import map_data
from reports.records import PageForm
from reports.words import visible
from tests.reports.conftest import Visit
from tests.reports.hostile import ATTACKS, look, problems, write_pages
from tests.reports.synthetic import RUN, pages_of_pictures

STUB = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>'


@pytest.mark.slow
@pytest.mark.browser
def test_hostile_texts_stay_texts_on_every_page(
    visit: Visit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reports.figures._render", lambda draw, theme, size, narrow: STUB)
    harmless = write_pages(tmp_path / "harmless", None, PageForm())
    attacked = write_pages(tmp_path / "attacked", 0, PageForm())
    found = {}
    for (plain, names), (page, attacks) in zip(harmless.items(), attacked.items(), strict=True):
        seen = look(visit.tab, plain)
        found[f"{page.parent.name}/{page.name}"] = problems(seen, page, [names, attacks], visit.tab)
    assert len(found) == 18 and not any(found.values()), found


@pytest.mark.browser
def test_the_looks_would_see_an_attack(visit: Visit, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<!doctype html><title>t</title><p>name0x</p>")
    bad = tmp_path / "bad.html"
    bad.write_text(
        "<!doctype html><title>t</title><p>\u202ename0x</p><a href='javascript:1'>x</a>"
        "<script>window.attacked=1</script>"
    )
    found = " ".join(problems(look(visit.tab, page), bad, [["name0x"], ["<b>name0x"]], visit.tab))
    for words in ("a script ran", "other elements", "not shown as it is", "0x202e", "javascript:1"):
        assert words in found, words
    assert look(visit.tab, page)[0] == ["HTML", "HEAD", "TITLE", "BODY", "P"]


def test_what_hides_or_turns_is_shown_as_its_code() -> None:
    assert visible("cod.\u202egnp.exe") == "cod.\\u202egnp.exe"
    assert visible("a\x00\x1b\x85\u200b\udcff") == "a\\u0000\\u001b\\u0085\\u200b\\udcff"
    # Joiners are needed by emoji and by Persian; these texts are written as they are.
    for text in ("naïve 日本語 مرحبا", "👩\u200d🔬", "می\u200cخواهم", "tab\tline\n", "\u00a0–…"):
        assert visible(text) == text


def test_what_a_run_calls_its_maps_and_scores_is_shown_as_its_code() -> None:
    """They are our words, but are read from a file that came with the run."""
    record = next(one for _, one in pages_of_pictures(RUN) if isinstance(one, ClustersRecord)).map
    projection = dataclasses.replace(record.projections[0], name="\u202ePCA", note="\u2066turned\u2069")
    data = map_data(None, dataclasses.replace(record, projections=[projection]))
    assert data["projections"][0]["name"] == "\\u202ePCA"
    assert data["projections"][0]["note"].endswith("\\u2066turned\\u2069")


def test_figures_draw_what_is_no_unicode() -> None:
    spread = ScoreSpread(name="score \udc80", values={"odd \ud83d": np.arange(9.0)}, threshold=4.0)
    svg = score_spread(None, spread).light.partition("base64,")[2]
    assert "odd \ufffd: 4 of 9 above" in base64.b64decode(svg).decode()


def test_there_is_an_attack_of_every_kind() -> None:
    everything = " ".join(ATTACKS)
    for kind in (
        "<script",
        "onerror",
        "javascript:",
        "<style",
        "https://attacker",
        "\u202e",
        "\u200b",
        "\x00",
        "$\\",
    ):
        assert kind in everything
