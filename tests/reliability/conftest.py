"""What the harnesses share: the server of commands, and one chain that nothing disturbed."""

import dataclasses
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipelines.bars import write_pictures
from tests.reliability.intact import arrays_of, finished_stages, weights_of
from tests.reliability.server import Server

OPTIONS = [
    *("--recipe", "conv", "--latent", "2", "--epochs", "4", "--batch-size", "6", "--precision", "float32"),
    *("--set", "encoder.widths=[4,8]", "--set", "decoder.widths=[8,4]"),
    *("--group-by", r"(p\d+)", "--split", "60/20/20"),
]


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    one = Server()
    yield one
    one.close()


@dataclasses.dataclass
class Chain:
    """An undisturbed run: a copy of its root after each command, how many writes each made, and what it left."""

    pictures: Path
    commands: dict[str, list[str]]
    before: dict[str, Path]
    writes: dict[str, int]
    seconds: dict[str, float]
    done: Path

    @property
    def run(self) -> Path:
        return run_in(self.done)

    def start(self, command: str, root: Path) -> Path:
        """A root of its own, as it was before the command."""
        shutil.copytree(self.before[command], root, dirs_exist_ok=True)
        return root

    def check_same(self, root: Path) -> None:
        """Raises unless the newest run has stages, weights and codes of the undisturbed one, bit for bit."""
        run = run_in(root)
        assert weights_of(run) == weights_of(self.run)
        for name in ("best", "last"):
            ours, theirs = (
                arrays_of(folder / "train" / "checkpoints" / f"{name}.npz") for folder in (run, self.run)
            )
            assert {k: v for k, v in ours.items() if k != "facts"} == {
                k: v for k, v in theirs.items() if k != "facts"
            }
        for name in ("embed/latents.npz", "clusters/maps.npz", "classes/out_of_fold.npz"):
            if (run / name).exists():
                assert arrays_of(run / name) == arrays_of(self.run / name), name


def run_in(root: Path) -> Path:
    """The newest run."""
    return max((root / "runs").glob("0*"))


@pytest.fixture(scope="session")
def chain(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Chain:
    folder = tmp_path_factory.mktemp("undisturbed")
    pictures = write_pictures(folder / "bars")
    commands = {
        "train": ["train", str(pictures), *OPTIONS],
        "embed": ["embed"],
        "cluster-report": ["cluster-report", "--permutations", "99"],
        "export": ["export"],
        "report": ["report"],
    }
    root = folder / "root"
    root.mkdir()
    made = Chain(pictures, commands, {}, {}, {}, root)
    for name, arguments in commands.items():
        made.before[name] = folder / f"before-{name}"
        shutil.copytree(root, made.before[name])
        end = server(*arguments, root=root)
        assert end["code"] == 0, end["said"]
        made.writes[name], made.seconds[name] = end["writes"], end["seconds"]
    finished_stages(made.run)
    print(f"undisturbed: writes {made.writes}, seconds { {k: round(v, 1) for k, v in made.seconds.items()} }")
    return made


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Iterator[Counter]:
    """Counts outcomes by kind, and prints them: pytest -s, or -rP."""
    counted: Counter = Counter()
    yield counted
    print(f"\n{request.node.name}: {sum(counted.values())} tries: {dict(counted.most_common())}")
