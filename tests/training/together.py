"""A program that tests start: it trains small models by one device, by two of this process, or as a worker.

    python -m tests.training.together alone|mirrored|worker RECIPE,RECIPE FOLDER [EPOCHS]

Each training leaves metrics.jsonl, checkpoints and final.npz (weights and averages) in FOLDER/RECIPE.
"""

import os
import sys
from pathlib import Path

import numpy as np

SHAPE, BATCH_SIZE = (8, 8, 1), 4
# The last validation batch has 3 pictures: two replicas cannot take equally many.
TRAIN, VALIDATION = np.arange(13), np.arange(13, 20)


def pictures_and_labels():
    generator = np.random.default_rng(0)
    pictures = generator.integers(0, 256, (20, *SHAPE), dtype=np.uint8)
    return pictures, np.where(np.arange(20) % 2, np.arange(20) % 3, -1)


def train(distribution, recipe, folder, epochs=1, shape=SHAPE, **arguments):
    """Four steps an epoch, in float32 and without XLA, whose noise is another."""
    from vae_tf import recipes
    from vae_tf.config import TrainingConfig
    from vae_tf.data import batches
    from vae_tf.training import loop
    from vae_tf.training.plan import make_plan

    pictures, labels = pictures_and_labels()
    model = distribution.build(
        lambda: recipes.build(recipe, shape, 3, precision="float32", num_classes=3, batch_size=BATCH_SIZE)
    )
    for part in (model.objective, model.prior):
        if getattr(part, "num_examples", 0) is None:
            part.num_examples = len(TRAIN)
    config = TrainingConfig(epochs=epochs, batch_size=BATCH_SIZE, augment="mirror,shift,brightness")
    plan = make_plan(config, len(TRAIN), shape, num_replicas=distribution.num_replicas)
    rows = distribution.replicas
    loop.fit(
        model,
        plan,
        lambda step: batches.training_batches(pictures, labels, TRAIN, BATCH_SIZE, 0, step, 0, rows),
        batches.ordered_batches(pictures, labels, VALIDATION, BATCH_SIZE, rows),
        Path(folder),
        distribution=distribution,
        **arguments,
    )
    averages = [average.numpy() for average in model.weight_average.averages]
    return model.get_weights(), averages


def main(kind, names, folder, epochs="1"):
    import tensorflow as tf

    from vae_tf.training import cluster, distribution

    if kind == "mirrored":
        (cpu,) = tf.config.list_physical_devices("CPU")
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
        chosen = distribution.Distribution(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]))
    else:
        chosen = distribution.choose(cluster.find_cluster(os.environ) if kind == "worker" else None)
    for name in names.split(","):
        place = Path(folder) / name
        weights, averages = train(chosen, name, place, int(epochs))
        if chosen.is_chief:
            np.savez(place / "final.npz", *weights, *averages)


if __name__ == "__main__":
    main(*sys.argv[1:])
