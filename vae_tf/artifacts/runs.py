"""The folder of runs: new ones, finding, renaming and deleting them."""

import contextlib
import re
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from vae_tf import strangers
from vae_tf.artifacts.json_files import read_json, write_json
from vae_tf.artifacts.layout import FILES, RECORD, SCHEMA_VERSION
from vae_tf.artifacts.publishing import address_of, publish
from vae_tf.artifacts.run import Run
from vae_tf.errors import UserError
from vae_tf.locks import LOCK, working_in
from vae_tf.mirror import mirror_of
from vae_tf.places import runs_root
from vae_tf.whole import PREFIX, delete_folder, sync


def new_run(
    name: str,
    record: Mapping[str, Any],
    root: Path | None = None,
    fill: Callable[[Run], None] = lambda run: None,
) -> Run:
    """Makes `root/NNNNN-name` with the next free number, run.json and what `fill` writes into it, all at once."""
    root = root or runs_root()
    root.mkdir(parents=True, exist_ok=True)
    document = {
        "schema_version": SCHEMA_VERSION,
        "created": time.time(),
        "command": command_line(sys.argv),
        **record,
    }
    with working_in(root), next_number(root) as (number, claim):
        write_json(claim / "run.json", document)
        fill(Run(claim))
        folder = root / f"{number:05d}-{slug(name)}"
        claim.rename(folder)
        sync(root)
    publish(folder / "run.json")
    run = Run(folder)
    run.give_what_is_missing()
    return run


def command_line(arguments: list[str]) -> str:
    """What was typed, to be typed again."""
    return shlex.join(["python", Path(arguments[0]).name, *arguments[1:]])


@contextlib.contextmanager
def next_number(root: Path) -> Iterator[tuple[int, Path]]:
    """A number that no run has, and a folder by which no other process gets it, to be renamed as the run's."""
    number, mirror = 0, mirror_of(root)
    while True:
        number = max([number, *(int(run.name[:5]) for run in all_runs(root, any_state=True))]) + 1
        claim = root / f"{PREFIX}{number:05d}"
        try:
            claim.mkdir()
        except FileExistsError:
            continue
        try:
            free = not any(root.glob(f"{number:05d}-*"))
            if free and (mirror is None or mirror.claim(f"{number:05d}")):
                yield number, claim
                return
        finally:
            shutil.rmtree(claim, ignore_errors=True)


def slug(text: str) -> str:
    """Lower-case letters, digits and dashes of `text`, for the name of a run."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40] or "run"


def all_runs(root: Path | None = None, any_state: bool = False) -> list[Run]:
    """Runs in the order of their numbers; those without a run.json only with `any_state`."""
    root = root or runs_root()
    mirror = mirror_of(root)
    kept = None if mirror is None else mirror.refresh(FILES, RECORD)
    if not root.is_dir():
        return []
    folders = sorted(path for path in root.iterdir() if re.match(r"\d{5}-", path.name))
    if kept is not None:
        folders = [path for path in folders if path.name in kept]
    return [Run(path) for path in folders if any_state or (path / "run.json").exists()]


def run_of_job(job: str, root: Path | None = None) -> Run | None:
    """The newest run that a job on several machines began by the same command; None if it began none."""
    for run in reversed(all_runs(root)):
        record = read_json(run.folder / "run.json")
        if record.get("job") == job and record["command"] == command_line(sys.argv):
            return run
    return None


def find_run(text: str | None, root: Path | None = None, trained: bool = True) -> Run:
    """The run that a user named by path, name, number or a part of its name; without one, the newest.

    Raises:
        UserError: None fits, several fit, or it has not finished training.
    """
    root = root or runs_root()
    runs, where = all_runs(root), address_of(root)
    if text is None:
        runs = [run for run in runs if run.is_trained or not trained]
        if not runs:
            raise UserError(
                f"There is no trained run in {where}/.",
                "Train one first: python cli.py train faces/ --latent 30",
            )
        return looked_through(runs[-1])
    if not text:
        raise UserError("The name of a run is empty.", "Without one the newest is taken.")
    if (Path(text) / "run.json").exists():
        matches = [Run(Path(text))]
    else:
        # A number is never searched in names: "3" must not find 00013-faces-conv-z30.
        part = f"{int(text):05d}-" if text.isdecimal() else text
        fits = str.startswith if text.isdecimal() else str.__contains__
        matches = [run for run in runs if text in (run.name, run.name[6:])]
        matches = matches or [run for run in runs if fits(run.name, part)]
    if len(matches) != 1:
        found = ", ".join(run.name for run in (matches or runs)[-8:]) or "none"
        many = "Several runs match" if matches else "There is no run"
        raise UserError(f"{many} {text!r} in {where}/.", f"Runs: {found}.")
    if trained and not matches[0].is_trained:
        raise UserError(
            f"{matches[0].name} has not finished training.",
            f"Go on with: python cli.py train --resume {matches[0].name}",
        )
    return looked_through(matches[0])


def looked_through(run: Run) -> Run:
    """The run, if nothing in it leads elsewhere; what its store has not been given is given now.

    Raises:
        UserError: A link out of the run, or a pipe.
    """
    strangers.check_folder(run.folder)
    run.give_what_is_missing()
    return run


def delete_run(run: Run) -> None:
    """Deletes a run here and in its store, where run.json goes first, so that nothing half there counts.

    Raises:
        UserError: A process trains it, or writes into it.
    """
    with run.alone():
        if run.mirror is not None:
            run.mirror.drop(run.name, "run.json")
        delete_folder(run.folder)


def rename_run(run: Run, name: str) -> Run:
    """The run under another name and its old number.

    Raises:
        UserError: A process trains the run or writes into it, or the name has no letter or digit.
    """
    if not re.search(r"[a-z0-9]", name.lower()):
        raise UserError(f"{name!r} is no name for a run.", "Letters, digits and dashes are kept of it.")
    if not re.match(r"\d{5}-", run.name):
        raise UserError(f"{run.name} has no number of its own.", "Move its folder by hand.")
    with run.alone():
        folder = run.folder.with_name(f"{run.name[:5]}-{slug(name)}")
        if folder != run.folder:
            if run.mirror is not None:
                run.mirror.move(run.name, folder.name, "run.json")
            run.folder.rename(folder)
            (folder / LOCK).unlink(missing_ok=True)
    return Run(folder)
