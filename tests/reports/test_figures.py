"""Where labels lie in the drawn figures."""

import base64
import re
import warnings
from collections.abc import Iterator

import numpy as np

from reports.figures import Figure, confusion_matrix, draw_figure, kl_bars, learning_curves
from reports.records import Confusion
from tests.reports.synthetic import curves, write_report

TEXT = re.compile(r'<text[^>]* x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)</text>')
DRAWN = re.compile(r'<path d="([^"]*)"[^>]*clip-path')  # what is cut at the edges of a panel


def wide_and_narrow(figure: Figure) -> Iterator[tuple[dict[str, tuple[float, float]], np.ndarray]]:
    """The places of all texts by text, and all corners (x, y) of lines and bars; y grows downwards."""
    for address in (figure.light, figure.narrow_light):
        svg = base64.b64decode(address.partition(",")[2]).decode()
        places = {text.strip(): (float(x), float(y)) for x, y, text in TEXT.findall(svg)}
        corners = [pair for path in DRAWN.findall(svg) for pair in re.findall(r"([\d.-]+) ([\d.-]+)", path)]
        yield places, np.array(corners, float)


def test_the_legend_of_the_curves_lies_on_no_line() -> None:
    figure = learning_curves(None, curves(), 62)
    assert figure
    for places, _ in wide_and_narrow(figure):
        titles = [y for text, (_, y) in places.items() if text.endswith(", nats")]
        assert len(titles) == 4
        assert all(places[text][1] < min(titles) for text in ("training", "validation", "kept"))


def test_the_label_of_the_line_lies_beside_all_bars_even_if_all_are_higher() -> None:
    for places, corners in wide_and_narrow(kl_bars(None, np.array([3.0, 2.0, 1.5]))):
        x, y = places["0.1 nat"]
        assert corners[:, 0].max() < x
        assert corners[:, 1].min() < y < corners[:, 1].max()


def test_long_names_of_classes_leave_the_matrix_room(tmp_path):
    names = ["a name that no axis of a phone could ever hold", "b" * 80, "c"]
    confusion = Confusion(title="t", rows=names, columns=names, counts=np.eye(3, dtype=int))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = confusion_matrix(tmp_path, confusion)
    assert "b" * 23 + "…" in (tmp_path / figure.narrow_light).read_text()


def without_ids(address: str) -> str:
    """Names of clips and markers are made of what they hold, colours among it."""
    svg = base64.b64decode(address.partition(",")[2]).decode()
    return re.sub(r'(id="|#)[a-zA-Z]+[0-9a-f]{8,}', r"\1", svg)


def test_a_figure_recoloured_is_the_figure_drawn_in_dark_colours(tmp_path, monkeypatch) -> None:
    drawn = []

    def both(folder, name, draw, alt, height=3.0, narrow_height=None, mixes_colors=False):
        recoloured = draw_figure(None, name, draw, alt, height, narrow_height, mixes_colors)
        in_earnest = draw_figure(None, name, draw, alt, height, narrow_height, mixes_colors=True)
        for variant in ("dark", "narrow_dark"):
            assert without_ids(getattr(recoloured, variant)) == without_ids(getattr(in_earnest, variant)), (
                name
            )
        drawn.append(name)
        return recoloured

    modules = ("figures", "training_figures", "anomaly_figures", "feature_figures", "probe")
    for module in modules:
        monkeypatch.setattr(f"reports.{module}.draw_figure", both)
    write_report(tmp_path)
    assert {"curves", "kl", "bic", "stability", "reliability", "probe", "anomaly-scores", "steps"} <= set(
        drawn
    )
