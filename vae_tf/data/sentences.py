"""Sentences from a text file, one to a line: tokens, classes and parts, all in one order."""

import dataclasses
import hashlib
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae_tf import vocabulary
from vae_tf.config import DataConfig, option_of
from vae_tf.data.dataset import Index, encode_names
from vae_tf.data.splits import PARTS, SMALLEST_NUM_PICTURES, split
from vae_tf.errors import UserError
from vae_tf.fetched import local_file, remote_name
from vae_tf.places import is_remote
from vae_tf.vocabulary import Vocabulary, join, tokenise

# What is longer than this is left out where the user does not decide it; the LSTMs would forget its beginning.
LARGEST_NUM_TOKENS = {"words": 40, "characters": 120}
# Words that occur once in the training part teach nothing but their spelling.
SMALLEST_COUNT = {"words": 2, "characters": 1}
OF_TEXT = ("tokens", "longest", "min_count")
SHARED = (*OF_TEXT, "source", "split")
NUM_BYTES_LOOKED_AT = 4096
TEXT_SUFFIXES = (".txt", ".text", ".tsv")
SHORTEST_CLASS = 2
# A line of more characters is no sentence, and taking it apart would cost a hundred times its bytes.
LONGEST_LINE = 100_000


@dataclasses.dataclass(frozen=True)
class SentenceFile:
    """The lines of a text file that hold a sentence.

    Args:
        name: Name of the file without its folder.
        sentences: As they are written, blanks at their ends left out [N].
        labels: The second column of each, where there is one [N].
        lines: Number of the line of each, from 1 [N].
        num_blank: Lines that hold nothing.
    """

    name: str
    sentences: list[str]
    labels: list[str | None]
    lines: list[int]
    num_blank: int


@dataclasses.dataclass(frozen=True)
class Sentences:
    """What a run on text is about; the counterpart of `Pictures`.

    Args:
        tokens: Ids [N, T] of int32, each row with its end, then padding.
        index: Facts about each sentence; its `paths` are the sentences themselves.
        vocabulary: What the ids mean.
        skipped: (line, reason) of every sentence that could not be used.
        notes: What a reader of the figures must know, one line each.
        source_notes: What was found in the file, one line each.
        fingerprint: Key of sentences and options.
    """

    tokens: NDArray[np.int32]
    index: Index
    vocabulary: Vocabulary
    skipped: list[tuple[str, str]]
    notes: list[str]
    source_notes: list[str]
    fingerprint: str

    @property
    def examples(self) -> NDArray[np.int32]:
        return self.tokens

    @property
    def num_positions(self) -> int:
        return int(self.tokens.shape[1])


def is_text(source: str) -> bool:
    """Whether a source is a file of text: a suffix that says so, or bytes that are no picture, archive or array."""
    if is_remote(source):
        # Nothing is fetched to find out what it is.
        return remote_name(source).lower().endswith(TEXT_SUFFIXES)
    path = Path(source).expanduser()
    if not path.is_file():
        return False
    if path.suffix.lower() in TEXT_SUFFIXES:
        return True
    with open(path, "rb") as file:
        head = file.read(NUM_BYTES_LOOKED_AT)
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        # A character may have been cut at the end.
        if error.start < len(head) - 3:
            return False
        text = head[: error.start].decode("utf-8")
    return bool(text.strip()) and not re.search(r"[\x00-\x08\x0e-\x1a]", text)


def open_sentences(config: DataConfig) -> SentenceFile:
    """The sentences in the file that `config` names; blank lines are passed over.

    Raises:
        UserError: No UTF-8, nothing in it, or an option that only pictures have.
    """
    check_options(config)
    path = local_file(config.source)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UserError(
            f"{path.name} is not UTF-8: line {line} holds bytes that are no character.",
            f"Convert it first: iconv -f latin1 -t utf-8 {path.name} > utf8.txt",
        ) from None
    rows = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1)]
    kept = [(number, line) for number, line in rows if line]
    has_labels = bool(kept) and all(line.count("\t") == 1 for _, line in kept)
    parts = [line.split("\t") if has_labels else [line.replace("\t", " ")] for _, line in kept]
    labels = [row[1].strip() or None if has_labels else None for row in parts]
    check_labels(labels, path.name)
    sentences = [row[0].strip() for row in parts]
    return SentenceFile(path.name, sentences, labels, [n for n, _ in kept], len(rows) - len(kept))


