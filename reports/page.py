"""Writes one HTML page of a report, with the styles and scripts that all pages share."""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from reports.records import RunFacts
from reports.words import bytes_in_words, count, number, p_value, score, split_label

# File, title, and what a reader finds there.
PAGES = {
    "index": ("index.html", "Overview", "how good the model is"),
    "latents": ("latents.html", "Latents", "what each dimension describes"),
    "clusters": ("clusters.html", "Clusters", "a map of all pictures; whether classes differ"),
    "interpolation": ("interpolation.html", "Interpolation", "what lies between two pictures"),
    "export": ("export.html", "Export", "the model as a file to serve"),
}

# Pages open from the disk and must reach nothing else; whatever a file name smuggles in cannot run.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "base-uri 'none'; form-action 'none'"
)

_STATIC = Path(__file__).parent / "static"


def write_asset(folder: Path, name: str, data: bytes) -> str:
    """Writes `data` once under a name that holds its hash; returns the address relative to the pages."""
    stem, dot, suffix = name.rpartition(".")
    digest = hashlib.sha256(data).hexdigest()[:12]
    address = f"assets/{stem}-{digest}{dot}{suffix}"
    path = folder / address
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return address


def json_for_script(data: Any) -> Markup:
    """JSON that stays data inside a <script> element whatever its strings hold; refuses NaN."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # ASCII only, so U+2028 and U+2029 are escaped too


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": number,
        "count": count,
        "p_value": p_value,
        "score": score,
        "bytes": bytes_in_words,
        "split_label": split_label,
    }
    return environment


def write_page(
    folder: Path, key: str, run: RunFacts, context: dict[str, Any], scripts: tuple[str, ...] = ()
) -> Path:
    """Renders the page `key` of `PAGES` into `folder` and returns its path."""
    file, title, _ = PAGES[key]
    template = _environment().get_template(f"{key}.html.j2")
    html = template.render(
        context,
        run=run,
        key=key,
        title=title,
        policy=POLICY,
        navigation=[(name, *PAGES[name]) for name in PAGES if name in run.pages],
        style=write_asset(folder, "report.css", (_STATIC / "report.css").read_bytes()),
        scripts=[write_asset(folder, name, (_STATIC / name).read_bytes()) for name in scripts],
    )
    path = folder / file
    # A file name that is not valid Unicode arrives with lone surrogates, which UTF-8 cannot hold.
    path.write_bytes(html.encode("utf-8", "backslashreplace"))
    return path
