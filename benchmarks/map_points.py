"""100,000 points in a browser: our map beside Plotly (scattergl) and deck.gl (ScatterplotLayer) with the same points.

    pip install plotly                                  # for its bundled plotly.min.js
    npm pack deck.gl && tar xzf deck.gl-*.tgz           # for package/dist.min.js
    python benchmarks/map_points.py --plotly .../plotly.min.js --deck package/dist.min.js

Each page opens from the disk in headless Chromium (no GPU: WebGL by SwiftShader), five times in turn, each in a new
window; medians. Ready: from the start of the navigation until a frame after the points are drawn and a move of the
mouse is answered. Hover: from the move of the mouse onto a point to the frame after its label is there, 20 points.
Size: the page with its scripts and data; thumbnails, of which only ours has some, come as they are needed and are
counted apart.
Ours carries three linked maps, 40 classes, 30 latents, 8 neighbours of each point, names, 10 small maps; the others
one map with x, y and class.

Measured on 2 cores, nothing else running (plotly.js of plotly 7.1.0, deck.gl 9.4.0, Chromium without a GPU):

    ours     11.4 MB (+ 1.8 MB of pictures)   ready 1.1 s   hover   2 ms
    plotly    5.5 MB                          ready 2.6 s   hover   5 ms
    deck.gl   2.7 MB                          ready 4.8 s   hover 783 ms

"""

import base64
import json
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import typer

NUM_CLASSES = 40
NUM_LATENTS = 30
NUM_HOVERS = 20
WEBGL = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
# Notes when the mouse moved and when a label came, a frame later.
WATCH = """
window.moved = 0; window.labelled = 0;
window.addEventListener("mousemove", () => { window.moved = performance.now(); window.labelled = 0; }, true);
window.said = () => requestAnimationFrame(() => { window.labelled = window.labelled || performance.now(); });
"""
PLOTLY = """<!doctype html><meta charset="utf-8"><div id="map" style="width:900px;height:600px"></div>
<script>{library}</script><script>{data}
Plotly.newPlot("map", [{{type: "scattergl", mode: "markers", x: xs, y: ys, marker: {{size: 4, color: codes}}}}],
{{margin: {{l: 0, r: 0, t: 0, b: 0}}, xaxis: {{range: [0, 65535]}}, yaxis: {{range: [0, 65535]}}}}
).then(function (map) {{
  map.on("plotly_hover", () => window.said());
  window.box = map.getBoundingClientRect();
  requestAnimationFrame(() => requestAnimationFrame(() => {{ window.ready = performance.now(); }}));
}});
window.at = (i) => [box.left + xs[i] / 65535 * box.width, box.top + (1 - ys[i] / 65535) * box.height];
</script>"""
DECK = """<!doctype html><meta charset="utf-8"><div id="map" style="position:relative;width:900px;height:600px"></div>
<script>{library}</script><script>{data}
const colors = Array.from({{length: 40}}, (_, k) => [k * 6, 255 - k * 6, (k * 97) % 255]);
let first = true;
new deck.Deck({{parent: document.getElementById("map"), width: 900, height: 600,
  views: new deck.OrthographicView({{flipY: false}}), controller: true,
  initialViewState: {{target: [32767, 32767], zoom: Math.log2(600 / 65535)}},
  onHover: (info) => info.index >= 0 && window.said(),
  onAfterRender: () => {{
    if (first) requestAnimationFrame(() => {{ window.ready = performance.now(); }});
    first = false;
  }},
  layers: [new deck.ScatterplotLayer({{id: "points", pickable: true, radiusUnits: "pixels", getRadius: 2,
    data: {{length: xs.length}}, getPosition: (_, {{index}}) => [xs[index], ys[index]],
    getFillColor: (_, {{index}}) => colors[codes[index]]}})]}});
window.at = (i) => [8 + 450 + (xs[i] - 32767) * 600 / 65535, 8 + 300 - (ys[i] - 32767) * 600 / 65535];
</script>"""
OURS = """
new MutationObserver(() => window.said()).observe(document.querySelector("#map-tip .path"), {childList: true});
window.at = (i) => {
  const box = document.getElementById("map-canvas").getBoundingClientRect();
  return [box.left + vaeMap.view.placeX(i), box.top + vaeMap.view.placeY(i)];
};
"""


def points(total: int) -> tuple[np.ndarray, np.ndarray]:
    """40 clouds [N, 2], and the class of each point."""
    random = np.random.default_rng(0)
    labels = np.arange(total) % NUM_CLASSES
    return random.normal(size=(NUM_CLASSES, 2))[labels] * 6 + random.normal(size=(total, 2)), labels