def check_options(config: DataConfig) -> None:
    """Raises: UserError: An option that only pictures have."""
    plain = DataConfig(source=config.source)
    for name in DataConfig.model_fields:
        if name not in SHARED and getattr(config, name) != getattr(plain, name):
            raise UserError(
                f"{option_of(['data', name])} is about pictures, and {Path(config.source).name} holds sentences.",
                "Sentences know --tokens, --longest, --min-count and --split; a second column is their class.",
            )


def check_no_text_options(config: DataConfig) -> None:
    """Raises: UserError: An option that only sentences have, for pictures."""
    for name in OF_TEXT:
        if getattr(config, name) != getattr(DataConfig(source=config.source), name):
            raise UserError(
                f"{option_of(['data', name])} is about sentences, and {Path(config.source).name} holds pictures."
            )


def check_labels(labels: list[str | None], name: str) -> None:
    """Raises: UserError: A second column that is no class, as nearly every line has its own."""
    distinct = {label for label in labels if label is not None}
    if len(distinct) * SHORTEST_CLASS > len(labels) > 2:
        raise UserError(
            f"The second column of {name} has {len(distinct)} different values in {len(labels)} lines: no classes.",
            "Keep the first column alone, such as: cut -f1 in.txt > sentences.txt",
        )


def load_sentences(config: DataConfig, seed: int, source: SentenceFile) -> Sentences:
    """Takes the sentences apart, splits them and learns the vocabulary of the training part.

    Equal sentences come into the same part.

    Raises:
        UserError: Too few sentences, or all of them equal.
    """
    limit = config.longest or LARGEST_NUM_TOKENS[config.tokens]
    tokenised, kept, skipped = usable(source, config.tokens, limit)
    copies = equal_ones(tokenised)
    check_enough(copies, source.name)
    labels, class_names = encode_names([source.labels[i] for i in kept])
    alone = np.full(len(kept), -1, np.int64)
    parts = split(labels, alone, config.shares, seed, copies=copies)
    sentences = [source.sentences[i] for i in kept]
    index = Index(sentences, labels, class_names, alone, [], parts.part)
    words = Vocabulary.learn(
        [tokenised[i] for i in index.where("train")],
        config.tokens,
        config.min_count or SMALLEST_COUNT[config.tokens],
    )
    rows = words.rows(tokenised, max(len(tokens) for tokens in tokenised) + 1)
    return Sentences(
        rows,
        index,
        words,
        skipped,
        notes=[*map(in_sentences, parts.notes), *notes_about_unknown(rows, index)],
        source_notes=notes_about_source(source),
        fingerprint=fingerprint_of(sentences, labels, words),
    )


def load_unseen_sentences(source: SentenceFile, like: Sentences) -> Sentences:
    """Sentences of another file in the vocabulary and the length of `like`; what was trained on there is marked.

    Raises:
        UserError: None of them can be used.
    """
    words = like.vocabulary
    tokenised, kept, skipped = usable(source, words.level, like.num_positions - 1)
    if not kept:
        raise UserError(
            f"No sentence of {source.name} has at most {like.num_positions - 1} {words.level}, as the run's own have."
        )
    labels, class_names = encode_names([source.labels[i] for i in kept])
    own = {join(tokenise(like.index.paths[i], words.level), words.level) for i in like.index.where("train")}
    seen = np.array([join(tokens, words.level) in own for tokens in tokenised])
    part = np.where(seen, PARTS.index("train"), PARTS.index("test")).astype(np.int8)
    alone = np.full(len(kept), -1, np.int64)
    sentences = [source.sentences[i] for i in kept]
    index = Index(sentences, labels, class_names, alone, [], part)
    rows = words.rows(tokenised, like.num_positions)
    notes = [f"{int(seen.sum()):,} of these sentences were trained on."] if seen.any() else []
    return Sentences(
        rows,
        index,
        words,
        skipped,
        notes=[*notes, *notes_about_unknown(rows, index)],
        source_notes=notes_about_source(source),
        fingerprint=fingerprint_of(sentences, labels, words),
    )


