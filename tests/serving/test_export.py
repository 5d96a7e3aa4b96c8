"""The SavedModel by loaders that are not ours, and a proof that can fail."""

import io
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from vae_tf import recipes
from vae_tf.evaluation.oddness import BoundsScorer, reconstruction_errors
from vae_tf.serving import parity
from vae_tf.serving.anomaly import AnomalyRule
from vae_tf.serving.decoding import Decoding
from vae_tf.serving.export import write_saved_model
from vae_tf.serving.pictures import Classes, PictureExport
from vae_tf.serving.warmup import NAME, write_warmup

SHAPE = (16, 16, 3)
SMALL = {"encoder.name": "mlp", "decoder.name": "mlp", "encoder.widths": (8,), "decoder.widths": (8,)}


def png(pixels):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def export_of(model, **arguments):
    return PictureExport(model, "uint8", Decoding(SHAPE, "crop"), **arguments)


@pytest.fixture
def files(pictures):
    return [png(picture) for picture in pictures]


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    model = recipes.build("conv", SHAPE, 3)
    folder = tmp_path_factory.mktemp("export") / "1"
    made = export_of(model, rule=AnomalyRule("bound", -400.0, np.linspace(-900, 0, 39), 0.05, num_samples=4))
    write_saved_model(made, folder)
    return model, folder, made


@pytest.fixture(scope="module")
def loaded(exported):
    return tf.saved_model.load(str(exported[1])).signatures


def test_fresh_process_without_keras_gives_the_models_outputs(exported, pictures, files):
    _, folder, made = exported
    given, wanted = made.questions(pictures, files)
    answers = parity.answers_of(folder, given)
    results = parity.judge(made.signatures, answers, wanted)
    assert {result.signature for result in results} == set(made.signatures)
    assert parity.largest_relative(results) < 1e-5
    exact = [result for result in results if result.signature == "preprocess_bytes"]
    assert exact and all(result.largest_difference == 0.0 for result in exact)

    other = export_of(recipes.build("conv", SHAPE, 3, seed=1), rule=made.rule)
    with pytest.raises(parity.ParityError, match="differs from the run"):
        parity.judge(made.signatures, answers, other.questions(pictures, files)[1])
    with pytest.raises(parity.ParityError, match="not compared: decode/pictures"):
        parity.judge(made.signatures, {k: v for k, v in answers.items() if k != "decode/pictures"}, wanted)
    pixels = answers["preprocess_bytes/pictures"].copy()
    pixels[3, 0, 0, 0] ^= 1
    with pytest.raises(parity.ParityError, match="preprocess_bytes/pictures by 1 "):
        parity.judge(made.signatures, {**answers, "preprocess_bytes/pictures": pixels}, wanted)


def test_parity_fails_for_a_damaged_export(exported, pictures, files, tmp_path):
    _, folder, made = exported
    broken = tmp_path / "1"
    shutil.copytree(folder, broken)
    (broken / "saved_model.pb").write_bytes(b"nothing")
    with pytest.raises(parity.ParityError, match="cannot be loaded"):
        parity.check(made.signatures, broken, *made.questions(pictures, files))


@pytest.mark.parametrize(
    ("answer", "holds"), [([1.0, np.inf], True), ([1.0, np.nan], False), ([1.0 + 2e-5, np.inf], False)]
)
def test_what_is_no_number_is_no_equal(exported, answer, holds):
    fact = exported[2].signatures["encode"].outputs["mean"]
    wanted = np.array([1.0, np.inf], np.float32)
    result = parity.compare("encode/mean", fact, wanted[:1], np.array(answer[:1], np.float32))
    assert result.holds == (answer[0] == 1.0)
    difference = parity.distance(wanted, np.array(answer, np.float32))
    assert np.all(difference < 1e-5) == holds


def test_saved_model_cli_gives_equal_latents(exported, pictures, tmp_path):
    model, folder, _ = exported
    np.save(tmp_path / "x.npy", pictures.astype(np.float32) / 255.0)
    command = [sys.executable, "-m", "tensorflow.python.tools.saved_model_cli", "run", "--dir", str(folder)]
    command += ["--tag_set", "serve", "--signature_def", "serving_default", "--outdir", str(tmp_path)]
    subprocess.run([*command, "--inputs", f"pictures={tmp_path / 'x.npy'}"], check=True, capture_output=True)
    expected = model.encode(pictures)
    np.testing.assert_allclose(np.load(tmp_path / "mean.npy"), expected["mean"], atol=1e-5)
    np.testing.assert_allclose(np.load(tmp_path / "log_variance.npy"), expected["log_variance"], atol=1e-5)


