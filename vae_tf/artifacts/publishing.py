"""Runs that are kept in a store: giving it what was made here."""

from pathlib import Path

from vae_tf.artifacts.layout import RECORD
from vae_tf.errors import UserError
from vae_tf.mirror import kept_here, mirror_of
from vae_tf.places import runs_root


def publish(path: Path) -> None:
    """Gives what lies at a path to the store of its runs; nothing where they are kept in a folder.

    Raises:
        UserError: The store cannot be written; what was made stays on this machine.
    """
    root = runs_root()
    mirror = mirror_of(root)
    if mirror is None or not path.is_relative_to(root):
        return
    try:
        mirror.give(path.parent.relative_to(root).as_posix().removeprefix("."), path, (RECORD,))
    except UserError as error:
        raise kept_here(error, path) from None
    if (path / RECORD).exists():
        mirror.remember(path.parent.name, path.name, path / RECORD)


def check_runs() -> None:
    """Finds out whether runs can be kept, before minutes of work.

    Raises:
        UserError: Their store does not answer.
    """
    if (mirror := mirror_of(runs_root())) is not None:
        mirror.store.folders()


def address_of(path: Path) -> str:
    """Where a path below the runs is kept: in the store, where they are in one."""
    mirror = mirror_of(runs_root())
    return (
        f"{mirror.store}/{path.relative_to(runs_root()).as_posix()}".removesuffix("/.")
        if mirror is not None and path.is_relative_to(runs_root())
        else str(path)
    )
