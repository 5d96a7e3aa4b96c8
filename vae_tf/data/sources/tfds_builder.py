"""From the name of a set of TensorFlow Datasets to its examples: found on disk, or fetched and prepared first."""

import contextlib
import dataclasses
import difflib
import logging
import os
import re
import sys
from collections.abc import Iterator
from typing import Any

from vae_tf.data.sources.tfds_features import is_encoded, nest
from vae_tf.errors import UserError

NAME = re.compile(r"\w+(/[\w.+-]+)?")
VERSION = re.compile(r"(\d+\.\d+\.\d+)(?::|$)")
REPEATED_CALL = re.compile(r'^Failed to construct dataset "[^"]*", builder_kwargs "[^"]*": ')
MAX_RETRIES = 4
# One by one, the package takes longer to hand examples over than to read them.
BATCH_SIZE = 64
PREFIX = "tfds:"


@dataclasses.dataclass(frozen=True)
class Request:
    """What the user named: "mnist" or "name/config", a version, and pieces of splits such as "train[:80%]"."""

    name: str
    version: str | None
    pieces: tuple[str, ...]


def parse(text: str) -> Request:
    """ "tfds:mnist:train[:80%]+test" to its parts.

    Raises:
        UserError: Not of this form.
    """
    name, _, rest = text.removeprefix(PREFIX).partition(":")
    if not NAME.fullmatch(name):
        raise UserError(
            f"{text}: expected tfds:NAME[/config][:version][:split].",
            "For example tfds:mnist or tfds:mnist:train[:80%].",
        )
    version = VERSION.match(rest)
    if version:
        rest = rest[version.end() :]
    pieces = tuple(piece.strip() for piece in rest.split("+")) if rest not in ("", "all") else ()
    return Request(name, version[1] if version else None, pieces)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """The package's warnings kept back, and what it prints sent to stderr: stdout is for the commands' own words."""
    levels = {logger: logger.level for logger in map(logging.getLogger, ("absl", "urllib3"))}
    for logger in levels:
        logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        for logger, level in levels.items():
            logger.setLevel(level)


@contextlib.contextmanager
def few_retries() -> Iterator[None]:
    """Without a network the package would try again for minutes; here it gives up after some seconds."""
    from tensorflow_datasets.core.download import downloader

    usual = downloader.MAX_RETRIES
    downloader.MAX_RETRIES = MAX_RETRIES
    try:
        yield
    finally:
        downloader.MAX_RETRIES = usual


def prepared_builder(request: Request, notes: list[str]) -> Any:
    """The set's builder, its files on disk."""
    import tensorflow_datasets as tfds

    full_name = f"{request.name}:{request.version}" if request.version else request.name
    folder = os.environ.get("TFDS_DATA_DIR") or None
    try:
        builder = tfds.builder(full_name, data_dir=folder)
    except Exception as error:
        unknown = isinstance(error, tfds.core.DatasetNotFoundError)
        hint = near_names(request.name) if unknown else following_lines(error)
        raise UserError(f"{PREFIX}{full_name}: {first_line(error)}", hint) from None
    if builder.is_prepared():
        return builder
    try:
        with few_retries():
            builder.download_and_prepare()
    except Exception as error:
        raise UserError(
            f"{PREFIX}{full_name} is not in {builder.data_path}, and preparing it failed: {first_line(error)}",
            advice(builder, error),
        ) from None
    notes.append(f"{builder.info.full_name} was fetched and prepared in {builder.data_path}.")
    return builder


def first_line(error: Exception) -> str:
    """What an error of the package says, without the call that it repeats before it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return REPEATED_CALL.sub("", lines[0])[:300] if lines else type(error).__name__


def following_lines(error: Exception) -> str:
    """Such as the configurations that there are."""
    return " ".join(str(error).split("\n", 1)[-1].split())[:300] if "\n" in str(error) else ""


def near_names(name: str) -> str:
    import tensorflow_datasets as tfds

    known = tfds.list_builders(with_community_datasets=False)
    near = difflib.get_close_matches(name.partition("/")[0], known, 5, 0.5)
    listed = "https://www.tensorflow.org/datasets/catalog lists all names."
    return f"Near to it: {', '.join(near)}. {listed}" if near else listed


def advice(builder: Any, error: Exception) -> str:
    """How to mend what kept a set from being prepared."""
    if isinstance(error, ImportError):
        name = getattr(error, "name", None) or "the package named above"
        return f"This set needs a further package: pip install {name}"
    if builder.MANUAL_DOWNLOAD_INSTRUCTIONS:
        return f"It must be fetched by hand: {' '.join(builder.MANUAL_DOWNLOAD_INSTRUCTIONS.split())}"
    return (
        "Is there a network? A set prepared on another machine can be copied into ~/tensorflow_datasets,\n"
        "or anywhere that TFDS_DATA_DIR names."
    )


def batches(
    builder: Any, piece: str, key: str, features: dict[str, Any], columns: dict[str, Any]
) -> Iterator[Any]:
    """The examples of one piece of a split in nested dictionaries of arrays [B, …], always in the same order.

    Only the needed features are read.

    Raises:
        UserError: No such split.
    """
    import tensorflow_datasets as tfds

    wanted: dict[str, Any] = {}
    decoders: dict[str, Any] = {}
    for path in (key, *columns):
        nest(wanted, path, True)
    if is_encoded(features[key]):
        nest(decoders, key, tfds.decode.SkipDecoding())
    try:
        dataset = builder.as_dataset(
            split=piece,
            decoders=tfds.decode.PartialDecoding(wanted, decoders=decoders),
            shuffle_files=False,
            read_config=tfds.ReadConfig(try_autocache=False, shuffle_seed=None),
        )
        yield from tfds.as_numpy(dataset.batch(BATCH_SIZE))
    except UserError:
        raise
    except Exception as error:
        splits = ", ".join(builder.info.splits) or "not known"
        raise UserError(
            f"{builder.info.full_name}: {piece} cannot be read ({first_line(error)}).",
            f"Its splits: {splits}.",
        ) from None
