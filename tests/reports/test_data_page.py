"""The page of the pictures themselves."""

import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from reports.data import answer, common_sizes, write_data
from reports.data_records import Copied, DataColumn, DataRecord, Remark, Shown
from reports.records import PageForm, RunFacts, SplitCount
from tests.reports.conftest import Visit
from tests.reports.shapes import CLASSES, HOSTILE, shapes

RUN = RunFacts(
    name="00042-shapes-conv-z6",
    command="python cli.py train shapes/ --latent 6",
    source="shapes/",
    date="21 November 2026",
    versions={"vae_tf": "0.1.0"},
    pages=("index", "data"),
)
COUNTS = [
    SplitCount(split="train", pictures=40, groups=20, classes=dict(zip(CLASSES, (14, 13, 13), strict=True))),
    SplitCount(split="test", pictures=20, groups=11, classes=dict(zip(CLASSES, (6, 7, 7), strict=True))),
]


def data_record() -> DataRecord:
    """Everything that the page can show; some names are hostile."""
    pictures, labels = shapes(60)
    paths = [f"{CLASSES[label]}/{i:03}.png" for i, label in enumerate(labels)]
    splits = ["train" if i % 3 else "test" for i in range(60)]

    def chosen(positions: list[int]) -> dict[str, object]:
        return {
            "pictures": pictures[positions],
            "splits": [splits[i] for i in positions],
            "paths": [paths[i] for i in positions],
        }

    return DataRecord(
        run=RUN,
        image_shape=(24, 24, 3),
        counts=COUNTS,
        num_groups=30,
        remarks=[
            Remark(text="1 picture lies in different parts.", examples=[f"{paths[0]} = {paths[2]}"]),
            Remark(text="1 group has pictures in different parts.", examples=["anna smith"]),
        ],
        sheet=[
            Shown(name=name, total=20, **chosen(np.flatnonzero(labels == i)[:12].tolist()))  # type: ignore[arg-type]
            for i, name in enumerate(CLASSES)
        ],
        copies=[
            Copied(classes=["red", HOSTILE], total=2, **chosen([0, 2])),  # type: ignore[arg-type]
            Copied(similarity=0.9712, **chosen([4, 7])),  # type: ignore[arg-type]
        ],
        num_copies=31,
        search_note="How they were looked for.",
        constant=Shown(name="one colour", total=3, **chosen([5, 6])),  # type: ignore[arg-type]
        original_sizes=[(640, 480, 50), (32, 24, 10)],
        shape_reasons=["24×24, the size that was asked for"],
        light=[("lowest", 0.41, 0.05), ("median", 0.62, 0.13), ("highest", 0.8, 0.2)],
        skipped=[(f"broken/{HOSTILE}.jpg", "not a picture"), ("anna.png", "cannot read /home/me/anna.png")],
        columns=[DataColumn(name="age", kind="number", distinct=31, missing=4)],
        notes=["Only 20 test pictures."],
        source_notes=["people.csv has no row for anna.png."],
        settings=[("data.source", "/home/anna/shapes"), ("seed", "0")],
        estimate=[("Time per epoch", "4 s")],
    )


def bare() -> DataRecord:
    return DataRecord(run=RUN, image_shape=(28, 28, 1), counts=[SplitCount(split="train", pictures=1)])


def test_the_answer_says_how_many_of_what() -> None:
    assert answer(data_record()) == (
        f"60 colour pictures of 24 × 24 pixels in 30 groups: 20 red, 20 green, 20 {HOSTILE}."
    )
    assert answer(bare()) == "1 grey picture of 28 × 28 pixels, without classes."
    assert answer(replace(bare(), image_shape=(30, 40, 3))).startswith("1 colour picture of 40 × 30 pixels")
    tens = {str(digit): 100 for digit in range(10)}
    record = replace(bare(), counts=[SplitCount(split=split, pictures=1000, classes=tens) for split in "ab"])
    assert answer(record) == "2,000 grey pictures of 28 × 28 pixels; 10 classes of 200 pictures each."
    uneven = replace(record, counts=[SplitCount(split="a", pictures=901, classes=tens | {"3": 1})])
    assert answer(uneven).endswith("10 classes of 1 to 100 pictures.")


def test_the_first_thing_told_is_what_is_odd(tmp_path: Path) -> None:
    html = write_data(tmp_path, data_record()).read_text()
    places = [html.index(text) for text in ("30 groups", "Take note", "anna smith", "What they look like")]
    assert places == sorted(places)
    assert "Nothing odd" not in html


