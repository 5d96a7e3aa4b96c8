"""Label files: what is read from them, which pictures their rows name, and what the columns become."""

import dataclasses
import gzip
import tracemalloc
import unicodedata
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import strategies as st

from vae_tf.config import DataConfig
from vae_tf.data import tables
from vae_tf.data.labels import apply_labels
from vae_tf.data.matching import PictureNames
from vae_tf.data.sources.base import Entry
from vae_tf.data.tables import as_fact, read_table
from vae_tf.errors import UserError


@dataclasses.dataclass
class Listed:
    """A source that only lists its pictures."""

    entries: list[Entry]
    name: str = "listed"
    notes: list[str] = dataclasses.field(default_factory=list)
    facts: dict[str, list[Any]] = dataclasses.field(default_factory=dict)


def listed(*paths: str, classes: bool = False) -> Any:
    return Listed([Entry(path, path.split("/")[0] if classes else None) for path in paths])


def applied(tmp_path: Path, text: str | bytes, source: Any, name: str = "l.csv", **options: Any) -> str:
    """The notes of applying a label file to `source`, joined."""
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    apply_labels(source, DataConfig(source="x", labels=str(path), **options))
    return " ".join(source.notes)


def labels(source: Any) -> list[str | None]:
    return [entry.label for entry in source.entries]


@pytest.mark.parametrize(
    "text",
    [
        "file,label,age\n1.png,happy,3\n2.png,angry,\n",
        "\ufefffile;label;age\r\n1.png;happy;3\r\n\r\n2.png;angry;NA\r\n;;\r\n",
        'file\tlabel\tage\n"1.png"\thappy\t3\n 2.png \tangry\tnan\n',
        ',label,age,\n1.png,"happy",3,\n2.png,angry,,\n',
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_every_delimited_form_says_the_same(tmp_path: Path, text: str, packed: bool) -> None:
    source = listed("1.png", "2.png")
    data = gzip.compress(text.encode()) if packed else text.encode()
    applied(tmp_path, data, source, "l.csv.gz" if packed else "l.txt")
    assert labels(source) == ["happy", "angry"]
    assert source.facts == {"age": [3, None]} and type(source.facts["age"][0]) is int


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {
            "id": [1, 2],
            "label": ["a", "b"],
            "w": [0.5, float("nan")],
            "raw": [b"x", b"y"],
            "ok": [True, False],
        }
    )
    table.to_parquet(tmp_path / "l.parquet")
    source = listed("002.png", "001.png")
    apply_labels(source, DataConfig(source="x", labels=str(tmp_path / "l.parquet")))
    assert labels(source) == ["b", "a"]
    assert source.facts == {"w": [None, 0.5], "ok": [False, True]}
    assert "columns raw" in source.notes[0] and "stem without leading zeros" in source.notes[1]


def test_western_bytes_are_read_and_said(tmp_path: Path) -> None:
    source = listed("1.png", "2.png")
    notes = applied(tmp_path, "file,label\n1.png,fröhlich\n2.png,wütend\n".encode("cp1252"), source)
    assert labels(source) == ["fröhlich", "wütend"] and "cp1252" in notes


@pytest.mark.parametrize(
    ("cells", "fact"),
    [
        (["1", None, "-20"], [1, None, -20]),
        (["1", "2.5", "1e3"], [1.0, 2.5, 1000.0]),
        (["007", "008"], ["007", "008"]),
        (["1", "two"], ["1", "two"]),
        (["=1+1", "__import__('os')"], ["=1+1", "__import__('os')"]),
        (["1234567890123456789012"], ["1234567890123456789012"]),
        (["1,5"], ["1,5"]),
        (["1", "1e999"], ["1", "1e999"]),
        ([None, None], [None, None]),
    ],
)
def test_columns_of_numbers_become_numbers(cells: list[Any], fact: list[Any]) -> None:
    got = as_fact(cells)
    assert got == fact and list(map(type, got)) == list(map(type, fact))


def test_decimal_commas_of_spreadsheets(tmp_path: Path) -> None:
    source = listed("1.png", "2.png")
    applied(tmp_path, "file;height\n1.png;1,5\n2.png;2\n", source)
    assert source.facts == {"height": [1.5, 2.0]}


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ("happy/001.png", ["happy/001.png"]),
        ("/home/me/faces/happy/001.png", ["happy/001.png"]),
        ("C:\\faces\\happy\\001.png", ["happy/001.png"]),
        ("b/7.png", ["deep/b/7.png"]),
        ("001.png", ["happy/001.png", "angry/001.png"]),
        ("001", ["happy/001.png", "angry/001.png"]),
        ("1", ["happy/001.png", "angry/001.png"]),
        ("001.jpg", ["happy/001.png", "angry/001.png"]),
        ("dr.smith", ["dr.smith.png"]),
        (unicodedata.normalize("NFD", "größe.png"), ["größe.png"]),
        ("cat.gif", ["cat.gif#0001", "cat.gif#0002"]),
        ("cat", ["cat.gif#0001", "cat.gif#0002"]),
        ("002", []),
        ("000", ["0.png"]),
        ("faces/happy/001.jpg", ["happy/001.png"]),
        ("deep/b/7", ["deep/b/7.png"]),
        ("v1.0/dr.smith", ["dr.smith.png"]),
        # A value with a folder cannot mean several files.
        ("sad/001.png", []),
        ("", []),
    ],
)
def test_names(value: str, named: list[str]) -> None:
    paths = ["happy/001.png", "angry/001.png", "deep/b/7.png", "dr.smith.png", "größe.png"]
    paths += ["cat.gif#0001", "cat.gif#0002", "0.png"]
    assert [paths[i] for i in PictureNames(paths).match([value]).rows[0]] == named


