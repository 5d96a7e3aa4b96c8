"""The exported SavedModel without Python: by OpenVINO, an engine of its own, and by TensorFlow's C API."""

import io
import subprocess
from pathlib import Path

import numpy as np
import openvino
import pytest
import tensorflow as tf
from PIL import Image

from vae_tf import recipes
from vae_tf.serving.decoding import Decoding
from vae_tf.serving.export import write_saved_model
from vae_tf.serving.pictures import PictureExport

SHAPE = (16, 16, 3)
TENSORFLOW = Path(tf.__file__).parent


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """(export, folder of its SavedModel); no weight is left at zero, where a head would hide its own mistakes."""
    model = recipes.build("conv", SHAPE, 3)
    generator = np.random.default_rng(2)
    for weight in model.weights:
        if weight.dtype.startswith("float"):
            weight.assign(weight + 0.05 * generator.standard_normal(weight.shape).astype(np.float32))
    made = PictureExport(model, "uint8", Decoding(SHAPE, "crop"))
    folder = tmp_path_factory.mktemp("engines") / "1"
    write_saved_model(made, folder)
    return made, folder


@pytest.fixture(scope="module")
def loaded(exported):
    return tf.saved_model.load(str(exported[1]))


@pytest.fixture
def asked(exported, pictures):
    """({"signature/input": array}, {"signature/output": the run's own answer})."""
    return exported[0].questions(pictures, [b""] * len(pictures))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["encode", "decode", "reconstruct", "score"])
def test_openvino_gives_the_models_outputs(exported, loaded, asked, name):
    given, wanted = asked
    signature = exported[0].signatures[name]
    model = openvino.convert_model(loaded.signatures[name])
    compiled = openvino.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = compiled({key: given[f"{name}/{key}"] for key in signature.inputs})
    # TensorFlow hands outputs over in the order of their names; OpenVINO renames one that is called as an input.
    answers = dict(
        zip(sorted(signature.outputs), (found[output] for output in compiled.outputs), strict=True)
    )
    for key, answer in answers.items():
        own = wanted[f"{name}/{key}"]
        assert np.ptp(own) > 1e-4, "a constant would agree with anything"
        np.testing.assert_allclose(answer, own, rtol=0, atol=1e-5 * max(1.0, np.abs(own).max()))


@pytest.mark.slow
def test_openvino_reads_the_folder_itself(exported, asked):
    given, wanted = asked
    compiled = openvino.compile_model(
        openvino.convert_model(str(exported[1])), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    found = compiled({"pictures": given["serving_default/pictures"]})
    np.testing.assert_allclose(found["mean"], wanted["serving_default/mean"], atol=1e-5)
    np.testing.assert_allclose(found["log_variance"], wanted["serving_default/log_variance"], atol=1e-5)


@pytest.mark.slow
def test_openvino_decodes_no_files_and_says_so(loaded):
    with pytest.raises(openvino.frontend.OpConversionFailure, match="DecodeJpeg"):
        openvino.convert_model(loaded.signatures["encode_bytes"])


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The C program, compiled against the headers and the libraries that TensorFlow's wheel brings."""
    target = tmp_path_factory.mktemp("c") / "run_saved_model"
    source = Path(__file__).with_name("run_saved_model.c")
    libraries = [f"-L{TENSORFLOW}", "-l:libtensorflow_cc.so.2", "-l:libtensorflow_framework.so.2"]
    subprocess.run(
        ["gcc", "-Wall", "-Wextra", "-Werror", f"-I{TENSORFLOW / 'include'}", source, "-o", target, *libraries,
         f"-Wl,-rpath,{TENSORFLOW}"],
        check=True,
    )  # fmt: skip
    return target


def places(folder, name):
    """Where the graph takes the input of a signature and gives its posterior mean, as C must name them."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    document = SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    signature = document.meta_graphs[0].signature_def[name]
    (given,) = signature.inputs.values()
    return given.name, signature.outputs["mean"].name


def run_in_c(program, folder, name, *given):
    taken, gives = places(folder, name)
    command = [program, folder, taken, *map(str, given), gives]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return np.array(done.stdout.split(), np.float32)


@pytest.mark.slow
def test_c_gives_the_models_latents_of_floats(exported, program, pictures, tmp_path):
    made, folder = exported
    x = pictures[:5].astype(np.float32) / 255.0
    x.tofile(tmp_path / "pictures.bin")
    found = run_in_c(program, folder, "encode", "floats", tmp_path / "pictures.bin", *x.shape)
    expected = np.asarray(made.model.encode(x)["mean"])
    assert np.ptp(expected) > 1e-2
    np.testing.assert_allclose(found.reshape(expected.shape), expected, atol=1e-5)


@pytest.mark.slow
def test_c_gives_the_models_latents_of_a_jpeg(exported, loaded, program, tmp_path):
    levels = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(levels).resize((40, 30)).save(stream, "JPEG")
    (tmp_path / "picture.jpg").write_bytes(stream.getvalue())
    found = run_in_c(program, exported[1], "encode_bytes", "string", tmp_path / "picture.jpg")
    by_python = loaded.signatures["encode_bytes"](image_bytes=tf.constant([stream.getvalue()]))["mean"]
    np.testing.assert_allclose(found, by_python[0], atol=1e-6)
    assert np.abs(found - exported[0].model.encode(np.zeros((1, *SHAPE), np.uint8))["mean"][0]).max() > 1e-3


@pytest.mark.slow
def test_c_hears_of_what_is_no_picture(exported, program, tmp_path):
    (tmp_path / "picture.jpg").write_bytes(b"\xff\xd8\xff no picture")
    with pytest.raises(subprocess.CalledProcessError) as failure:
        run_in_c(program, exported[1], "encode_bytes", "string", tmp_path / "picture.jpg")
    assert "running: " in failure.value.stderr
