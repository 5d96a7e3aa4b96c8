"""Promise: whatever a configuration file or an option says, it is taken as it was meant or refused by its name."""

import json
import random
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

import cli
from tests.reliability.bad_files import damaged
from tests.reliability.tries import tries
from vae_tf.config import Config, parse_config
from vae_tf.errors import UserError
from vae_tf.options import to_toml

pytestmark = pytest.mark.timeout(3600)

WHOLE = to_toml(
    parse_config(
        {
            "data": {
                "source": "faces",
                "size": [64, 48],
                "split": [60, 20, 20],
                "only": ["happy"],
                "channels": 1,
            },
            "model": {"recipe": "mlp", "latent": 7, "beta": 2.5, "settings": {"encoder.widths": [16, 8]}},
            "training": {"epochs": 3, "learning_rate": 0.01, "augment": "mirror,shift", "seed": 5},
        }
    )
).replace("source =", "# source =")

VALUES = [
    *(
        "true",
        "false",
        "0",
        "-1",
        "1",
        "30.7",
        "1e400",
        "-1e400",
        "nan",
        "inf",
        "-inf",
        "9" * 400,
        "9" * 5000,
    ),
    *(
        '""',
        '"x"',
        '"' + "9" * 5000 + '"',
        '"-1"',
        '"1e9"',
        '"' + "x" * 100_000 + '"',
        "[]",
        "[1]",
        '["a", "b"]',
        "[[1]]",
        "{}",
        "{a = 1}",
    ),
    *("2026-01-01", "2026-01-01T00:00:00Z", "07:32:00", "0x10", '"\\u0000"', '"\\n"', '"../../etc"'),
    "[" * 5000,
    "[" * 300 + "]" * 300,
]
WRONG = {
    "latnet = 3": "Did you mean 'latent'?",
    "learning_rat = 3": "Did you mean 'learning-rate'?",
    "[training]\nepochs = 3": "no option 'training'",
    "latent = 30.7": "Invalid value for '--latent'",
    "latent = true": "latent = true does not fit",
    "grey = 'yes'": "grey = yes does not fit",
    "rgb = 'no'": "rgb = no does not fit",
    "epochs = [1, 2]": "epochs is one value",
    "epochs = {a = 1}": "epochs is a table",
    "epochs = 1e400": "--epochs",
    "epochs = 2026-01-01": "--epochs",
    "learning-rate = inf": "--learning-rate",
    "learning-rate = nan": "--learning-rate",
    "beta = inf": "--beta",
    f"latent = {'9' * 5000}": "is not TOML",
    f"latent = {'9' * 400}": "--latent",
    f"x = {'[' * 5000}": "nested too deeply",
    "recipe = 'cnov'": "Did you mean 'conv'?",
    "set = ['encoder.widhts=[1]']": "Did you mean 'widths'?",
    "set = ['encodr.widths=[1]']": "Did you mean 'encoder'?",
    "set = ['prior.name=vmap']": "Did you mean 'vamp'?",
    "set = ['likelihood.scale=NaN']": "NaN is no finite number",
    "set = ['likelihood.scale=1e999']": "1e999 is no finite number",
    # Python 3.13 can read what 3.11 cannot.
    f"set = ['encoder.widths={'[' * 5000}']": "encoder.widths",
    "[set]\nencoder = {widths = 2026-01-01}": "encoder.widths",
    "fit = 'cut'": "'crop', 'pad' or 'stretch'",
    "only = 'happy'": "--only happy: the pictures have no classes",
}


def told(arguments: list[str], capsys: Any) -> tuple[int, str]:
    code = cli.main(arguments)
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err and "defect" not in captured.err, (arguments, captured.err)
    return code, " ".join(captured.err.replace("│", " ").split())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A few pictures, too few to train on: a right configuration is refused for that alone."""
    from tests.reliability.odd_pictures import folder_of, noise

    return folder_of({"": noise(3)})(tmp_path / "pictures")


@pytest.mark.parametrize("text", WRONG, ids=lambda text: text[:40])
def test_a_wrong_option_is_told_by_its_name(text: str, folder: Path, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "run.toml").write_text(text)
    code, error = told(["train", str(folder), "--config", str(tmp_path / "run.toml"), "--dry-run"], capsys)
    assert code == 2 and WRONG[text] in error, error
    assert len(error) < 3000


@pytest.mark.slow
def test_any_value_for_any_option(folder: Path, tmp_path: Path, capsys: Any) -> None:
    names = sorted(
        {name for section in Config.model_fields.values() for name in section.annotation.model_fields}
    )  # type: ignore[union-attr]
    count = 0
    for name in [*names, "grey", "set", "range", "thumbnails", "name", "config", "help", "x"]:
        for value in VALUES:
            (tmp_path / "run.toml").write_text(f"{name.replace('_', '-')} = {value}\n")
            code, error = told(
                ["train", str(folder), "--config", str(tmp_path / "run.toml"), "--dry-run"], capsys
            )
            assert code == 2 and len(error) < 8000, (name, value, error)
            count += 1
    print(f"\n{count} pairs of an option and a value: each refused in words")


@pytest.mark.slow
def test_damaged_files_of_options(folder: Path, tmp_path: Path, capsys: Any) -> None:
    chance, codes = random.Random(0), {0: 0, 2: 0}
    for _ in range(tries(1000)):
        (tmp_path / "run.toml").write_bytes(damaged(WHOLE.encode(), chance, b"[[a]]\n" * 300)[1])
        code, _ = told(["train", str(folder), "--config", str(tmp_path / "run.toml"), "--dry-run"], capsys)
        codes[code] += 1
    print(f"\n{sum(codes.values())} damaged files of options: {codes[2]} refused in words")
    assert codes[0] == 0


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
KEYS = {name: list(section.annotation.model_fields) for name, section in Config.model_fields.items()}  # type: ignore[union-attr]


@hypothesis.settings(max_examples=tries(200))
@hypothesis.given(st.data())
def test_any_json_is_a_configuration_or_refused(data: Any) -> None:
    document: dict[str, Any] = {"data": {"source": "x"}}
    for section, names in KEYS.items():
        keys = st.sampled_from(names) if data.draw(st.integers(0, 9)) else st.text(max_size=8)
        document.setdefault(section, {}).update(data.draw(st.dictionaries(keys, JSON, max_size=2)))
    try:
        config = parse_config(document)
    except UserError as error:
        assert error.message and len(error.message) <= 1000
        return
    again = parse_config(json.loads(json.dumps(config.to_json())))
    assert again == config or "nan" in repr(config).lower()
