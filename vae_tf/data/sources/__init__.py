"""Sources of pictures: what a user may name, and how it is opened."""

from pathlib import Path

from vae_tf.config import DataConfig
from vae_tf.data.sources.base import Entry, Source
from vae_tf.data.sources.demo import DEMO_FACES, DemoFaces
from vae_tf.data.sources.folder import FolderSource
from vae_tf.errors import UserError

__all__ = ["Entry", "Source", "open_source"]


def open_source(config: DataConfig) -> Source:
    """The pictures that `config` names, with the classes, groups and facts of its label file.

    Raises:
        UserError: There is no such source, or it holds no pictures.
    """
    return open_one(config.source, config)


def open_one(text: str, config: DataConfig) -> Source:
    """One source by name: a folder, an archive, a file of arrays, `tfds:NAME`, or `demo:faces`."""
    if text == DEMO_FACES:
        return DemoFaces(group_by=config.group_by)
    if text.startswith("demo:"):
        raise UserError(f"There is no source {text!r}.", f"The embedded source is {DEMO_FACES}.")
    root = Path(text).expanduser()
    if not root.exists():
        raise UserError(
            f"There is no folder {text!r}.",
            f"Give a folder of pictures, try the embedded faces with `python cli.py demo`,\n"
            f"or write them out first: python cli.py make-faces {text}",
        )
    if not root.is_dir():
        raise UserError(f"{text} is a file; a folder of pictures was expected.", f"Try {root.parent}.")
    return FolderSource(root, config.group_by)
