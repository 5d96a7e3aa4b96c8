"""Many processes on one run and one cache: all succeed, or are told why not; never a mixture."""

import random
import shutil
from collections import Counter

import pytest

from tests.reliability.conftest import run_in
from tests.reliability.intact import check_caches, files_of, finished_stages, leftovers
from tests.reliability.tries import tries

pytestmark = [pytest.mark.slow, pytest.mark.timeout(7200)]
NUM = 4 * tries(5)


def at_once(server, root, commands):
    """All of these started together; their ends, each without a traceback."""
    ends = server.together(
        [
            {"arguments": command, "root": str(root), "output": str(root / f"output-{i}.txt"), "limit_s": 900}
            for i, command in enumerate(commands)
        ]
    )
    for end in ends:
        assert "Traceback" not in end["said"] and "defect" not in end["said"], end["said"]
        assert not end["hung"], end["said"]
    return ends


@pytest.mark.parametrize("name", ["embed", "report"])
def test_twenty_processes_that_compute_the_same(chain, server, tmp_path, tally, name):
    for i in range(tries(1)):
        root = chain.start(name, tmp_path / str(i))
        ends = at_once(server, root, [chain.commands[name]] * NUM)
        assert [end["code"] for end in ends] == [0] * NUM, [end["said"] for end in ends if end["code"]]
        stages = finished_stages(run_in(root))
        assert set(stages) >= {"data", "train", "evaluate", *(["embed"] if name == "embed" else [])}
        assert not [stage for stage in stages if "-" in stage], "one stage, not several of the same inputs"
        chain.check_same(root)
        assert leftovers(root) == []
        tally["succeeded"] += NUM
        shutil.rmtree(root)


def test_different_commands_on_one_run_leave_what_they_leave_one_after_another(
    chain, server, tmp_path, tally
):
    chain.before("export")
    for i in range(tries(1)):
        root = chain.start("embed", tmp_path / str(i))
        commands = [chain.commands[name] for name in ("embed", "cluster-report", "export", "report")] * (
            NUM // 4
        )
        ends = at_once(server, root, commands)
        assert [end["code"] for end in ends] == [0] * NUM, [end["said"] for end in ends if end["code"]]
        assert set(finished_stages(run_in(root))) == set(finished_stages(chain.run))
        chain.check_same(root)
        # The last that wrote pages has seen all stages.
        ours, theirs = (
            {path.name for path in (run / "report").glob("*.html")} for run in (run_in(root), chain.run)
        )
        assert ours == theirs
        assert leftovers(root) == []
        tally["succeeded"] += NUM
        shutil.rmtree(root)


def test_twenty_trainings_begin_at_once_on_one_cache(chain, server, tmp_path, tally):
    root = chain.start("train", tmp_path / "root")
    ends = at_once(server, root, [chain.commands["train"]] * NUM)
    assert [end["code"] for end in ends] == [0] * NUM, [end["said"] for end in ends if end["code"]]
    runs = sorted((root / "runs").glob("0*"))
    assert [run.name[:5] for run in runs] == [f"{i:05d}" for i in range(1, NUM + 1)]
    check_caches(root / "cache")
    assert len(list((root / "cache").iterdir())) == 1
    from tests.reliability.intact import weights_of

    for run in runs:
        finished_stages(run)
        assert weights_of(run) == weights_of(chain.run)
    assert leftovers(root) == []
    tally["succeeded"] += NUM


def test_one_of_twenty_resumes_and_the_others_are_told(chain, server, tmp_path, tally):
    for i in range(tries(1)):
        root = chain.start("train", tmp_path / str(i))
        killed = server(*chain.commands["train"], root=root, how="kill", at=chain.writes["train"] // 3)
        assert killed["code"] == -9
        run = run_in(root)
        assert (run / "data" / "stage.json").exists() and not (run / "train").exists()
        ends = at_once(server, root, [["train", "--resume", run.name]] * NUM)
        codes = Counter(end["code"] for end in ends)
        assert codes == {0: 1, 2: NUM - 1}
        for end in ends:
            if end["code"]:
                assert "is being trained by another process" in end["said"] or "has finished" in end["said"]
                tally["told that another trains it, or has"] += 1
        chain.check_same(root)
        assert leftovers(root) == []
        tally["trained"] += 1
        shutil.rmtree(root)


@pytest.mark.parametrize("command", ["delete", "rename"])
def test_a_run_that_others_write_into_is_neither_deleted_nor_renamed(chain, server, tmp_path, tally, command):
    generator = random.Random(command)
    for i in range(tries(4)):
        root = chain.start("embed", tmp_path / str(i))
        name = run_in(root).name
        before = finished_stages(run_in(root))
        act = ["delete", name, "--yes"] if command == "delete" else ["rename", name, "other"]
        others = [["embed", name], ["report", name], ["show", name], ["runs"], ["export", name]]
        commands = [act, *generator.choices(others, k=5), act]
        generator.shuffle(commands)
        ends = at_once(server, root, commands)
        for end, arguments in zip(ends, commands, strict=True):
            kind = "it" if arguments is act else "the others"
            assert end["code"] in (0, 1, 2), end["said"]
            words = ("Another process is writing", "is not there", "There is no run", "is being trained")
            if end["code"]:
                assert any(word in end["said"] for word in words), end["said"]
            tally[f"{kind}: exit code {end['code']}"] += 1
        runs = list((root / "runs").glob("0*"))
        assert len(runs) <= 1
        for run in runs:
            stages = finished_stages(run)
            assert (run / "run.json").exists()
            assert all(stages[stage] == files for stage, files in before.items())
        assert leftovers(root) == []
        shutil.rmtree(root)


def test_twenty_exports_are_placed_in_one_folder(chain, server, tmp_path, tally):
    chain.before("export")
    root = tmp_path / "root"
    shutil.copytree(chain.done, root)
    models = tmp_path / "models"
    commands = [["export", "--to", str(models), "--name", f"model{i % 2}"] for i in range(NUM)]
    ends = at_once(server, root, commands)
    assert [end["code"] for end in ends] == [0] * NUM, [end["said"] for end in ends if end["code"]]
    own = files_of(run_in(root) / "export" / "1")
    for name in ("model0", "model1"):
        versions = sorted(int(path.name) for path in (models / name).iterdir())
        assert versions == list(range(1, NUM // 2 + 1))
        for version in versions:
            assert files_of(models / name / str(version)) == own
        assert f"/models/{name}" in (models / "models.config").read_text()
    assert leftovers(models) == []
    tally["placed"] += NUM
