"""Seconds until unseen pictures are as well explained as pythae's and Keras' examples explain them at their end.

    VAE_TF_DATA=../shared/data python -m benchmarks.speed.time_to_quality mnist      # about 12 minutes
    VAE_TF_DATA=../shared/data python -m benchmarks.speed.time_to_quality london orl

mnist   −ELBO of the 10,000 test digits, grey, Bernoulli cross-entropy, nats. pythae: its own dense networks and its
        script's configuration for MNIST (latent 16, batch 100, learning rate 1e-3, 100 epochs), with the
        cross-entropy. Keras: the documentation's example as it is (latent 2, batch 128, 30 epochs), but for the test
        digits, which it trains on. Ours: `--recipe mlp --latent 20 --likelihood bernoulli --augment none`.
london, orl   mean squared error of people that training has not seen, 64×64, 30 latents. Their examples' epochs are for
        60,000 and 160,000 pictures; here every contestant takes 1,500 steps of 32, which is what `train` chooses.
        pythae has the same convolutional networks as we; Keras its example's. Ours: `train`, with `--size 64`.

Seconds are those of training and of what it does between epochs; imports, decoding and building are left out for all.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed.machine import describe_machine

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"
DATA = Path(os.environ.get("VAE_TF_DATA", ROOT.parent / "shared" / "data"))
CONTESTANTS = ("ours", "pythae", "keras")
NUM_STEPS, BATCH_SIZE, SIDE, LATENT = 1500, 32, 64, 30


def digits() -> tuple[np.ndarray, np.ndarray]:
    """MNIST's training and test digits, uint8 [N, 28, 28, 1]."""
    with np.load(DATA / "mnist.npz") as file:
        return file["x_train"][..., None], file["x_test"][..., None]