def test_a_wrong_path_does_not_find_its_namesake() -> None:
    match = PictureNames(["happy/1.png", "angry/2.png"]).match(["happy/1.png", "sad/2.png"])
    assert match.rows == [[0], []]
    assert PictureNames(["happy/1.png", "angry/2.png"]).match(["happy/1.jpg", "sad/2.jpg"]).rows == [[0], []]
    match = PictureNames(["happy/1.png", "angry/2.png"]).match(["x/1.png", "x/2.png"])
    assert match.rows == [[0], [1]] and match.method == "file name"


@hypothesis.given(
    pictures=st.sets(st.integers(0, 40), min_size=1), rows=st.lists(st.integers(0, 40), min_size=1)
)
def test_counts_add_up_both_ways(pictures: set[int], rows: list[int]) -> None:
    paths = [f"f/{number:03d}.png" for number in sorted(pictures)]
    match = PictureNames(paths).match([str(number) for number in rows])
    assert sum(not found for found in match.rows) == sum(row not in pictures for row in rows)
    assert match.num_pictures == len(pictures & set(rows))
    for position, number in enumerate(sorted(pictures)):
        assert match.row_of[position] == (rows.index(number) if number in rows else -1)
    assert len(match.later) == sum(row in pictures for row in rows) - match.num_pictures


def test_both_ways_of_not_matching_are_said(tmp_path: Path) -> None:
    source = listed("a.png", "b.png", "c.png", "d.png")
    text = "who,file,label,age\np,a.png,x,1\nq,b.png,y,2\nr,zz.png,y,3\ns,a.png,y,4\n"
    notes = applied(tmp_path, text, source)
    assert "3 rows name 2 pictures by path (file column file, guessed)" in notes
    assert "1 row names no picture, such as 'zz.png'; 2 pictures have no row, such as 'c.png'" in notes
    assert "1 picture has several rows that differ, such as 'a.png'" in notes
    assert labels(source) == ["x", "y", None, None]
    assert source.facts == {"who": ["p", "q", None, None], "age": [1, 2, None, None]}


def test_a_row_of_a_person_names_all_its_pictures(tmp_path: Path) -> None:
    source = listed("neutral/001.png", "smiling/001.png", "neutral/002.png", "smiling/002.png", classes=True)
    text = "face_id,face_age\n001,24\n002,30\n"
    notes = applied(tmp_path, text, source)
    assert "2 rows name 4 pictures by stem (file column face_id, guessed)" in notes
    assert "2 rows name several pictures, such as '001': neutral/001.png, smiling/001.png" in notes
    assert source.facts == {"face_age": [24, 24, 30, 30]}
    assert labels(source) == ["neutral", "smiling"] * 2
    applied(tmp_path, text, source, group_column="face_id")
    assert [entry.group for entry in source.entries] == ["001", "001", "002", "002"]


