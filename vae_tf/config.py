"""The configuration of a run: typed, closed, one JSON in and one JSON out."""

import json
import math
from typing import Any, Literal

import pydantic

from vae_tf.errors import UserError, shortened
from vae_tf.nearest import did_you_mean

# More of anything that is counted was never meant, and would not fit into the counters.
LARGEST_COUNT = 10**9


class Section(pydantic.BaseModel):
    """Unknown keys are refused and values do not change after they were checked."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class DataConfig(Section):
    """Where the pictures come from and how they are brought to one shape. None means: choose from the data."""

    source: str
    test: str | None = pydantic.Field(None, description="a source whose pictures are the test part")
    key: str | None = pydantic.Field(None, description="name of the pictures in a file of arrays, or in tfds")
    frames: Literal["first", "all"] = "first"
    labels: str | None = pydantic.Field(None, description="file of classes, groups, parts and further facts")
    file_column: str | None = None
    label_column: str | None = None
    group_column: str | None = None
    split_column: str | None = None
    group_by: str | None = None
    only: tuple[str, ...] = pydantic.Field((), description="classes to train on; the rest is put aside")
    split: tuple[float, ...] | None = None
    labelled_fraction: float | None = pydantic.Field(
        None, gt=0, le=1, description="share of the training labels that training may see"
    )
    size: tuple[int, int] | None = None
    fit: Literal["crop", "pad", "stretch"] = "crop"
    channels: Literal[1, 3] | None = None
    value_range: tuple[float, float] | None = pydantic.Field(None, description="values of black and white")
    tokens: Literal["words", "characters"] = pydantic.Field("words", description="what sentences are made of")
    longest: int | None = pydantic.Field(None, ge=1, le=1000, description="tokens of a sentence at most")
    min_count: int | None = pydantic.Field(
        None, ge=1, le=LARGEST_COUNT, description="occurrences of a token to be known"
    )

    @property
    def shares(self) -> tuple[float, ...]:
        """Shares of train, validation, test and, as a fourth, calibration."""
        if self.split is not None:
            return self.split
        return (60.0, 10.0, 15.0, 15.0) if self.only else (80.0, 10.0, 10.0)

    @pydantic.field_validator("value_range")
    @classmethod
    def _range_is_one(cls, value_range: tuple[float, float] | None) -> tuple[float, float] | None:
        if value_range is not None and not (
            value_range[0] < value_range[1] and math.isfinite(value_range[1] - value_range[0])
        ):
            raise ValueError("two finite numbers are expected, the smaller first")
        return value_range

    @pydantic.field_validator("size")
    @classmethod
    def _size_fits(cls, size: tuple[int, int] | None) -> tuple[int, int] | None:
        if size is not None and not all(8 <= side <= 1024 for side in size):
            raise ValueError("sides of 8 to 1024 pixels are possible")
        return size

    @pydantic.field_validator("split")
    @classmethod
    def _split_is_complete(cls, split: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if split is None:
            return None
        usable = math.isfinite(sum(split)) and all(share >= 0 for share in split)
        if len(split) not in (3, 4) or not usable or split[0] <= 0:
            raise ValueError(
                "three or four numbers of 0 or more are expected: train/validation/test[/calibration]"
            )
        return split


class ModelConfig(Section):
    """Which recipe, and what differs from its row of parts."""

    recipe: str = "conv"
    latent: int = pydantic.Field(30, ge=1, le=4096)
    likelihood: str | None = None
    beta: float | None = pydantic.Field(None, ge=0, allow_inf_nan=False)
    settings: dict[str, Any] = {}


class TrainingConfig(Section):
    """How the weights are found. None means: choose from the number and the size of the pictures."""

    epochs: int | None = pydantic.Field(None, ge=1, le=LARGEST_COUNT)
    batch_size: int | None = pydantic.Field(None, ge=1, le=LARGEST_COUNT)
    learning_rate: float = pydantic.Field(1e-3, gt=0, le=1e9, allow_inf_nan=False)
    schedule: Literal["constant", "cosine"] = "constant"
    kl_warmup: int = pydantic.Field(
        0, ge=0, le=LARGEST_COUNT, description="steps over which the KL's weight rises to β"
    )
    augment: str = "auto"
    seed: int = pydantic.Field(0, ge=0, le=2**31 - 1)
    precision: Literal["auto", "float32", "mixed_float16", "mixed_bfloat16"] = "auto"


class Config(Section):
    """Everything that decides a run's result; the same JSON gives the same weights on the same machine."""

    data: DataConfig
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()

    def to_json(self) -> dict[str, Any]:
        document: dict[str, Any] = self.model_dump(mode="json")
        return document


