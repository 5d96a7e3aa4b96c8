"""The forms of a report that leave the house: one file for each page, and pages without pictures and names."""

import base64
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reports.classes import write_classes
from reports.clusters import write_clusters
from reports.interpolation import write_interpolation
from reports.latents import write_latents
from reports.overview import reasons, write_overview
from reports.page import PAGES
from reports.records import PageForm
from reports.words import without_folders
from tests.reports.synthetic import (
    RUN,
    classes_record,
    clusters_record,
    interpolation_record,
    latents_record,
    overview_record,
    write_report,
)

FILES = {file for file, *_ in PAGES.values()}
PRIVATE = "anna_smith"
PICTURE = re.compile(rb"\x89PNG|RIFF....WEBP|\xff\xd8\xff|<image|data:image/(?!svg)", re.DOTALL)


def private_report(folder: Path, form: PageForm) -> Path:
    """Every name that a page can show is somebody's."""
    run = replace(RUN, form=form)
    names = [f"{PRIVATE}_{i:03}.jpg" for i in range(60)]
    overview, latents, clusters = overview_record(), latents_record(), clusters_record()
    interpolation = interpolation_record()
    assert overview.unseen and overview.trained and interpolation.corners
    write_overview(
        folder,
        replace(
            overview,
            run=run,
            unseen=replace(overview.unseen, paths=names[:8]),
            trained=replace(overview.trained, paths=names[:8]),
            skipped=[(f"happy/{name}", f"damaged (/tmp/happy/{name}: bad {name})") for name in names[:7]],
        ),
    )
    strips = [replace(strip, paths=names[:10]) for strip in latents.strips]
    write_latents(folder, replace(latents, run=run, strips=strips))
    kinds, groups, errors, *_ = clusters.map.color_by
    groups = replace(
        groups, categories=[name.removesuffix(".jpg") for name in names[: len(groups.categories)]]
    )
    write_clusters(
        folder,
        replace(
            clusters,
            run=run,
            map=replace(clusters.map, paths=names, color_by=[kinds, groups, errors]),
            clusters=[replace(cluster, paths=names[:12]) for cluster in clusters.clusters],
        ),
    )
    classes = classes_record()
    write_classes(
        folder,
        replace(
            classes,
            run=run,
            classes=[
                replace(
                    shown,
                    typical=replace(shown.typical, paths=names[:3]),
                    misplaced=replace(shown.misplaced, paths=names[3:5]),
                )
                for shown in classes.classes
            ],
        ),
    )
    write_interpolation(
        folder,
        replace(
            interpolation,
            run=run,
            pairs=[replace(pair, a=names[0], b=names[1]) for pair in interpolation.pairs],
            corners=replace(interpolation.corners, corners=names[:4]),
        ),
    )
    return folder


def contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file, and every file within a file."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            yield path.name, data
            for inside in re.findall(rb"data:[\w/+.-]+;base64,([A-Za-z0-9+/=]+)", data):
                yield f"in {path.name}", base64.b64decode(inside)


@pytest.mark.parametrize("single_file", [False, True])
def test_without_pictures_nothing_shows_a_face_or_a_name(tmp_path: Path, single_file: bool) -> None:
    form = PageForm(single_file=single_file, pictures=False)
    found = list(contents(private_report(tmp_path, form)))
    assert len(found) > 10  # the figures are there
    assert [name for name, data in found if PRIVATE.encode() in data] == []
    assert [name for name, data in found if PICTURE.search(data)] == []
    assert {name.rpartition(".")[2] for name, _ in found} <= {"html", "css", "js", "svg"}


def test_the_same_search_finds_them_in_an_ordinary_report(tmp_path: Path) -> None:
    found = list(contents(private_report(tmp_path, PageForm())))
    names = {name for name, data in found if PRIVATE.encode() in data}
    assert names == {"index.html", "latents.html", "clusters.html", "classes.html", "interpolation.html"}
    pictures = {name.rpartition(".")[2] for name, data in found if PICTURE.search(data)}
    assert pictures == {"html", "png", "webp"}


