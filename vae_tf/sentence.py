"""The sentence VAE (Bowman et al. 2016): its decoder is told the words before, and generates word by word."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from vae_tf import random
from vae_tf.errors import UserError
from vae_tf.model import VAE
from vae_tf.vocabulary import END, PAD, START, UNKNOWN

# A sentence is words and its end: these are never the next token.
IMPOSSIBLE = (PAD, START)


@keras.saving.register_keras_serializable(package="vae_tf")
class SentenceVAE(VAE):
    """A VAE of sentences: tokens [B, T] of `vae_tf.vocabulary`, each row with its END, then padding.

    Where a picture VAE has pixels this one has token ids: `decode`, `sample` and `reconstruct` give the greedy
    sentence. Losses are in nats per sentence.

    Args:
        word_dropout: Share of the words before that the decoder is not told in training, so that it must ask z
            (Bowman et al. 2016, section 3.1).
        kwargs: Those of `VAE` but for those in `not_taken`; encoder and decoder of the kind `lstm`, and `image_shape`
            (T,), positions of the longest sentence with its end.

    Raises:
        UserError: Parts that do not go together, or a share that is none.
    """

    not_taken = ("corruption", "binarised")

    def __init__(self, word_dropout: float = 0.25, **kwargs: Any) -> None:
        if not 0.0 <= word_dropout <= 1.0:
            raise UserError(f"model.word_dropout is {word_dropout}.", "Give a share from 0 to 1.")
        super().__init__(**kwargs)
        self.word_dropout = float(word_dropout)

    def pixels(self, x: Any) -> Any:
        """Tokens [B, T] as int32, unchanged.

        Raises:
            UserError: Rows of another length than the model's.
        """
        shape = tuple(x.shape)[1:]
        if shape != self.image_shape:
            raise UserError(
                f"Sentences of shape {shape} were given to a model of {self.image_shape[0]} positions.",
                "Encode them with `Vocabulary.encode(sentences, num_positions)`.",
            )
        return ops.cast(x, "int32")

    def decoder_output(self, z: Any, x: Any = None, condition: Any = None) -> Any:
        """Logits [K, B, T, V] at z [K, B, d], each position told the tokens of x [B, T] before it."""
        num_samples = ops.shape(z)[0]
        told = ops.tile(ops.cast(x, "int32"), (num_samples, 1))
        output = self.decoder(ops.reshape(z, (-1, z.shape[-1])), told)
        return ops.reshape(output, (num_samples, -1, *output.shape[1:]))

    def decode(self, z: Any, condition: Any = None) -> Any:
        """Greedy sentences [N, T] of latents [N, d]: at every position the most probable token."""
        z = tf.cast(z, tf.float32)
        impossible = tf.reduce_sum(tf.one_hot(IMPOSSIBLE, self.decoder.num_tokens), axis=0) * 1e9

        def step(carry: Any, is_last: Any) -> Any:
            token, done, *state = carry
            logits, state = self.decoder.step(token, z, state)
            best = tf.argmax(logits - impossible, axis=-1, output_type=tf.int32)
            # What has no end by itself is ended at the last position.
            token = tf.where(done, PAD, tf.where(is_last, END, best))
            return (token, done | (token == END), *state)

        token = tf.fill(tf.shape(z)[:1], START)
        first = (token, tf.zeros_like(token, tf.bool), *self.decoder.initial_state(z))
        is_last = np.arange(self.image_shape[0]) == self.image_shape[0] - 1
        return tf.transpose(tf.scan(step, tf.constant(is_last), first)[0])

    def _teacher(self, x: Any, step: Any) -> Any:
        if not self.word_dropout:
            return None
        dropped = random.uniform(ops.shape(x), self.seed, step, "word dropout") < self.word_dropout
        return ops.where(ops.logical_and(dropped, ops.not_equal(x, PAD)), UNKNOWN, x)

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), "word_dropout": self.word_dropout}
        return {key: value for key, value in config.items() if key not in self.not_taken}
