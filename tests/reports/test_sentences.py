"""The pages that only sentences have."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from reports.records import PageForm, RunFacts, SplitCount
from reports.sentences import write_homotopies, write_text_overview
from reports.text_records import HomotopiesRecord, Homotopy, Rebuilt, TextOverviewRecord, TextScore
from tests.reports.shapes import HOSTILE
from tests.reports.synthetic import curves

RUN = RunFacts(
    name="00007-lines-sentence-z4",
    command="python cli.py train lines.txt --recipe sentence",
    source="lines.txt",
    date="21 November 2026",
    versions={},
    pages=("index", "interpolation"),
    noun="sentence",
)
SECRET = "nobody may read this"


def overview_record() -> TextOverviewRecord:
    pair = Rebuilt(original=SECRET, greedy=HOSTILE, beam="")
    return TextOverviewRecord(
        run=RUN,
        answer="Unseen sentences cost at most 40 nats each.",
        trained_on="80 sentences",
        next_command="python cli.py embed",
        rebuilt=[("test", [pair])],
        scores=[TextScore(split="test", num=9, reconstruction=38.0, kl=2.5, elbo=-40.5, perplexity=61.0)],
        samples=[replace(pair, original="")],
        kl_per_dimension=np.array([2.0, 0.5, 0.0]),
        curves=curves(),
        counts=[SplitCount(split="train", pictures=80, classes={"calm": 80})],
        skipped=[("line 3", "70 words, and 40 are the most (--longest)")],
    )


def homotopies_record() -> HomotopiesRecord:
    path = Homotopy(
        a=SECRET, b="b", linear=["x", "", "y"], spherical=["x", "z", "y"], split_a="test", split_b="typed"
    )
    return HomotopiesRecord(
        run=RUN, answer="1 path.", pairs=[path], class_means=[replace(path, unknown=["wombat"])]
    )


def test_overview_says_what_there_is(tmp_path: Path) -> None:
    html = write_text_overview(tmp_path, overview_record()).read_text()
    for text in ("40.5", "2.50", "61.0", SECRET, "(empty)", "line 3", "what lies between two sentences"):
        assert text in html, text
    assert HOSTILE not in html and "style=" not in html
    assert "2 of 3 latent dimensions are in use" in html


def test_homotopies_are_tables_of_steps(tmp_path: Path) -> None:
    html = write_homotopies(tmp_path, homotopies_record()).read_text()
    assert html.count("50 %") == 2 and "wombat" in html and "(empty)" in html and SECRET in html


def test_no_sentence_is_left_where_they_are_left_out(tmp_path: Path) -> None:
    run = replace(RUN, form=PageForm(pictures=False))
    pages = [
        write_text_overview(tmp_path, replace(overview_record(), run=run)),
        write_homotopies(tmp_path, replace(homotopies_record(), run=run)),
    ]
    for page in pages:
        html = page.read_text()
        assert SECRET not in html and "Sentences were left out" in html
