"""The licences of everything that requirements.txt brings along, as a table, from the metadata of what is installed.

    python supply/licences.py > docs/licences.md

Exit code 1 where a package says nothing of its licence: then somebody must look.
"""

import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
# By reading the licence files of packages whose metadata are silent, or do not speak of what the wheels bundle.
READ = {
    "namex": "Apache-2.0",
    "pi-heif": "BSD-3-Clause; its wheels bundle libheif and libde265 (LGPL-3.0)",
}
HEAD = """# Licences of the dependencies

Everything that `requirements.txt` installs on {system}, made by `make licences` from the packages' own
metadata. What only tests, other formats, object stores or Ray need is not in it.

| Package | Version | Licence |
| --- | --- | --- |"""


def requirements(path: Path) -> Iterator[Requirement]:
    for line in path.read_text().splitlines():
        text = line.partition("#")[0].strip()
        if text and not text.startswith("-"):
            yield Requirement(text)


def closure(wanted: list[Requirement]) -> dict[str, metadata.Distribution]:
    """What is installed for some requirements, their own requirements included."""
    found: dict[str, metadata.Distribution] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    while wanted:
        requirement = wanted.pop()
        name, extras = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if (name, extras) in seen or not applies(requirement, frozenset()):
            continue
        seen.add((name, extras))
        found[name] = metadata.distribution(name)
        for text in found[name].requires or ():
            further = Requirement(text)
            if applies(further, extras):
                wanted.append(Requirement(text.partition(";")[0]))
    return found


def applies(requirement: Requirement, extras: frozenset[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in extras or {""})


def licence(distribution: metadata.Distribution) -> str:
    """What was read, else an SPDX expression, else the classifiers, else the first line of the free text."""
    found = distribution.metadata
    if read := READ.get(canonicalize_name(found["Name"])):
        return read
    if expression := found.get("License-Expression"):
        return expression
    classifiers = [text for text in found.get_all("Classifier") or () if text.startswith("License ::")]
    named = [text.rpartition(" :: ")[2] for text in classifiers if not text.endswith("OSI Approved")]
    if named:
        return ", ".join(named)
    free = (found.get("License") or "").strip().splitlines()
    return free[0] if free else ""


def main() -> int:
    rows = closure(list(requirements(ROOT / "requirements.txt")))
    print(HEAD.format(system=f"{sys.platform} with Python {sys.version_info.major}.{sys.version_info.minor}"))
    silent = []
    for name in sorted(rows):
        said = re.sub(r"\s+", " ", licence(rows[name])).replace("|", "\\|")
        if not said:
            silent.append(name)
        print(f"| {name} | {rows[name].version} | {said or '?'} |")
    if silent:
        print(f"No licence is named by: {', '.join(silent)}.", file=sys.stderr)
    return bool(silent)


if __name__ == "__main__":
    sys.exit(main())
