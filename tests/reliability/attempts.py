"""Runs `reading` on a folder and judges what it says: the end reached, time, memory, and reasons in plain words."""

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
MOST_SECONDS, MOST_BYTES = 10.0, 1.5e9
Results = list[dict[str, Any]]


def read_all(kind: str, folder: Path) -> Results:
    """What `reading` says of each thing in the folder; it must come to its end, and say nothing else."""
    said, errors = folder.with_name("said.jsonl"), folder.with_name("errors.txt")
    command = [sys.executable, "-m", "tests.reliability.reading", kind, str(folder)]
    with open(said, "w") as out, open(errors, "w") as err:
        process = subprocess.run(command, cwd=ROOT, stdout=out, stderr=err)
    lines = [json.loads(line) for line in said.read_text().splitlines()]
    assert process.returncode == 0, f"{process.returncode}, {lines[-1:]}, {errors.read_text()[-3000:]}"
    results = [line for line in lines[1:] if "position" in line]
    assert [line["position"] for line in results] == list(range(lines[0]["listed"]))
    return results


def check(results: Results, names: list[str]) -> None:
    """Raises: AssertionError: More time or memory than allowed, or a reason that is not one plain line."""
    wrong = []
    for result, name in zip(results, names, strict=True):
        reason = result["reason"]
        if result["seconds"] > MOST_SECONDS or result["bytes"] > MOST_BYTES:
            wrong.append((name, result))
        elif reason is not None and (
            not reason
            or "\n" in reason
            or len(reason) > 1000
            or re.search(r"at 0x[0-9a-f]{6,}|object at|Errno", reason)
        ):
            wrong.append((name, reason))
    assert wrong == []


def figures(results: Results, kinds: list[str]) -> str:
    """How many of each kind were used and refused, and what the dearest took."""
    outcomes: dict[str, Counter[str]] = {}
    for result, kind in zip(results, kinds, strict=True):
        outcomes.setdefault(kind, Counter())["used" if result["reason"] is None else "refused"] += 1
    total = sum(outcomes.values(), Counter())
    slowest, largest = (max(result[name] for result in results) for name in ("seconds", "bytes"))
    first = (
        f"{len(results)}: {total['used']} used, {total['refused']} refused; "
        f"at most {slowest:.2f} s and {largest / 1e6:,.0f} MB"
    )
    return "\n".join([first, *(f"  {kind}: {dict(found)}" for kind, found in sorted(outcomes.items()))])


def each(results: Results, names: list[str]) -> str:
    return "\n".join(
        f"  {name}: {result['reason'] or 'used'} ({result['seconds']:.2f} s, {result['bytes'] / 1e6:.0f} MB)"
        for name, result in zip(names, results, strict=True)
    )
