"""Promise: no file of a folder stops us or takes much time or memory; each is used, or told with its reason."""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.reliability.attempts import ROOT, check, each, figures, read_all
from tests.reliability.bad_files import (
    animations_that_fit,
    bombs_that_fit,
    damaged,
    made_on_purpose,
    originals,
    write_odd_entries,
    write_odd_names,
)
from tests.reliability.tries import tries
from vae_tf.data.cache import Shape, open_cache
from vae_tf.data.sources.folder import FolderSource

pytestmark = pytest.mark.timeout(3600)

SHAPE = Shape(32, 32, 3, "crop")


def write_damaged(folder: Path, count: int, seed: int = 0) -> dict[str, str]:
    """Damaged files of every format in turn, a tenth under the suffix of another; {name: format, damage}."""
    chance, made = random.Random(seed), originals()
    names = list(made)
    kinds = {}
    for number in range(count):
        kind = names[number % len(names)]
        suffix, data = made[kind]
        how, changed = damaged(data, chance, made[chance.choice(names)][1])
        if chance.random() < 0.1:
            suffix, how = made[chance.choice(names)][0], f"{how}, other suffix"
        name = f"{number:05d}.{suffix}"
        (folder / name).write_bytes(changed)
        kinds[name] = f"{kind}, {how}"
    return kinds


@pytest.mark.slow
@pytest.mark.parametrize(("frames", "count"), [("first", 2000), ("all", 500)])
def test_damaged_files_of_every_format(tmp_path: Path, frames: str, count: int) -> None:
    folder = tmp_path / "damaged"
    folder.mkdir()
    kinds = write_damaged(folder, tries(count), seed=count)
    source = FolderSource(folder, frames=frames)  # type: ignore[arg-type]
    assert {entry.path.split("#")[0] for entry in source.entries} == set(kinds)
    results = read_all("pictures" if frames == "first" else "frames", folder)
    names = [entry.path for entry in source.entries]
    print(f"\n--frames {frames}, {len(kinds)} files")
    print(figures(results, [kinds[name.split("#")[0]].split(",")[0] for name in names]))
    print(figures(results, [kinds[name.split("#")[0]].split(", ")[1] for name in names]))
    check(results, names)


@pytest.mark.slow
def test_files_made_on_purpose(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    folder.mkdir()
    for name, data in made_on_purpose():
        (folder / name).write_bytes(data)
    results = read_all("pictures", folder)
    names = sorted(path.name for path in folder.iterdir())
    print(f"\n{figures(results, ['made on purpose'] * len(results))}\n{each(results, names)}")
    check(results, names)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "made"), [("pictures", bombs_that_fit), ("frames", animations_that_fit)])
def test_the_largest_pictures_that_are_read_stay_within_the_limits(
    tmp_path: Path, kind: str, made: Callable[[], Iterator[tuple[str, bytes]]]
) -> None:
    folder = tmp_path / "large"
    folder.mkdir()
    for name, data in made():
        (folder / name).write_bytes(data)
    results = read_all(kind, folder)
    source = FolderSource(folder, frames="first" if kind == "pictures" else "all")
    names = [entry.path for entry in source.entries]
    print(f"\n{each(results, names)}")
    check(results, names)
    assert [name for name, result in zip(names, results, strict=True) if result["reason"]] == []


def write_good(folder: Path) -> None:
    """One good picture of every format."""
    folder.mkdir()
    for number, (kind, (suffix, data)) in enumerate(originals().items()):
        (folder / f"{number:02d} {kind}.{suffix}").write_bytes(data)


@pytest.mark.slow
def test_good_pictures_are_the_same_with_and_without_bad_ones(tmp_path: Path) -> None:
    alone, mixed = tmp_path / "alone", tmp_path / "mixed"
    for folder in (alone, mixed):
        write_good(folder)
        (folder / "names").mkdir()
        write_odd_names(folder / "names")
    (mixed / "bad").mkdir()
    write_damaged(mixed / "bad", tries(400), seed=3)
    for name, data in made_on_purpose():
        (mixed / "bad" / name).write_bytes(data)
    (mixed / "odd").mkdir()
    write_odd_entries(mixed / "odd")
    good, source = FolderSource(alone), FolderSource(mixed)
    expected = open_cache(good, SHAPE, tmp_path / "cache-alone")
    cache = open_cache(source, SHAPE, tmp_path / "cache-mixed")

    rows = {source.entries[position].path: row for row, position in enumerate(cache.positions)}
    for row, position in enumerate(expected.positions):
        path = good.entries[position].path
        assert np.array_equal(cache.images[rows[path]], expected.images[row]), path
    assert expected.skipped == []
    used = [source.entries[position].path for position in cache.positions]
    skipped = [path for path, _ in cache.skipped]
    assert sorted([*used, *skipped]) == sorted(entry.path for entry in source.entries)
    assert len(set(used)) + len(set(skipped)) == len(source.entries)
    files = [path for path in mixed.rglob("*") if path.is_file() and not path.is_symlink()]
    assert {path.relative_to(mixed).as_posix() for path in files} == {
        entry.path for entry in source.entries if entry.path not in ("odd/loop.png", "odd/nowhere.png")
    }
    print(
        f"\n{len(used)} used ({len(expected.positions)} of them good), {len(skipped)} refused; {source.notes}"
    )


QUICK = ["--recipe", "mlp", "--latent", "2", "--size", "16", "--rgb"]
QUICK += ["--set", "encoder.widths=[16]", "--set", "decoder.widths=[16]"]


def command(root: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "VAE_TF_RUNS": str(root / "runs"), "VAE_TF_CACHE": str(root / "cache")}
    return subprocess.run(
        [sys.executable, "cli.py", *arguments], cwd=ROOT, env=environment, capture_output=True, timeout=900
    )


@pytest.mark.slow
@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
def test_commands_on_a_folder_of_bad_pictures(
    tmp_path: Path, locale: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.reliability.numbers_in_files import faults

    monkeypatch.setenv("LC_ALL", locale)
    folder = tmp_path / "strange <b>folder</b>"
    for name in ("a<script>", "b\x01\n'\"&"):
        (folder / name).mkdir(parents=True)
        write_odd_names(folder / name)
    (folder / "bad").mkdir()
    write_damaged(folder / "bad", tries(100), seed=4)
    (folder / "odd").mkdir()
    write_odd_entries(folder / "odd")
    began = time.perf_counter()
    for arguments in (
        ["train", str(folder), *QUICK, "--epochs", "1"],
        ["embed"],
        ["cluster-report", "--permutations", "99"],
        ["interpolation-grid"],
        ["embed", "1", str(folder)],
        ["show"],
        ["report", "--single-file"],
    ):
        process = command(tmp_path, *arguments)
        assert process.returncode == 0, (arguments, process.stderr.decode(errors="replace")[-2000:])
        assert process.stderr == b"", (arguments, process.stderr.decode(errors="replace")[-2000:])
    (run,) = (tmp_path / "runs").glob("0*")
    assert faults(run) == []
    data = json.loads((run / "data" / "facts.json").read_text())
    skipped = [path for path, _ in data["skipped"]]
    assert len(set(skipped)) == len(skipped)
    page = (run / "report" / "data.html").read_bytes()
    for path in skipped:
        assert page.count(f"bad/{Path(path).name}".encode()) <= 2
    for text in (b"<script>alert", b"<img src=x"):
        assert not any(text in page.read_bytes() for page in run.rglob("*.html"))
    print(f"\n{locale}: {len(skipped)} files refused, {time.perf_counter() - began:.0f} s for all commands")