def parse_config(document: dict[str, Any]) -> Config:
    """The configuration in `document`.

    Raises:
        UserError: Unknown keys or wrong values, each named with what was expected.
    """
    try:
        return Config.model_validate(document)
    except pydantic.ValidationError as error:
        problems = []
        for item in error.errors():
            place = [str(part) for part in item["loc"]]
            reason = item["msg"].removeprefix("Value error, ")
            if item["type"] == "extra_forbidden":
                reason = f"there is no such key.{did_you_mean(place[-1], keys_beside(place))}"
            problems.append(f"{option_of(place)}: {shortened(repr(item['input']))} does not fit ({reason})")
        raise UserError("; ".join(problems), "`python cli.py train --help` lists the options.") from None


def keys_beside(place: list[str]) -> list[str]:
    """What may stand where a key was found."""
    if len(place) == 1:
        return list(Config.model_fields)
    section = Config.model_fields[place[0]].annotation
    return list(section.model_fields)  # type: ignore[union-attr]


def option_of(place: list[str]) -> str:
    """A field as the command line calls it: `--kl-warmup` for training.kl_warmup."""
    name = place[1] if len(place) > 1 else place[0]
    renamed = {"value_range": "range", "channels": "grey", "settings": "set", "source": ""}
    known = any(name in section.annotation.model_fields for section in Config.model_fields.values())  # type: ignore[union-attr]
    return f"--{renamed.get(name, name).replace('_', '-')}" if known and name != "source" else ".".join(place)


def parse_size(text: str) -> tuple[int, int]:
    """ "64" to (64, 64), "112x92" to (112, 92): height × width in pixels."""
    parts = text.lower().replace("×", "x").split("x")
    if len(parts) not in (1, 2) or not all(part.isdecimal() and len(part) < 10 for part in parts):
        raise UserError(
            f"--size {shortened(text)}: expected a side or HEIGHTxWIDTH in pixels.", "For example --size 64."
        )
    sides = [int(part) for part in parts]
    return sides[0], sides[-1]


def parse_split(text: str) -> tuple[float, ...]:
    """ "80/10/10" to (80.0, 10.0, 10.0)."""
    try:
        return tuple(float(part) for part in text.split("/"))
    except ValueError:
        raise UserError(
            f"--split {text}: expected train/validation/test[/calibration].", "For example --split 80/10/10."
        ) from None


def parse_range(text: str) -> tuple[float, float]:
    """ "0:4095" to (0.0, 4095.0)."""
    try:
        low, high = (float(part) for part in text.split(":"))
    except ValueError:
        raise UserError(
            f"--range {text}: expected LOW:HIGH, the values of black and white.",
            "For example --range 0:4095.",
        ) from None
    return low, high


def parse_numbers(text: str) -> tuple[int | None, ...]:
    """ "1,5,all" to (1, 5, None).

    Raises:
        UserError: Something else than numbers from 1 and "all".
    """
    numbers: list[int | None] = []
    for part in text.split(","):
        name = part.strip()
        if name != "all" and not (name.isdecimal() and int(name) > 0):
            raise UserError(
                f"--labels {text}: {name!r} is no number of labels of each class.",
                "For example --labels 1,5,20,all.",
            )
        numbers.append(None if name == "all" else int(name))
    return tuple(dict.fromkeys(numbers))


def parse_settings(pairs: list[str]) -> dict[str, Any]:
    """["objective.beta=4", "prior.name=vamp"] to a dictionary; values are read as JSON where they can be."""
    settings: dict[str, Any] = {}

    def finite(text: str) -> float:
        if not math.isfinite(value := float(text)):
            raise UserError(f"--set {shortened(pair)}: {text} is no finite number.")
        return value

    for pair in pairs:
        key, separator, text = pair.partition("=")
        if not separator or not key.strip():
            raise UserError(f"--set {pair}: expected KEY=VALUE.", "For example --set likelihood.scale=0.1.")
        try:
            settings[key.strip()] = json.loads(text, parse_float=finite, parse_constant=finite)
        except json.JSONDecodeError:
            settings[key.strip()] = text
        except (ValueError, RecursionError):
            raise UserError(f"--set {shortened(pair)}: too many digits, or nested too deeply.") from None
    return settings
