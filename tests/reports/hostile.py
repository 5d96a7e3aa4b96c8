"""Records in which every text that a stranger may have written attacks the page that shows it."""

import dataclasses
import re
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from reports.records import PageForm, RunFacts
from reports.sentences import write_homotopies, write_text_overview
from reports.words import visible, without_folders
from tests.reports.synthetic import RUN, pages_of_pictures
from tests.reports.test_sentences import homotopies_record, overview_record

# Each sets window.attacked if it is taken for more than text, asks attacker.invalid, or moves its neighbours.
ATTACKS = (
    "<script>window.attacked=1</script>",
    "<img src=x onerror=window.attacked=1>",
    '"><svg onload=window.attacked=1>',
    '" onmouseover="window.attacked=1" autofocus onfocus="window.attacked=1',
    "' onfocus='window.attacked=1' autofocus='",
    "` onfocus=window.attacked=1 autofocus `",
    "</script><script>window.attacked=1</script>",
    "</title><script>window.attacked=1</script>",
    "</textarea></style></noscript><script>window.attacked=1</script>",
    "--><script>window.attacked=1</script><!--",
    "<![CDATA[<script>window.attacked=1</script>]]>",
    "javascript:window.attacked=1//",
    "<a href=javascript:window.attacked=1>click</a>",
    "data:text/html,<script>window.attacked=1</script>",
    "<iframe srcdoc='<script>parent.attacked=1</script>'></iframe>",
    "<iframe src=https://attacker.invalid/frame></iframe>",
    "<object data=https://attacker.invalid/o></object><embed src=https://attacker.invalid/e>",
    "<link rel=stylesheet href=https://attacker.invalid/style.css>",
    "<style>*{display:none;background:url(https://attacker.invalid/b)}</style>",
    "}*{background:url(https://attacker.invalid/c)}",
    "<base href=https://attacker.invalid/>",
    "<meta http-equiv=refresh content='0;url=https://attacker.invalid/'>",
    "<form action=https://attacker.invalid/><button>send</button></form>",
    "<math><mtext><table><mglyph><style><img src=x onerror=window.attacked=1></style></mglyph></table></mtext></math>",
    "<details open ontoggle=window.attacked=1>",
    "<video><source onerror=window.attacked=1></video>",
    "&lt;script&gt;window.attacked=1&lt;/script&gt;&#60;b&#62;&nbsp;&amp",
    "\\u003cscript\\u003ewindow.attacked=1\\u003c/script\\u003e",
    "\\x3cimg src=x onerror=window.attacked=1\\x3e\\",
    "${window.attacked=1}`{{ 7 * 7 }}{% raw %}{# not a comment #}",
    "https://attacker.invalid/link",
    "//attacker.invalid/link",
    "../../../etc/passwd",
    "cod.\u202egnp.exe",
    "\u202dleft\u202bright\u202a\u2067\u2066\u2068",
    "\u2069\u2069\u202c\u202cclosing\u200f",
    "zero\u200bwidth\ufeff\u2060joined\u00ad",
    "nul\x00bell\x07escape\x1b[31mred\x7f\x85\u2028\u2029",
    "half a pair \ud83d and \udc80",
    "مرحبا שלום",
    "$\\frac{1}{0}$ %s %(x)s {0} {x!r}",
    "=HYPERLINK(A1)",
    "a\u0301" * 40,
    "endless" * 60,
)
# What the code itself chooses, and decides by; a stranger's text never gets there.
OURS = {
    "split", "splits", "split_a", "split_b", "base_splits", "kind", "fit", "dtype", "op", "activation", "series",
    "pages", "noun", "encode", "decode", "measure", "method", "address", "csv", "npz", "part", "form", "order",
}  # fmt: skip
SPLITS = ("train", "validation", "test", "calibration", "other")
# Pairs of a name and the address of a page.
LINKS = ("elsewhere", "parents", "children")

# Everything that a reader sees or is read: texts, and attributes that speak.
SHOWN = """() => {
  const texts = [document.title];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (!["SCRIPT", "STYLE", "NOSCRIPT"].includes(node.parentElement.tagName)) texts.push(node.data);
  }
  const spoken = [...document.querySelectorAll("[alt], [title], [aria-label], [placeholder]")].flatMap((element) =>
    ["alt", "title", "aria-label", "placeholder"].map((name) => element.getAttribute(name) || ""));
  return texts.join("") + " | " + spoken.join(" | ");
}"""
# Every element with the names of its attributes; a break within a long path is no part of the structure.
STRUCTURE = """() => [...document.querySelectorAll("*")].filter((e) => e.tagName !== "WBR")
  .map((e) => [e.tagName, ...[...e.attributes].map((a) => a.name).sort()].join(" "))"""
