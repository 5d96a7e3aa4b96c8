"""A trained encoder as the beginning of a classifier, against the same network from scratch."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from vae_tf import random

NUM_STEPS = 300
BATCH_SIZE = 32
LEARNING_RATE = 1e-3


@keras.saving.register_keras_serializable(package="vae_tf")
class Classifier(keras.Model):
    """A linear layer to C logits on the posterior mean of an encoder, all of it trainable.

    Args:
        vae: Whose encoder and posterior are trained further; give a copy.
        num_classes: C.
    """

    def __init__(self, vae: Any, num_classes: int, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.vae = vae
        # At 0 every class is as probable as any other, and the encoder's first gradient is 0: the head comes first.
        self.head = keras.layers.Dense(num_classes, kernel_initializer="zeros", dtype="float32")
        self.head.build((None, vae.latent_dim))
        self.built = True

    def call(self, x: Any) -> Any:
        """Logits [B, C] of pictures [B, H, W, C]."""
        return self.head(self.vae.encode(x)["mean"])

    @property
    def learned(self) -> list[Any]:
        """What the labels may change: not the decoder, the prior or the likelihood."""
        parts = (self.vae.encoder, self.vae.posterior, self.head)
        return [variable for part in parts for variable in part.trainable_variables]


def fit_classifier(
    vae: Any,
    pictures: NDArray[Any],
    labels: NDArray[np.int64],
    num_classes: int,
    augmentation: Any = None,
    seed: int = 0,
    num_steps: int = NUM_STEPS,
) -> Classifier:
    """Trains a classifier that begins at `vae`, which it changes, by the cross-entropy of a few labels.

    The number of steps is fixed, and the learning rate falls to 0 along a cosine: with so few labels there are none to
    spare for choosing when to stop.

    Args:
        vae: A `VAE`.
        pictures: Stored pixels [N, H, W, C].
        labels: Class of each [N], 0 to C − 1.
        num_classes: C.
        augmentation: As in training, or None.
        seed: Key of batches and augmentation.
        num_steps: Steps of 32 pictures.
    """
    model = Classifier(vae, num_classes)
    rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, max(1, num_steps))
    optimizer = keras.optimizers.Adam(rate, global_clipnorm=1.0)
    optimizer.build(model.learned)

    @tf.function
    def train_step(x: Any, y: Any, step: Any) -> None:
        x = vae.pixels(x)
        if augmentation is not None:
            x = augmentation(x, seed, step)
        with tf.GradientTape() as tape:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, model(x))
            loss = tf.reduce_mean(losses)
        pairs = zip(tape.gradient(loss, model.learned), model.learned, strict=True)
        optimizer.apply_gradients([(g, v) for g, v in pairs if g is not None])

    generator = random.generator(seed, "finetune")
    size = min(BATCH_SIZE, len(pictures))
    for step in range(num_steps):
        chosen = generator.choice(len(pictures), size, replace=False)
        train_step(tf.constant(pictures[chosen]), tf.constant(labels[chosen]), tf.constant(step, tf.int64))
    return model


def classify(model: Classifier, pictures: NDArray[Any], batch_size: int = 128) -> NDArray[np.int64]:
    """The most probable class [N] of stored pictures [N, H, W, C]."""
    starts = range(0, len(pictures), batch_size)
    logits = [np.asarray(model(pictures[start : start + batch_size])) for start in starts]
    return np.asarray(np.argmax(np.concatenate(logits), axis=1), dtype=np.int64)
