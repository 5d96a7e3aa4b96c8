"""What token ids mean: words or characters, learned from the sentences that a model is trained on."""

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Ids 0 to 3 of every vocabulary. A sentence is its tokens, END, then padding; START is only ever told to a decoder.
PAD, START, END, UNKNOWN = range(4)
SPECIAL = ("<pad>", "<start>", "<end>", "<unk>")
LEVELS = ("words", "characters")
WORD = re.compile(r"['’]?\w+(?:['’-]\w+)*|[^\w\s]")
NO_BLANK_BEFORE, NO_BLANK_AFTER = set(".,;:!?)]}%…"), set("([{")


def tokenise(sentence: str, level: str) -> list[str]:
    """Words (lower case) and single marks, or characters with runs of blanks as one."""
    if level == "characters":
        return list(" ".join(sentence.split()))
    return WORD.findall(sentence.lower())


def join(tokens: Sequence[str], level: str) -> str:
    """A sentence of tokens, which `tokenise` would take apart into the same ones."""
    if level == "characters":
        return "".join(tokens)
    pieces = list(tokens[:1])
    for before, token in pairwise(tokens):
        touching = token in NO_BLANK_BEFORE or before in NO_BLANK_AFTER
        pieces.append(token if touching else f" {token}")
    return "".join(pieces)


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """The tokens that a model knows; `tokens[i]` has the id i, and what is none of them is UNKNOWN.

    Args:
        level: "words" or "characters".
        tokens: All of them, those of `SPECIAL` first.
    """

    level: str
    tokens: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.tokens)

    @classmethod
    def learn(cls, tokenised: Iterable[Sequence[str]], level: str, min_count: int = 1) -> "Vocabulary":
        """The tokens that occur at least `min_count` times, the most frequent first."""
        counts = Counter(token for tokens in tokenised for token in tokens)
        kept = sorted(
            (token for token in counts if counts[token] >= min_count), key=lambda t: (-counts[t], t)
        )
        return cls(level, (*SPECIAL, *kept))

    def encode(self, sentences: Sequence[str], num_positions: int) -> NDArray[np.int32]:
        """Sentences as ids [N, num_positions]; what is longer is cut."""
        return self.rows([tokenise(sentence, self.level) for sentence in sentences], num_positions)

    def rows(self, tokenised: Sequence[Sequence[str]], num_positions: int) -> NDArray[np.int32]:
        """Tokens as ids [N, num_positions], each row with its END, then padding; what is longer is cut."""
        rows = np.full((len(tokenised), num_positions), PAD, np.int32)
        known = self._positions()
        for row, tokens in zip(rows, tokenised, strict=True):
            found = [known.get(token, UNKNOWN) for token in tokens[: num_positions - 1]]
            row[: len(found) + 1] = [*found, END]
        return rows

    def decode(self, ids: Iterable[int]) -> str:
        """The sentence of ids up to its END."""
        tokens = []
        for i in ids:
            if i in (END, PAD):
                break
            tokens.append(self.tokens[i])
        return join(tokens, self.level)

    def to_json(self) -> dict[str, Any]:
        return {"level": self.level, "tokens": list(self.tokens)}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Vocabulary":
        return cls(document["level"], tuple(document["tokens"]))

    def _positions(self) -> dict[str, int]:
        # What is special has no token of its own in a sentence, whatever it looks like.
        return {token: i for i, token in enumerate(self.tokens) if i >= len(SPECIAL)}


def lengths_of(rows: NDArray[Any]) -> NDArray[np.int64]:
    """Tokens of each sentence [N], its END included, of ids [N, T]."""
    return np.asarray((np.asarray(rows) != PAD).sum(axis=-1), dtype=np.int64)
