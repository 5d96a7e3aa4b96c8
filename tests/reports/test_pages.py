"""The written files, without a browser."""

import json
import re
from dataclasses import replace
from functools import partial
from html import unescape
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from reports import page as page_module
from reports.export import write_export
from reports.latents import line_in_words
from reports.overview import units_in_words, write_overview
from reports.page import PAGES, json_for_script, write_asset
from reports.quality import quality_table
from reports.records import OverviewRecord, Quality, RunFacts
from reports.traversal_records import Link, Walk
from reports.traversals import goes_with
from reports.words import bytes_in_words, number, p_value, percent, said_p, score
from tests.reports.shapes import HOSTILE
from tests.reports.synthetic import export_record, latents_record, overview_record

BARE = RunFacts(name="r", command="c", source="s", date="d", versions={}, pages=("index",))


def test_an_asset_is_written_once_and_named_by_its_content(tmp_path: Path) -> None:
    first = write_asset(tmp_path, "a.css", b"one")
    assert write_asset(tmp_path, "a.css", b"one") == first
    assert write_asset(tmp_path, "a.css", b"two") != first
    assert re.fullmatch(r"assets/a-[0-9a-f]{12}\.css", first)
    assert len(list((tmp_path / "assets").iterdir())) == 2


def test_json_cannot_leave_its_script_element() -> None:
    data = {"name": "</script><!-- & \u2028\u2029 é \udc80"}
    text = str(json_for_script(data))
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == data


def test_json_refuses_what_a_browser_cannot_parse() -> None:
    with pytest.raises(ValueError):
        json_for_script([float("nan")])


def test_all_pages_share_one_style_and_exist_in_the_navigation(report: Path) -> None:
    assert len(list((report / "assets").glob("report-*.css"))) == 1
    for file, *_ in PAGES.values():
        html = (report / file).read_text()
        for other, *_ in PAGES.values():
            assert f'href="{other}"' in html
        assert "00042-shapes-conv-z6" in html


def test_no_page_has_inline_styles_scripts_or_raw_markup(report: Path) -> None:
    for file, *_ in PAGES.values():
        html = (report / file).read_text()
        assert "style=" not in html
        assert HOSTILE not in html
        assert not re.search(r"\son\w+=[\"']", html)


def test_every_address_in_a_page_exists(report: Path) -> None:
    for file, *_ in PAGES.values():
        html = (report / file).read_text()
        for address in re.findall(r'(?:src|href|srcset|data-strip|data-moving|data-still)="([^"]+)"', html):
            if not address.startswith(("data:", "#", "../")):
                assert (report / address).exists(), (file, address)


@pytest.mark.parametrize("asks_server", [False, True])
@pytest.mark.parametrize("single_file", [False, True])
def test_no_page_may_reach_anything_but_itself(tmp_path: Path, single_file: bool, asks_server: bool) -> None:
    """Neither another address, nor text of the page that is no script or style of ours."""
    form = page_module._inside if single_file else partial(page_module._beside, tmp_path)
    rules = {
        name: set(places)
        for name, *places in map(str.split, form(("slider.js",), asks_server)["policy"].split(";"))
    }
    assert {"default-src", "script-src", "style-src", "img-src", "base-uri", "form-action"} <= set(rules)
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == {"'none'"}
    assert rules.get("connect-src") == ({"'self'"} if asks_server else None)
    own = {"'none'"} if single_file else {"'none'", "'self'"}
    for name in ("script-src", "style-src"):
        assert all(place in own or place.startswith("'sha256-") for place in rules[name]), rules
    assert rules["img-src"] <= {*own, "data:", "blob:"}


def test_headings_go_down_one_level_at_a_time(report: Path) -> None:
    for file, *_ in PAGES.values():
        levels = [int(level) for level in re.findall(r"<h([1-6])", (report / file).read_text())]
        assert levels[0] == 1 and levels.count(1) == 1
        assert all(after - before <= 1 for before, after in pairwise(levels))


def test_a_page_of_a_bare_run_has_only_what_there_is(tmp_path: Path) -> None:
    record = OverviewRecord(run=BARE, answer="It works.", trained_on="4 pictures", next_command="next")
    html = write_overview(tmp_path, record).read_text()
    assert "It works." in html
    assert "<nav" not in html and "<table" not in html and "<h2" not in html


def test_names_that_are_no_unicode_are_still_written(tmp_path: Path) -> None:
    record = replace(
        overview_record(), curves=(), kl_per_dimension=None, skipped=[("bad\udcff.png", "broken")]
    )
    assert "bad\\udcff.png" in write_overview(tmp_path, record).read_text()


