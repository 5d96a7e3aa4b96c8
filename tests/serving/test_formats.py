"""ONNX and LiteRT: the run's own answers by other engines in fresh processes, and proofs that can fail."""

import json

import numpy as np
import pytest

from vae_tf import recipes
from vae_tf.errors import UserError
from vae_tf.serving import engines, formats, parity
from vae_tf.serving.export import write_saved_model
from vae_tf.serving.pictures import PictureExport
from vae_tf.serving.text import TextExport

SHAPE = (16, 16, 3)
# What ONNX has no operation for, found by the slow test; the networks of all recipes can be converted.
WITHOUT_SCORE = {
    "full-covariance": "MatrixTriangularSolve",
    "beta-bernoulli": "Log1p",
    "continuous-bernoulli": "Log1p",
}


def shaken(model):
    """The model with no weight left at zero, where a head would hide its own mistakes."""
    generator = np.random.default_rng(2)
    for weight in model.weights:
        if weight.dtype.startswith("float"):
            weight.assign(weight + 0.02 * generator.standard_normal(weight.shape).astype(np.float32))
    return model


def converted(form, weights, made, folder, asked, names=None):
    """(signatures, given, wanted, left out) of what was written into folder/form-weights."""
    saved_model, target = folder / "1", folder / f"{form}-{weights}"
    if not saved_model.exists():
        write_saved_model(made, saved_model)
    target.mkdir()
    names = names or formats.offered(form, weights, is_text=False)
    given, wanted = asked
    chosen = {name: made.signatures[name] for name in names}
    signatures = engines.named(form, chosen)
    left_out = engines.convert(form, saved_model, signatures, weights, given, target)
    kept = [name for name in names if name not in left_out]
    answers = {
        f"{name}/{new}": wanted[f"{name}/{old}"]
        for name in kept
        for old, new in zip(chosen[name].outputs, signatures[name].outputs, strict=True)
    }
    return signatures, {k: v for k, v in given.items() if k.split("/")[0] in kept}, answers, left_out


@pytest.fixture(scope="module")
def model():
    return shaken(recipes.build("conv", SHAPE, 3))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("formats")


@pytest.fixture
def asked(model, pictures):
    return PictureExport(model).questions(pictures, [])


@pytest.mark.parametrize("form", ["onnx", "litert"])
def test_float32_gives_the_runs_answers(form, model, folder, asked):
    signatures, given, wanted, left_out = converted(form, "float32", PictureExport(model), folder, asked)
    target = folder / f"{form}-float32"
    proof = engines.prove(form, "float32", signatures, target, given, wanted)
    assert not left_out and {one.signature for one in proof.differences} == set(
        formats.FORMATS[form].pictures
    )
    assert proof.largest < 1e-5 and abs(proof.rise) < 1e-5
    own = np.mean(
        (given["reconstruct/pictures"] - np.asarray(model.reconstruct(given["reconstruct/pictures"]))) ** 2
    )
    np.testing.assert_allclose(proof.errors, own, rtol=1e-4)
    described = json.loads((target / "signatures.json").read_text())
    assert list(described) == list(formats.FORMATS[form].pictures)

    wrong = {key: array + 1e-3 if key == "decode/pictures" else array for key, array in wanted.items()}
    with pytest.raises(parity.ParityError, match=r"differs from the run: decode/pictures by 0\.001"):
        engines.prove(form, "float32", signatures, target, given, wrong)


def test_int8_in_onnx_is_small_and_near(model, folder, asked):
    signatures, given, wanted, _ = converted("onnx", "int8", PictureExport(model), folder, asked)
    proof = engines.prove("onnx", "int8", signatures, folder / "onnx-int8", given, wanted)
    assert set(signatures) == set(formats.NETWORKS)
    # Rounded, and not the float32 file under another name.
    assert 1e-4 < proof.largest < 0.25
    import onnx

    for name in formats.NETWORKS:
        weights = onnx.load(folder / "onnx-int8" / f"{name}.onnx").graph.initializer
        assert sum(np.prod(one.dims) for one in weights if one.data_type == onnx.TensorProto.INT8) > 1e4

    with pytest.raises(parity.ParityError):
        engines.prove("onnx", "float16", signatures, folder / "onnx-int8", given, {
            key: array + 0.1 for key, array in wanted.items()
        })  # fmt: skip


def test_worse_pictures_fail_though_each_pixel_is_near(monkeypatch, model, asked):
    """Grey added to all pixels alike: within the tolerance of each, beyond that of the squared error."""
    signatures = engines.named("litert", {"reconstruct": PictureExport(model).signatures["reconstruct"]})
    pictures = asked[0]["reconstruct/pictures"]
    near = {"reconstruct/pictures": pictures + np.float32(0.01)}
    monkeypatch.setattr(
        engines, "answers_of", lambda *_: {"reconstruct/pictures": pictures + np.float32(0.02)}
    )
    with pytest.raises(parity.ParityError, match=r"worse than the run: squared error \+300"):
        engines.prove("litert", "int8", signatures, None, {"reconstruct/pictures": pictures}, near)
    monkeypatch.setattr(
        engines, "answers_of", lambda *_: {"reconstruct/pictures": pictures + np.float32(0.06)}
    )
    with pytest.raises(parity.ParityError, match=r"by 0\.05 of its scale on average"):
        engines.prove("litert", "int8", signatures, None, {"reconstruct/pictures": pictures}, near)


