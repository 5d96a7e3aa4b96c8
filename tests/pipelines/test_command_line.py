"""What shells and readers ask of the command line."""

import os
import re
import subprocess
import sys

import pytest

import cli
from tests.pipelines.bars import ROOT
from tests.pipelines.test_runs import make_run
from vae_tf.config import DataConfig
from vae_tf.data.sources import open_source
from vae_tf.errors import UserError


def completed(words, runs):
    """What bash would offer after these words, asked as the script that Typer writes asks it."""
    environment = {**os.environ, "VAE_TF_RUNS": str(runs), cli.COMPLETION: "complete_bash"}
    environment |= {"COMP_WORDS": " ".join(["./cli.py", *words]), "COMP_CWORD": str(len(words))}
    command = [sys.executable, "cli.py"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True).stdout.split()


def test_shells_complete_commands_recipes_and_runs(own_runs):
    run = make_run("faces", "aaa")
    assert completed(["trai"], own_runs) == ["train"]
    assert {"conv", "mlp"} <= set(completed(["train", "--recipe", ""], own_runs))
    assert completed(["embed", "000"], own_runs) == [run.name]


def test_the_completion_script_names_the_variable_that_we_read():
    command = [sys.executable, "cli.py", "--show-completion", "bash"]
    environment = {**os.environ, "SHELL": "/bin/bash"}
    script = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True).stdout
    assert f"{cli.COMPLETION}=complete_bash" in script and "cli.py" in script


@pytest.mark.parametrize(
    "name", sorted(c.name or c.callback.__name__.replace("_", "-") for c in cli.app.registered_commands)
)
def test_examples_of_a_command_are_options_that_it_has(name, capsys):
    """Every option that an example shows is one of the command."""
    assert cli.main([name, "--help"]) == 0
    text = capsys.readouterr().out
    head, _, examples = text.partition("Example")
    for option in re.findall(r"(?<![\\w-])--[a-z-]+", examples):
        assert option in head, option


def test_recipes_are_listed_with_paper_and_expectation(capsys):
    from vae_tf.recipes import RECIPES

    assert cli.main(["recipes"]) == 0
    words = set(capsys.readouterr().out.split())
    assert set(RECIPES) <= words


@pytest.mark.parametrize("named", [["x" * 5000], [".", "--labels", "x" * 5000]])
def test_a_path_longer_than_any_is_a_users_mistake(named, capsys):
    assert cli.main(["train", *named, "--dry-run"]) == 2
    error = capsys.readouterr().err
    assert "xxx … xxx" in error and len(error) < 500 and "defect" not in error


@pytest.mark.parametrize(
    ("command", "before"),
    [
        (["delete", "", "--yes"], "delete"),
        (["train", ""], "train"),
        (["serve", "--token", ""], "--token"),
        (["export", "--to="], "--to="),
        ([""], "cli.py"),
    ],
)
def test_an_empty_argument_names_nothing(command, before, capsys):
    """As where a variable of the shell is not set: `delete "$RUN" --yes` must not delete what nobody named."""
    assert cli.main(command) == 2
    error = capsys.readouterr().err
    assert f"Nothing stands after {before!r}" in error and "variable of the shell" in error


def test_no_source_has_an_empty_name():
    """An empty path would be the folder that one is in."""
    for config in (DataConfig(source=""), DataConfig(source=".", test="")):
        with pytest.raises(UserError, match="name of a source of pictures is empty"):
            open_source(config)
