"""What an exported sentence VAE answers to: sentences or tokens in, latents, sentences and scores out."""

import functools
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from vae_tf.serving.anomaly import log_weights
from vae_tf.serving.signatures import Fact, Signature
from vae_tf.vocabulary import END, NO_BLANK_AFTER, NO_BLANK_BEFORE, PAD, SPECIAL, UNKNOWN, Vocabulary

# `vocabulary.WORD` and Python's idea of a blank, as RE2 has them.
LETTER, BLANK = r"[\p{L}\p{N}_]", r"[\s\x0b\x1c-\x1f\x{85}\p{Z}]"
WORD = rf"['’]?{LETTER}+(?:['’-]{LETTER}+)*|[^\p{{L}}\p{{N}}_\s]"


class GraphVocabulary:
    """`Vocabulary` inside a graph, equal to it but for letters that only a newer Unicode than Python's knows.

    Args:
        vocabulary: What the model's token ids mean.
        num_positions: T, of the longest sentence with its end.
    """

    def __init__(self, vocabulary: Vocabulary, num_positions: int) -> None:
        self.level, self.num_positions = vocabulary.level, num_positions
        tokens = list(vocabulary.tokens)
        ids = list(range(len(SPECIAL), len(tokens)))
        self.table = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(tokens[len(SPECIAL) :], ids, tf.string, tf.int32), UNKNOWN
        )
        self.tokens = tokens
        self.hugs_left = [token in NO_BLANK_BEFORE for token in tokens]
        self.hugs_right = [token in NO_BLANK_AFTER for token in tokens]

    def encode(self, sentences: Any) -> Any:
        """Ids [B, T] of strings [B], each row with its END, then padding; what is longer is cut."""
        ids = self.table.lookup(self._tokenise(sentences).to_tensor("")[:, : self.num_positions - 1])
        lengths = tf.minimum(self._tokenise(sentences).row_lengths(), self.num_positions - 1)
        at = tf.range(self.num_positions, dtype=tf.int64)[None]
        padded = tf.pad(ids, [[0, 0], [0, self.num_positions - tf.shape(ids)[1]]])
        ended = tf.where(at == lengths[:, None], END, tf.where(at < lengths[:, None], padded, PAD))
        return tf.ensure_shape(ended, (None, self.num_positions))

    def _tokenise(self, sentences: Any) -> Any:
        plain = tf.strings.strip(tf.strings.regex_replace(sentences, f"{BLANK}+", " "))
        if self.level == "characters":
            return tf.strings.unicode_split(plain, "UTF-8")
        # `lower` ends at a null; another control character is as little of a word.
        lower = tf.strings.lower(tf.strings.regex_replace(plain, r"\x00", "\x01"), encoding="utf-8")
        return tf.strings.split(tf.strings.regex_replace(lower, WORD, r" \0 "))

    def decode(self, ids: Any) -> Any:
        """Strings [B] of ids [B, T], each up to its END."""
        is_over = tf.cumsum(tf.cast((ids == END) | (ids == PAD), tf.int32), axis=-1) > 0
        tokens = tf.where(is_over, "", tf.gather(self.tokens, ids))
        if self.level == "characters":
            return tf.strings.reduce_join(tokens, axis=-1)
        is_first = tf.range(tf.shape(ids)[1])[None] == 0
        after = tf.pad(tf.gather(self.hugs_right, ids)[:, :-1], [[0, 0], [1, 0]])
        touches = is_over | is_first | tf.gather(self.hugs_left, ids) | after
        return tf.strings.reduce_join(tf.where(touches, "", " ") + tokens, axis=-1)


