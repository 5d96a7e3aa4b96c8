"""The configuration: one JSON in and out, closed, and errors that name what was wrong."""

import json
import math
from typing import Any

import hypothesis
import pydantic
import pytest
from hypothesis import strategies as st

from vae_tf.config import Config, DataConfig, parse_config, parse_settings, parse_size, parse_split
from vae_tf.errors import UserError

FULL: dict[str, Any] = {
    "data": {
        "source": "faces/",
        "size": [112, 92],
        "fit": "pad",
        "channels": 1,
        "group_by": r"(\d+)",
        "split": [70, 10, 10, 10],
    },
    "model": {
        "recipe": "mlp",
        "latent": 2,
        "likelihood": "bernoulli",
        "beta": 4,
        "settings": {"encoder.width": [1, 2], "x": None},
    },
    "training": {
        "epochs": 3,
        "batch_size": 7,
        "schedule": "cosine",
        "seed": 9,
        "precision": "mixed_bfloat16",
    },
}


@pytest.mark.parametrize("document", [{"data": {"source": "faces"}}, FULL])
def test_json_round_trip(document: dict[str, Any]) -> None:
    config = parse_config(document)
    again = parse_config(json.loads(json.dumps(config.to_json())))
    assert again == config
    assert again.to_json() == config.to_json()


def test_values_arrive_and_the_rest_are_defaults() -> None:
    config = parse_config(FULL)
    assert config.data.size == (112, 92) and config.data.split == (70.0, 10.0, 10.0, 10.0)
    assert config.model.beta == 4.0 and config.model.settings == FULL["model"]["settings"]
    assert (
        config.training.learning_rate
        == parse_config({"data": {"source": "x"}}).training.learning_rate
        == 1e-3
    )


@hypothesis.given(
    st.builds(
        DataConfig,
        source=st.text(st.characters(exclude_categories=("Cs",))),
        size=st.none() | st.tuples(st.integers(8, 1024), st.integers(8, 1024)),
        fit=st.sampled_from(["crop", "pad", "stretch"]),
        channels=st.sampled_from([None, 1, 3]),
        group_by=st.none() | st.text(st.characters(exclude_categories=("Cs",))),
        split=st.tuples(st.floats(0.1, 100), st.floats(0, 100), st.floats(0, 100)),
    )
)
def test_any_data_survives_json(data: DataConfig) -> None:
    config = Config(data=data)
    assert parse_config(json.loads(json.dumps(config.to_json()))) == config


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("data", "sizes"), 64),
        (("model", "latents"), 30),
        (("training", "epoch"), 3),
        (("optimizer",), "adam"),
    ],
)
def test_unknown_keys_are_refused_by_name(path: tuple[str, ...], value: Any) -> None:
    document: dict[str, Any] = {"data": {"source": "faces"}}
    section = document
    for key in path[:-1]:
        section = section.setdefault(key, {})
    section[path[-1]] = value
    with pytest.raises(UserError) as caught:
        parse_config(document)
    assert f"{'.'.join(path)}: {value!r}" in caught.value.message


@pytest.mark.parametrize(
    ("section", "key", "value", "expected"),
    [
        ("data", "size", [4, 64], "8 to 1024"),
        ("data", "size", [64, 2000], "8 to 1024"),
        ("data", "fit", "cut", "'crop', 'pad' or 'stretch'"),
        ("data", "channels", 4, "1 or 3"),
        ("data", "split", [80, 20], "three or four numbers"),
        ("data", "split", [80, -10, 30], "three or four numbers"),
        ("data", "split", [0, 50, 50], "three or four numbers"),
        ("data", "split", [80, math.nan, 10], "three or four numbers"),
        ("data", "split", [math.inf, 10, 10], "three or four numbers"),
        ("model", "latent", 0, "greater than or equal to 1"),
        ("model", "beta", -1, "greater than or equal to 0"),
        ("training", "epochs", 0, "greater than or equal to 1"),
        ("training", "learning_rate", 0, "greater than 0"),
        ("training", "schedule", "linear", "'constant' or 'cosine'"),
        ("training", "seed", -1, "greater than or equal to 0"),
    ],
)
def test_wrong_values_are_named_with_what_was_expected(
    section: str, key: str, value: Any, expected: str
) -> None:
    document: dict[str, Any] = {"data": {"source": "faces"}}
    document.setdefault(section, {})[key] = value
    with pytest.raises(UserError) as caught:
        parse_config(document)
    option = {"channels": "grey"}.get(key, key).replace("_", "-")
    assert caught.value.message.startswith(f"--{option}: {value!r}")
    assert expected in caught.value.message


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(UserError) as caught:
        parse_config({"data": {}, "model": {"latent": 0}, "training": {"seed": "x"}})
    for name in ("data.source", "--latent", "--seed"):
        assert name in caught.value.message


def test_values_do_not_change_after_they_were_checked() -> None:
    config = parse_config(FULL)
    with pytest.raises(pydantic.ValidationError):
        config.model.latent = 0


@pytest.mark.parametrize(
    ("text", "size"), [("64", (64, 64)), ("112x92", (112, 92)), ("112X92", (112, 92)), ("8×16", (8, 16))]
)
def test_sizes(text: str, size: tuple[int, int]) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "x", "64x", "1x2x3", "-64", "6.4", "big", "²"])
def test_wrong_sizes(text: str) -> None:
    with pytest.raises(UserError, match="--size"):
        parse_size(text)


def test_splits() -> None:
    assert parse_split("80/10/10") == (80.0, 10.0, 10.0)
    assert parse_split("0.7/0.1/0.1/0.1") == (0.7, 0.1, 0.1, 0.1)
    for text in ("", "80/10/", "80,10,10", "most/some/some"):
        with pytest.raises(UserError, match="--split"):
            parse_split(text)


def test_settings() -> None:
    pairs = [
        "objective.beta=4",
        "prior.name=vamp",
        "layers=[1, 2]",
        "on=true",
        "formula=a=b",
        " key =x",
        "none=null",
    ]
    assert parse_settings(pairs) == {
        "objective.beta": 4,
        "prior.name": "vamp",
        "layers": [1, 2],
        "on": True,
        "formula": "a=b",
        "key": "x",
        "none": None,
    }
    for pair in ("beta", "=4", " =4"):
        with pytest.raises(UserError, match="expected KEY=VALUE"):
            parse_settings([pair])


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999", "[1, NaN]"])
def test_settings_are_finite(value: str) -> None:
    with pytest.raises(UserError, match="no finite number"):
        parse_settings([f"likelihood.scale={value}"])


@pytest.mark.parametrize("value", ["[" * 50_000, "9" * 10_000])
def test_settings_that_no_reader_can_take_are_told_in_short(value: str) -> None:
    with pytest.raises(UserError, match="too many digits, or nested too deeply") as caught:
        parse_settings([f"encoder.widths={value}"])
    assert len(caught.value.message) < 200


def test_an_unknown_key_is_told_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"training\.epoch: 3 does not fit .*Did you mean 'epochs'\?"):
        parse_config({"data": {"source": "x"}, "training": {"epoch": 3}})
    with pytest.raises(UserError, match="Did you mean 'model'"):
        parse_config({"data": {"source": "x"}, "modle": {}})


@pytest.mark.parametrize(
    ("name", "value"), [("learning_rate", math.inf), ("learning_rate", math.nan), ("epochs", 10**30)]
)
def test_numbers_that_no_training_can_take(name: str, value: Any) -> None:
    with pytest.raises(UserError, match=f"--{name.replace('_', '-')}"):
        parse_config({"data": {"source": "x"}, "training": {name: value}})
