"""What looks for numbers that are none finds them, wherever they stand, and takes no word for one."""

from pathlib import Path

import pytest

from tests.reliability.numbers_in_files import faults

SVG = '<svg xmlns="http://www.w3.org/2000/svg">{}</svg>'
FOUND = {
    "a.json": '{"loss": [1, NaN]}',
    "b.json": '{"loss": -Infinity}',
    "c.json": "{",
    "d.jsonl": '{"loss": 1}\n{"loss": NaN}\n',
    "e.html": "<p>The distance is nan.</p>",
    "o.html": "<p>from 1 to nan. The rest</p>",
    "f.html": '<img alt="KL = inf">',
    "g.html": "<td>−∞</td>",
    "h.html": "<td>nan %</td>",
    "i.html": '<script type="application/json">[1, NaN]</script>',
    "j.html": "<p>a\x1bb</p>",
    "k.svg": SVG.format('<path d="M 0 nan"/>'),
    "l.svg": "<svg>",
    "m.csv": "name,loss\na,nan\n",
    "n.csv": "name,loss\na,-inf\n",
}
RIGHT = {
    "a.json": '{"name": "nan"}',
    "b.html": "<p>Banana, infinite, nanometre; nan-1.png, nan.png, a_nan</p><style>p { nan: inf }</style>",
    "g.html": "<script>let least = Infinity</script>",
    "c.html": "<td>NaN where not known</td>",
    "d.svg": SVG.format('<path d="M 0 1"/>'),
    "e.csv": "name,loss\nbanana,1.5\n",
    "f.txt": "nan",
}


@pytest.mark.parametrize("name", FOUND)
def test_a_number_that_is_none_is_found(name: str, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).write_text(FOUND[name])
    (fault,) = faults(tmp_path)
    assert fault.startswith(f"run/{name}: ")


@pytest.mark.parametrize("name", RIGHT)
def test_a_word_is_no_number(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(RIGHT[name])
    assert faults(tmp_path) == []
