"""Promise: a text file of any bytes is read line by line, or refused in a line."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

import cli
from tests.reliability.attempts import check, each, figures, read_all
from tests.reliability.bad_files import damaged
from tests.reliability.numbers_in_files import faults
from tests.reliability.tries import tries

pytestmark = pytest.mark.timeout(3600)

LINES = [
    f"the {word} sat on the {place} number {i}"
    for i in range(12)
    for word in ("cat", "dog")
    for place in ("mat", "sofa")
]
PLAIN = "\n".join(LINES).encode() + b"\n"


def made_on_purpose() -> Iterator[tuple[str, bytes]]:
    yield "plain.txt", PLAIN
    yield "mark.txt", b"\xef\xbb\xbf" + PLAIN
    yield "utf-16.txt", PLAIN.decode().encode("utf-16")
    yield "western.txt", PLAIN + "fröhlich\n".encode("latin-1")
    yield "a line of 100 MB.txt", PLAIN + b"word " * 20_000_000 + b"\n" + PLAIN
    yield "a word of 100 MB.txt", PLAIN + b"a" * 100_000_000 + b"\n"
    yield "one line of marks.txt", b"." * 50_000_000
    yield "blank lines.txt", PLAIN + b"\n" * 10_000_000
    yield "nul.txt", PLAIN.replace(b"cat", b"c\0t")
    yield "only nul.txt", bytes(1_000_000)
    yield "controls.txt", PLAIN.replace(b"cat", b"\x1b[31mcat\x07\x0b\x0c\x1c\x85".decode("latin-1").encode())
    yield "empty.txt", b""
    yield "blank.txt", b" \n\t\n\r\n"
    yield "one sentence.txt", b"the cat sat\n" * 100
    yield "carriage returns.txt", PLAIN.replace(b"\n", b"\r")
    yield "tabs.txt", PLAIN.replace(b" ", b"\t")
    yield (
        "classes.txt",
        b"".join(line + b"\t" + (b"a", b"b")[i % 2] + b"\n" for i, line in enumerate(PLAIN.splitlines())),
    )
    yield "surrogates.txt", PLAIN + b"\xed\xa0\x80\n"
    yield "bidi.txt", PLAIN.replace(b"cat", "\u202etac\u202c".encode())
    yield "emoji.txt", PLAIN.replace(b"cat", "👩‍👩‍👧‍👦".encode())
    yield "a million words.txt", b"".join(b"w%d x%d y%d\n" % (i, i, i) for i in range(300_000))
    yield "special.txt", PLAIN.replace(b"cat", b"<unk> <pad> <end>")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "texts").mkdir()
    return tmp_path / "texts"


@pytest.mark.slow
def test_texts_made_on_purpose(folder: Path) -> None:
    for name, data in made_on_purpose():
        (folder / name).write_bytes(data)
    results = read_all("texts", folder)
    names = sorted(path.name for path in folder.iterdir())
    print(f"\n{figures(results, ['made on purpose'] * len(results))}\n{each(results, names)}")
    check(results, names)


@pytest.mark.slow
def test_damaged_texts(folder: Path) -> None:
    chance = random.Random(0)
    other = "fröhlich \u2028 \u202e 👩‍👩‍👧‍👦\n".encode() * 200
    for number in range(tries(1000)):
        (folder / f"{number:05d}.txt").write_bytes(damaged(PLAIN, chance, other)[1])
    results = read_all("texts", folder)
    print(f"\n{figures(results, ['damaged'] * len(results))}")
    check(results, [f"{number}" for number in range(len(results))])


@pytest.mark.slow
def test_pages_of_odd_sentences(folder: Path, own_runs: Path) -> None:
    odd = (
        PLAIN
        + b"the \x1b[31mc\x01t <script>alert(1)</script> sat\nnul \0 nul\n"
        + "\u202etac \u2028\n".encode()
    )
    (folder / "odd.txt").write_bytes(odd * 3)
    options = ["--recipe", "sentence", "--latent", "2", "--epochs", "1", "--set", "encoder.width=8"]
    assert cli.main(["train", str(folder / "odd.txt"), *options]) == 0
    for command in ("embed", "cluster-report", "interpolation-grid", "evaluate"):
        assert cli.main([command]) == 0
    assert faults(own_runs) == []
