"""The lock names what is tested, each file of it with a hash."""

import re
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]


def requirements(name):
    lines = [line.split(" #")[0].strip(" \\") for line in (ROOT / name).read_text().splitlines()]
    return [Requirement(line) for line in lines if line and not line.lstrip().startswith(("#", "-"))]


def pinned(name):
    return {canonicalize_name(each.name): str(each.specifier) for each in requirements(name)}


def test_lock_pins_what_constraints_pin():
    lock, constraints = pinned("requirements.lock"), pinned("constraints.txt")
    assert all(re.fullmatch(r"==[^,*]+", version) for version in lock.values())
    both = lock.keys() & constraints.keys()
    assert {name: lock[name] for name in both} == {name: constraints[name] for name in both}


def test_lock_holds_every_requirement_within_its_range():
    lock = pinned("requirements.lock")
    for each in requirements("requirements.txt"):
        assert each.specifier.contains(lock[canonicalize_name(each.name)].removeprefix("=="))


def test_every_locked_file_has_a_hash():
    blocks = re.split(r"\n(?=\S)", (ROOT / "requirements.lock").read_text())
    packages = [block for block in blocks if not block.startswith("#")]
    assert len(packages) == len(requirements("requirements.lock"))
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", block) for block in packages)