def test_what_consists_of_pictures_only_is_gone_and_said_once(faceless: Path) -> None:
    for file in FILES:
        html = (faceless / file).read_text()
        assert html.count("left out of this report (--no-thumbnails)") == 1
        for other in FILES:
            assert f'href="{other}"' in html
        # No heading without anything below it.
        assert not re.search(r"<h2[^>]*>[^<]*</h2>\s*</section>", html)
    overview = (faceless / "index.html").read_text()
    assert "Reconstructions</h2>" not in overview and "makes up" not in overview
    assert "How good are the reconstructions?" in overview and "0.00459" in overview
    clusters = (faceless / "clusters.html").read_text()
    assert "Cluster 1" in clusters and "30 pictures" in clusters
    assert not (faceless / "interpolation").exists()


def test_skipped_files_are_counted_by_reason_without_their_names() -> None:
    skipped = [
        ("a/anna.jpg", "the file is empty"),
        ("b/bea.jpg", "damaged (cannot read /home/bea/faces/b/bea.jpg)"),
        ("c/eve.jpg", "damaged (cannot read /home/bea/faces/c/eve.jpg)"),
    ]
    assert reasons(skipped) == [("damaged (cannot read …)", 2), ("the file is empty", 1)]


def test_a_page_in_one_file_has_nothing_beside_it_and_leads_nowhere(mailed: Path) -> None:
    assert {path.name for path in mailed.iterdir()} == FILES
    for file in FILES:
        html = (mailed / file).read_text()
        addresses = re.findall(r'(?:src|href|srcset)="([^"]+)"', html)
        assert all(address.startswith(("data:", "#")) for address in addresses)
        assert "<nav" not in html and "'self'" not in html


def test_no_form_mentions_where_it_was_written(tmp_path: Path, drawn_once: None) -> None:
    for name, form in {"plain": PageForm(), "one": PageForm(single_file=True)}.items():
        for _, data in contents(write_report(tmp_path / name, form)):
            assert str(tmp_path).encode() not in data
            assert str(Path.home()).encode() + b"/" not in data


NAMES = st.text(
    st.characters(categories=["L", "N"], include_characters="._-+@"), min_size=1, max_size=8
).filter(lambda name: set(name) != {"."})
FRAMES = [
    "{}",
    "in {} and on",
    "'{}'",
    'open("{}")',
    "--out={} --seed 1",
    "({})",
    "not found: {}.",
    "file://{}",
    "a,{},b",
    "{0} {0}",
]


@given(st.lists(NAMES.map(lambda name: f"Q{name}"), min_size=2, max_size=6), st.sampled_from(FRAMES))
@example(["home", "anna", "faces"], "{}")
def test_only_the_last_name_of_an_absolute_path_survives(parts: list[str], frame: str) -> None:
    text = without_folders(frame.format("/" + "/".join(parts)))
    assert text == frame.replace("file://", "file:").format(parts[-1])


@given(st.text(st.sampled_from("ab /'\"=:\\~."), max_size=40))
def test_no_word_of_any_text_stays_an_absolute_path(text: str) -> None:
    left = without_folders(text)
    for word in re.split(r"[\s'\"=]", left):
        assert not re.match(r"/[^/]+/+[^/]", word), (text, left)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("/home/anna/faces/happy/a.png", "a.png"),
        ("/home/anna", "~"),
        ("/Users/anna/", "~"),
        ("python cli.py train '/data/my faces' --seed 1", "python cli.py train 'my faces' --seed 1"),
        (r"train /data/my\ faces", r"train my\ faces"),
        ("12 pictures/s, runs/00001-faces, ../embed/a.csv, ~/faces", None),
        ("curl http://localhost:8501/v1/models/vae/metadata", None),
        ("/tmp, 1 / 2, and/or/both", None),
    ],
)
def test_what_is_no_absolute_path_stays(text: str, result: str | None) -> None:
    assert without_folders(text) == (text if result is None else result)