def faces(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Training and unseen pictures of a data set as `train` divides it (by person), uint8 [N, 64, 64, C]."""
    pictures = face_pictures(name)
    index = pictures.index
    unseen = np.sort(np.concatenate([index.where("validation"), index.where("test")]))
    return np.array(pictures.images[index.where("train")]), np.array(pictures.images[unseen])


def face_pictures(name: str) -> Any:
    from vae_tf.config import DataConfig
    from vae_tf.data.dataset import load_pictures

    # The person: the name of the file, or of the folder.
    group = {"london": r"([^/]+)\.png", "orl": r"(s\d+)/"}[name]
    config = DataConfig(source=str(DATA / "faces" / name), size=(SIDE, SIDE), group_by=group)
    return load_pictures(config, 0, Path(tempfile.gettempdir()) / "vae_tf-bench-cache")


def data_of(task: str) -> tuple[np.ndarray, np.ndarray]:
    return digits() if task == "mnist" else faces(task)


class Course:
    """(seconds of training, what was reached) as training goes on; the time of looking is not counted."""

    def __init__(self, score: Callable[[], float]) -> None:
        self.score, self.points = score, []
        self.spent, self.began = 0.0, time.perf_counter()

    def look(self) -> None:
        self.spent += time.perf_counter() - self.began
        value = float(self.score())
        self.points.append((self.spent, value))
        print(f"  {self.spent:8.1f} s  {value:.5g}", file=sys.stderr, flush=True)
        self.began = time.perf_counter()


def nats_of_digits(entropy: np.ndarray, mean: np.ndarray, log_variance: np.ndarray) -> float:
    """−ELBO: cross-entropy [N] and the KL of the posterior."""
    kl = 0.5 * (np.square(mean) + np.exp(log_variance) - 1 - log_variance).sum(1)
    return float(np.mean(entropy + kl))


def cross_entropy(x: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Bernoulli cross-entropy [N] of grey pictures [N, …] in [0, 1], nats."""
    p = np.clip(probability.astype(np.float64), 1e-7, 1 - 1e-7)
    return -(x * np.log(p) + (1 - x) * np.log1p(-p)).reshape(len(x), -1).sum(1)


def ours(task: str) -> list[tuple[float, float]]:
    from vae_tf import recipes
    from vae_tf.config import TrainingConfig
    from vae_tf.data.batches import training_batches
    from vae_tf.evaluation.reconstruction import reconstruct, squared_errors
    from vae_tf.training import loop, precision
    from vae_tf.training.plan import make_plan

    train, unseen = data_of(task)
    is_digits = task == "mnist"
    config = TrainingConfig(augment="none" if is_digits else "auto", epochs=20 if is_digits else None)
    plan = make_plan(config, len(train), train.shape[1:])
    recipe = "mlp" if is_digits else "conv"
    chosen = precision.resolve("auto", recipe)
    model = recipes.build(
        recipe,
        train.shape[1:],
        20 if is_digits else LATENT,
        likelihood="bernoulli" if is_digits else None,
        precision=chosen.policy,
        batch_size=plan.batch_size,
    )
    score = (
        (lambda: elbo_of_ours(model, unseen))
        if is_digits
        else (lambda: float(np.mean(squared_errors(unseen, reconstruct(model, unseen)))))
    )
    course = Course(score)

    def listen(event: dict[str, Any]) -> None:
        if event["event"] == "epoch" and (is_digits or event["epoch"] % 3 == 0):
            # What is kept and embedded is the average of the weights.
            model.weight_average.swap()
            course.look()
            model.weight_average.swap()

    labels, indices = np.full(len(train), -1), np.arange(len(train))
    with tempfile.TemporaryDirectory() as folder:
        course.began = time.perf_counter()
        loop.fit(
            model,
            plan,
            lambda step: training_batches(train, labels, indices, plan.batch_size, 0, step),
            None,
            Path(folder),
            jit_compile=chosen.jit_compile,
            listener=listen,
        )
    return course.points


def elbo_of_ours(model: Any, unseen: np.ndarray) -> float:
    generator = np.random.default_rng(0)
    total = 0.0
    for start in range(0, len(unseen), 1000):
        x = unseen[start : start + 1000]
        found = {name: np.array(value) for name, value in model.encode(x).items()}
        mean, log_variance = found["mean"], found["log_variance"]
        z = mean + np.exp(0.5 * log_variance) * generator.normal(size=mean.shape)
        entropy = cross_entropy(x / 255, np.array(model.decode(z.astype(np.float32))))
        total += nats_of_digits(entropy, mean, log_variance) * len(x)
    return total / len(unseen)


def pythae(task: str) -> list[tuple[float, float]]:
    import torch
    from pythae.data.datasets import BaseDataset
    from pythae.models import VAE, VAEConfig
    from pythae.trainers import BaseTrainer, BaseTrainerConfig

    from benchmarks.speed.pythae_trainer import networks
    from benchmarks.speed.workloads import Workload

    torch.manual_seed(0)
    train, unseen = (
        torch.from_numpy(part).permute(0, 3, 1, 2).float().contiguous() / 255 for part in data_of(task)
    )
    is_digits = task == "mnist"
    shape = tuple(train.shape[1:])
    if is_digits:
        model = VAE(VAEConfig(input_dim=shape, latent_dim=16, reconstruction_loss="bce"))
        epochs, batch_size = 100, 100
    else:
        workload = Workload(task, (SIDE, SIDE, shape[0]), BATCH_SIZE, "conv")
        encoder, decoder = networks(workload)
        model = VAE(VAEConfig(input_dim=shape, latent_dim=LATENT), encoder=encoder, decoder=decoder)
        batch_size = BATCH_SIZE
        epochs = -(-NUM_STEPS // -(-len(train) // BATCH_SIZE))
    config = BaseTrainerConfig(
        output_dir=tempfile.mkdtemp(),
        per_device_train_batch_size=batch_size,
        learning_rate=1e-3,
        num_epochs=epochs,
        no_cuda=True,
    )
    trainer = BaseTrainer(
        model=model, train_dataset=BaseDataset(train, torch.zeros(len(train))), training_config=config
    )
    trainer.prepare_training()

    @torch.inference_mode()
    def score() -> float:
        model.eval()
        if not is_digits:
            return float((model.reconstruct(unseen) - unseen).square().mean())
        outputs = model.encoder(unseen)
        mean, log_variance = outputs.embedding, outputs.log_covariance
        z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        probability = model.decoder(z).reconstruction.numpy()
        entropy = cross_entropy(unseen.numpy(), probability)
        return nats_of_digits(entropy, mean.numpy(), log_variance.numpy())

    course = Course(score)
    every = 5 if is_digits else max(epochs // 20, 1)
    for epoch in range(1, epochs + 1):
        trainer.train_step(epoch)
        if epoch % every == 0 or epoch == epochs:
            course.look()
    return course.points


def keras(task: str) -> list[tuple[float, float]]:
    import keras as k
    import tensorflow as tf

    from benchmarks.speed.keras_example import Sampling, make_vae

    k.utils.set_random_seed(0)
    train, unseen = (part.astype("float32") / 255 for part in data_of(task))
    is_digits = task == "mnist"
    latent_dim = 2 if is_digits else LATENT
    side, channels = train.shape[1], train.shape[-1]
    pictures = k.Input(train.shape[1:])
    x = k.layers.Conv2D(32, 3, activation="relu", strides=2, padding="same")(pictures)
    x = k.layers.Conv2D(64, 3, activation="relu", strides=2, padding="same")(x)
    x = k.layers.Dense(16, activation="relu")(k.layers.Flatten()(x))
    mean, log_variance = k.layers.Dense(latent_dim)(x), k.layers.Dense(latent_dim)(x)
    encoder = k.Model(pictures, [mean, log_variance, Sampling()([mean, log_variance])])
    latents = k.Input((latent_dim,))
    x = k.layers.Dense((side // 4) ** 2 * 64, activation="relu")(latents)
    x = k.layers.Reshape((side // 4, side // 4, 64))(x)
    x = k.layers.Conv2DTranspose(64, 3, activation="relu", strides=2, padding="same")(x)
    x = k.layers.Conv2DTranspose(32, 3, activation="relu", strides=2, padding="same")(x)
    output = k.layers.Conv2DTranspose(channels, 3, activation="sigmoid", padding="same")(x)
    decoder = k.Model(latents, output)
    model = make_vae(encoder, decoder)
    model.compile(optimizer=k.optimizers.Adam())

    def score() -> float:
        mean, log_variance, z = (part.numpy() for part in encoder(tf.constant(unseen)))
        if not is_digits:
            return float(np.mean(np.square(decoder(mean).numpy() - unseen)))
        return nats_of_digits(cross_entropy(unseen, decoder(z).numpy()), mean, log_variance)

    course = Course(score)
    batch_size = 128 if is_digits else BATCH_SIZE
    epochs = 30 if is_digits else -(-NUM_STEPS // -(-len(train) // BATCH_SIZE))
    every = 1 if is_digits else max(epochs // 20, 1)
    for done in range(0, epochs, every):
        model.fit(train, epochs=min(every, epochs - done), batch_size=batch_size, verbose=0)
        course.look()
    return course.points


def run_apart(contestant: str, task: str) -> list[tuple[float, float]]:
    """A contestant's course, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.speed.time_to_quality", task, "--only", contestant]
    finished = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    points: list[tuple[float, float]] = json.loads(finished.stdout.splitlines()[-1])
    return points


def first_at(points: list[tuple[float, float]], value: float) -> float | None:
    """Seconds when `value` was reached, or less; None where it never was."""
    return next((seconds for seconds, reached in points if reached <= value), None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", nargs="+", choices=["mnist", "london", "orl"])
    parser.add_argument("--only", choices=CONTESTANTS)
    options = parser.parse_args()
    if options.only:
        print(json.dumps(globals()[options.only](options.tasks[0])))
        return
    RESULTS.mkdir(exist_ok=True)
    for task in options.tasks:
        courses = {name: run_apart(name, task) for name in CONTESTANTS}
        document = {"machine": describe_machine(), "courses": courses}
        (RESULTS / f"quality-{task}.json").write_text(json.dumps(document, indent=1) + "\n")
        for rival in CONTESTANTS[1:]:
            seconds, value = courses[rival][-1]
            sooner = first_at(courses["ours"], value)
            print(
                f"{task}: {rival} ends at {value:.5g} after {seconds:.1f} s; ours is there after "
                + ("—" if sooner is None else f"{sooner:.1f} s, {seconds / sooner:.1f} times sooner"),
                flush=True,
            )


if __name__ == "__main__":
    main()