def test_figures_come_out_the_same_twice(report: Path, tmp_path: Path) -> None:
    write_overview(tmp_path, overview_record())
    made = {path.name for path in (tmp_path / "assets").iterdir()}
    assert made <= {path.name for path in (report / "assets").iterdir()}


def test_the_better_method_is_marked_for_each_measure_and_split() -> None:
    def cell(measure: str, method: str, value: float) -> Quality:
        lower = measure == "MSE"
        return Quality(measure=measure, method=method, split="test", value=value, lower_is_better=lower)

    cells = [
        cell("MSE", "VAE", 2.0),
        cell("MSE", "PCA", 1.0),
        cell("SSIM", "VAE", 0.9),
        cell("SSIM", "PCA", 0.8),
    ]
    assert quality_table(cells)["best"] == {("test", "PCA", "MSE"), ("test", "VAE", "SSIM")}
    assert quality_table(cells[:1])["best"] == set()


def test_units_are_told_in_words() -> None:
    assert units_in_words(np.array([0.0, 0.05])).startswith("The model ignores")
    assert units_in_words(np.array([1.0, 0.05])).startswith("1 of 2 latent dimensions")
    assert units_in_words(np.array([1.0, 2.0])).startswith("All 2 latent dimensions")


def test_an_export_that_differs_says_so_first(tmp_path: Path) -> None:
    record = export_record()
    encode = record.signatures[0]
    for largest in (0.5, float("nan")):
        wrong = replace(encode, differences=[replace(encode.differences[0], largest=largest)])
        html = write_export(tmp_path, replace(record, signatures=[wrong])).read_text()
        assert "does NOT give" in html and "differs" in html


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.00475, "0.00475"),
        (0.0, "0"),
        (-1.5, "−1.50"),
        (12345.6, "12,346"),
        (999.6, "1,000"),
        (2e-7, "2.00\u00a0×\u00a010⁻⁷"),
        (None, "–"),
        (float("nan"), "–"),
        (float("inf"), "∞"),
    ],
)
def test_numbers_are_readable(value: float | None, text: str) -> None:
    assert number(value) == text


def test_other_figures_are_readable() -> None:
    assert [p_value(p) for p in (0.4, 0.0001, 0.0457, None)] == ["0.40", "< 0.001", "0.046", "–"]
    assert [said_p(p) for p in (0.4, 0.0001)] == ["p = 0.40", "p < 0.001"]
    assert [score(s) for s in (0.54, -0.001, -0.1, None)] == ["0.54", "0.00", "−0.10", "–"]
    assert [percent(0.304), percent(0.0456, 1), percent(-0.02)] == ["30 %", "4.6 %", "−2 %"]
    assert [bytes_in_words(b) for b in (12, 17_200_000)] == ["12 bytes", "17.2 MB"]


def test_a_line_with_holes_says_how_many_steps_have_no_code():
    record = latents_record().line
    assert "10 equal steps" in line_in_words(record) and "3 lie where no picture" in line_in_words(record)
    assert "no holes" in line_in_words(replace(record, counts=[1] * 10))


def test_a_number_and_its_sign_stay_on_one_line_but_names_of_files_stay_themselves() -> None:
    said = str(
        page_module._environment().from_string("{{ text }}").render(text="80 % of them (p = 0.03), 5 %.")
    )
    assert said == "80\u00a0% of them (p\u00a0=\u00a00.03), 5\u00a0%."
    assert page_module._environment().from_string("{{ text }}").render(text="100 %.png") == "100 %.png"


def test_a_command_is_copied_as_it_was_typed(tmp_path: Path) -> None:
    typed = 'python cli.py train "the best 5 %, p = 3" --latent 30'
    record = OverviewRecord(run=replace(BARE, command=typed), answer="", trained_on="", next_command=typed)
    html = unescape(write_overview(tmp_path, record).read_text())
    assert f"<code>{typed}</code>" in html and f'<code class="command">{typed}</code>' in html


def test_a_dimension_goes_with_the_factor_that_is_beyond_chance_not_with_a_stronger_one_that_is_not() -> None:
    stronger = Link(factor="hair", kind="eta", strength=0.99, p=1.0)
    sure = Link(factor="hue", kind="spearman", strength=-0.36, p=0.04)
    walk = Walk(
        dimension=0, frames=np.zeros((1, 1, 1, 1, 1), np.uint8), values=[0.0], changed=np.zeros((1, 1))
    )
    assert goes_with(replace(walk, links=[stronger, sure])) == "goes with hue, ρ = −0.36"
    assert goes_with(replace(walk, links=[stronger])).startswith("no factor beyond chance (strongest: hair")
    assert goes_with(walk) == ""