TABLE = "file,label,patient_id,split,Species\n" + "".join(
    f"{i}.png,{'ab'[i % 2]},p{i // 2},{'train' if i < 4 else 'Test'},{i}\n" for i in range(6)
)


def test_of_two_columns_that_name_as_many_the_stricter_is_the_files(tmp_path: Path) -> None:
    source = listed("0.png", "1.png", "2.png")
    notes = applied(tmp_path, "id,shown,label\n2,0.png,a\n0,1.png,b\n1,2.png,a\n", source)
    assert "file column shown" in notes and labels(source) == ["a", "b", "a"]


def test_columns_are_guessed_by_name(tmp_path: Path) -> None:
    source = listed(*(f"{i}.png" for i in range(6)))
    notes = applied(tmp_path, TABLE, source)
    assert source.entries[5] == Entry("5.png", "b", "p2", "test")
    assert "Classes come from the column label. Groups come from the column patient_id. Parts come" in notes
    assert source.facts == {"Species": [0, 1, 2, 3, 4, 5]}


def test_columns_that_might_be_classes_are_named_where_none_is(tmp_path: Path) -> None:
    table = "file,age,defect\n" + "".join(f"{i}.png,{20 + i},{i % 2}\n" for i in range(6))
    paths = [f"{i}.png" for i in range(6)]
    notes = applied(tmp_path, table, listed(*paths))
    assert "No column was taken for the classes: --label-column NAME; defect has 2 values." in notes
    for source, options in (
        (listed(*paths), {"label_column": "defect"}),
        (listed(*(f"{'xy'[i % 2]}/{i}.png" for i in range(6)), classes=True), {}),
    ):
        assert "No column" not in applied(tmp_path, table, source, **options)


def test_folders_classes_stay_unless_asked(tmp_path: Path) -> None:
    paths = [f"{'xy'[i % 2]}/{i}.png" for i in range(6)]
    source = listed(*paths, classes=True)
    assert "Classes stay those of the folders" in applied(tmp_path, TABLE, source)
    assert labels(source) == ["x", "y"] * 3 and source.facts["file: label"] == ["a", "b"] * 3
    source = listed(*paths, classes=True)
    applied(tmp_path, TABLE, source, label_column="label")
    assert labels(source) == ["a", "b"] * 3 and "file: label" not in source.facts


@pytest.mark.parametrize(
    ("values", "guessed"),
    [("train val test", True), ("training dev holdout", True), ("test test test", False), ("0 1 2", False),
     ("train big test", False)],
)  # fmt: skip
def test_parts_are_guessed_only_by_known_words(tmp_path: Path, values: str, guessed: bool) -> None:
    source = listed("a.png", "b.png", "c.png")
    rows = zip("abc", values.split(), strict=True)
    applied(tmp_path, "file,set\n" + "".join(f"{name}.png,{value}\n" for name, value in rows), source)
    parts = [entry.part for entry in source.entries]
    assert parts == (["train", "validation", "test"] if guessed else [None] * 3)


def test_split_column_by_numbers_and_its_errors(tmp_path: Path) -> None:
    source = listed("a.png", "b.png", "c.png")
    applied(tmp_path, "file,p\na,0\nb,1\nc,2\n", source, split_column="p")
    assert [entry.part for entry in source.entries] == ["train", "validation", "test"]
    with pytest.raises(UserError, match=r"--split-column p: no part is called '7', 'left'"):
        applied(tmp_path, "file,p\na,train\nb,Left\nc,7\n", source, split_column="p")