def write_ours(folder: Path, total: int) -> Path:
    """The page of clusters as a run on so many pictures would have it."""
    from reports.clusters import write_clusters
    from reports.map_records import ColorBy, Reconstructed, Variants
    from tests.reports.synthetic import clusters_record, map_record

    random = np.random.default_rng(1)
    xy, labels = points(total)
    small = map_record(1000)
    assert small.variants is not None
    pictures = np.broadcast_to(random.integers(0, 255, (100, 1, 1, 3)), (100, 32, 32, 3)).astype(np.uint8)
    chosen = np.sort(random.choice(total, 1000, replace=False))
    variants = [replace(small.variants.maps[0], xy=xy[chosen]) for _ in range(10)]
    classes = [f"class {k}" for k in range(NUM_CLASSES)]
    latents = random.normal(size=(total, NUM_LATENTS))
    record = replace(
        small,
        projections=[replace(p, xy=xy * [1, k + 1]) for k, p in enumerate(small.projections)],
        pictures=pictures[labels],
        paths=[f"{classes[k]}/{i:06}.png" for i, k in enumerate(labels)],
        splits=["train" if i % 5 else "test" for i in range(total)],
        color_by=[
            ColorBy(name="class", kind="category", values=labels, categories=classes, public=True),
            ColorBy(name="error", kind="number", values=random.random(total)),
            *(
                ColorBy(name=f"latent {k}", kind="number", values=latents[:, k], listed=False)
                for k in range(NUM_LATENTS)
            ),
        ],
        neighbours=random.integers(0, total, (total, 8)),
        reconstructed=Reconstructed(pictures=pictures[labels[:10_000]], positions=np.arange(10_000)),
        variants=Variants(maps=variants, positions=chosen, neighbours=10),
    )
    return write_clusters(folder, replace(clusters_record(), map=record, bic=[], clusters=[]))


def write_other(path: Path, template: str, library: Path, total: int) -> Path:
    """A page of one of the libraries, everything in one file."""
    from reports.maps import encode_points

    xy, labels = points(total)
    codes = base64.b64encode(labels.astype(np.uint8).tobytes()).decode()
    data = (
        "const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));"
        f"const raw = new Uint16Array(bytes({json.dumps(encode_points(xy))}).buffer);"
        "const xs = Float32Array.from({length: raw.length / 2}, (_, i) => raw[2 * i]);"
        "const ys = Float32Array.from({length: raw.length / 2}, (_, i) => raw[2 * i + 1]);"
        f"const codes = bytes({json.dumps(codes)});"
    )
    script = library.read_text(encoding="utf-8").replace("</script", "<\\/script")
    path.write_text(template.format(library=script, data=data), encoding="utf-8")
    return path


@contextmanager
def window() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    from tests.reports.chromium import executable

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=WEBGL)
        # The waits below are scripts that our policy would refuse.
        yield browser.new_page(viewport={"width": 1440, "height": 900}, bypass_csp=True)
        browser.close()


def measure(page: Path, ours: bool, total: int) -> tuple[float, list[float]]:
    """Milliseconds until the page is ready, and of each hover."""
    with window() as tab:
        tab.add_init_script(WATCH)
        tab.goto(page.resolve().as_uri(), wait_until="commit", timeout=120_000)
        drawn = "document.querySelector('#map-canvas[data-drawn]') && vaeMap.view && !vaeMap.view.pending"
        tab.wait_for_function(drawn if ours else "window.ready", polling=10, timeout=120_000)
        # A frame later the browser answers again, however long the scripts kept it.
        ready = tab.evaluate(
            "new Promise((done) => requestAnimationFrame(() => setTimeout(() => done(performance.now()))))"
        )
        if ours:
            tab.evaluate(OURS)
            tab.locator("#map-canvas").scroll_into_view_if_needed()
        hovers = []
        for i in np.linspace(0, total - 1, NUM_HOVERS).astype(int):
            x, y = tab.evaluate(f"window.at({i})")
            tab.mouse.move(2, 2)
            time.sleep(0.15)
            tab.mouse.move(x, y)
            try:
                tab.wait_for_function("window.labelled", timeout=5000)
            except Exception:
                continue  # outside of the window, or nothing was picked
            hovers.append(tab.evaluate("window.labelled - window.moved"))
        return ready, hovers


def main(
    plotly: Annotated[Path | None, typer.Option(help="plotly.min.js")] = None,
    deck: Annotated[Path | None, typer.Option(help="deck.gl's dist.min.js")] = None,
    total: int = 100_000,
    times: int = 5,
) -> None:
    """Writes the pages into a temporary folder, and prints one line for each."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        pages = {"ours": write_ours(folder, total)}
        if plotly:
            pages["plotly"] = write_other(folder / "plotly.html", PLOTLY, plotly, total)
        if deck:
            pages["deck.gl"] = write_other(folder / "deck.html", DECK, deck, total)
        # In turn, so that what else the machine does falls on all alike.
        found = [
            {which: measure(page, which == "ours", total) for which, page in pages.items()}
            for _ in range(times)
        ]
        for which, page in pages.items():
            beside = list((folder / "assets").iterdir()) if which == "ours" else []
            pictures = sum(path.stat().st_size for path in beside if path.suffix == ".webp")
            size = page.stat().st_size + sum(path.stat().st_size for path in beside) - pictures
            ready = statistics.median(first[which][0] for first in found)
            hovers = [one for some in found for one in some[which][1]]
            hover = statistics.median(hovers) if hovers else float("nan")
            print(
                f"{which}: {size / 1e6:.1f} MB (+ {pictures / 1e6:.1f} MB of pictures), ready after {ready:.0f} ms, "
                f"hover {hover:.0f} ms ({len(hovers)} labels)",
                flush=True,
            )


if __name__ == "__main__":
    typer.run(main)
