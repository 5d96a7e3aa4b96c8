"""Sources of pictures: what a user may name, and how it is opened."""

from pathlib import Path

from vae_tf.config import DataConfig
from vae_tf.data.labels import apply_labels
from vae_tf.data.sources.base import Entry, Source
from vae_tf.data.sources.demo import DEMO_FACES, DemoFaces
from vae_tf.data.sources.folder import FolderSource
from vae_tf.errors import UserError
from vae_tf.fetched import local_file, remote_name
from vae_tf.places import is_remote

__all__ = ["Entry", "Source", "open_source"]

KINDS = "a folder of pictures, a zip or tar archive, a file of arrays (.npz, .npy, IDX, HDF5), tfds:NAME, or demo:faces"


def open_source(config: DataConfig) -> Source:
    """The pictures that `config` names, with the test set and the classes, groups and facts that it names beside.

    Raises:
        UserError: There is no such source, it holds no pictures, or its label file does not fit.
    """
    from vae_tf.data.sources.joined import JoinedSource

    main = open_one(config.source, config)
    test = open_one(config.test, config) if config.test is not None else None
    # Before joining, so that a table finds the paths as they are in each source.
    apply_labels(main, config, test)
    return main if test is None else JoinedSource(main, test, config.value_range)


def open_one(text: str, config: DataConfig) -> Source:
    """One source by name; only what it needs is imported."""
    if not text:
        raise UserError(
            "The name of a source of pictures is empty.",
            "Was a variable of the shell not set? The folder that you are in is `.`.",
        )
    if text == DEMO_FACES:
        return DemoFaces(group_by=config.group_by)
    if text.startswith("tfds:"):
        from vae_tf.data.sources.tfds import TfdsSource

        return TfdsSource(text, config)
    if text.startswith("demo:"):
        raise UserError(f"There is no source {text!r}.", f"The embedded source is {DEMO_FACES}.")
    if is_remote(text):
        return open_remote(text, config)
    path = Path(text).expanduser()
    if not path.exists():
        raise UserError(
            f"There is no folder or file {text!r}.",
            "Give a folder of pictures, try the embedded faces with `python cli.py demo`,\n"
            f"or write them out first: python cli.py make-faces {text}",
        )
    if not (path.is_dir() or path.is_file()):
        # To open a pipe may be to wait for ever.
        raise UserError(f"{text!r} is a pipe or a device.", f"Expected {KINDS}.")
    return open_path(path, config)


def open_remote(address: str, config: DataConfig) -> Source:
    """A folder of pictures in a store, read object by object; archives and arrays are fetched whole."""
    from vae_tf.data.sources import archive, arrays, idx

    name = Path(remote_name(address))
    if idx.is_idx_file(name):
        raise UserError(
            f"{address}: IDX files come in pairs, and are read from this machine only.",
            "Fetch their folder first, or save pictures and classes in one .npz.",
        )
    if archive.is_archive(name) or arrays.is_array_file(name):
        return open_path(local_file(address), config)
    from vae_tf.data.sources.remote_folder import RemoteFolderSource

    return RemoteFolderSource(address, config.group_by, config.frames)


def open_path(path: Path, config: DataConfig) -> Source:
    from vae_tf.data.sources import archive, arrays, idx

    if arrays.is_array_file(path) or idx.is_idx_folder(path):
        return arrays.open_arrays(path, config)
    if path.is_dir():
        return FolderSource(path, config.group_by, config.frames)
    if archive.is_archive(path):
        return archive.ArchiveSource(path, config.group_by, config.frames)
    raise UserError(
        f"{path} is not a source of pictures.", f"Expected {KINDS}.\nFor its folder give {path.parent}."
    )