def test_rows_are_taken_in_order_only_for_numbered_arrays(tmp_path: Path) -> None:
    text = "label\n" + "".join(f"{i % 3}\n" for i in range(12))
    source = listed(*(f"images/{i:02d}" for i in range(12)))
    assert "matched in order" in applied(tmp_path, text, source)
    assert labels(source) == ["0", "1", "2"] * 4
    with pytest.raises(UserError, match=r"No row of l\.csv names a picture"):
        applied(tmp_path, text, listed(*(f"n{i:02d}.png" for i in range(12))))
    with pytest.raises(UserError, match=r"No row of l\.csv names a picture"):
        applied(tmp_path, text, listed(*(f"images/{i:02d}" for i in range(13))))


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("", {}, "is empty"),
        ("\n \n", {}, "is empty"),
        ("file,label\n", {}, "no rows below its header"),
        ("file,label,label\na.png,1,2\n", {}, "several columns named 'label'"),
        ("file,label\na.png,1,2\n", {}, "is no table: Expected 2 fields in line 2, saw 3"),
        (b"\x89PNG\0\0\0", {}, "holds no text"),
        ("file,label\nz.png,1\n", {}, "file holds 'z.png', the pictures are such as 'a.png'"),
        ("file,gender\na.png,1\n", {"label_column": "gendre"}, "no such column; did you mean gender?"),
        ("file,y\na,1\nb,2\nc,3\n", {"label_column": "y"}, "looks like a name, not a class"),
        ("file,y\na,1\n", {"group_column": "y", "group_by": "(.)"}, "--group-by and --group-column"),
    ],
)
def test_errors_name_what_is_wrong(tmp_path: Path, text: Any, options: Any, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        applied(tmp_path, text, listed("a.png", "b.png", "c.png"), **options)
    assert caught.value.hint and "\n" not in caught.value.message


def test_errors_of_the_file_itself(tmp_path: Path) -> None:
    (tmp_path / "l.xlsx").write_bytes(b"PK")
    (tmp_path / "l.parquet").write_bytes(b"PAR1")
    (tmp_path / "l.csv.gz").write_bytes(b"nothing packed")
    (tmp_path / "damaged.csv.gz").write_bytes(gzip.compress(b"file,label\n" * 9)[:12] + bytes(range(99)))
    for name, message in {
        "none.csv": "does not exist",
        "": "is a folder",
        "l.xlsx": "suffix .xlsx",
        "l.parquet": "no Parquet file",
        "l.csv.gz": "cannot be read",
        "damaged.csv.gz": "cannot be read",
    }.items():
        with pytest.raises(UserError, match=message):
            read_table(tmp_path / name)
    with pytest.raises(UserError, match="--label-column names a column of no file"):
        apply_labels(listed("a.png"), DataConfig(source="x", label_column="y"))


def test_one_file_serves_a_test_set_too(tmp_path: Path) -> None:
    main, test = listed("001.png", "002.png"), listed("happy/003.png", "angry/009.png", classes=True)
    (tmp_path / "l.csv").write_text("id,label,age\n1,happy,20\n2,angry,30\n3,angry,40\n4,angry,50\n")
    apply_labels(main, DataConfig(source="x", labels=str(tmp_path / "l.csv")), test)
    assert labels(main) == ["happy", "angry"] and labels(test) == ["happy", "angry"]
    assert main.facts == {"age": [20, 30]} and test.facts["age"] == [40, None]
    said = " ".join(main.notes)
    assert "3 rows name 3 pictures" in said and "1 row names no picture, such as '4'" in said
    assert "1 picture has no row, such as 'listed/angry/009.png'" in said


def test_fifty_thousand_rows_take_no_quadratic_work(tmp_path: Path) -> None:
    count = 50_000
    source = listed(*(f"d{i % 9}/{i:06d}.jpg" for i in range(count)))
    text = "image_id,label\n" + "".join(f"{i:06d}.jpg,{i % 2}\n" for i in reversed(range(count)))
    applied(tmp_path, text, source)
    assert labels(source) == ["0", "1"] * (count // 2)


def test_a_table_without_header_whose_columns_are_aligned_by_blanks_is_read(tmp_path: Path) -> None:
    source = listed("images/cell0001.png", "images/cell0002.png")
    text = "images/cell0001.png  1.0                 mono\nimages/cell0002.png  0.3333333333333333  poly\n"
    notes = applied(tmp_path, text, source)
    assert source.facts["column 2"] == [1.0, 0.3333333333333333] and source.facts["column 3"] == [
        "mono",
        "poly",
    ]
    assert "no header: its columns are column 1, column 2, column 3" in notes


def test_blanks_inside_cells_cut_nothing_where_commas_do(tmp_path: Path) -> None:
    source = listed("a b.png", "c d.png")
    applied(tmp_path, "file,label\na b.png,very happy\nc d.png,not happy\n", source)
    assert labels(source) == ["very happy", "not happy"]


def test_rows_in_order_must_be_as_many_as_the_pictures(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        applied(tmp_path, "class\nface\nnone\nface\n", listed("images/000", "images/001"))
    assert "2 rows are needed, 3 are there" in caught.value.hint


def test_a_quote_that_is_never_closed_is_told_with_its_row(tmp_path: Path) -> None:
    text = 'file,label\na.png,happy\nb.png,"sad\n' + "c.png,sad\n" * 20_000 + '"'
    with pytest.raises(UserError, match="row 3 has a cell of 200,0") as caught:
        applied(tmp_path, text, listed("a.png", "b.png"))
    assert "never closed" in caught.value.hint


def test_long_cells_are_not_quoted_whole(tmp_path: Path) -> None:
    cells = ["x" * 9_000 + f"{i}.png" for i in range(3)]
    text = "file,label\na.png,happy\n" + "".join(f"{cell},sad\n" for cell in cells)
    notes = applied(tmp_path, text, listed("a.png", "b.png"))
    assert "3 rows name no picture" in notes and len(notes) < 500
    with pytest.raises(UserError) as caught:
        applied(tmp_path, f"file,label\n{cells[0]},happy\n", listed("a.png"))
    assert len(caught.value.message) < 300


def test_a_packed_table_that_unpacks_without_end_is_refused(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(tables, "LARGEST_TABLE", 1000)
    with pytest.raises(UserError, match="more than 1,000 bytes"):
        applied(tmp_path, gzip.compress(b"file,label\n" * 100), listed("a.png"), name="l.csv.gz")


def test_tables_of_more_cells_or_columns_than_anybody_writes_are_refused(
    tmp_path: Path, monkeypatch: Any
) -> None:
    source = listed("a.png", "b.png")
    monkeypatch.setattr(tables, "LARGEST_NUM_CELLS", 8)
    applied(tmp_path, "file,label\na.png,x\nb.png,y\n", source)
    with pytest.raises(UserError, match="more than 8 cells"):
        applied(tmp_path, "file,label\na.png,x\nb.png,y\n,\n,\n", source)
    pd.DataFrame({"file": ["a.png"] * 5, "label": ["x"] * 5}).to_parquet(tmp_path / "l.parquet")
    with pytest.raises(UserError, match="more than 8 cells"):
        apply_labels(source, DataConfig(source="x", labels=str(tmp_path / "l.parquet")))
    monkeypatch.setattr(tables, "LARGEST_NUM_COLUMNS", 3)
    with pytest.raises(UserError, match="has 4 columns; at most 3"):
        applied(tmp_path, "file,label,a,b\n", source)


def test_a_text_that_a_parquet_file_holds_once_for_many_rows_is_not_copied(tmp_path: Path) -> None:
    num_rows, text = 20_000, "x" * 10_000
    rows = pa.DictionaryArray.from_arrays(np.zeros(num_rows, np.int32), [text])
    path = tmp_path / "l.parquet"
    pq.write_table(pa.table({"label": rows}), path, store_schema=False)
    tracemalloc.start()
    (column,) = read_table(path).columns.values()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert column == [text] * num_rows
    assert most < 10e6


def test_rows_that_end_early_are_said(tmp_path: Path) -> None:
    source = listed("a.png", "b.png", "c.png", "d.png")
    text = "file,label,age\na.png,happy,3\nb.png,4\nc.png,sad,\nd.png,sad\n"
    notes = applied(tmp_path, text, source)
    assert (
        "l.csv: 2 rows have fewer cells than the header, such as row 3; the last ones are unknown." in notes
    )
    assert source.facts["age"] == [3, None, None, None]


def test_paths_of_thousands_of_folders_take_no_quadratic_work(tmp_path: Path) -> None:
    names = ["a/" * 20_000 + f"{i}.png" for i in range(20)]
    source = listed(*names, "x/1.png")
    text = "file,label\n" + "".join(f"{name},{i % 2}\n" for i, name in enumerate(names))
    tracemalloc.start()
    applied(tmp_path, text + "../" * 30_000 + "x/1.png,2\n", source)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert labels(source) == ["0", "1"] * 10 + ["2"] and peak < 50_000_000