def test_nothing_odd_is_said_too_and_no_empty_heading_is_left(tmp_path: Path) -> None:
    html = write_data(tmp_path, bare()).read_text()
    assert "Nothing odd was found" in html and "no file was skipped" in html
    assert re.findall(r"<h2[^>]*>([^<]*)", html) == ["How they are divided", "Files that could not be used"]


def test_all_that_was_found_is_shown(tmp_path: Path) -> None:
    html = write_data(tmp_path, data_record()).read_text()
    for text in (
        "12 of 20 pictures", "Exactly the same", "97.1 % alike", "The first 2 of 31", "2 of 3.", "640 × 480", "0.62",
        "cannot read", "age", "no row for anna.png", "Time per epoch", "/home/anna/shapes", "How they were looked for.",
    ):  # fmt: skip
        assert text in html, text
    assert html.count("<img") == 36 + 4 + 2
    table = html[html.index('id="parts"') : html.index('id="copies"')]
    cells = [re.findall(r"<td>([\d,]+)</td>", row) for row in table.split("<tr>") if "<td>" in row]
    assert [row for row in cells if row][:3] == [["40", "20", "60"], ["20", "11", "30"], ["14", "6", "20"]]


def test_the_page_keeps_the_rules_of_all_pages(tmp_path: Path) -> None:
    html = write_data(tmp_path, data_record()).read_text()
    assert "style=" not in html and HOSTILE not in html and not re.search(r"\son\w+=[\"']", html)
    levels = [int(level) for level in re.findall(r"<h([1-6])", html)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    ids = re.findall(r'\sid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'aria-labelledby="([^"]+)"', html)) <= set(ids)
    assert all(re.search(r'alt="[^"]+"', tag) for tag in re.findall(r"<img[^>]*>", html))


@pytest.mark.parametrize("single_file", [False, True])
def test_without_pictures_no_picture_and_no_name_is_left(tmp_path: Path, single_file: bool) -> None:
    form = PageForm(pictures=False, single_file=single_file)
    html = write_data(tmp_path, replace(data_record(), run=replace(RUN, form=form))).read_text()
    assert "<img" not in html and "data:image" not in html.replace("img-src data:", "")
    assert "anna" not in html and ".png" not in html and "broken/" not in html
    assert "1 picture lies in different parts." in html and "cannot read …" in html and "97.1" not in html
    assert not re.search(r"<h2[^>]*>[^<]*</h2>\s*</section>", html)


def test_a_single_file_needs_no_other(tmp_path: Path) -> None:
    form = PageForm(single_file=True)
    write_data(tmp_path, replace(data_record(), run=replace(RUN, form=form)))
    assert [path.name for path in tmp_path.iterdir()] == ["data.html"]


def test_many_classes_fold_away(tmp_path: Path) -> None:
    classes = {f"class {i}": 2 for i in range(40)}
    record = replace(bare(), counts=[SplitCount(split="train", pictures=80, classes=classes)])
    html = write_data(tmp_path, record).read_text()
    assert "All 40 classes" in html and html.count("class 39") == 1
    assert html.index("<details") < html.index("class 39")


def test_rare_sizes_are_counted_together() -> None:
    sizes = [(100 + i, 50, i + 1) for i in range(12)]
    shown = common_sizes(sizes)
    assert shown[0] == ("111 × 50", 12) and shown[-1] == ("4 other sizes", 1 + 2 + 3 + 4)
    assert sum(files for _, files in shown) == sum(files for *_, files in sizes)


def test_names_that_are_no_unicode_are_still_written(tmp_path: Path) -> None:
    record = replace(data_record(), skipped=[("bad\udcff.png", "broken")])
    assert "bad\\udcff.png" in write_data(tmp_path, record).read_text()


@pytest.mark.browser
@pytest.mark.parametrize("visit", [(390, "light"), (390, "dark"), (1440, "dark")], indirect=True)
@pytest.mark.parametrize("single_file", [False, True])
def test_it_fits_and_all_pictures_load(visit: Visit, tmp_path: Path, single_file: bool) -> None:
    form = PageForm(single_file=single_file)
    tab = visit.open(write_data(tmp_path, replace(data_record(), run=replace(RUN, form=form))))
    assert tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert tab.evaluate("[...document.images].every(i => i.complete && i.naturalWidth && i.alt)")
    assert tab.evaluate("document.images.length") == 42
    assert HOSTILE in tab.inner_text("main")
    # The style applies under the page's policy.
    assert tab.evaluate("getComputedStyle(document.querySelector('.copies')).display") == "grid"
