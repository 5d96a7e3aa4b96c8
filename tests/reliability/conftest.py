"""What the harnesses share: the server of commands, and one chain that nothing disturbed."""

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


class Chain:
    """An undisturbed run, each of its commands made when it is first asked for.

    Attributes:
        commands: In their order.
        writes, seconds: Of each command that was made.
        done: Root after the last that was made.
    """

    def __init__(self, server: Server, folder: Path) -> None:
        self._server, self._folder = server, folder
        self.pictures = write_pictures(folder / "bars")
        self.done = folder / "root"
        self.done.mkdir()
        self.writes: dict[str, int] = {}
        self.seconds: dict[str, float] = {}
        self.commands = {
            "train": ["train", str(self.pictures), *OPTIONS],
            "embed": ["embed"],
            "report": ["report"],
            "cluster-report": ["cluster-report", "--permutations", "99"],
            "export": ["export"],
        }

    @property
    def run(self) -> Path:
        return run_in(self.done)

    def before(self, command: str) -> Path:
        """The root as it was before a command, which is made, with those before it, where it has not been."""
        for name, arguments in self.commands.items():
            if name not in self.writes:
                shutil.copytree(self.done, self._folder / f"before-{name}")
                end = self._server(*arguments, root=self.done)
                assert end["code"] == 0, end["said"]
                self.writes[name], self.seconds[name] = end["writes"], end["seconds"]
                finished_stages(self.run)
                print(f"undisturbed {name}: {end['writes']} writes, {end['seconds']:.1f} s")
            if name == command:
                break
        return self._folder / f"before-{command}"

    def start(self, command: str, root: Path) -> Path:
        """A root of its own, as it was before the command."""
        shutil.copytree(self.before(command), root, dirs_exist_ok=True)
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
            if (run / name).exists() and (self.run / name).exists():
                assert arrays_of(run / name) == arrays_of(self.run / name), name


def run_in(root: Path) -> Path:
    """The newest run."""
    return max((root / "runs").glob("0*"))


@pytest.fixture(scope="session")
def chain(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Chain:
    return Chain(server, tmp_path_factory.mktemp("undisturbed"))


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Iterator[Counter]:
    """Counts outcomes by kind, and prints them: pytest -s, or -rP."""
    counted: Counter = Counter()
    yield counted
    print(f"\n{request.node.name}: {sum(counted.values())} tries: {dict(counted.most_common())}")
