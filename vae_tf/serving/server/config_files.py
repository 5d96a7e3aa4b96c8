"""What is served: a folder with `models.config` and `batching_parameters.txt`, or a folder of models or versions."""

import dataclasses
import os
from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format, wrappers_pb2
from tensorflow_serving.config import file_system_storage_path_source_pb2, model_server_config_pb2

from vae_tf.errors import UserError

MODELS, BATCHING = "models.config", "batching_parameters.txt"
VersionPolicy = file_system_storage_path_source_pb2.FileSystemStoragePathSourceConfig.ServableVersionPolicy
LAYOUT = (
    "Expected FOLDER/N/saved_model.pb with a whole number N, as `python cli.py export --to FOLDER` writes."
)


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """One model: its name, the folder of its versions, which of them to serve, and names for some of them.

    `base_path` is what the file calls the folder.
    """

    name: str
    folder: Path
    policy: Any = dataclasses.field(default_factory=VersionPolicy)
    labels: dict[str, int] = dataclasses.field(default_factory=dict)
    base_path: str = ""


@dataclasses.dataclass(frozen=True)
class BatchingParameters:
    """As TF Serving names them; times in microseconds, sizes in rows."""

    max_batch_size: int = 32
    batch_timeout_micros: int = 0
    num_batch_threads: int = dataclasses.field(default_factory=lambda: os.cpu_count() or 1)
    max_enqueued_batches: int = 100
    allowed_batch_sizes: tuple[int, ...] = ()

    def padded(self, rows: int) -> int:
        """The smallest allowed batch size that holds so many rows; the rows themselves where none is stated."""
        return min((size for size in self.allowed_batch_sizes if size >= rows), default=rows)


def find_models(folder: Path) -> list[ModelConfig]:
    """The models below a folder.

    Raises:
        UserError: There are none.
    """
    if (folder / MODELS).is_file():
        return read_models_config(folder / MODELS)
    if versions_in(folder):
        return [ModelConfig(folder.resolve().name, folder)]
    models = [
        ModelConfig(path.name, path)
        for path in sorted(folder.iterdir())
        if path.is_dir() and versions_in(path)
    ]
    if models:
        return models
    if (folder / "saved_model.pb").is_file():
        raise UserError(f"{folder} is one version of a model.", f"Give the folder around it. {LAYOUT}")
    raise UserError(f"{folder} holds no model to serve.", LAYOUT)


def versions_in(folder: Path) -> dict[int, Path]:
    """Complete versions by number; one without a saved_model.pb is still being written."""
    if not folder.is_dir():
        return {}
    numbered = [path for path in folder.iterdir() if path.name.isascii() and path.name.isdecimal()]
    return {int(path.name): path for path in numbered if (path / "saved_model.pb").is_file()}


def read_models_config(path: Path) -> list[ModelConfig]:
    """Raises: UserError: It is not TF Serving's ModelServerConfig, or names a folder that does not exist."""
    document = parse_text(path, model_server_config_pb2.ModelServerConfig())
    configs = document.model_config_list.config
    if not configs:
        raise UserError(
            f"{path} names no model.", "Expected model_config_list { config { name … base_path … } }."
        )
    names = [config.name for config in configs]
    if len(set(names)) < len(names) or not all(names):
        raise UserError(f"{path}: every model needs a name of its own.", f"Names: {', '.join(names)}.")
    return [
        ModelConfig(
            config.name,
            folder_of(config, path),
            config.model_version_policy,
            dict(config.version_labels),
            config.base_path,
        )
        for config in configs
    ]


def folder_of(config: Any, path: Path) -> Path:
    """`base_path`, or, where it names a place inside a container, the folder of that name beside the file.

    The export of a run has its versions beside the file.
    """
    tried = [Path(config.base_path), path.parent / config.name, path.parent / Path(config.base_path).name]
    for folder in tried:
        if config.base_path and folder.is_dir():
            return folder
    if versions_in(path.parent):
        return path.parent
    raise UserError(
        f"{path}: base_path {config.base_path!r} of model {config.name!r} does not exist.",
        f"Neither does {tried[1]}.",
    )


def read_batching_parameters(path: Path) -> BatchingParameters:
    """The parameters of a file; the defaults where there is none.

    Raises:
        UserError: It is not TF Serving's BatchingParameters, or a value makes no sense.
    """
    if not path.is_file():
        return BatchingParameters()
    message = parse_text(path, batching_message()())
    names = ("max_batch_size", "batch_timeout_micros", "num_batch_threads", "max_enqueued_batches")
    given = {name: getattr(message, name).value for name in names if message.HasField(name)}
    sizes = tuple(message.allowed_batch_sizes)
    for name, value in given.items():
        if value < (0 if name == "batch_timeout_micros" else 1):
            raise UserError(f"{path}: {name} is {value}.", "It must be positive.")
    parameters = BatchingParameters(**given, allowed_batch_sizes=sizes)
    if sizes and (list(sizes) != sorted(set(sizes)) or sizes[-1] != parameters.max_batch_size):
        raise UserError(
            f"{path}: allowed_batch_sizes is {', '.join(map(str, sizes))}.",
            f"They must rise, and the last must be max_batch_size ({parameters.max_batch_size}).",
        )
    return parameters


@cache
def batching_message() -> Any:
    """TF Serving's message BatchingParameters, which its Python package leaves out."""
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="vae_tf/batching_parameters.proto", package="vae_tf", syntax="proto3"
    )
    file.dependency.append(wrappers_pb2.DESCRIPTOR.name)
    message = file.message_type.add(name="BatchingParameters")
    wrapped = {
        "max_batch_size": "Int64Value",
        "batch_timeout_micros": "Int64Value",
        "max_enqueued_batches": "Int64Value",
        "num_batch_threads": "Int64Value",
        "thread_pool_name": "StringValue",
        "enable_large_batch_splitting": "BoolValue",
        "max_execution_batch_size": "Int64Value",
    }
    for number, (name, kind) in enumerate(wrapped.items(), 1):
        message.field.add(
            name=name, number=number, label=field.LABEL_OPTIONAL, type=field.TYPE_MESSAGE,
            type_name=f".google.protobuf.{kind}",
        )  # fmt: skip
    number = len(wrapped)
    message.field.add(
        name="allowed_batch_sizes", number=number + 1, label=field.LABEL_REPEATED, type=field.TYPE_INT64
    )
    message.field.add(
        name="pad_variable_length_inputs", number=number + 2, label=field.LABEL_OPTIONAL, type=field.TYPE_BOOL
    )
    pool = descriptor_pool.Default()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("vae_tf.BatchingParameters"))


def parse_text(path: Path, message: Any) -> Any:
    try:
        return text_format.Parse(path.read_text(), message)
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}", "It is TF Serving's text format.") from None
