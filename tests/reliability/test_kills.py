"""Processes killed at any moment of training, embedding, reporting and exporting, or asked to end: nothing is lost."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

from tests.pipelines.bars import ROOT
from tests.reliability.conftest import run_in
from tests.reliability.intact import check_caches, finished_stages, leftovers
from tests.reliability.tries import tries

pytestmark = [pytest.mark.slow, pytest.mark.timeout(7200)]


def blows(writes, seconds, count, seed):
    """`count` blows: half at a write, a quarter up to 20 ms after one, a quarter by the clock."""
    generator = random.Random(seed)
    positions = generator.sample(range(1, writes + 1), min(writes, count))
    while len(positions) < count:
        positions.append(generator.randint(1, writes))
    for i, at in enumerate(positions):
        if i % 4 < 2:
            yield {"how": "kill", "at": at}
        elif i % 4 == 2:
            yield {"how": "soon", "at": at, "after": generator.uniform(0, 0.02)}
        else:
            yield {"how": "clock", "after": generator.uniform(0, seconds)}


def go_on(chain, server, root):
    """What a user does after a training was killed: gives the command that `runs` suggests; says which."""
    runs = sorted((root / "runs").glob("0*"))
    if not runs:
        return "the same command", chain.commands["train"]
    name = runs[-1].name
    if (runs[-1] / "train" / "stage.json").exists():
        return "report", ["report", name]
    return "--resume", ["train", "--resume", name]


def check_after(root, before):
    """What was finished before a blow is as it was; what is finished now is whole. Gives the stages by run."""
    check_caches(root / "cache")
    found = {run.name: finished_stages(run) for run in sorted((root / "runs").glob("0*"))}
    for run, stages in before.items():
        for stage, files in stages.items():
            assert found[run][stage] == files, (run, stage)
    return found


def all_stages(root):
    return {run.name: finished_stages(run) for run in sorted((root / "runs").glob("0*"))}


@pytest.mark.parametrize("seed", [0])
def test_a_training_that_is_killed_goes_on_and_ends_with_the_same_weights(
    chain, server, tmp_path, tally, seed
):
    chain.before("train")
    for i, blow in enumerate(blows(chain.writes["train"], chain.seconds["train"], tries(30), seed)):
        root = chain.start("train", tmp_path / str(i))
        end = server(*chain.commands["train"], root=root, **blow)
        assert end["code"] in (-9, 0), end["said"]
        before = check_after(root, {})
        how, command = go_on(chain, server, root)
        # Every third is killed twice.
        if i % 3 == 0 and how == "--resume":
            again = server(*command, root=root, how="kill", at=1 + (7 * i) % 25)
            assert again["code"] in (-9, 0), again["said"]
            before = check_after(root, before)
            how, command = go_on(chain, server, root)
        end_of_second = server(*command, root=root)
        assert end_of_second["code"] == 0, (blow, how, end_of_second["said"])
        check_after(root, before)
        chain.check_same(root)
        assert (run_in(root) / "report" / "index.html").exists()
        assert leftovers(root) == [], blow
        tally["not killed in time" if end["code"] == 0 else f"went on by {how}"] += 1
        shutil.rmtree(root)


@pytest.mark.parametrize(
    ("name", "count"), [("embed", 26), ("cluster-report", 8), ("export", 8), ("report", 28)]
)
def test_a_stage_that_is_killed_is_computed_again_and_hurts_no_other(
    chain, server, tmp_path, tally, name, count
):
    chain.before(name)
    for i, blow in enumerate(blows(chain.writes[name], chain.seconds[name], tries(count), 1)):
        root = chain.start(name, tmp_path / str(i))
        before = all_stages(root)
        end = server(*chain.commands[name], root=root, **blow)
        assert end["code"] in (-9, 0), end["said"]
        between = check_after(root, before)
        new = sum(map(len, between.values())) - sum(map(len, before.values()))
        again = server(*chain.commands[name], root=root)
        assert again["code"] == 0, (blow, again["said"])
        (stages,) = check_after(root, between).values()
        assert set(before[run_in(root).name]) <= set(stages)
        chain.check_same(root)
        assert leftovers(root) == [], blow
        pages = {path.name for path in (run_in(root) / "report").glob("*.html")}
        for page in pages:
            assert (run_in(root) / "report" / page).read_text().rstrip().endswith("</html>")
        tally["not killed in time" if end["code"] == 0 else f"killed with {new} of its stages finished"] += 1
        shutil.rmtree(root)


@pytest.mark.parametrize(("how", "code"), [("term", 143), ("int", 130)])
@pytest.mark.parametrize(
    ("name", "count"), [("train", 6), ("embed", 6), ("cluster-report", 2), ("export", 2), ("report", 6)]
)
def test_who_is_asked_to_end_cleans_up_and_says_so(chain, server, tmp_path, tally, name, count, how, code):
    generator = random.Random(f"{name} {how}")
    chain.before(name)
    writes = chain.writes[name]
    for i, at in enumerate(generator.choices(range(1, writes + 1), k=tries(count))):
        root = chain.start(name, tmp_path / str(i))
        before = all_stages(root)
        end = server(*chain.commands[name], root=root, how=how, at=at)
        assert "Traceback" not in end["said"], end["said"]
        assert end["code"] == code, (at, end["code"], end["said"])
        assert leftovers(root) == [], at
        between = check_after(root, before)
        if name == "train":
            by, command = go_on(chain, server, root)
            if by == "--resume" and list((root / "runs").glob("0*/train.partial/checkpoints/last.npz")):
                assert "train --resume" in end["said"] or "Stopped." in end["said"]
        else:
            command = chain.commands[name]
        again = server(*command, root=root)
        assert again["code"] == 0, again["said"]
        check_after(root, between)
        chain.check_same(root)
        tally[f"exit code {end['code']}, nothing half left"] += 1
        shutil.rmtree(root)


def test_an_extension_that_is_killed_as_it_begins_is_still_an_extension(chain, server, tmp_path, tally):
    """A child without its parent's state would be trained from the beginning, in silence."""
    chain.before("train")
    parent = chain.run.name
    command = ["train", "--extend", parent, "--epochs", "2"]
    whole = tmp_path / "whole"
    shutil.copytree(chain.done, whole)
    undisturbed = server(*command, root=whole)
    assert undisturbed["code"] == 0, undisturbed["said"]
    from tests.reliability.intact import weights_of

    for at in range(1, tries(48) + 1):
        root = tmp_path / str(at)
        shutil.copytree(chain.done, root)
        end = server(*command, root=root, how="kill", at=at)
        assert end["code"] == -9
        child = run_in(root)
        if child.name == parent:
            tally["killed before the child was there"] += 1
        else:
            had_state = (child / "train.partial").exists()
            again = server("train", "--resume", child.name, root=root)
            assert again["code"] == 0, again["said"]
            assert weights_of(child) == weights_of(run_in(whole))
            tally[f"resumed, {'with' if had_state else 'without'} the parent's state in place"] += 1
        shutil.rmtree(root)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_commands_as_a_shell_starts_them(chain, server, tmp_path, tally, number):
    """Without the server: imports and the interpreter's own start and end are struck, too."""
    generator = random.Random(int(number))
    for i in range(tries(8)):
        root = chain.start("train", tmp_path / str(i))
        environment = {
            **os.environ,
            "VAE_TF_RUNS": str(root / "runs"),
            "VAE_TF_CACHE": str(root / "cache"),
            "CUDA_VISIBLE_DEVICES": "-1",
        }
        with open(tmp_path / "output.txt", "w+") as output:
            process = subprocess.Popen(
                [sys.executable, "cli.py", *chain.commands["train"]],
                cwd=ROOT, env=environment, stdout=output, stderr=output,
            )  # fmt: skip
            time.sleep(generator.uniform(0, 10))
            process.send_signal(number)
            code = process.wait(timeout=120)
            output.seek(0)
            said = output.read()
        # As shells count: 128 and the number of the signal by which a process died.
        code = code if code >= 0 else 128 - code
        assert code in (0, 128 + number), said
        if number != signal.SIGKILL:
            assert leftovers(root) == [], said
        before = check_after(root, {})
        how, command = go_on(chain, server, root)
        again = server(*command, root=root)
        assert again["code"] == 0, again["said"]
        check_after(root, before)
        chain.check_same(root)
        tally[f"exit code {code}, went on by {how}"] += 1
        shutil.rmtree(root)
