"""The command line's options and the configuration they make, both ways; and options from a file."""

import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from vae_tf.config import Config, parse_config, parse_range, parse_settings, parse_size, parse_split
from vae_tf.errors import UserError
from vae_tf.nearest import did_you_mean

# Options that are a field of the configuration under another name or in another form.
RENAMED = {"size", "grey", "split", "range", "set"}
# How a list in a file is written as the one word of the command line.
JOINED = {"size": "x", "split": "/", "range": ":", "augment": ","}


def to_config(options: Mapping[str, Any]) -> Config:
    """The typed configuration of what was typed; options that are none of its fields are passed over.

    Raises:
        UserError: A value that does not fit.
    """
    document: dict[str, dict[str, Any]] = {}
    for section, field in Config.model_fields.items():
        names = field.annotation.model_fields  # type: ignore[union-attr]
        document[section] = {name: options[name] for name in names if name in options and name not in RENAMED}
    data, model = document["data"], document["model"]
    if options.get("size") is not None:
        data["size"] = parse_size(options["size"])
    if options.get("split") is not None:
        data["split"] = parse_split(options["split"])
    if options.get("range") is not None:
        data["value_range"] = parse_range(options["range"])
    if options.get("grey") is not None:
        data["channels"] = 1 if options["grey"] else 3
    data["only"] = tuple(options.get("only") or ())
    model["settings"] = parse_settings(options.get("set") or [])
    return parse_config(document)


def to_options(config: Config) -> dict[str, Any]:
    """The options that make this configuration, those left out that would change nothing."""
    plain = Config(data={"source": config.data.source})
    options: dict[str, Any] = {"source": config.data.source}
    for section in Config.model_fields:
        for name, value in getattr(config, section):
            if name not in ("settings", "channels", "value_range") and value != getattr(
                getattr(plain, section), name
            ):
                options[name] = value
    data = config.data
    if data.size is not None:
        options["size"] = f"{data.size[0]}x{data.size[1]}"
    if data.split is not None:
        options["split"] = "/".join(map(number, data.split))
    if data.value_range is not None:
        options["range"] = ":".join(map(number, data.value_range))
    if data.channels is not None:
        options["grey"] = data.channels == 1
    if config.model.settings:
        options["set"] = config.model.settings
    return options


def number(value: float) -> str:
    """As short as it can be without losing a digit."""
    return str(int(value)) if value == int(value) else repr(value)


def to_toml(config: Config) -> str:
    """The configuration as a file that `--config` reads."""
    options = to_options(config)
    settings = options.pop("set", {})
    lines = [f"{name.replace('_', '-')} = {json.dumps(value)}" for name, value in options.items()]
    if settings:
        lines += [
            "",
            "[set]",
            *(f"{json.dumps(key)} = {json.dumps(value)}" for key, value in settings.items()),
        ]
    return "\n".join(lines)


def read_options(path: Path, known: Iterable[str]) -> dict[str, Any]:
    """The options in a TOML file, by the names of a command's parameters.

    Args:
        path: The file; its names are those of the options, with dashes or underscores.
        known: Names of the parameters that the command has.

    Raises:
        UserError: No such file, no TOML, a name that the command does not have, or a table where none fits.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        names = set(known)
        return dict(read_option(path, key, value, names) for key, value in document.items())
    except OSError:
        raise UserError(
            f"There is no file {str(path)!r}.", "--config takes a TOML file of options."
        ) from None
    except (ValueError, RecursionError) as error:
        # Numbers of thousands of digits are a ValueError, too.
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise UserError(
            f"{path} is not TOML: {reason}.", 'Lines are such as: latent = 30, recipe = "conv".'
        ) from None


def read_option(path: Path, key: str, value: Any, names: set[str]) -> tuple[str, Any]:
    """The name and the value of one option; see `read_options`."""
    name = key.replace("-", "_")
    if name == "rgb" and "grey" in names:
        if not isinstance(value, bool):
            raise UserError(f"{path}: rgb = {value} does not fit.", "Expected true or false.")
        name, value = "grey", not value
    if name not in names:
        listed = sorted(other.replace("_", "-") for other in names)
        raise UserError(
            f"{path}: there is no option {key!r}.{did_you_mean(key.replace('_', '-'), listed)}",
            f"The options are: {', '.join(listed)}.",
        )
    if isinstance(value, dict) and name != "set":
        raise UserError(f"{path}: {key} is a table; only [set] is one.", f"Write it as: {key} = value.")
    return name, as_typed(name, value)


def as_typed(name: str, value: Any) -> Any:
    """A value of a file as it would be typed: text, a list of texts, or a truth."""
    if isinstance(value, dict):
        return [f"{key}={json.dumps(item, default=str)}" for key, item in flat(value)]
    if isinstance(value, list):
        return JOINED[name].join(map(str, value)) if name in JOINED else list(map(str, value))
    return value if isinstance(value, bool) else str(value)


def flat(table: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """{"encoder": {"widths": […]}} as [("encoder.widths", […])]."""
    pairs: list[tuple[str, Any]] = []
    for key, value in table.items():
        pairs += flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [(f"{prefix}{key}", value)]
    return pairs
