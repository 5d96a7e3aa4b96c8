"""`embed --engine ray` on a real cluster of two nodes: what dies in the middle loses nothing and doubles nothing."""

import collections
import json
import os
import threading

import numpy as np
import pyarrow.parquet as parquet
import pytest
from PIL import Image

from pipelines import ray_embedding
from tests.pipelines.ray_clusters import cluster_of_two, kill_one, wait_until
from tests.pipelines.small_run import write_run
from vae_tf.data.batches import ordered_batches
from vae_tf.data.cache import Shape, open_cache
from vae_tf.data.sources.folder import FolderSource
from vae_tf.evaluation import latents
from vae_tf.evaluation.oddness import BoundsScorer, reconstruction_errors

pytest.importorskip("ray", reason="pip install -r requirements-ray.txt")
pytestmark = pytest.mark.slow

NUM_PICTURES = 1500


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pictures of several sizes in subfolders of odd names, and some files that are none."""
    root = tmp_path_factory.mktemp("many") / "pictures"
    generator = np.random.default_rng(0)
    for number in range(NUM_PICTURES):
        place = root / ("", "a b#1", "ünder %20/deeper?")[number % 3]
        place.mkdir(parents=True, exist_ok=True)
        side = 16 + 8 * (number % 2)
        Image.fromarray(generator.integers(0, 256, (side, 20, 3), np.uint8)).save(place / f"{number:04d}.png")
    (root / "a b#1" / "empty.png").write_bytes(b"")
    (root / "text.jpg").write_text("no picture")
    (root / ".hidden.png").write_bytes(b"")
    (root / "notes.txt").write_text("left alone")
    return root


def rows_of(folder):
    return parquet.read_table(folder).to_pylist()


def local(folder, model, tmp_path):
    """By path what the local commands compute: mean, standard deviation and KL; squared error; −ELBO."""
    source = FolderSource(folder)
    cache = open_cache(source, Shape(16, 16, 3, "crop"), tmp_path / "cache")
    batches = ordered_batches(
        cache.images, np.zeros(len(cache.images), np.int64), np.arange(len(cache.images)), 128
    )
    embedding = latents.embed(model, batches)
    return dict(
        zip(
            [source.entries[i].path for i in cache.positions],
            zip(
                embedding.mean,
                embedding.standard_deviation,
                embedding.kl.sum(axis=1),
                reconstruction_errors(model.reconstruct, cache.images),
                -BoundsScorer(model, 1)(cache.images).elbo,
                strict=True,
            ),
            strict=True,
        )
    )


def kill_in_the_middle(cluster, second, target, told):
    """Kills the process of an actor once something is written, and the second node a little later."""
    partial = target.with_name(f".{target.name}.partial")

    def written():
        return len(list(partial.glob("*.parquet")))

    wait_until(lambda: written() >= 1)
    kill_one("MapWorker", os.getpid())
    told["at the worker's death"] = written()
    wait_until(lambda: written() >= told["at the worker's death"] + 2)
    told["at the node's death"] = written()
    cluster.remove_node(second, allow_graceful=False)


def test_a_worker_and_a_node_die_and_every_path_is_there_once(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(ray_embedding, "ROWS", 32)
    monkeypatch.setattr(ray_embedding, "ROWS_PER_FILE", 64)
    run, model = write_run(tmp_path / "runs", folder)
    target, told = tmp_path / "scores #1", {}
    with cluster_of_two() as (cluster, second):
        killer = threading.Thread(target=kill_in_the_middle, args=(cluster, second, target, told))
        killer.start()
        record = ray_embedding.embed(run, str(folder), cluster.address, str(target))
        killer.join(timeout=60)
    assert record["cluster"]["cpus"] == (1.0, 1.0)
    assert "1 machine of the cluster went away" in capsys.readouterr().out
    rows = rows_of(target)
    assert 0 < told["at the worker's death"] < told["at the node's death"] < record["results"]["num_files"]
    expected = local(folder, model, tmp_path)
    assert collections.Counter(row["path"] for row in rows) == collections.Counter(
        [*expected, "a b#1/empty.png", "text.jpg"]
    )
    assert {row["path"]: row["reason"] for row in rows if row["reason"]} == {
        "a b#1/empty.png": "the file is empty",
        "text.jpg": "not a picture that Pillow can read",
    }
    names = ("mean", "standard_deviation", "kl", "squared_error", "negative_elbo")
    for row in rows:
        if row["reason"] is None:
            for name, value in zip(names, expected[row["path"]], strict=True):
                np.testing.assert_allclose(row[name], value, rtol=1e-5, atol=1e-5, err_msg=name)
        else:
            assert all(row[name] is None for name in names)
    assert json.loads((target / "_embedding.json").read_text())["results"]["num_pictures"] == len(rows)
    assert not list(tmp_path.glob(".*partial*"))
