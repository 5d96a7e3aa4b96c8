"""Several devices and several processes train as one device does."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.training import together
from vae_tf import random, replicas
from vae_tf.config import TrainingConfig
from vae_tf.data.batches import Replicas
from vae_tf.errors import UserError
from vae_tf.training.distribution import REFUSED, Distribution
from vae_tf.training.loop import read_metrics
from vae_tf.training.plan import make_plan

ROOT = Path(__file__).parents[2]
# What replicas add in another order differs in the last of 7 digits.
DIGITS = 1e-5
# Adam divides a gradient by its own size: near 0 even its sign may be chance, and a step is the learning rate's size,
# which rises to 1e-5 in the first step and by as much in each that follows.
STEP = 1e-4


def start(kind, recipes, folder, epochs=1, environment=None):
    command = [sys.executable, "-m", "tests.training.together", kind, recipes, str(folder), str(epochs)]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore", **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def start_two_workers(recipes, folders, epochs=1):
    from pipelines.workers import environment_of, free_ports

    addresses = [f"127.0.0.1:{port}" for port in free_ports(2)]
    return [
        start("worker", recipes, folder, epochs, environment_of(addresses, rank, "test"))
        for rank, folder in enumerate(folders)
    ]


def finish(*processes):
    for process in processes:
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 0, output


def trained_alone(recipe, folder, epochs=1):
    weights, averages = together.train(Distribution(), recipe, folder, epochs)
    return [*weights, *averages]


def assert_trained_alike(folder, alone_folder, alone):
    """Metrics of every epoch, weights and averages."""
    ours, theirs = (read_metrics(place / "metrics.jsonl") for place in (folder, alone_folder))
    assert len(ours) == len(theirs) > 0
    for a, b in zip(ours, theirs, strict=True):
        assert a.keys() == b.keys()
        for key in a.keys() - {"seconds"}:
            np.testing.assert_allclose(a[key], b[key], rtol=1e-3 if "per_dim" in key else DIGITS, err_msg=key)
    with np.load(folder / "final.npz") as file:
        for name, expected in zip(file.files, alone, strict=True):
            np.testing.assert_allclose(file[name], expected, rtol=DIGITS, atol=STEP)


def test_two_processes_train_as_one_and_only_the_chief_writes(tmp_path):
    workers = start_two_workers("mlp", [tmp_path / "chief", tmp_path / "other"])
    alone = trained_alone("mlp", tmp_path / "alone")
    finish(*workers)
    assert_trained_alike(tmp_path / "chief" / "mlp", tmp_path / "alone", alone)
    written = {path.name for path in (tmp_path / "chief" / "mlp").rglob("*") if path.is_file()}
    assert written == {"metrics.jsonl", "last.npz", "best.npz", "final.npz"}
    assert not (tmp_path / "other").exists()


# Of each kind one: dense, convolutions, a prior of its own pictures, objectives of whole batches, two of several
# samples, noise on the pictures, a covariance, classes.
RECIPES = [
    "mlp",
    "conv",
    "vamp",
    "beta-tc",
    "mmd",
    "free-bits",
    "dreg",
    "denoising-ae",
    "full-covariance",
    "m2",
]


@pytest.mark.slow
@pytest.mark.parametrize("recipe", RECIPES)
def test_two_devices_train_as_one(tmp_path, recipe):
    two = start("mirrored", recipe, tmp_path)
    alone = trained_alone(recipe, tmp_path / "alone")
    finish(two)
    assert_trained_alike(tmp_path / recipe, tmp_path / "alone", alone)


class Strategy:
    """Of so many replicas; nothing else of it is asked for."""

    def __init__(self, num_replicas):
        self.num_replicas_in_sync = num_replicas


@pytest.mark.parametrize("recipe", REFUSED)
def test_what_several_cannot_train_is_refused_or_trained_by_one(recipe):
    with pytest.raises(UserError, match=f"recipe {recipe}") as raised:
        Distribution(Strategy(2), num_workers=2).for_recipe(recipe, "float32")
    assert "--recipe" in raised.value.hint
    one = Distribution(Strategy(2)).for_recipe(recipe, "float32")
    assert one.num_replicas == 1 and recipe in one.reason
    assert Distribution().for_recipe(recipe, "float32") == Distribution()


def test_scaled_losses_are_for_one_device():
    with pytest.raises(UserError, match="mixed_float16"):
        Distribution(Strategy(4), num_workers=2).for_recipe("conv", "mixed_float16")


@pytest.mark.parametrize("wanted", [1, 2, 3, 4, 31, 32, 100])
@pytest.mark.parametrize("num_replicas", [1, 2, 3, 8])
def test_batches_are_rounded_to_what_replicas_can_share(wanted, num_replicas):
    plan = make_plan(TrainingConfig(batch_size=wanted), 1000, (8, 8, 1), num_replicas=num_replicas)
    assert plan.batch_size % num_replicas == 0
    assert abs(plan.batch_size - wanted) < num_replicas
    assert any("instead of" in note for note in plan.notes) == (plan.batch_size != wanted)


def test_rows_of_all_workers_make_the_batch():
    indices = np.array([7, 3, 9, 1, 5])
    splits = [Replicas(4, first, 2).split(tf.constant(indices)) for first in (0, 2)]
    rows = np.concatenate([split["index"].numpy().reshape(-1) for split in splits])
    np.testing.assert_array_equal(rows, [7, 3, 9, 1, 5, 5, 5, 5])
    assert all(int(split["total"]) == 5 and int(split["key"]) == 7 for split in splits)


@pytest.mark.parametrize("axis", [0, 1])
def test_noise_of_own_rows_is_that_of_the_batch(axis):
    shape = [5, 3, 2] if axis == 0 else [2, 5, 3]
    whole = random.normal(shape, 0, 1, "test").numpy()
    found = []
    for first in (0, 3):
        with replicas.computing(replicas.Rows(first, 3, tf.constant(5))):
            own = [3 if i == axis else size for i, size in enumerate(shape)]
            found.append(random.normal(own, 0, 1, "test", rows=axis).numpy())
    np.testing.assert_array_equal(np.concatenate(found, axis).take(range(5), axis), whole)
