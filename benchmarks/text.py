"""Does the sentence VAE use its code, and what does that cost? (Bowman et al. 2016, tables 1 and 2)

    OMP_NUM_THREADS=1 python benchmarks/text.py ../shared/data/tinyshakespeare.txt

Sentences are the lines of 4 to 12 words between blanks and at most 14 tokens, lower case, marks apart, words that occur
less than five times unknown; parts 80/10/10 with equal lines together.
Four models of the same sizes, optimiser and steps:

- `sentence`, the recipe: KL annealing, word dropout, and 2.5 nats that the code may use for nothing (free bits);
- `annealed`, with annealing and word dropout alone, as Bowman et al. print it;
- `collapsed`, without any of them;
- `language`, an LSTM language model: the decoder alone, which is told z = 0 always, and nothing is dropped.

Expected on unseen sentences: of `sentence` a KL above 2 nats, and a −ELBO at most 3 nats per sentence above the
−log p(x) of `language`; of `collapsed` a KL below 0.5 nats.

Measured on 2 cores with AMX (one thread; about 20 s of processor for an epoch): `sentence` −ELBO 47.50 ± 0.23, KL 2.30
± 0.03; `annealed` −ELBO 46.40 ± 0.24, KL 0.05; `language` −log p(x) 46.53 ± 0.24; `collapsed` −ELBO 46.36 ± 0.24, KL
0.01.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from vae_tf import recipes
from vae_tf.config import DataConfig, TrainingConfig
from vae_tf.data import batches
from vae_tf.data.sentences import SentenceFile, Sentences, load_sentences, open_sentences
from vae_tf.evaluation.latents import embed
from vae_tf.evaluation.likelihood import importance_weighted
from vae_tf.sentence import SentenceVAE
from vae_tf.training import loop
from vae_tf.training.plan import make_plan

SHORTEST, LONGEST, LONGEST_IN_TOKENS = 4, 12, 14
LEARNING_RATE, FREE_NATS = 2e-3, 2.5
MODELS = ("sentence", "language", "collapsed", "annealed")
SIZES = {"width": 128, "embedding": 64}
NUM_ELBO_DRAWS = 8
NUM_FOR_BOUND, NUM_BOUND_SAMPLES = 300, 50


class LanguageModel(SentenceVAE):
    """The decoder without a code: it is told z = 0 always, so that log p(x | z) is log p(x)."""

    def decoder_output(self, z: Any, x: Any = None, condition: Any = None) -> Any:
        return super().decoder_output(ops.zeros_like(z), x, condition)


def read(path: Path, seed: int) -> Sentences:
    config = DataConfig(source=str(path), min_count=5, longest=LONGEST_IN_TOKENS)
    whole = open_sentences(config)
    kept = [i for i, line in enumerate(whole.sentences) if SHORTEST <= len(line.split()) <= LONGEST]
    columns = [[column[i] for i in kept] for column in (whole.sentences, whole.labels, whole.lines)]
    return load_sentences(config, seed, SentenceFile(whole.name, *columns, whole.num_blank))


def train(model: Any, data: Sentences, arguments: argparse.Namespace) -> float:
    """Trains as `python cli.py train` does and leaves the best averaged weights in the model; seconds."""
    config = TrainingConfig(
        epochs=arguments.epochs,
        batch_size=arguments.batch_size,
        learning_rate=LEARNING_RATE,
        seed=arguments.seed,
    )
    train_part, labels = data.index.where("train"), data.index.labels
    plan = make_plan(config, len(train_part), model.image_shape)
    validation = batches.ordered_batches(data.tokens, labels, data.index.where("validation"), 64)
    started = time.monotonic()

    def report(event: dict[str, Any]) -> None:
        if event["event"] == "epoch":
            shown = {name: round(event[name], 2) for name in ("loss", "kl", "val_loss", "val_kl")}
            print(f"  epoch {event['epoch']}/{plan.epochs} {shown} {event['seconds']:.0f} s", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        _, best = loop.fit(
            model,
            plan,
            lambda step: batches.training_batches(
                data.tokens, labels, train_part, plan.batch_size, plan.seed, step
            ),
            validation,
            Path(folder),
            listener=report,
        )
    model.set_weights(best)
    return time.monotonic() - started


def score(model: Any, data: Sentences) -> dict[str, Any]:
    """Of unseen sentences: −ELBO of each [N] over several draws, KL, active dimensions."""
    positions = data.index.where("test")
    test = batches.ordered_batches(data.tokens, data.index.labels, positions, 64)
    draws = []
    for draw in range(NUM_ELBO_DRAWS):
        found = []
        for step, batch in enumerate(test):
            noise = model.noise_for(batch["x"], draw * 10_000 + step, "benchmark")
            found.append(np.asarray(model.elbo_terms(batch["x"], noise).reconstruction))
        draws.append(np.concatenate(found))
    embedding = embed(model, test)
    kl = embedding.kl.sum(axis=1)
    return {"reconstruction": np.mean(draws, axis=0), "kl": kl, "active": int(embedding.active.sum())}


def told(name: str, values: np.ndarray) -> str:
    return f"{name} {values.mean():.2f} ± {values.std(ddof=1) / np.sqrt(len(values)):.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--latent", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--warmup", type=int, default=600)
    parser.add_argument("--dropout", type=float, default=0.25)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=MODELS)
    arguments = parser.parse_args()
    data = read(arguments.file, arguments.seed)
    lengths = (data.tokens != 0).sum(axis=1)
    print(
        f"{len(data.tokens):,} sentences, {lengths.mean():.1f} tokens with the end, "
        f"{len(data.vocabulary):,} known; {'; '.join(data.notes)}"
    )
    sizes = {f"{axis}.{name}": value for axis in ("encoder", "decoder") for name, value in SIZES.items()}
    plain = {**sizes, "objective.warmup_steps": 0, "model.word_dropout": 0.0}
    annealed = {**sizes, "objective.warmup_steps": arguments.warmup, "model.word_dropout": arguments.dropout}
    floored = {**annealed, "objective.name": "free_bits", "objective.floor": FREE_NATS / arguments.latent}
    found: dict[str, Any] = {}
    for name, settings in zip(MODELS, (floored, plain, plain, annealed), strict=True):
        if arguments.only not in (None, name):
            continue
        model = recipes.build(
            "sentence",
            (data.num_positions,),
            arguments.latent,
            num_tokens=len(data.vocabulary),
            seed=arguments.seed,
            settings=settings,
        )
        if name == "language":
            keras.utils.set_random_seed(arguments.seed)
            model = LanguageModel.from_config(model.get_config())
        print(f"{name}: {settings}", flush=True)
        seconds = train(model, data, arguments)
        found[name] = score(model, data)
        kl, reconstruction = found[name]["kl"], found[name]["reconstruction"]
        print(f"  trained in {seconds:.0f} s")
        if name == "language":
            print(f"  unseen: {told('−log p(x)', reconstruction)} nats per sentence")
            continue
        print(
            f"  unseen: {told('−ELBO', reconstruction + kl)}, {told('KL', kl)} nats, "
            f"{found[name]['active']} of {arguments.latent} dimensions in use"
        )
        some = data.tokens[data.index.where("test")[:NUM_FOR_BOUND]]
        bound = importance_weighted(model, some, NUM_BOUND_SAMPLES, arguments.seed)
        elbo = (reconstruction + kl)[:NUM_FOR_BOUND]
        print(
            f"  first {NUM_FOR_BOUND}: {told('−ELBO', elbo)}, bound of {NUM_BOUND_SAMPLES} samples "
            f"{told('', -bound.value)}, effective sample size {np.median(bound.effective_sample_size):.1f}"
        )
    if arguments.only is None:
        verdict(found)


def verdict(found: dict[str, Any]) -> None:
    language = found["language"]["reconstruction"]
    excess = found["sentence"]["reconstruction"] + found["sentence"]["kl"] - language
    print(f"{told('−ELBO above the language model', excess)} nats per sentence (paired)")
    checks = {
        "KL above 2 nats with annealing, dropout and free bits": found["sentence"]["kl"].mean() > 2.0,
        "−ELBO within 3 nats of the language model": excess.mean() < 3.0,
        "collapse without them (KL below 0.5)": found["collapsed"]["kl"].mean() < 0.5,
    }
    for name, holds in checks.items():
        print(f"{'holds' if holds else 'FAILS'}: {name}")


if __name__ == "__main__":
    main()