LINKED = """() => [...document.querySelectorAll("[href], [src], [action], [data], [srcset]")].flatMap((element) =>
  ["href", "src", "action", "data", "srcset"].map((name) => element.getAttribute(name)).filter((a) => a !== null))"""


class Texts:
    """Gives every different text of a record another one, the same for the same text.

    Args:
        turn: By how much the attacks are shifted, so that in so many turns every text has been every attack; None for
            harmless names, as many and in the same places.
    """

    def __init__(self, turn: int | None) -> None:
        self.turn = turn
        self.given: dict[str, str] = {}

    def __call__(self, text: str) -> str:
        number = len(self.given)
        attack = "" if self.turn is None else ATTACKS[(number + self.turn) % len(ATTACKS)]
        return self.given.setdefault(text, f"{attack}name{number}x")

    @property
    def shown(self) -> list[str]:
        """How a page is to show each of them, in the order of their numbers."""
        return [visible(text) for text in self.given.values()]


def poisoned(value: Any, texts: Texts, name: str = "") -> Any:
    """A record with all its texts replaced but those that are ours; `name` is that of the field."""
    if name in OURS:
        return value
    if isinstance(value, str):
        return texts(value) if value and value not in SPLITS else value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value) if field.init}
        return dataclasses.replace(value, **{key: poisoned(old, texts, key) for key, old in fields.items()})
    if isinstance(value, Mapping):
        keys = {key: key if name == "methods" else poisoned(key, texts) for key in value}
        return {keys[key]: poisoned(old, texts) for key, old in value.items()}
    if name in LINKS:
        return [(texts(shown), address) for shown, address in value]
    if isinstance(value, list | tuple):
        return type(value)(poisoned(old, texts) for old in value)
    return value


def pages_of_sentences(run: RunFacts) -> list[tuple[Callable[..., Path], Any]]:
    """How the pages that only sentences have are written, and their records."""
    facts = dataclasses.replace(run, noun="sentence")
    records = [(write_text_overview, overview_record()), (write_homotopies, homotopies_record())]
    return [(write, dataclasses.replace(record, run=facts)) for write, record in records]  # type: ignore[type-var]


def write_pages(folder: Path, turn: int | None, form: PageForm) -> dict[Path, list[str]]:
    """Writes every page there is; returns, for each, how the texts of its record are to be shown."""
    run, written = dataclasses.replace(RUN, form=form), {}
    for kind, pages in {"pictures": pages_of_pictures, "sentences": pages_of_sentences}.items():
        for write, record in pages(run):
            texts = Texts(turn)
            page = write(folder / kind, poisoned(record, texts))
            written[page] = texts.shown
    return written


# What a page is in a browser: its structure, what a reader sees, and its links.
Seen = tuple[list[str], str, list[str]]


def look(tab: Any, page: Path) -> Seen:
    """What a page is once its scripts have run and its folds are open."""
    tab.goto(page.resolve().as_uri())
    tab.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    tab.evaluate("document.querySelector('#list-table button')?.click()")
    tab.wait_for_timeout(120)
    # What waits for a pointer or the keyboard is given both.
    tab.evaluate(
        """() => document.querySelectorAll("body *").forEach((one) => {
          for (const name of ["mouseover", "focus", "toggle", "error", "load"]) one.dispatchEvent(new Event(name));
        })"""
    )
    return tab.evaluate(STRUCTURE), tab.evaluate(SHOWN), tab.evaluate(LINKED)


def problems(harmless: Seen, attacked: Path, names: list[list[str]], tab: Any) -> list[str]:
    """What is wrong with a page of hostile texts beside the same page of harmless ones; nothing is good.

    Args:
        harmless: What was seen of the one.
        attacked: The other.
        names: How their texts are to be shown, in one order.
        tab: Of a browser.
    """
    plain_structure, plain_text, plain_links = harmless
    structure, text, links = look(tab, attacked)
    found = []
    if tab.evaluate("window.attacked") is not None:
        found.append("a script ran")
    # Their order may be another one, where rows are sorted by name.
    more, fewer = Counter(structure) - Counter(plain_structure), Counter(plain_structure) - Counter(structure)
    if more or fewer:
        found.append(f"the page has other elements: {dict(more)} instead of {dict(fewer)}")
    for number, (name, attack) in enumerate(zip(*names, strict=True)):
        # Where names of files are left out, so are folders in what is said of them.
        if name in plain_text and attack not in text and without_folders(attack) not in text:
            found.append(f"text {number} is not shown as it is: {attack!r}")
    if hidden := sorted({hex(ord(c)) for c in text if visible(c) != c}):
        found.append(f"characters that hide or turn: {hidden}")
    allowed = ("data:", "blob:", "#", "assets/", "../")
    for link in set(links) - set(plain_links):
        if not link.startswith(allowed) and not re.fullmatch(r"[a-z]+\.html", link):
            found.append(f"a link leads to {link[:80]!r}")
    return found
