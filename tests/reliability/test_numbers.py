"""Promise: whatever the numbers of the data and the training are, the outcome is stated, and no page shows a NaN."""

import json
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import cli
from tests.reliability.numbers_in_files import faults
from tests.reliability.odd_pictures import CASES, QUICK, constants, folder_of, noise
from tests.reliability.tries import tries
from vae_tf.artifacts.runs import all_runs
from vae_tf.config import DataConfig
from vae_tf.data.cache import choose_shape, open_cache
from vae_tf.data.sources.arrays import open_arrays
from vae_tf.errors import UserError
from vae_tf.pixels import WHITE

pytestmark = pytest.mark.timeout(3600)


@pytest.fixture(autouse=True)
def plain_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages quote the command, and the one that runs these tests may say NaN."""
    monkeypatch.setattr("sys.argv", ["cli.py"])


COMMANDS = [
    ["embed"],
    ["cluster-report", "--permutations", "99"],
    ["interpolation-grid"],
    ["traverse", "--permutations", "99"],
    ["evaluate", "--samples", "8", "--pictures", "8"],
    ["probe", "--draws", "1"],
    ["explore"],
    ["report"],
]


def said(capsys: Any) -> str:
    captured = capsys.readouterr()
    return str(captured.out + captured.err)


def go_through(commands: list[list[str]], further: list[str], capsys: Any) -> dict[str, str]:
    """The outcome of each command: it succeeds, or tells in one line what was wrong; it never breaks."""
    outcomes = {}
    for name, *options in commands:
        code = cli.main([name, *further, *options])
        text = said(capsys)
        assert code in (0, 2), (name, text)
        assert "Traceback" not in text and "Warning" not in text, (name, text)
        outcomes[name] = "succeeds" if code == 0 else text.splitlines()[-2:][0]
    return outcomes


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_odd_pictures_through_every_command(name: str, tmp_path: Path, own_runs: Path, capsys: Any) -> None:
    case = CASES[name]
    source = case.write(tmp_path / "pictures")
    code = cli.main(["train", str(source), *QUICK, *case.options])
    text = said(capsys)
    assert (code, "Traceback" in text, "defect" in text) == (case.code, False, False), text
    assert case.said in text, text
    outcomes = {}
    if code == 0:
        outcomes = go_through(COMMANDS, [], capsys)
        outcomes["export"] = str(cli.main(["export"]))
        said(capsys)
    assert faults(own_runs) == []
    for run in all_runs():
        assert run.is_trained == (code == 0)
    told = {command: outcome for command, outcome in outcomes.items() if outcome != "succeeds"}
    print(f"\n{name}: train ends with {code} {case.said!r}; {told}")


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["mlp", "ae", "conv"])
def test_pictures_whose_codes_are_all_equal(recipe: str, tmp_path: Path, own_runs: Path, capsys: Any) -> None:
    """Copies of one picture under a trained model: every distance, spread and correlation is 0 or undefined."""
    trained = folder_of({"a": noise(12), "b": noise(12)})(tmp_path / "pictures")
    options = QUICK if recipe != "conv" else ["--epochs", "1", "--latent", "3", "--size", "16"]
    assert cli.main(["train", str(trained), *options, "--recipe", recipe]) == 0
    equal = np.repeat(constants(1), 12, 0)
    folder_of({"a": equal, "b": equal})(tmp_path / "equal")
    said(capsys)
    commands = [command for command in COMMANDS if command[0] not in ("probe", "report")]
    outcomes = go_through(commands, ["1", str(tmp_path / "equal")], capsys)
    assert faults(own_runs) == []
    print(f"\n{recipe}: { ({k: v for k, v in outcomes.items() if v != 'succeeds'}) }")


FLOATS = st.sampled_from(["<f2", ">f4", "<f8"])
INTEGERS = st.sampled_from(["|b1", "|u1", "|i1", "<u2", ">i2", "<u4", "<i8", "<u8"])
SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 12), st.integers(1, 12), st.sampled_from([1, 2, 3, 4]))


@st.composite
def stacks(draw: Any) -> Any:
    dtype = np.dtype(draw(FLOATS | INTEGERS))
    shape = draw(SHAPES)
    shape = shape[:3] if draw(st.booleans()) else shape
    return draw(hnp.arrays(dtype, shape, elements=hnp.from_dtype(dtype), fill=st.nothing()))


@pytest.mark.filterwarnings("error::RuntimeWarning")
@hypothesis.settings(max_examples=tries(60), suppress_health_check=list(hypothesis.HealthCheck))
@hypothesis.given(values=stacks(), order=st.sampled_from("CF"))
def test_any_array_is_refused_in_words_or_becomes_numbers(
    values: Any, order: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("array")
    np.save(folder / "x.npy", np.asarray(values, order=order))
    try:
        source = open_arrays(folder / "x.npy", DataConfig(source="x"))
        shape = choose_shape(source, (8, 8), None, "crop")
        cache = open_cache(source, shape, folder)
    except UserError as error:
        assert error.message and "nan" not in error.message
        return
    assert len(cache.positions) + len(cache.skipped) == len(values)
    assert np.isfinite(cache.images).all()
    assert cache.images.min() >= 0 and cache.images.max() <= WHITE[shape.dtype]
    document = json.dumps([shape.value_range, source.notes], allow_nan=False)
    assert "nan" not in document


@pytest.mark.slow
@hypothesis.settings(max_examples=tries(25), suppress_health_check=list(hypothesis.HealthCheck))
@hypothesis.given(data=st.data())
def test_a_step_of_any_recipe_at_any_size_is_finite(data: Any) -> None:
    """One step on pictures of any size and depth, black and white ones among them, and what they become then."""
    import keras

    from vae_tf import recipes

    names = sorted(name for name, recipe in recipes.RECIPES.items() if recipe.data == "pictures")
    name = data.draw(st.sampled_from(names))
    height, width = data.draw(st.integers(8, 40)), data.draw(st.integers(8, 40))
    shape = (height, width, data.draw(st.sampled_from([1, 3])))
    latent = data.draw(st.sampled_from([1, 2, 3, 17, 64]))
    dtype = data.draw(st.sampled_from(["uint8", "uint16", "float32"]))
    precision = data.draw(st.sampled_from(["float32", "mixed_bfloat16"]))
    random = np.random.default_rng(data.draw(st.integers(0, 99)))
    pictures = (random.random((6, *shape)) * WHITE[dtype]).astype(dtype)
    pictures[0], pictures[1] = 0, np.asarray(WHITE[dtype]).astype(dtype)
    keras.backend.clear_session()
    try:
        model = recipes.build(name, shape, latent, precision=precision, batch_size=6, num_classes=2)
    except UserError as error:
        hypothesis.event(f"{name}: {error.message[:60]}")
        return
    for part in (model.objective, model.prior):
        if getattr(part, "num_examples", 0) is None:
            part.num_examples = 6
    model.compile(keras.optimizers.Adam(1e-3))
    batch = {"x": pictures, "label": np.arange(6) % 2, "index": np.arange(6), "added": np.zeros(6, bool)}
    logs = model.train_on_batch(batch, return_dict=True)
    assert np.isfinite(list(logs.values())).all(), (name, logs)
    assert all(np.isfinite(weight).all() for weight in model.get_weights()), name
    rebuilt = np.asarray(model.reconstruct(pictures))
    assert (
        rebuilt.shape == pictures.shape
        and np.isfinite(rebuilt).all()
        and 0 <= rebuilt.min() <= rebuilt.max() <= 1
    )