def usable(
    source: SentenceFile, level: str, limit: int
) -> tuple[list[list[str]], list[int], list[tuple[str, str]]]:
    """Tokens of the sentences that are not too long, their positions in the source, and (line, reason) of the rest."""
    tokenised, kept, skipped = [], [], []
    for i, sentence in enumerate(source.sentences):
        tokens = tokenise(sentence, level) if len(sentence) <= LONGEST_LINE else []
        if 0 < len(tokens) <= limit:
            tokenised.append(tokens)
            kept.append(i)
            continue
        reason = f"{len(tokens)} {level}, and {limit} are the most (--longest)" if tokens else "no words"
        if len(sentence) > LONGEST_LINE:
            reason = f"{len(sentence):,} characters, and {LONGEST_LINE:,} are the most of a line"
        skipped.append((f"line {source.lines[i]}", reason))
    return tokenised, kept, skipped


def equal_ones(tokenised: list[list[str]]) -> NDArray[np.int64]:
    """A key [N] that equal sentences share, −1 for one that is like no other."""
    first: dict[tuple[str, ...], int] = {}
    keys = np.array([first.setdefault(tuple(tokens), i) for i, tokens in enumerate(tokenised)], np.int64)
    counts = np.bincount(keys, minlength=len(keys)) if len(keys) else keys
    return np.where(counts[keys] > 1, keys, -1)


def check_enough(copies: NDArray[np.int64], name: str) -> None:
    """Raises: UserError: Fewer different sentences than parts need."""
    different = int(np.sum(copies < 0)) + len(np.unique(copies[copies >= 0]))
    if different < SMALLEST_NUM_PICTURES:
        raise UserError(
            f"{name} holds {different} different usable sentences; at least {SMALLEST_NUM_PICTURES} are needed.",
            "Some to train on, one to validate with, one to test with: one sentence to a line.",
        )


def in_sentences(text: str) -> str:
    """What the splitting says of pictures, said of sentences."""
    return text.replace("picture", "sentence")


def notes_about_source(source: SentenceFile) -> list[str]:
    return [f"{source.num_blank:,} blank lines were passed over."] if source.num_blank else []


def notes_about_unknown(rows: NDArray[np.int32], index: Index) -> list[str]:
    """How much of the unseen sentences no vocabulary of the training part can know."""
    unseen = rows[np.flatnonzero(index.parts != PARTS.index("train"))]
    num = int((unseen > vocabulary.END).sum())
    share = float((unseen == vocabulary.UNKNOWN).sum()) / max(num, 1)
    return [] if not share else [f"{share:.1%} of the tokens of sentences not trained on are unknown to it."]


def fingerprint_of(sentences: list[str], labels: NDArray[np.int64], words: Vocabulary) -> str:
    digest = hashlib.sha256()
    for piece in (*sentences, *map(str, labels.tolist()), words.level, *words.tokens):
        digest.update(piece.encode("utf-8", "backslashreplace") + b"\n")
    return digest.hexdigest()[:16]


def to_json(sentences: Sentences) -> dict[str, Any]:
    """What a page says of the sentences beside the index."""
    return {
        "skipped": sentences.skipped,
        "notes": sentences.notes,
        "source_notes": sentences.source_notes,
        "fingerprint": sentences.fingerprint,
    }
