"""Beam search: a sentence of higher probability than the greedy one, in most cases."""

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from vae_tf.sentence import IMPOSSIBLE
from vae_tf.vocabulary import END, PAD, START


def beam_search(model: Any, z: Any, width: int = 5) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """The most probable sentence that a beam finds for each latent.

    A beam may lose the greedy sentence on its way and end below it; the better of the two is given. Width 1 is greedy.

    Args:
        model: A `SentenceVAE`.
        z: Latents [N, d].
        width: Beginnings of sentences that are kept at every position.

    Returns:
        Tokens [N, T] and their log p(x | z) [N], in nats.
    """
    z = np.asarray(z, np.float32)
    tokens, scores = search(model, z, 1)
    if width > 1:
        found, reached = search(model, z, width)
        better = reached > scores
        tokens, scores = np.where(better[:, None], found, tokens), np.where(better, reached, scores)
    return tokens, scores


def search(model: Any, z: NDArray[np.float32], width: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Plain beam search: tokens [N, T] and log p(x | z) [N] of the best sentence of each beam."""
    num, (positions,) = len(z), model.image_shape
    wide = tf.repeat(tf.constant(z), width, axis=0)
    advance = step_of(model)
    state = model.decoder.initial_state(wide)
    tokens = np.full((num, width, positions), PAD, np.int32)
    last, done = np.full((num, width), START, np.int32), np.zeros((num, width), bool)
    # One beginning is enough at first: equal ones would fill the beam with copies.
    scores = np.where(np.arange(width) == 0, 0.0, -np.inf) * np.ones((num, 1))
    for position in range(positions):
        log_probs, state = advance(tf.constant(last.reshape(-1)), wide, state)
        steps = np.asarray(log_probs, np.float64).reshape(num, width, -1)
        steps[:, :, IMPOSSIBLE] = -np.inf
        if position == positions - 1:
            steps[:, :, np.arange(steps.shape[2]) != END] = -np.inf
        steps[done] = np.where(np.arange(steps.shape[2]) == PAD, 0.0, -np.inf)
        totals = (scores[:, :, None] + steps).reshape(num, -1)
        best = np.argsort(-totals, axis=1, kind="stable")[:, :width]
        scores = np.take_along_axis(totals, best, axis=1)
        parent, last = best // steps.shape[2], (best % steps.shape[2]).astype(np.int32)
        tokens = np.take_along_axis(tokens, parent[:, :, None], axis=1)
        tokens[:, :, position] = last
        done = np.take_along_axis(done, parent, axis=1) | (last == END)
        rows = (np.arange(num)[:, None] * width + parent).reshape(-1)
        state = [tf.gather(part, rows) for part in state]
        if done.all():
            break
    return tokens[:, 0], scores[:, 0]


def step_of(model: Any) -> Any:
    """One step of the decoder, compiled: log-probabilities [N, V] of the next token and the state after it."""

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def advance(token: Any, z: Any, state: Any) -> Any:
        logits, state = model.decoder.step(token, z, state)
        return tf.nn.log_softmax(logits), state

    return advance
