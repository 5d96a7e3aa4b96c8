"""Finds numbers that are none in what a run leaves: its JSON, its tables, its pages and figures."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

NO_NUMBER = re.compile(r"(?<![\w.-])[-−+]?(nan|inf|infinity|∞|NaN ?%)(?![\w-]|\.\w)", re.IGNORECASE)
# What a page says of the arrays that it leads to.
EXPLAINED = "NaN where not known"
CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


class Texts(HTMLParser):
    """What a reader sees of a page, what its attributes say, and its data; its program may well name Infinity."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._hidden = False

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        program = tag == "script" and dict(attributes).get("type") != "application/json"
        self._hidden = program or tag == "style"
        self.found += [
            value for name, value in attributes if value and name not in ("src", "href", "content")
        ]

    def handle_endtag(self, tag: str) -> None:
        self._hidden = False

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.found.append(data)


def faults(folder: Path) -> list[str]:
    """One line for each place below `folder` where a number is none, or a file is not what its name says."""
    found = []
    for path in sorted(folder.rglob("*")):
        checks = {".json": in_json, ".jsonl": in_lines, ".html": in_page, ".svg": in_figure, ".csv": in_table}
        if path.is_file() and path.suffix in checks:
            found += [f"{path.relative_to(folder)}: {fault}" for fault in checks[path.suffix](path)]
    return found


def in_json(path: Path) -> list[str]:
    return strictly(path.read_text(encoding="utf-8"))


def in_lines(path: Path) -> list[str]:
    return [fault for line in path.read_text(encoding="utf-8").splitlines() for fault in strictly(line)]


def strictly(text: str) -> list[str]:
    """JSON as browsers read it, without NaN and Infinity."""

    def refuse(name: str) -> None:
        raise ValueError(f"holds {name}")

    try:
        json.loads(text, parse_constant=refuse)
    except ValueError as error:
        return [str(error)]
    return []


def in_page(path: Path) -> list[str]:
    html = path.read_bytes().decode("utf-8")
    texts = Texts()
    texts.feed(html)
    found = [
        f"says {match[0]!r} in {text[:80]!r}"
        for text in texts.found
        if (match := NO_NUMBER.search(text.replace(EXPLAINED, "")))
    ]
    if CONTROLS.search(html):
        found.append("holds control characters")
    return found


def in_figure(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    try:
        ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        return [f"is no XML ({error})"]
    return [f"says {match[0]!r}" for match in NO_NUMBER.finditer(text)]


def in_table(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    cells = {cell for line in text.splitlines() for cell in line.split(",")}
    return [f"has a cell {cell!r}" for cell in sorted(cells) if NO_NUMBER.fullmatch(cell)]