def test_no_signature_draws_random_numbers(exported, loaded):
    assert set(loaded) == set(exported[2].signatures)
    for function in loaded.values():
        graph = function.graph.as_graph_def()
        operations = {node.op for node in graph.node}
        operations |= {node.op for library in graph.library.function for node in library.node_def}
        assert not {operation for operation in operations if "Random" in operation}


def test_described_shapes_are_those_of_the_graph(exported, loaded):
    described = json.loads((exported[1] / "assets.extra" / "signatures.json").read_text())
    assert set(described) == set(loaded)
    for name, document in described.items():
        function = loaded[name]
        shown = function.structured_outputs
        assert set(shown) == set(document["outputs"])
        for key, output in document["outputs"].items():
            known = [side if isinstance(side, int) else None for side in output["shape"]]
            assert shown[key].shape.is_compatible_with(known) and shown[key].dtype.name == output["dtype"]
        takes = function.structured_input_signature[1]
        assert {key: spec.dtype.name for key, spec in takes.items()} == {
            key: fact["dtype"] for key, fact in document["inputs"].items()
        }


def test_scores_are_the_means_of_their_definitions(exported, loaded, pictures):
    model = exported[0]
    noise = np.random.default_rng(1).standard_normal((len(pictures), 5, 3)).astype(np.float32)
    found = loaded["score_uint8"](pictures=tf.constant(pictures), noise=tf.constant(noise))
    errors = reconstruction_errors(model.reconstruct, pictures)
    np.testing.assert_allclose(found["reconstruction_error"], errors, rtol=1e-5)
    terms = model.elbo_terms(pictures, np.swapaxes(noise, 0, 1))
    log_weights = np.asarray(terms.log_px + terms.log_pz - terms.log_qz)
    np.testing.assert_allclose(found["negative_elbo"], -log_weights.mean(0), rtol=1e-5)
    np.testing.assert_allclose(found["log_weights"], log_weights.T, rtol=1e-5)


@pytest.mark.parametrize("score", ["elbo", "bound"])
def test_odd_by_a_bound_is_what_the_stage_says(score, pictures):
    model = recipes.build("conv", SHAPE, 3)
    calibration = np.linspace(-900.0, 900.0, 20)
    rule = AnomalyRule(score, 100.0, calibration, 0.05, num_samples=6, seed=3)
    bounds = BoundsScorer(model, 6, 3)(pictures)
    expected = -(bounds.elbo if score == "elbo" else bounds.importance_weighted)
    noise = np.zeros((len(pictures), 1, 3), np.float32)
    found = (
        export_of(model, rule=rule)
        .signatures["score_uint8"]
        .function(pictures=tf.constant(pictures), noise=tf.constant(noise))
    )
    np.testing.assert_allclose(found["anomaly_score"], expected, rtol=1e-5)
    p = [(1 + np.sum(calibration >= value)) / 21 for value in expected]
    np.testing.assert_allclose(found["p_value"], p, rtol=1e-6)
    np.testing.assert_array_equal(found["is_anomaly"], expected > 100.0)


def test_odd_by_distance_and_by_pca(pictures):
    model, generator = recipes.build("conv", SHAPE, 3), np.random.default_rng(0)
    x = pictures.astype(np.float32) / 255.0
    root = generator.normal(size=(3, 3))
    precision, centre = root @ root.T, generator.normal(size=3)
    codes = np.asarray(model.encode(x)["mean"]).astype(np.float64) - centre
    rule = AnomalyRule("latent", 1.0, np.ones(3), 0.25, centre=centre, matrix=precision)
    error = tf.zeros(len(x), tf.float64)
    found = rule(model, tf.constant(x), model.encode(x)["mean"], error)["anomaly_score"]
    np.testing.assert_allclose(found, np.sqrt(np.sum(codes @ precision * codes, axis=1)), rtol=1e-5)

    from sklearn.decomposition import PCA

    rows = x.reshape(len(x), -1)
    fitted = PCA(3, random_state=0).fit(rows)
    rebuilt = np.clip(fitted.inverse_transform(fitted.transform(rows)), 0, 1)
    rule = AnomalyRule("pca", 1.0, np.ones(3), 0.25, centre=fitted.mean_, matrix=fitted.components_)
    found = rule(model, tf.constant(x), None, error)["anomaly_score"]
    np.testing.assert_allclose(found, np.mean((rows - rebuilt) ** 2, axis=1), rtol=1e-4)


