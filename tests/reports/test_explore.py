"""The page that runs the model itself: its arithmetic against Keras, its resizing, and what a reader does."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.reports.conftest import Visit
from tests.reports.shapes import HOSTILE

pytestmark = pytest.mark.browser
STATIC = Path("reports/static")
MODELS = {
    "mlp, colour, tanh": ("mlp", (9, 8, 3), {"encoder.activation": "tanh", "encoder.widths": (9,)}),
    "conv that is cropped, linear mean": (
        "conv",
        (10, 12, 3),
        {"encoder.widths": (5, 6), "encoder.features": 7, "decoder.widths": (6, 4), "likelihood.activation": "linear"},
    ),
    "residual blocks, deviation from the decoder": (
        "conv",
        (18, 16, 1),
        {
            "encoder.name": "patch",
            "decoder.name": "patch",
            "encoder.widths": (4, 6),
            "decoder.widths": (6, 4),
            "encoder.features": 8,
            "encoder.patch": 2,
            "decoder.patch": 2,
            "likelihood.scale": "output",
        },
    ),
    "continuous Bernoulli, full covariance": (
        "mlp",
        (8, 8, 1),
        {"likelihood.name": "continuous_bernoulli", "posterior.name": "full_covariance"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_the_page_computes_what_keras_computes(visit: Visit, name: str) -> None:
    from vae_tf import recipes
    from vae_tf.serving.operations import operations_of

    recipe, shape, settings = MODELS[name]
    model = recipes.build(recipe, shape, 3, settings=settings, seed=4)
    generator = np.random.default_rng(1)
    for weight in model.trainable_weights:
        # Zeros, with which residual blocks begin, would hide a wrong place.
        weight.assign(weight + 0.3 * generator.normal(size=weight.shape).astype(np.float32))
    network = operations_of(model)
    picture, z = (
        generator.random((1, *shape), dtype=np.float32),
        generator.normal(size=(1, 3)).astype(np.float32),
    )
    tab = visit.tab
    tab.add_script_tag(path=STATIC / "network.js")
    call = """([steps, weights, data, shape]) => Array.from(
        vaeNetwork.run(steps, Float32Array.from(weights), {data: Float32Array.from(data), shape}).data)"""
    weights = network.weights.tolist()
    encoded = tab.evaluate(call, [network.encode, weights, picture.ravel().tolist(), list(shape)])
    decoded = tab.evaluate(call, [network.decode, weights, z.ravel().tolist(), [3]])
    expected = np.asarray(model.decode(z))[0]
    assert np.ptp(expected) > 0.05
    np.testing.assert_allclose(encoded, np.asarray(model.encode(picture)["mean"])[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(decoded, expected.ravel(), rtol=1e-4, atol=1e-5)


def test_half_precision_numbers_are_read_as_numpy_writes_them(visit: Visit) -> None:
    visit.tab.add_script_tag(path=STATIC / "network.js")
    codes = np.arange(65536, dtype=np.uint16)
    values = codes.view(np.float16)
    finite = np.isfinite(values)
    text = base64.b64encode(codes[finite].tobytes()).decode()
    read = visit.tab.evaluate("(text) => Array.from(vaeNetwork.halves(text))", text)
    np.testing.assert_array_equal(np.asarray(read), values[finite].astype(np.float64))


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
@pytest.mark.parametrize(("size", "shape"), [((37, 23), (8, 12, 3)), ((9, 30), (16, 16, 1))])
def test_a_dropped_picture_gets_its_shape_as_in_the_cache(
    visit: Visit, fit: str, size: tuple[int, int], shape: tuple[int, int, int]
) -> None:
    from vae_tf.data.resize import resize

    pixels = np.random.default_rng(2).integers(0, 256, (*size, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    visit.tab.add_script_tag(path=STATIC / "explore-picture.js")
    call = """async ([bytes, shape, fit]) =>
        Array.from(await vaePicture.read(new Blob([Uint8Array.from(bytes)], {type: "image/png"}), shape, fit))"""
    found = np.asarray(visit.tab.evaluate(call, [list(buffer.getvalue()), list(shape), fit])).reshape(shape)
    expected = np.asarray(resize(pixels, *shape, fit)).astype(float)
    # The last bit of a sum may round the other way.
    assert np.abs(found - expected).max() <= 1 and np.mean(found != expected) < 0.02


def drawn(tab: Any) -> str:
    tab.wait_for_timeout(60)
    return str(tab.evaluate("document.getElementById('drawn').toDataURL()"))


def test_sliders_draw_and_the_page_says_how_far_it_is_from_the_model(visit: Visit, pages: Path) -> None:
    tab = visit.open(pages / "explore.html")
    first = drawn(tab)
    assert tab.get_attribute("#check", "data-levels") == "0"
    assert float(tab.get_attribute("#check", "data-far")) < 1e-3
    slider = tab.get_by_label("Latent 1")
    slider.focus()
    for _ in range(20):
        tab.keyboard.press("ArrowRight")
    assert drawn(tab) != first
    assert slider.get_attribute("aria-label") == "Latent 1"
    assert "+1.0" in tab.inner_text("#sliders")
    tab.click("#average")
    assert drawn(tab) == first


def test_a_picture_is_found_nearest_to_itself_and_hostile_names_stay_text(visit: Visit, pages: Path) -> None:
    tab = visit.open(pages / "explore.html")
    tab.locator("#starts button").nth(2).click()
    assert HOSTILE in tab.inner_text("#drawn-note") and tab.locator("#neighbours li").count() == 8
    assert tab.evaluate("document.querySelectorAll('img[src=x]').length") == 0
    data = json.loads(
        tab.inner_text("#explore-data") or tab.evaluate("document.getElementById('explore-data').textContent")
    )
    assert len(data["paths"]) == 9


def test_a_dropped_picture_is_reconstructed_and_a_broken_one_is_told(
    visit: Visit, pages: Path, tmp_path: Path
) -> None:
    tab = visit.open(pages / "explore.html")
    Image.new("RGB", (40, 60), (200, 10, 10)).save(tmp_path / "mine.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    tab.set_input_files("#file", tmp_path / "mine.png")
    tab.locator("#said").filter(has_text="Mean squared error").wait_for()
    assert "mine.png" in tab.inner_text("#original-note")
    tab.set_input_files("#file", tmp_path / "broken.png")
    tab.locator("#said").filter(has_text="no picture").wait_for()
