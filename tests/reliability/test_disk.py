"""Full disks, read-only folders, and folders that are taken away: a clear line, and no half stage."""

import os
import random
import shutil
import subprocess

import pytest

from tests.reliability.conftest import run_in
from tests.reliability.intact import check_caches, finished_stages, leftovers
from tests.reliability.test_kills import all_stages, check_after, go_on
from tests.reliability.tries import tries

pytestmark = [pytest.mark.slow, pytest.mark.timeout(7200)]
SIZE = 96 * 2**20


@pytest.fixture
def small_disk(tmp_path):
    """A file system in memory of its own, 96 MiB, and a function that mounts it anew with other options."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(place)], capture_output=True
    )
    if made.returncode:
        pytest.skip(f"no file system can be mounted here: {made.stderr.decode().strip()}")

    def remount(options):
        subprocess.run(["mount", "-o", f"remount,{options}", str(place)], check=True)

    yield place, remount
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill_up(disk, left):
    """Leaves so many bytes free."""
    status = os.statvfs(disk)
    (disk / "ballast").write_bytes(bytes(max(0, status.f_bavail * status.f_frsize - left)))


def after(chain, name):
    """The undisturbed root after a command."""
    names = list(chain.commands)
    later = [other for other in names[names.index(name) + 1 :] if other in chain.writes]
    return chain.before(later[0]) if later else chain.done


def size_of(folder):
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("name", "count"), [("train", 16), ("embed", 8), ("cluster-report", 6), ("export", 6), ("report", 4)]
)
def test_on_a_full_disk_what_was_finished_stays_and_the_rest_is_said(
    chain, server, small_disk, tmp_path, tally, name, count
):
    disk, _ = small_disk
    before_it = size_of(chain.before(name))
    needed = max(size_of(after(chain, name)) - before_it, 0) + 200_000
    generator = random.Random(name)
    for _ in range(tries(count)):
        root = chain.start(name, disk / "root")
        before = all_stages(root)
        fill_up(disk, left=int(needed * generator.uniform(0, 1.0)))
        end = server(*chain.commands[name], root=root, output=str(tmp_path / "output.txt"))
        assert end["code"] in (0, 1), end["said"]
        if end["code"]:
            assert "error: The disk is full" in end["said"], end["said"]
            assert "Traceback" not in end["said"] and "defect" not in end["said"]
        assert leftovers(root) == []
        between = check_after(root, before)
        (disk / "ballast").unlink()
        command = go_on(chain, server, root)[1] if name == "train" else chain.commands[name]
        again = server(*command, root=root, output=str(tmp_path / "output.txt"))
        assert again["code"] == 0, again["said"]
        check_after(root, between)
        chain.check_same(root)
        tally["there was room" if end["code"] == 0 else "said that the disk is full"] += 1
        shutil.rmtree(root)


@pytest.mark.parametrize(("name", "count"), [("train", 8), ("embed", 6), ("export", 4)])
def test_a_limit_on_the_size_of_files_is_as_a_full_disk(chain, server, tmp_path, tally, name, count):
    """Needs no right to mount: what a system without it can always try."""
    generator = random.Random(name)
    for i in range(tries(count)):
        root = chain.start(name, tmp_path / str(i))
        before = all_stages(root)
        limit = int(2 ** generator.uniform(8, 17))
        end = server(*chain.commands[name], root=root, limit=limit)
        assert end["code"] in (0, 1), (limit, end["said"])
        if end["code"]:
            # What it says goes into a file, too, which may be full.
            assert "Traceback" not in end["said"] and "defect" not in end["said"], end["said"]
        assert leftovers(root) == []
        between = check_after(root, before)
        command = go_on(chain, server, root)[1] if name == "train" else chain.commands[name]
        again = server(*command, root=root)
        assert again["code"] == 0, again["said"]
        check_after(root, between)
        chain.check_same(root)
        tally["within the limit" if end["code"] == 0 else "refused, and said so"] += 1
        shutil.rmtree(root)


def test_in_a_read_only_folder_reading_works_and_writing_is_refused_in_a_line(
    chain, server, small_disk, tmp_path, tally
):
    disk, remount = small_disk
    root = chain.start("embed", disk / "root")
    name = run_in(root).name
    unfinished = root / "runs" / "00002-unfinished"
    shutil.copytree(run_in(root), unfinished)
    (unfinished / "train").rename(unfinished / "train.partial")
    (unfinished / "train.partial" / "stage.json").unlink()
    before = all_stages(root)
    remount("ro")
    output = str(tmp_path / "output.txt")
    for command in (
        ["runs"],
        ["show", name],
        ["show", unfinished.name],
        ["sample", name, "--to", str(tmp_path / "a.png")],
    ):
        end = server(*command, root=root, output=output)
        assert end["code"] == 0, end["said"]
        tally["read"] += 1
    for command in (
        *(chain.commands[each] for each in ("train", "report")),
        *(["embed", name], ["cluster-report", name], ["export", name], ["sample", name]),
        ["train", "--resume", unfinished.name],
        ["train", "--extend", name, "--epochs", "1"],
        *(["rename", name, "other"], ["delete", name, "--yes"]),
        ["train", str(chain.pictures), "--dry-run"],
    ):
        end = server(*command, root=root, output=output)
        assert end["code"] == 1 and "read-only file system" in end["said"], (command, end["said"])
        assert "Traceback" not in end["said"] and "defect" not in end["said"], end["said"]
        tally["refused"] += 1
    assert all_stages(root) == before and leftovers(root) == []
    remount("rw")
    assert server("embed", name, root=root, output=output)["code"] == 0


@pytest.mark.parametrize(
    ("name", "count"), [("train", 16), ("embed", 8), ("cluster-report", 4), ("export", 6), ("report", 4)]
)
@pytest.mark.parametrize("what", ["run", "runs", "cache"])
def test_a_folder_that_is_taken_away_is_missed_in_a_line(chain, server, tmp_path, tally, name, count, what):
    generator = random.Random(f"{name} {what}")
    chain.before(name)
    for i in range(tries(count if what == "run" else count // 2)):
        root = chain.start(name, tmp_path / str(i))
        run = root / "runs" / chain.run.name
        target = {"run": run, "runs": root / "runs", "cache": root / "cache"}[what]
        # Of a training, the later half, in which there is a run.
        first = chain.writes[name] // 2 if name == "train" and what == "run" else 1
        at = generator.randint(first, chain.writes[name])
        end = server(*chain.commands[name], root=root, how="remove", at=at, target=str(target))
        assert end["code"] in (0, 1), end["said"]
        assert "Traceback" not in end["said"] and "defect" not in end["said"], (at, end["said"])
        if end["code"]:
            assert "is not there" in end["said"], (at, end["said"])
        assert leftovers(root) == []
        for each in (root / "runs").glob("0*"):
            # Either it was made after the blow, and is whole, or no file of it is there.
            if (each / "run.json").exists():
                finished_stages(each)
            else:
                assert not [path for path in each.rglob("*") if path.is_file()], list(each.rglob("*"))
        check_caches(root / "cache")
        tally[f"{what}: " + ("not missed" if end["code"] == 0 else "missed, and said so")] += 1
        shutil.rmtree(root)
