"""Promise: a label file of any bytes is read, or refused in a line; nothing of it is lost or changed in silence."""

import csv
import gzip
import io
import itertools
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import cli
from tests.reliability.attempts import check, each, figures, read_all
from tests.reliability.bad_files import damaged
from tests.reliability.odd_pictures import QUICK, noise
from tests.reliability.reading import NAMES
from tests.reliability.tries import tries
from vae_tf.artifacts.runs import all_runs

pytestmark = pytest.mark.timeout(3600)

ROWS = [(name, "happy" if i % 3 else "sad", str(i // 2), str(0.5 * i)) for i, name in enumerate(NAMES)]
PLAIN = "file,label,person,age\n" + "".join(f"{','.join(row)}\n" for row in ROWS)


def written(rows: list[tuple[str, ...]], name: str = "label") -> bytes:
    """A table of pictures and one column."""
    lines = [("file", name), *rows]
    return "".join(f'{file},"{value}"\n' for file, value in lines).encode()


def with_label(value: str) -> bytes:
    return written([(name, value if i % 2 else "b") for i, name in enumerate(NAMES)])


def made_on_purpose() -> Iterator[tuple[str, bytes]]:
    yield "plain.csv", PLAIN.encode()
    yield "mark.csv", PLAIN.encode("utf-8-sig")
    yield "utf-16.csv", PLAIN.encode("utf-16")
    yield "utf-16 without its mark.csv", PLAIN.encode("utf-16-le")
    yield "half a utf-16.csv", PLAIN.encode("utf-16")[:-1]
    yield "utf-32.csv", PLAIN.encode("utf-32")
    yield "western.csv", PLAIN.replace("happy", "fröhlich").encode("latin-1")
    yield "not utf-8 at its end.csv", PLAIN.encode() + b"\xff\xfe"
    yield "duplicates.csv", (PLAIN + PLAIN.replace("happy", "angry").partition("\n")[2]).encode()
    yield "two columns of a name.csv", PLAIN.replace("person", "label").encode()
    yield "formulas.csv", with_label("=cmd|' /C calc'!A0")
    yield "script.csv", with_label("<script>alert(1)</script>")
    yield "nul.csv", PLAIN.replace("sad", "s\0d").encode()
    yield "control.csv", PLAIN.replace("sad", "s\x1b[31md\x07").encode()
    yield "ragged short.csv", PLAIN.replace("happy,", "").encode()
    yield "ragged long.csv", PLAIN.replace("happy,", "happy,,,").encode()
    yield "one long row.csv", PLAIN.encode() + b"," * 1000 + b"\n"
    yield "no header.csv", PLAIN.partition("\n")[2].encode()
    yield "only a header.csv", b"file,label\n"
    yield "empty.csv", b""
    yield "blank.csv", b"\n\r\n  \n\t\n"
    yield "one cell.csv", b"file"
    yield "carriage returns.csv", PLAIN.replace("\n", "\r").encode()
    yield "cells of 10 MB.csv", with_label("x" * 10_000_000)
    yield "cells of 6 MB.csv", with_label("x" * 6_000_000)
    yield "a name of 10 MB.csv", PLAIN.replace("label", "l" * 10_000_000).encode()
    yield "a quote never closed.csv", PLAIN.replace("happy", '"happy', 1).encode() + PLAIN.encode() * 3000
    yield "quotes.csv", b'"' * 1_000_000
    yield (
        "ten thousand columns.csv",
        b"file,"
        + b",".join(b"c%d" % i for i in range(10_000))
        + b"\n"
        + b"".join(name.encode() + b",1" * 10_000 + b"\n" for name in NAMES),
    )
    yield "a million columns.csv", b"file" + b"," * 1_000_000 + b"\n"
    yield "a million lines.csv", PLAIN.encode() + b"x,y,z,1\n" * 1_000_000
    yield "blank lines.csv", PLAIN.encode() + b"\n" * 3_000_000
    yield (
        "numbers.csv",
        written(
            [(name, v) for name, v in zip(NAMES, ("1e999", "-1e999", "nan", "0x10") * 10, strict=True)], "n"
        ),
    )
    yield "digits.csv", written([(name, "9" * 5000) for name in NAMES], "n")
    yield (
        "infinite.csv",
        written([(name, v) for name, v in zip(NAMES, ("inf", "Infinity") * 20, strict=True)], "n"),
    )
    yield (
        "our own names.csv",
        PLAIN.replace("label", "path").replace("person", "split").replace("age", "__proto__").encode(),
    )
    yield "regular expressions.csv", written([("(a+)+$", "x") for _ in NAMES])
    yield "deep paths.csv", written([("../" * 2000 + name, "x") for name in NAMES])
    yield "bomb.csv.gz", gzip.compress(bytes(2**31 - 1), 9)
    yield "bomb of cells.csv.gz", gzip.compress(b"file,label\n" + b",\n" * 60_000_000, 1)
    yield "bomb of cells.parquet", constant_parquet(100_000_000)
    yield "bomb of a text.parquet", repeated_parquet("a" * 10**6, 100_000)
    yield "cut.csv.gz", gzip.compress(PLAIN.encode())[:-20]
    yield (
        "damaged.csv.gz",
        gzip.compress(PLAIN.encode())[:15] + b"\xff" * 30 + gzip.compress(PLAIN.encode())[45:],
    )
    yield "no gzip.csv.gz", PLAIN.encode()
    yield "a picture.csv", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(200)
    yield "empty.parquet", b""
    yield "only its magic.parquet", b"PAR1" * 8
    yield "semicolons.tsv", PLAIN.replace(",", ";").encode()


def constant_parquet(num_rows: int) -> bytes:
    """A million rows at a time of one value, which takes some bytes."""
    stream = io.BytesIO()
    rows = pa.table({"file": pa.repeat("a", 10**6), "label": pa.repeat("b", 10**6)})
    with pq.ParquetWriter(stream, rows.schema) as writer:
        for _ in range(num_rows // 10**6):
            writer.write_table(rows)
    return stream.getvalue()


def repeated_parquet(text: str, num_rows: int) -> bytes:
    """A text that is there once, and a number of rows that are said to hold it."""
    rows = pa.DictionaryArray.from_arrays(pa.array(np.zeros(num_rows, np.int32)), pa.array([text]))
    stream = io.BytesIO()
    table = pa.table({"file": pa.repeat("a", num_rows), "label": rows}).replace_schema_metadata()
    pq.write_table(table, stream, dictionary_pagesize_limit=2**30, store_schema=False)
    return stream.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tables").mkdir()
    return tmp_path / "tables"


@pytest.mark.slow
def test_tables_made_on_purpose(folder: Path) -> None:
    for name, data in made_on_purpose():
        (folder / name).write_bytes(data)
    results = read_all("tables", folder)
    names = sorted(path.name for path in folder.iterdir())
    print(f"\n{figures(results, ['made on purpose'] * len(results))}\n{each(results, names)}")
    check(results, names)


@pytest.mark.slow
def test_damaged_tables(folder: Path) -> None:
    frame = pd.DataFrame(ROWS, columns=["file", "label", "person", "age"])
    frame.to_parquet(folder.with_name("l.parquet"))
    packed = folder.with_name("l.parquet").read_bytes()
    data = {"csv": PLAIN.encode(), "csv.gz": gzip.compress(PLAIN.encode()), "parquet": packed}
    chance, kinds = random.Random(0), []
    for number in range(tries(3000)):
        suffix = ("csv", "csv.gz", "parquet")[number % 3]
        _, changed = damaged(data[suffix], chance, data[chance.choice(list(data))])
        (folder / f"{number:05d}.{suffix}").write_bytes(changed)
        kinds.append(suffix)
    results = read_all("tables", folder)
    print(f"\n{figures(results, kinds)}")
    check(results, [f"{number}" for number in range(len(results))])


@pytest.mark.slow
def test_formulas_and_odd_names_stay_text_in_what_is_written(
    tmp_path: Path, own_runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Classes, groups and file names that a spreadsheet would calculate come out behind an apostrophe."""
    names = ["=1+1.png", "+1.png", "-1.png", "@sum.png", *(f"{i}.png" for i in range(20))]
    (tmp_path / "pictures").mkdir()
    for name, picture in zip(names, noise(24), strict=True):
        Image.fromarray(picture).save(tmp_path / "pictures" / name)
    classes = ["=cmd|' /C calc'!A0", '=HYPERLINK("http://evil")', "@x", "-2+3"]
    rows = [[name, classes[i % 4], f"=g{i // 2}"] for i, name in enumerate(names)]
    with open(tmp_path / "l.csv", "w", newline="") as file:
        csv.writer(file).writerows([["file", "label", "person"], *rows])
    arguments = ["train", str(tmp_path / "pictures"), *QUICK, "--labels", str(tmp_path / "l.csv")]
    assert cli.main(arguments) == 0 and cli.main(["embed"]) == 0
    (run,) = all_runs()
    cells = {
        path.name: [cell for row in csv.reader(path.open(newline="")) for cell in row]
        for path in run.folder.rglob("*.csv")
    }
    for name in ("pictures.csv", "latents.csv"):
        assert len([cell for cell in cells[name] if cell.startswith("'=cmd")]) == 6
    wild = [
        cell
        for cell in itertools.chain(*cells.values())
        if cell[:1] in ("=", "+", "@", "\t", "\r") or (cell[:1] == "-" and not is_number(cell))
    ]
    assert wild == []


def is_number(cell: str) -> bool:
    try:
        return bool(np.isfinite(float(cell)))
    except ValueError:
        return False
