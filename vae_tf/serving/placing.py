"""Where TF Serving looks: DIR/NAME/N/ with its configuration beside the models."""

import os
import re
import shutil
from pathlib import Path

from vae_tf.errors import UserError
from vae_tf.locks import alone_in
from vae_tf.whole import new_folder, renamed, sweep, sync_folder, write_text

CONFIG, BATCHING = "models.config", "batching_parameters.txt"
# Where the image tensorflow/serving looks for models.
IN_CONTAINER = "/models"
# A batch waits a millisecond for company: less than what one picture takes.
PARAMETERS = """max_batch_size { value: 64 }
batch_timeout_micros { value: 1000 }
max_enqueued_batches { value: 100 }
num_batch_threads { value: %d }
"""


def place(saved_model: Path, directory: Path, name: str, version: int | None = None) -> Path:
    """Copies a SavedModel to DIR/NAME/N, whole or not at all, and writes the configuration of all models in DIR.

    Args:
        saved_model: A version folder that is whole.
        directory: DIR.
        name: NAME.
        version: N; None takes the next free one.

    Returns:
        DIR/NAME/N.

    Raises:
        UserError: A name that TF Serving's addresses cannot hold, a version that is there already or is none, or a
            folder that cannot be written.
    """
    check_name(name)
    model = directory / name
    try:
        model.mkdir(parents=True, exist_ok=True)
        # Two that place at once take turns: each must see the other's version and write it into the configuration.
        with alone_in(directory):
            sweep(model)
            number = choose_version(model, versions_in(model), version)
            copy_whole(saved_model, model / str(number))
            write_configuration(directory)
    except OSError as error:
        raise UserError(
            f"--to {directory}: {error.strerror or error}.", "Give a folder that can be written."
        ) from None
    return model / str(number)


def place_files(model: Path, directory: Path, name: str) -> Path:
    """Copies a model that TF Serving does not serve to DIR/NAME, whole or not at all.

    Raises:
        UserError: Not a name, one that is taken, or a folder that cannot be written.
    """
    check_name(name)
    target = directory / name
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with alone_in(directory):
            if target.exists():
                raise UserError(
                    f"{target} is there already.", "Choose another name: --name NAME, or remove it."
                )
            copy_whole(model, target)
    except OSError as error:
        raise UserError(
            f"--to {directory}: {error.strerror or error}.", "Give a folder that can be written."
        ) from None
    return target


def check_name(name: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", name) or name.strip(".") == "":
        raise UserError(
            f"--name {name}: not a model's name.", "Letters, digits, dots, dashes and underscores."
        )


def choose_version(model: Path | str, there: list[int], version: int | None) -> int:
    """The version that was asked for, or the next free one.

    Raises:
        UserError: It is there already, or is none.
    """
    if version is not None and version < 1:
        raise UserError(f"--version {version}: not a version.", "Versions are whole numbers from 1 on.")
    number = version if version is not None else max(there, default=0) + 1
    if number in there:
        raise UserError(
            f"{model}/{number} is there already, and a served version does not change.",
            f"Choose another: --version {max(there) + 1}, or leave --version out for the next one.",
        )
    return number


def copy_whole(source: Path, target: Path) -> None:
    # A name that is no number: TF Serving does not see it before it is whole.
    with new_folder(target) as partial:
        shutil.copytree(source, partial, dirs_exist_ok=True)
        sync_folder(partial)
        if not renamed(partial, target):
            raise UserError(f"{target} is there already.", "Choose another name, or remove it.")


def versions_in(model: Path) -> list[int]:
    """The versions of a model that are there, ascending."""
    return sorted(int(path.name) for path in model.iterdir() if path.name.isdigit() and path.is_dir())


def write_configuration(directory: Path, names: list[str] | None = None) -> None:
    """models.config of every model in a folder, and batching_parameters.txt where there is none yet."""
    if names is None:
        names = sorted(path.name for path in directory.iterdir() if path.is_dir() and versions_in(path))
    write_text(directory / CONFIG, configuration(names, IN_CONTAINER))
    if not (directory / BATCHING).exists():
        write_text(directory / BATCHING, parameters())


def configuration(names: list[str], base: str) -> str:
    """The text of models.config for models that a server finds at BASE/NAME."""
    from google.protobuf import text_format
    from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

    document = ModelServerConfig()
    for name in names:
        document.model_config_list.config.add(
            name=name, base_path=f"{base}/{name}", model_platform="tensorflow"
        )
    return str(text_format.MessageToString(document))


def parameters() -> str:
    """The text of batching_parameters.txt for this machine."""
    return PARAMETERS % (os.cpu_count() or 1)
