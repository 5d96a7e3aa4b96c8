"""Sentences out of a run: samples of the prior, and reconstructions of a user's own."""

from pathlib import Path

import numpy as np

from pipelines.run_data import load_model, own_pictures
from pipelines.text_data import load_sentences_of
from pipelines.text_scores import BEAM_WIDTH
from vae_tf.artifacts.run import Run
from vae_tf.config import DataConfig
from vae_tf.data.sentences import is_text, open_sentences
from vae_tf.errors import UserError
from vae_tf.vocabulary import tokenise
from vae_tf.whole import write_text


def sample(run: Run, num: int, temperature: float, seed: int, to: Path | None) -> tuple[Path, list[str]]:
    """Writes `num` greedy sentences of latents drawn from the prior, one to a line; the path and the sentences."""
    words = load_sentences_of(own_pictures(run)).vocabulary
    rows = load_model(run).sample(num, seed=seed, temperature=temperature)
    lines = [words.decode(row) for row in np.asarray(rows)]
    path = to or run.room("sentences") / f"samples-{num}-seed{seed}-temperature{temperature:g}.txt"
    return write_lines(path, lines), lines


def reconstruct(run: Run, given: list[str], to: Path | None) -> tuple[Path, list[tuple[str, str]], list[str]]:
    """Writes sentences and what a beam makes of their posterior means, tab-separated.

    Args:
        run: A run on text.
        given: Names of text files, or sentences themselves.
        to: File to write; inside the run where None.

    Returns:
        The path, (sentence, reconstruction) of each, and what could not be used.

    Raises:
        UserError: None of the sentences can be used.
    """
    from vae_tf.beam import beam_search

    own, model = load_sentences_of(own_pictures(run)), load_model(run)
    words, limit = own.vocabulary, own.num_positions - 1
    asked = [sentence for text in given for sentence in sentences_in(text)]
    usable = [sentence for sentence in asked if 0 < len(tokenise(sentence, words.level)) <= limit]
    problems = [
        f"{sentence!r} has {len(tokenise(sentence, words.level))} {words.level}; 1 to {limit} are possible"
        for sentence in asked
        if sentence not in usable
    ]
    if not usable:
        raise UserError("None of the sentences can be used.", "\n".join(problems[:5]))
    means = np.asarray(model.encode(words.encode(usable, own.num_positions))["mean"])
    rebuilt = [words.decode(row) for row in beam_search(model, means, BEAM_WIDTH)[0]]
    pairs = list(zip(usable, rebuilt, strict=True))
    path = to or run.room("sentences") / "reconstructions.tsv"
    return write_lines(path, ["\t".join(pair) for pair in pairs]), pairs, problems


def sentences_in(text: str) -> list[str]:
    """The lines of a file of that name; the text itself where there is none."""
    return open_sentences(DataConfig(source=text)).sentences if is_text(text) else [text]


def write_lines(path: Path, lines: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, "".join(f"{line}\n" for line in lines))
    return path