def test_a_model_of_classes_says_them_by_name(pictures):
    model = recipes.build("m2", SHAPE, 3, settings=SMALL, num_classes=2)
    made = export_of(model, classes=Classes(("calm", "loud"), temperature=2.0))
    assert {"classify", "classify_uint8", "classify_bytes", "decode_class"} <= set(made.signatures)
    found = made.signatures["classify"].function(pictures=tf.constant(pictures / np.float32(255)))
    logits = np.asarray(model.log_class_probabilities(pictures)) / 2.0
    expected = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    np.testing.assert_allclose(found["probabilities"], expected, atol=1e-5)
    assert [label.decode() for label in found["label"].numpy()] == [
        ("calm", "loud")[i] for i in logits.argmax(-1)
    ]


def test_an_autoencoder_has_no_bound(pictures, files):
    made = export_of(recipes.build("ae", SHAPE, 3))
    assert set(made.signatures["score"].outputs) == {"reconstruction_error"}
    assert set(made.signatures["score"].inputs) == {"pictures"}
    given, _ = made.questions(pictures, files)
    assert not [key for key in given if key.endswith("/noise")]


def test_warm_up_plays_every_signature_once(exported, pictures, files, loaded, tmp_path):
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    _, _, made = exported
    given, _ = made.questions(pictures, files)
    write_warmup(tmp_path, made.signatures, given)
    records = [
        PredictionLog.FromString(record.numpy()) for record in tf.data.TFRecordDataset(str(tmp_path / NAME))
    ]
    requests = [record.predict_log.request for record in records]
    assert [request.model_spec.signature_name for request in requests] == list(made.signatures)
    for request in requests:
        answers = loaded[request.model_spec.signature_name](
            **{key: tf.constant(tf.make_ndarray(value)) for key, value in request.inputs.items()}
        )
        assert all(value.shape[0] == 1 for value in answers.values())


@pytest.mark.slow
@pytest.mark.parametrize("recipe", [name for name in recipes.RECIPES if name != "sentence"])
def test_every_recipe_is_exported_as_it_scores(recipe, pictures, files, tmp_path):
    learns = recipe in ("m2", "m1-m2")
    model = recipes.build(recipe, SHAPE, 3, **({"num_classes": 2} if learns else {}))
    if hasattr(model.prior, "num_examples"):
        model.prior.num_examples = 100
    score = "bound" if model.has_elbo else "reconstruction"
    rule = AnomalyRule(score, 0.5, np.linspace(0, 1, 19), 0.05, num_samples=3)
    made = export_of(model, rule=rule, classes=Classes(("a", "b")) if learns else None)
    write_saved_model(made, tmp_path / "1")
    results = parity.check(made.signatures, tmp_path / "1", *made.questions(pictures, files))
    assert {result.signature for result in results} == set(made.signatures)
    for function in tf.saved_model.load(str(tmp_path / "1")).signatures.values():
        graph = function.graph.as_graph_def()
        assert not [node.op for one in graph.library.function for node in one.node_def if "Random" in node.op]


@pytest.mark.slow
@pytest.mark.parametrize("value_range", [None, (0.0, 4095.0)])
def test_sixteen_bits_are_served_with_their_depth(value_range, tmp_path):
    from vae_tf.pixels import rescale

    raw = (
        np.random.default_rng(0).integers(0, 4096 if value_range else 65536, (6, 12, 12, 1)).astype(np.uint16)
    )
    decoding = Decoding((12, 12, 1), "crop", "uint16", value_range)
    made = PictureExport(recipes.build("conv", (12, 12, 1), 3), "uint16", decoding)
    write_saved_model(made, tmp_path / "1")
    questions = made.questions(rescale(raw, value_range), [png(picture[..., 0]) for picture in raw])
    results = parity.check(made.signatures, tmp_path / "1", *questions)
    assert {"encode_uint16", "encode_bytes", "preprocess_bytes"} <= {result.signature for result in results}


def test_floats_have_no_files():
    made = PictureExport(recipes.build("conv", (12, 12, 3), 3, settings=SMALL), "float32")
    assert set(made.signatures) == {
        "serving_default",
        "encode",
        "reconstruct",
        "score",
        "decode",
        "decode_png",
    }
