"""Writes one HTML page of a report, with the styles and scripts that all pages share."""

import base64
import hashlib
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, TemplateRuntimeError
from markupsafe import Markup, escape

from reports.records import RunFacts
from reports.words import bytes_in_words, count, number, p_value, said_of, said_p, score, split_label, visible

# File, title, and what a reader finds there.
PAGES = {
    "index": ("index.html", "Overview", "how good the model is"),
    "data": ("data.html", "Data", "what the pictures are, and what is odd about them"),
    "training": ("training.html", "Training", "whether it had converged, and what was kept"),
    "latents": ("latents.html", "Latents", "what each dimension describes"),
    "clusters": ("clusters.html", "Clusters", "a map of all pictures, and clusters without labels"),
    "classes": ("classes.html", "Classes", "whether the classes differ, and what could have been seen"),
    "interpolation": ("interpolation.html", "Interpolation", "what lies between two pictures"),
    "explore": (
        "explore.html",
        "Explore",
        "sliders that draw, and a picture of your own beside its neighbours",
    ),
    "traversals": ("traversals.html", "Traversals", "what each latent draws, and class arithmetic"),
    "evaluation": (
        "evaluation.html",
        "Evaluation",
        "how probable the pictures are, and how real its samples",
    ),
    "probe": ("probe.html", "Probe", "what a few labels are worth on these features"),
    "predictions": (
        "predictions.html",
        "Predictions",
        "the class of every picture, and how far to trust it",
    ),
    "features": ("features.html", "Features", "which feature is on where, and what switches it"),
    "anomalies": ("anomalies.html", "Anomalies", "which pictures are odd, and how far to trust that"),
    "compare": ("compare.html", "Comparison", "runs side by side"),
    "export": ("export.html", "Export", "the model as a file to serve"),
}

MEDIA_TYPES = {"svg": "image/svg+xml", "png": "image/png", "webp": "image/webp"}

# Followed by more of a word, as in the name of a file, the blank stays what it was.
_PER_CENT = re.compile(r"(?<=\d) %(?=[\s,;:)]|\.?\s|\.?$)")

_EQUATION = re.compile(r"\b([pηρ]) ([=<]) (?=[\d−])")

_STATIC = Path(__file__).parent / "static"


def policy(scripts: str, styles: str, images: str, asks_server: bool = False) -> str:
    """Pages open from the disk and must reach nothing else; whatever a file name smuggles in cannot run.

    With `asks_server` a page may ask the server that it comes from, where it comes from one.
    """
    connections = "connect-src 'self'; " if asks_server else ""
    return (
        f"default-src 'none'; script-src {scripts}; style-src {styles}; img-src {images}; "
        f"{connections}base-uri 'none'; form-action 'none'"
    )


def data_address(suffix: str, data: bytes) -> str:
    """An address that holds a file of this kind itself."""
    return f"data:{MEDIA_TYPES[suffix]};base64,{base64.b64encode(data).decode('ascii')}"


def write_asset(folder: Path | None, name: str, data: bytes) -> str:
    """Writes `data` once under a name that holds its hash; returns the address relative to the pages.

    Without a folder (see `PageForm.beside`) the address holds the data itself.
    """
    stem, dot, suffix = name.rpartition(".")
    if folder is None:
        return data_address(suffix, data)
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


def _said(value: Any) -> Any:
    """No line ends between a number and its per cent sign, or within "p = 0.03"; nothing hides."""
    if type(value) is not str:
        return value
    return visible(_EQUATION.sub("\\1\u00a0\\2\u00a0", _PER_CENT.sub("\u00a0%", value)))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("reports"),
        autoescape=True,
        finalize=_said,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": number,
        "count": count,
        "p_value": p_value,
        "said_p": said_p,
        "score": score,
        "bytes": bytes_in_words,
        "split_label": split_label,
        "verbatim": lambda text: escape(visible(text)),  # what a reader may copy keeps its blanks
        "visible": visible,
        "zip": zip,
    }
    return environment


def _beside(folder: Path, scripts: tuple[str, ...], asks_server: bool) -> dict[str, Any]:
    """Style and scripts as files that all pages share."""
    return {
        "policy": policy("'self'", "'self'", "'self' data: blob:", asks_server),
        "style": write_asset(folder, "report.css", (_STATIC / "report.css").read_bytes()),
        "scripts": [write_asset(folder, name, (_STATIC / name).read_bytes()) for name in scripts],
    }


def _inside(scripts: tuple[str, ...], asks_server: bool) -> dict[str, Any]:
    """Style and scripts as text of the page; only what has their hashes may apply and run."""
    style, *texts = [(_STATIC / name).read_text(encoding="utf-8") for name in ("report.css", *scripts)]
    return {
        "policy": policy(" ".join(map(_hash, texts)) or "'none'", _hash(style), "data:", asks_server),
        "style": Markup(style),
        "scripts": list(map(Markup, texts)),
    }


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def write_page(
    folder: Path,
    key: str,
    run: RunFacts,
    context: dict[str, Any],
    scripts: tuple[str, ...] = (),
    template: str = "",
    asks_server: bool = False,
) -> Path:
    """Renders the page `key` of `PAGES` into `folder` and returns its path.

    `template` is another one than the key's, where sentences need their own; for `asks_server` see `policy`.
    """
    file, title, _ = PAGES[key]
    # A page that is sent alone would lead nowhere else.
    pages = [] if run.form.single_file else run.pages
    given = {
        **context,
        "run": run,
        "key": key,
        "title": title,
        "navigation": [
            (name, file, label, said_of(about, run.noun))
            for name, (file, label, about) in PAGES.items()
            if name in pages
        ],
        **(_inside(scripts, asks_server) if run.form.single_file else _beside(folder, scripts, asks_server)),
    }
    try:
        html = _environment().get_template(f"{template or key}.html.j2").render(given)
    except TemplateRuntimeError as error:
        # To who calls, a list that is too short is that, wherever it was looked into.
        raise LookupError(str(error)) from error
    path = folder / file
    folder.mkdir(parents=True, exist_ok=True)
    # A file name that is not valid Unicode arrives with lone surrogates, which UTF-8 cannot hold.
    path.write_bytes(html.encode("utf-8", "backslashreplace"))
    return path
