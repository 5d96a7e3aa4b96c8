"""Maps of many latents: seconds, and trustworthiness beside the map of all.

    VAE_TF_DATA=../shared/data python -m benchmarks.speed.maps                       # about 4 minutes
    VAE_TF_DATA=../shared/data python -m benchmarks.speed.maps --million             # 10 more

Latents are the first 20 principal components of MNIST's digits, and of copies moved by up to two pixels where more are
asked for. 60,000 are mapped whole; a million by landmarks (`vae_tf.analysis.projection`), as are the 60,000 once more,
so that both ways are judged on the same pictures: the trustworthiness of 5,000 of them among themselves.
"""

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed.machine import describe_machine
from vae_tf.analysis import projection

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"
DATA = Path(os.environ.get("VAE_TF_DATA", ROOT.parent / "shared" / "data"))


def latents(count: int) -> np.ndarray:
    """float32 [count, 20], each of about unit variance."""
    from sklearn.decomposition import PCA

    with np.load(DATA / "mnist.npz") as file:
        digits = file["x_train"]
    fitted = PCA(20, whiten=True, random_state=0).fit(digits[:10_000].reshape(10_000, -1) / 255)
    generator = np.random.default_rng(0)
    pieces = [digits]
    while sum(map(len, pieces)) < count:
        pieces.append(np.roll(digits, generator.integers(-2, 3, 2), (1, 2)))
    codes = [fitted.transform(piece.reshape(len(piece), -1) / 255) for piece in pieces]
    return np.concatenate(codes)[:count].astype(np.float32)


def trustworthiness(codes: np.ndarray, points: np.ndarray) -> float:
    from sklearn.manifold import trustworthiness as measured

    chosen = np.random.default_rng(1).choice(len(codes), 5_000, replace=False)
    return float(measured(codes[chosen], points[chosen], n_neighbors=5))


def timed(codes: np.ndarray, method: Any) -> dict[str, Any]:
    began = time.perf_counter()
    found = projection.project(codes, method)
    row = {"method": method, "pictures": len(codes), "seconds": time.perf_counter() - began}
    row |= {
        "landmarks": found.settings.get("landmarks"),
        "trustworthiness": trustworthiness(codes, found.points),
    }
    print(row, flush=True)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--million", action="store_true")
    options = parser.parse_args()
    codes = latents(60_000)
    # What is compiled at the first map of a process is not the map's.
    for method in ("tsne", "umap"):
        projection.project(codes[:2_000], method)  # type: ignore[arg-type]
    rows = [timed(codes, method) for method in ("tsne", "umap")]
    whole, projection.LARGEST_MAPPED_WHOLE = projection.LARGEST_MAPPED_WHOLE, 50_000
    rows += [timed(codes, method) for method in ("tsne", "umap")]
    projection.LARGEST_MAPPED_WHOLE = whole
    if options.million:
        codes = latents(1_000_000)
        rows += [timed(codes, method) for method in ("tsne", "umap", "pca")]
    RESULTS.mkdir(exist_ok=True)
    document = {"machine": describe_machine(), "rows": rows}
    (RESULTS / "maps.json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