class TextExport:
    """The signatures of a sentence VAE.

    Args:
        model: A `SentenceVAE`.
        vocabulary: What its token ids mean; without it only tokens go in and out.
    """

    def __init__(self, model: Any, vocabulary: Vocabulary | None = None) -> None:
        self.model = model
        self.vocabulary = None if vocabulary is None else GraphVocabulary(vocabulary, model.image_shape[0])
        self.tokeniser = vocabulary

    @property
    def resources(self) -> list[Any]:
        """What the graph looks up."""
        return [] if self.vocabulary is None else [self.vocabulary.table]

    @functools.cached_property
    def signatures(self) -> dict[str, Signature]:
        """{name: Signature}, `serving_default` first."""
        found = {name: signature.compiled() for name, signature in self._of_tokens().items()}
        if self.vocabulary is not None:
            found |= self._of_sentences(self.vocabulary, found)
        return {"serving_default": found["encode"], **found}

    def _of_tokens(self) -> dict[str, Signature]:
        model = self.model
        tokens = Fact(
            ("batch", *model.image_shape), "int32", "ids of vocabulary.json, the end (2), then padding (0)"
        )
        latents = Fact(("batch", model.latent_dim), "float32", "points of the latent space")
        shape = ("batch", "samples", int(model.posterior.noise_shape(1, 1)[-1]))
        noise = Fact(shape, "float32", "standard normal numbers, one row per sample of the posterior")
        found = {"mean": "posterior mean", "log_variance": "natural logarithm of the posterior variance"}
        codes = {name: Fact(latents.shape, "float32", said) for name, said in found.items()}
        scores = {
            "negative_elbo": Fact(("batch",), "float32", "−ELBO over the samples of the noise, nats"),
            "log_weights": Fact(("batch", "samples"), "float32", "log p(x, z)/q(z | x) of each sample, nats"),
        }
        log_prob = Fact(("batch",), "float32", "log p(tokens | latents), nats")
        greedy = Fact(tokens.shape, "int32", "the greedy sentence: at every position the most probable token")
        return {
            "encode": Signature("the latents of sentences", {"tokens": tokens}, codes, self._encode),
            "decode": Signature("sentences of latents", {"latents": latents}, {"tokens": greedy}, self._decode),
            "reconstruct": Signature(
                "sentences as the model says them again", {"tokens": tokens}, {"tokens": greedy}, self._reconstruct
            ),
            "score": Signature(
                "how improbable sentences are", {"tokens": tokens, "noise": noise}, scores, self._score
            ),
            "log_likelihood": Signature(
                "how probable sentences are at latents",
                {"latents": latents, "tokens": tokens},
                {"log_prob": log_prob},
                self._log_likelihood,
            ),
        }  # fmt: skip

    def _of_sentences(
        self, vocabulary: GraphVocabulary, of_tokens: dict[str, Signature]
    ) -> dict[str, Signature]:
        """The same with strings in the place of tokens."""
        text = Fact(("batch",), "string", "sentences, UTF-8")
        found = {}
        for name in ("encode", "reconstruct", "score", "decode"):
            base = of_tokens[name]
            gives = {("sentences" if key == "tokens" else key): text if key == "tokens" else fact
                     for key, fact in base.outputs.items()}  # fmt: skip
            takes = {("sentences" if key == "tokens" else key): text if key == "tokens" else fact
                     for key, fact in base.inputs.items()}  # fmt: skip
            found[f"{name}_text"] = Signature(base.summary, takes, gives, as_text(base, vocabulary))
        return found

    def _encode(self, tokens: Any) -> dict[str, Any]:
        parameters = self.model.encode(tokens)
        return {name: parameters[name] for name in ("mean", "log_variance")}

    def _decode(self, latents: Any) -> dict[str, Any]:
        return {"tokens": self.model.decode(latents)}

    def _reconstruct(self, tokens: Any) -> dict[str, Any]:
        return {"tokens": self.model.reconstruct(tokens)}

    def _score(self, tokens: Any, noise: Any) -> dict[str, Any]:
        logs = tf.transpose(log_weights(self.model, tokens, tf.transpose(noise, (1, 0, 2)), tokens))
        return {"negative_elbo": -tf.reduce_mean(logs, axis=-1), "log_weights": logs}

    def _log_likelihood(self, latents: Any, tokens: Any) -> dict[str, Any]:
        return {"log_prob": self.model.log_likelihood(latents[None], tokens)[0]}

    def questions(self, tokens: NDArray[Any], sentences: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
        """What to ask every signature, {"signature/input": array}, and the run's own answers without the graph.

        Args:
            tokens: Ids [N, T].
            sentences: The same as text [N]; none where the export knows no vocabulary.
        """
        tokens = np.asarray(tokens, np.int32)
        generator = np.random.default_rng(0)
        shape = (len(tokens), 3, int(self.model.posterior.noise_shape(1, 1)[-1]))
        noise = generator.standard_normal(shape).astype(np.float32)
        found = {"encode": self._encode(tokens), "score": self._score(tokens, noise)}
        latents = np.asarray(found["encode"]["mean"])
        found |= {
            "decode": self._decode(latents),
            "reconstruct": self._reconstruct(tokens),
            "log_likelihood": self._log_likelihood(latents, tokens),
        }
        answers = {
            name: {key: np.asarray(value) for key, value in one.items()} for name, one in found.items()
        }
        known = {
            "tokens": tokens,
            "latents": latents,
            "noise": noise,
            "sentences": np.array(sentences, object),
        }
        given: dict[str, Any] = {}
        wanted: dict[str, Any] = {}
        for name, signature in self.signatures.items():
            base = answers["encode" if name == "serving_default" else name.removesuffix("_text")]
            given |= {f"{name}/{key}": known[key] for key in signature.inputs}
            wanted |= {
                f"{name}/{key}": self._said(base["tokens"]) if key == "sentences" else base[key]
                for key in signature.outputs
            }
        return given, wanted

    def _said(self, tokens: NDArray[Any]) -> NDArray[Any]:
        assert self.tokeniser is not None
        return np.array([self.tokeniser.decode(row) for row in tokens], object)


def as_text(base: Signature, vocabulary: GraphVocabulary) -> Any:
    """A signature's function with strings in the place of tokens."""

    def function(**given: Any) -> dict[str, Any]:
        if "sentences" in given:
            given["tokens"] = vocabulary.encode(given.pop("sentences"))
        answers = base.function(**given)
        if "tokens" in answers:
            answers["sentences"] = vocabulary.decode(answers.pop("tokens"))
        return answers

    return function
