"""JSON as every record of a run is kept."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from vae_tf import strangers
from vae_tf.errors import UserError
from vae_tf.whole import write_text


def write_json(path: Path, document: Any) -> None:
    """A number that is none becomes null: it is not known, and no reader of JSON need take NaN."""
    try:
        text = json.dumps(document, indent=1, default=jsonable, allow_nan=False)
    except ValueError:
        known = json.loads(json.dumps(document, default=jsonable), parse_constant=lambda name: None)
        text = json.dumps(known, indent=1)
    write_text(path, text + "\n")


def read_json(path: Path) -> Any:
    """What is in a file of JSON.

    Raises:
        FileNotFoundError: There is none.
        UserError: No file, or no JSON.
    """
    check_file(path)
    with strangers.read_from(path):
        return json.loads(path.read_text(encoding="utf-8"))


def check_file(path: Path) -> None:
    """Raises: UserError: Something else has this name; a pipe, say, would be read for ever."""
    if path.exists() and not path.is_file():
        raise UserError(f"{path} is no file.", strangers.HINT)


def jsonable(value: Any) -> Any:
    """NumPy scalars and arrays, dataclasses and paths as JSON has them."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, Path):
        return value.as_posix()
    raise TypeError(f"{type(value).__name__} does not go into JSON")
