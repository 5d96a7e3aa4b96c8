"""Does a VAE-GAN cure the blur? Against the same VAE, on unseen people of the London faces at 64×64.

    python -m benchmarks.vae_gan --faces ../shared/data/faces/london --steps 300            (seeds 0 1 2)

Machine: two cores with AMX, bfloat16; a step costs 0.15 s of one core for the VAE and 0.45 s for the VAE-GAN.
Measured after 300 steps, seeds 0, 1, 2, VAE against VAE-GAN (without --steps it takes the usual 1,500):

    mse                0.0068 0.0053 0.0075    0.0099 0.0087 0.0127   (1.45, 1.63, 1.70 times)
    detail             0.04   0.04   0.04      0.96   1.15   1.63
    detail of samples  0.05   0.02   0.03      0.93   1.01   1.43
    pixels             380    420    347       129    157    138      (floors 35 to 47)
    texture            80     76     73        24     26     26       (floors 3 to 5)

Both models see the same pictures, split by person, for the same epochs with the same
seed and augmentation, and both are taken at the epoch that validation found best, with averaged weights.

For unseen people: `mse` of reconstructions; `detail`, the high-frequency ratio of reconstructions and of samples of
the prior (1 is right, below is blurred, above is noise); and Fréchet distances of samples to pictures in two feature
spaces, each with what it is between two halves of the real pictures (`floor`):

- pixels: ten principal components of pixels, which see light and layout;
- texture: ten principal components of how strong each of three Laplacian bands (Burt & Adelson 1983) of the grey
  picture is in each of 4×4 cells, as logarithms, which see how sharp a picture is and where.
"""

import argparse
import math
import os
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from vae_tf import random, recipes
from vae_tf.config import DataConfig, TrainingConfig
from vae_tf.data import batches
from vae_tf.data.dataset import load_pictures
from vae_tf.evaluation.frechet import frechet_distance, frechet_in_pca, high_frequency_ratio
from vae_tf.evaluation.reconstruction import quality, reconstruct
from vae_tf.pixels import to_unit
from vae_tf.training import loop, precision
from vae_tf.training.plan import make_plan

SHAPE, LATENT = (64, 64, 3), 30
SPLIT = (65.0, 10.0, 25.0)
NUM_COMPONENTS, NUM_BANDS, NUM_CELLS, NUM_SPLITS = 10, 3, 4, 10
NUM_SAMPLES = 512
COLUMNS = ("mse", "detail", "detail of samples", "pixels", "floor", "texture", "floor")


