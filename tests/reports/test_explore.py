"""The page that runs the model itself: its arithmetic against Keras, its resizing, and what a reader does."""

import base64
import functools
import http.server
import io
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from reports.explore import write_explore
from reports.records import PageForm
from tests.reports.conftest import Visit
from tests.reports.shapes import HOSTILE
from tests.reports.synthetic import explore_record
from vae_tf.serving.server.rest import OF_PAGES

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


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if "deviation" in name else [pytest.mark.slow]) for name in MODELS]
)
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


class Serving(http.server.SimpleHTTPRequestHandler):
    """The pages of a folder, and a model at TF Serving's addresses whose pixels are as grey as its first latent."""

    def log_message(self, *_: Any) -> None:
        pass

    def end_headers(self) -> None:
        for name, value in OF_PAGES.items():
            self.send_header(name, value)
        super().end_headers()

    def answer(self, document: Any, status: int = 200) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(document).encode())

    def do_GET(self) -> None:
        if not self.path.startswith("/v1/models/shapes"):
            super().do_GET()
            return
        noise = {"tensor_shape": {"dim": [{"size": "-1"}, {"size": "-1"}, {"size": "2"}]}}
        names = {
            "encode_bytes": {},
            "score_bytes": {"inputs": {"noise": noise}},
            "preprocess_bytes": {"outputs": {"pictures": {"dtype": "DT_UINT8"}}},
        }
        self.answer({"metadata": {"signature_def": {"signature_def": names}}})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name, inputs = asked["signature_name"], asked["inputs"]
        if name == "decode":
            grey = inputs["latents"][0][0]
            self.answer({"outputs": np.full((1, 6, 4, 1), grey).tolist()})
            return
        size = Image.open(io.BytesIO(base64.b64decode(inputs["image_bytes"][0]["b64"]))).size
        found = {
            "preprocess_bytes": np.full((1, 6, 4, 1), 255).tolist(),
            "encode_bytes": {"mean": [[1.0, -1.0]]},
            "score_bytes": {
                "reconstruction_error": [size[0] / 1000],
                "is_anomaly": [True],
                "p_value": [0.025],
            },
        }
        self.answer({"outputs": found[name]})


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    record = replace(explore_record(), model="shapes", average=np.array([0.5, 0.0]))
    write_explore(tmp_path, record)
    mailed = replace(record.run, form=PageForm(single_file=True))
    write_explore(tmp_path / "mailed", replace(record, run=mailed))
    only_served = replace(record, encode=None, decode=None, weights=None, why_served="It has a flow.")
    write_explore(tmp_path / "served", only_served)
    handler = functools.partial(Serving, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()


@pytest.fixture
def tab(browser: Any, server: str) -> Iterator[Any]:
    """A browser tab that may ask the server, and nobody else."""
    visit = Visit(browser, 1280, "light")
    yield visit.tab
    visit.context.close()
    assert visit.complaints == []
    assert not [url for url in visit.requests if not url.startswith((server, "data:", "blob:"))]


def greys(tab: Any) -> list[int]:
    address = str(tab.evaluate("document.getElementById('drawn').toDataURL()"))
    return list(
        Image.open(io.BytesIO(base64.b64decode(address.split(",")[1]))).convert("RGB").getpixel((0, 0))
    )


def test_what_no_page_can_run_the_server_draws(tab: Any, server: str) -> None:
    tab.goto(f"{server}/served/explore.html")
    tab.wait_for_timeout(300)
    assert not tab.is_visible("#needs-server")
    assert greys(tab)[:3] == [128, 128, 128]
    tab.get_by_label("Latent 0").fill("0")
    tab.locator("#starts button").nth(1).click()
    tab.wait_for_timeout(200)
    assert greys(tab)[0] == round(255 * min(1, max(0, float(explore_record().means[7][0]))))


@pytest.mark.parametrize("folder", ["", "mailed/"])
def test_a_file_is_judged_by_the_server(tab: Any, server: str, tmp_path: Path, folder: str) -> None:
    tab.goto(f"{server}/{folder}explore.html")
    tab.wait_for_timeout(200)
    Image.new("RGB", (40, 60)).save(tmp_path / "mine.png")
    tab.set_input_files("#file", tmp_path / "mine.png")
    tab.locator("#said").filter(
        has_text="0.0400 of the grey range squared. Odd by the run's threshold: 2.5"
    ).wait_for()


def test_without_a_server_the_page_says_which_command_helps(
    visit: Visit, server: str, tmp_path: Path
) -> None:
    tab = visit.open(tmp_path / "served" / "explore.html")
    assert "It has a flow." in tab.inner_text("#needs-server") and "cli.py serve" in tab.inner_text(
        "#needs-server"
    )
    assert not tab.is_visible("#explore") and not tab.is_visible("#starts-section")
