"""Stage `evaluate` of text: how probable unseen sentences are, what is rebuilt of some, and some made up."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.run_data import Subject, config_of, load_model
from pipelines.scored_examples import LARGEST_NUM_SCORED, NO_USE, choose, elbo_of_each, use_of_dimensions
from pipelines.text_data import load_sentences_of
from vae_tf import random
from vae_tf.artifacts.json_files import write_json
from vae_tf.artifacts.npz_files import save_arrays
from vae_tf.artifacts.stage import StageWriter
from vae_tf.data.sentences import Sentences
from vae_tf.vocabulary import lengths_of

NUM_SHOWN = 8
NUM_SAMPLES = 16
BEAM_WIDTH = 5


def write_text_scores(subject: Subject, stage: StageWriter) -> None:
    """Scores every part; keeps some reconstructions and prior samples to read."""
    sentences, model = load_sentences_of(subject), load_model(subject.run)
    model.compile()
    scores: dict[str, Any] = {}
    shown: dict[str, Any] = {}
    arrays: dict[str, Any] = {}
    for part in ("test", "validation", "train"):
        positions = choose(sentences.index, part, LARGEST_NUM_SCORED)
        if len(positions):
            scores[part] = score(model, sentences, positions)
            arrays[f"{part}_scored"] = positions
            if model.has_elbo:
                arrays[f"{part}_each_elbo"] = elbo_of_each(model, sentences, positions)
            shown[part] = reconstructions(model, sentences, positions)
    scores["model"] = "VAE" if model.has_elbo else "autoencoder"
    scores |= use_of_dimensions(model, sentences) if model.has_elbo else NO_USE
    shown["samples"] = samples(model, sentences, config_of(subject.run).training.seed)
    save_arrays(stage.folder / "scores.npz", **arrays)
    write_json(stage.folder / "sentences.json", shown)
    write_json(stage.folder / "scores.json", scores)
    stage.results["scores"] = scores


def score(model: Any, sentences: Sentences, positions: NDArray[np.int64]) -> dict[str, Any]:
    """Means per sentence in nats (β and annealing left out), and the perplexity of a token."""
    from vae_tf.data.batches import ordered_batches

    batches = ordered_batches(sentences.tokens, sentences.index.labels, positions, 64)
    found = model.evaluate(batches, verbose=0, return_dict=True)
    length = float(lengths_of(sentences.tokens[positions]).mean())
    elbo = float(found["elbo"]) if model.has_elbo else None
    return {
        "num": len(positions),
        "length": length,
        "reconstruction": float(found["reconstruction"]),
        "kl": float(found["kl"]) if model.has_elbo else None,
        "elbo": elbo,
        "perplexity": None if elbo is None else perplexity(elbo, length),
    }


def perplexity(log_prob: float, length: float) -> float:
    """exp(−log p per token), the end of a sentence counted as one of them (Bowman et al. 2016, table 2)."""
    return math.exp(min(-log_prob / length, 700.0))


def reconstructions(model: Any, sentences: Sentences, positions: NDArray[np.int64]) -> list[dict[str, str]]:
    """Some sentences beside what is decoded from their posterior means."""
    chosen = positions[
        np.unique(np.linspace(0, len(positions) - 1, min(NUM_SHOWN, len(positions))).astype(int))
    ]
    means = np.asarray(model.encode(sentences.tokens[chosen])["mean"])
    originals = [sentences.vocabulary.decode(row) for row in sentences.tokens[chosen]]
    return [
        {"original": original, **decoded}
        for original, decoded in zip(originals, decode_both(model, sentences, means), strict=True)
    ]


def samples(model: Any, sentences: Sentences, seed: int) -> list[dict[str, str]]:
    """Sentences decoded from latents drawn from the prior."""
    noise = random.normal(model.prior.noise_shape(NUM_SAMPLES), seed, 0, "prior")
    return decode_both(model, sentences, np.asarray(model.prior.sample(noise, model.prior_context())))


def decode_both(model: Any, sentences: Sentences, z: NDArray[np.float32]) -> list[dict[str, str]]:
    """The greedy sentence and the best of a beam for each latent [N, d]."""
    from vae_tf.beam import beam_search

    words = sentences.vocabulary
    greedy, beam = np.asarray(model.decode(z)), beam_search(model, z, BEAM_WIDTH)[0]
    return [{"greedy": words.decode(a), "beam": words.decode(b)} for a, b in zip(greedy, beam, strict=True)]


def text_verdict(scores: dict[str, Any]) -> str:
    """How probable sentences are and whether the code is used, in one or two sentences."""
    part = next((part for part in ("test", "validation", "train") if part in scores), None)
    if part is None:
        return ""
    which = {"test": "Unseen", "validation": "Validation", "train": "Trained-on"}[part]
    found = scores[part]
    if found["elbo"] is None:
        return (
            f"{which} sentences are rebuilt at {found['reconstruction']:,.1f} nats each; a plain autoencoder gives "
            "no probability to a sentence."
        )
    bits = (
        f"{which} sentences cost at most {-found['elbo']:,.1f} nats each, a perplexity of "
        f"{found['perplexity']:,.1f} per token; {found['kl']:.1f} of these nats go through the code."
    )
    return f"{bits} {collapse(found['kl'])}"


def collapse(kl: float) -> str:
    """Whether the posterior collapsed, in plain words; the usual fate of sentence VAEs (Bowman et al. 2016)."""
    if kl < 0.1:
        return (
            "The code has collapsed: the decoder is a language model and ignores it "
            "(train longer, or give the code more for nothing: --set objective.floor=0.3)."
        )
    if kl < 1.0:
        return "The code says little: most of a sentence is left to the decoder."
    # A bound: what moves all codes alike costs nats, too, and tells no sentences apart.
    return f"The code tells at most {kl:.1f} nats about a sentence; `evaluate` says how many tell sentences apart."