def halved(grey: Any) -> Any:
    """Means of 2×2 pixels of [N, H, W]."""
    num, height, width = grey.shape
    return grey.reshape(num, height // 2, 2, width // 2, 2).mean(axis=(2, 4))


def texture(pictures: Any) -> Any:
    """Log root mean square of each band in each cell [N, bands·cells²] of pictures [N, H, W, C]."""
    grey, features = to_unit(pictures).astype(np.float64).mean(axis=-1), []
    for _ in range(NUM_BANDS):
        small = halved(grey)
        band = (grey - small.repeat(2, axis=1).repeat(2, axis=2)) ** 2
        side = band.shape[1] // NUM_CELLS
        cells = band.reshape(len(band), NUM_CELLS, side, NUM_CELLS, side).mean(axis=(2, 4))
        features.append(0.5 * np.log(cells + 1e-6).reshape(len(band), -1))
        grey = small
    return np.concatenate(features, axis=1)


def texture_distance(unseen: Any, samples: Any, train: Any, seed: int) -> tuple[float, float]:
    """Fréchet distance of samples to pictures in texture components, and between halves of the pictures."""
    rows = texture(train)
    _, _, axes = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    real, drawn = (texture(pictures) @ axes[:NUM_COMPONENTS].T for pictures in (unseen, samples))
    generator, half, found = random.generator(seed, "texture"), len(real) // 2, []
    for _ in range(NUM_SPLITS):
        order, chosen = generator.permutation(len(real)), generator.permutation(len(drawn))[:half]
        one, other = real[order[:half]], real[order[half : 2 * half]]
        found.append((frechet_distance(one, drawn[chosen]), frechet_distance(one, other)))
    value, floor = np.mean(found, axis=0)
    return float(value), float(floor)


def trained(recipe: str, pictures: Any, steps: int, seed: int, settings: dict[str, Any]) -> Any:
    """The recipe's model with the weights that the project would keep."""
    index = pictures.index
    train, validation = index.where("train"), index.where("validation")
    plan = make_plan(TrainingConfig(seed=seed), len(train), SHAPE)
    epochs = math.ceil(steps / plan.steps_per_epoch)
    plan = make_plan(TrainingConfig(seed=seed, epochs=epochs), len(train), SHAPE)
    policy = precision.resolve("auto", recipe).policy
    model = recipes.build(recipe, SHAPE, LATENT, precision=policy, seed=seed, settings=settings)
    with tempfile.TemporaryDirectory() as folder:
        outcome, best = loop.fit(
            model,
            plan,
            lambda step: batches.training_batches(
                pictures.images, index.labels, train, plan.batch_size, seed, step
            ),
            batches.ordered_batches(pictures.images, index.labels, validation, 64),
            Path(folder),
        )
    assert outcome.status == "finished", outcome
    model.set_weights(best)
    facts = outcome.facts
    print(
        f"  {recipe}: {facts['seconds']:.0f} s, best epoch {facts['best_epoch']} of {facts['epoch']}",
        flush=True,
    )
    return model


def scores(model: Any, pictures: Any, seed: int) -> tuple[float, ...]:
    """The numbers of `COLUMNS`."""
    index = pictures.index
    unseen, train = (np.asarray(pictures.images[index.where(part)]) for part in ("test", "train"))
    rebuilt, samples = reconstruct(model, unseen), np.asarray(model.sample(NUM_SAMPLES, seed=seed))
    in_pixels = frechet_in_pca(unseen, samples, train, NUM_COMPONENTS, seed)
    return (
        float(quality(unseen, rebuilt).mse.mean()),
        high_frequency_ratio(unseen, rebuilt),
        high_frequency_ratio(unseen, samples),
        in_pixels.value,
        in_pixels.floor,
        *texture_distance(unseen, samples, train, seed),
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--faces", required=True)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--cache", type=Path, default=Path("cache"))
    arguments = parser.parse_args()
    data = DataConfig(source=arguments.faces, size=SHAPE[:2], group_by=r"([^/]+)\.png$", split=SPLIT)
    sharper, nearer = [], []
    for seed in arguments.seeds:
        pictures = load_pictures(data, seed, arguments.cache)
        parts = ", ".join(f"{len(pictures.index.where(p))} {p}" for p in ("train", "validation", "test"))
        print(f"seed {seed}: {parts}", flush=True)
        found = {}
        for recipe in ("conv", "vae-gan"):
            found[recipe] = scores(trained(recipe, pictures, arguments.steps, seed, {}), pictures, seed)
            named = ", ".join(f"{c} {v:.4f}" for c, v in zip(COLUMNS, found[recipe], strict=True))
            print(f"  {recipe}: {named}", flush=True)
        plain, gan = found["conv"], found["vae-gan"]
        sharper.append(all(abs(gan[i] - 1) < abs(plain[i] - 1) for i in (1, 2)))
        nearer.append([gan[i] < plain[i] for i in (3, 5)])
        print(f"  the VAE-GAN's error is {gan[0] / plain[0]:.2f} times the VAE's", flush=True)
    print(f"detail nearer 1 in {sum(sharper)} of {len(sharper)} seeds")
    for name, wins in zip(("pixels", "texture"), zip(*nearer, strict=True), strict=True):
        print(f"lower Fréchet distance in {name} in {sum(wins)} of {len(wins)} seeds")


if __name__ == "__main__":
    main()
