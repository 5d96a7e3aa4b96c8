"""The SavedModel by loaders that are not ours, and a proof that can fail."""

import subprocess
import sys

import numpy as np
import pytest

from vae_tf import recipes
from vae_tf.serving import parity
from vae_tf.serving.export import export


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    model = recipes.build("conv", (16, 16, 3), 3)
    folder = tmp_path_factory.mktemp("export") / "1"
    return model, folder, export(model, folder)


def test_fresh_process_without_keras_gives_the_models_outputs(exported, pictures):
    model, folder, signatures = exported
    results = parity.check(model, folder, pictures)
    assert {result.signature for result in results} == set(signatures)
    assert all(result.largest_difference < 1e-5 for result in results)


def test_parity_fails_for_another_model(exported, pictures):
    _, folder, _ = exported
    other = recipes.build("conv", (16, 16, 3), 3, seed=1)
    with pytest.raises(parity.ParityError, match="differs from the run"):
        parity.check(other, folder, pictures)


def test_parity_fails_for_a_damaged_export(exported, pictures, tmp_path):
    model, folder, _ = exported
    broken = tmp_path / "1"
    subprocess.run(["cp", "-r", str(folder), str(broken)], check=True)
    (broken / "saved_model.pb").write_bytes(b"nothing")
    with pytest.raises(parity.ParityError, match="cannot be loaded"):
        parity.check(model, broken, pictures)


def test_saved_model_cli_gives_equal_latents(exported, pictures, tmp_path):
    model, folder, _ = exported
    np.save(tmp_path / "x.npy", pictures.astype(np.float32) / 255.0)
    command = [sys.executable, "-m", "tensorflow.python.tools.saved_model_cli", "run", "--dir", str(folder)]
    command += ["--tag_set", "serve", "--signature_def", "serving_default", "--outdir", str(tmp_path)]
    subprocess.run([*command, "--inputs", f"pictures={tmp_path / 'x.npy'}"], check=True, capture_output=True)
    expected = model.encode(pictures)
    np.testing.assert_allclose(np.load(tmp_path / "mean.npy"), expected["mean"], atol=1e-5)
    np.testing.assert_allclose(np.load(tmp_path / "log_variance.npy"), expected["log_variance"], atol=1e-5)


def test_no_signature_draws_random_numbers(exported):
    import tensorflow as tf

    _, folder, signatures = exported
    loaded = tf.saved_model.load(str(folder))
    assert set(loaded.signatures) == set(signatures)
    for function in loaded.signatures.values():
        graph = function.graph.as_graph_def()
        operations = {node.op for node in graph.node}
        operations |= {node.op for library in graph.library.function for node in library.node_def}
        assert not {operation for operation in operations if "Random" in operation}


def test_described_shapes_are_those_of_the_graph(exported):
    import tensorflow as tf

    _, folder, signatures = exported
    loaded = tf.saved_model.load(str(folder))
    for name, described in signatures.items():
        function = loaded.signatures[name]
        for key, output in described["outputs"].items():
            assert function.structured_outputs[key].shape.as_list() == [None, *output["shape"][1:]]
            assert function.structured_outputs[key].dtype.name == output["dtype"]
