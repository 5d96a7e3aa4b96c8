"""Bounds where log p(x) is known: x = W z + b + σ ε, W fixed and not orthogonal (Tipping & Bishop 1999).

    python benchmarks/linear_gaussian.py

The decoder is the truth and stays; linear encoders are trained on draws of x. With M = WᵀW + σ²I the best diagonal
posterior falls short of log p(x) by ½ (Σ log M_ii − log det M), and a full covariance meets it. Then the
importance-weighted bound of a diagonal proposal with twice the true variances, whose weights have finite variance: it
rises with K, by paired differences over the same pictures.

Measured on 2 cores with AMX (TensorFlow 2.21, OMP_NUM_THREADS=1, about 2 minutes), 500 pictures, nats missing:

    full covariance                  0.002 ± 0.0005  (0 expected)
    diagonal                         1.628 ± 0.006   (1.624 expected)
    wide proposal, K = 1             9.504           effective sample size 1
                   K = 4             1.215           1.2    rise 8.289 ± 0.658
                   K = 16            0.176           3.5    rise 1.039 ± 0.121
                   K = 64            0.044           11.9   rise 0.132 ± 0.033
                   K = 256           0.003           45.5   rise 0.042 ± 0.014
                   K = 1024          0.003           181.5  rise 0.000 ± 0.007
"""

import keras
import numpy as np
import scipy.stats

from vae_tf.evaluation.likelihood import importance_weighted
from vae_tf.recipes import build

SIDE, LATENT, SIGMA = 8, 5, 0.25
PIXELS, NUM_TRAINED, NUM_JUDGED = SIDE * SIDE, 20_000, 500
BATCH_SIZE, NUM_EPOCHS = 500, 150


def main() -> None:
    """Trains both encoders and prints one line for each figure."""
    generator = np.random.default_rng(0)
    mixing = np.eye(LATENT) + 0.6 * np.tril(np.ones((LATENT, LATENT)), -1)
    w = 0.15 * generator.normal(size=(PIXELS, LATENT)) @ mixing
    b = generator.uniform(0.3, 0.7, PIXELS)
    z = generator.normal(size=(NUM_TRAINED + NUM_JUDGED, LATENT))
    x = (z @ w.T + b + SIGMA * generator.normal(size=(len(z), PIXELS))).astype(np.float32)
    truth = scipy.stats.multivariate_normal(b, w @ w.T + SIGMA**2 * np.eye(PIXELS)).logpdf(x[NUM_TRAINED:])
    pictures = x.reshape(-1, SIDE, SIDE, 1)
    train, judged = pictures[:NUM_TRAINED], pictures[NUM_TRAINED:]
    m = w.T @ w + SIGMA**2 * np.eye(LATENT)
    gap = 0.5 * (np.log(np.diag(m)).sum() - np.linalg.slogdet(m)[1])
    print(f"log p(x) {truth.mean():.3f} nats; the best diagonal posterior should miss {gap:.3f}")
    for posterior, expected in (("full_covariance", 0.0), ("diagonal", gap)):
        model = with_true_decoder(posterior, w, b)
        learn(model, train)
        missing = truth - elbo(model, judged)
        error = missing.std(ddof=1) / np.sqrt(len(missing))
        print(f"{posterior}: misses {missing.mean():.3f} ± {error:.3f} nats, expected {expected:.3f}")
    rising(wide_proposal(w, b), judged, truth)


def with_true_decoder(posterior: str, w: np.ndarray, b: np.ndarray) -> keras.Model:
    """A linear model whose decoder is the truth and does not learn."""
    settings = {f"{axis}.widths": () for axis in ("encoder", "decoder")}
    settings |= {"likelihood.scale": SIGMA, "likelihood.activation": "linear", "posterior.name": posterior}
    model = build("mlp", (SIDE, SIDE, 1), LATENT, settings=settings)
    model.decoder.set_weights([w.T, b])
    model.decoder.trainable = False
    # From a variance of 1, sixty times the best one, the first steps make it depend on x, which takes long to unlearn.
    scale = 1.0 if posterior == "diagonal" else 0.5
    head = model.posterior.heads[1]
    head.bias.assign(np.full(LATENT, scale * np.log(SIGMA**2)))
    return model


def learn(model: keras.Model, train: np.ndarray) -> None:
    rate = keras.optimizers.schedules.CosineDecay(5e-3, NUM_EPOCHS * NUM_TRAINED // BATCH_SIZE)
    model.compile(keras.optimizers.Adam(rate), steps_per_execution=10)
    model.fit(train, batch_size=BATCH_SIZE, epochs=NUM_EPOCHS, verbose=0)


def elbo(model: keras.Model, judged: np.ndarray, num_draws: int = 200) -> np.ndarray:
    """The ELBO of each picture [N], the mean over draws of one sample."""
    draws = [
        importance_weighted(model, judged, 1, seed, batch_size=len(judged)).value for seed in range(num_draws)
    ]
    return np.mean(draws, axis=0)


def wide_proposal(w: np.ndarray, b: np.ndarray) -> keras.Model:
    """The true posterior mean with twice the true variances, set by hand."""
    covariance = np.linalg.inv(np.eye(LATENT) + w.T @ w / SIGMA**2)
    to_mean = covariance @ w.T / SIGMA**2
    model = with_true_decoder("diagonal", w, b)
    variances = np.log(2 * np.diag(covariance))
    # The encoder gives 2x − 1, flattened.
    model.posterior.set_weights([to_mean.T / 2, to_mean @ (0.5 - b), np.zeros((PIXELS, LATENT)), variances])
    return model


def rising(model: keras.Model, judged: np.ndarray, truth: np.ndarray) -> None:
    previous = None
    for num_samples in (1, 4, 16, 64, 256, 1024):
        found = importance_weighted(model, judged, num_samples, seed=num_samples)
        line = f"K = {num_samples}: misses {np.mean(truth - found.value):.4f} nats"
        if previous is not None:
            rise = found.value - previous
            line += (
                f", above the one before by {rise.mean():.4f} ± {rise.std(ddof=1) / np.sqrt(len(rise)):.4f}"
            )
        print(f"{line}, effective sample size {np.median(found.effective_sample_size):.1f}")
        previous = found.value


if __name__ == "__main__":
    main()