def test_onnx_gives_no_value_two_names(model):
    signature = PictureExport(model).signatures["reconstruct"]
    assert set(engines.named("onnx", {"a": signature})["a"].outputs) == {"output_pictures"}
    assert set(engines.named("litert", {"a": signature})["a"].outputs) == {"pictures"}


def test_what_a_converter_complains_of_fits_a_line():
    lines = "main:\nSome ops are not supported.\nTF Select ops: Mean, Square\nDetails:\n  tf.Mean(…)"
    assert engines.in_a_line(lines) == "it has no operation for Mean, Square"
    said = engines.in_a_line("first line\nsecond " + "x" * 1000)
    assert said.startswith("first line second") and "\n" not in said and len(said) < 210


@pytest.mark.parametrize(
    ("form", "weights", "is_text", "said"),
    [
        ("litert", "float32", True, "cannot hold models of sentences"),
        ("onnx", "int8", True, "keep float32"),
        ("onnx", "float16", True, "keep float32"),
    ],
)
def test_what_sentences_cannot_have(form, weights, is_text, said):
    with pytest.raises(UserError, match=said):
        formats.offered(form, weights, is_text)


def test_what_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr(formats.importlib.util, "find_spec", lambda name: None if name == "tf2onnx" else 1)
    with pytest.raises(UserError, match="needs tf2onnx, not installed") as failure:
        formats.check("onnx", "float32")
    assert "pip install -r requirements-formats.txt" in str(failure.value) + str(vars(failure.value))
    assert formats.check("litert", "int8").title == "LiteRT"
    with pytest.raises(UserError, match="--format coreml"):
        formats.check("coreml", "float32")
    with pytest.raises(UserError, match="--weights int4"):
        formats.check("onnx", "int4")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("form", "weights"), [("onnx", "float16"), ("litert", "float16"), ("litert", "int8")]
)
def test_smaller_weights_are_near(form, weights, model, tmp_path, asked):
    signatures, given, wanted, _ = converted(form, weights, PictureExport(model), tmp_path, asked)
    proof = engines.prove(form, weights, signatures, tmp_path / f"{form}-{weights}", given, wanted)
    assert 1e-6 < proof.largest <= engines.TOLERANCES[weights].largest


@pytest.mark.slow
def test_speeds_are_of_both_engines(model, tmp_path, asked):
    _, given, _, _ = converted("onnx", "float32", PictureExport(model), tmp_path, asked)
    found = engines.speeds_of("onnx", tmp_path / "onnx-float32", tmp_path / "1", given)
    assert list(found) == ["1", "32"]
    assert all(set(one) == {"format", "saved_model"} and min(one.values()) > 0 for one in found.values())


@pytest.mark.slow
@pytest.mark.parametrize("recipe", [name for name in recipes.RECIPES if name != "sentence"])
def test_every_recipe_of_pictures_is_converted(recipe, pictures, tmp_path):
    model = shaken(
        recipes.build(recipe, SHAPE, 3, **({"num_classes": 2} if recipe in ("m2", "m1-m2") else {}))
    )
    if hasattr(model.prior, "num_examples"):
        model.prior.num_examples = 100
    made = PictureExport(model)
    asked = made.questions(pictures, [])
    for form in formats.FORMATS:
        signatures, given, wanted, left_out = converted(form, "float32", made, tmp_path, asked)
        engines.prove(form, "float32", signatures, tmp_path / f"{form}-float32", given, wanted)
        expected = WITHOUT_SCORE.get(recipe) if form == "onnx" else None
        assert list(left_out) == (["score"] if expected else [])
        assert expected is None or expected in left_out["score"]


@pytest.mark.slow
def test_sentences_go_into_onnx_and_not_into_litert(tmp_path):
    made = TextExport(shaken(recipes.build("sentence", (12,), 3, num_tokens=40)))
    generator = np.random.default_rng(0)
    tokens = np.zeros((16, 12), np.int32)
    for row, length in zip(tokens, generator.integers(2, 11, 16), strict=True):
        row[:length], row[length] = generator.integers(4, 40, length), 2
    asked, names = made.questions(tokens, []), formats.offered("onnx", "float32", is_text=True)
    signatures, given, wanted, left_out = converted("onnx", "float32", made, tmp_path, asked, names)
    proof = engines.prove("onnx", "float32", signatures, tmp_path / "onnx-float32", given, wanted)
    assert not left_out and proof.largest < 1e-5 and proof.errors is None
    with pytest.raises(engines.ConversionError, match="TensorListReserve"):
        converted("litert", "float32", made, tmp_path, asked, formats.NETWORKS)
