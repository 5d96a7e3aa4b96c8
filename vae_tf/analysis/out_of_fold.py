"""What a rule learnt without a picture's group says of the picture: probabilities, confusion, typical and misplaced."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from vae_tf.analysis.features import Floats, Integers, as_features, principal_scores
from vae_tf.analysis.permutation import Design
from vae_tf.analysis.predictions import confusion, fit_temperature, log_softmax
from vae_tf.analysis.readability import RidgeProbe


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """Of N pictures and C classes.

    Attributes:
        probabilities: [N, C] of each class, by the ridge probe that never saw the picture's group; all classes as
            frequent as each other.
        confusion: [C, C] counts of true class (rows) and likeliest class (columns).
        typical: For each class positions of its pictures with the highest probability of being of it, falling.
        misplaced: For each class positions of its pictures that are taken for another, the surest mistakes first.
    """

    probabilities: Floats
    confusion: Integers
    typical: tuple[Integers, ...]
    misplaced: tuple[Integers, ...]


def predict_out_of_fold(features: ArrayLike, design: Design, num_shown: int) -> OutOfFold:
    """Margins of the ridge probe as probabilities, softmax(margin / T), with T fitted to the margins themselves.

    One number fitted to all left-out margins cannot learn a picture, and leaves the order of the pictures of two
    classes as it is (temperature: Guo et al. 2017).

    Args:
        features: [N, d] latents.
        design: Labels and groups.
        num_shown: The most pictures listed for each class.

    Returns:
        `OutOfFold`.
    """
    labels, num_classes = design.labels, design.num_classes
    probe = RidgeProbe(principal_scores(as_features(features)), design.groups)
    margins = probe.margins(labels[None], num_classes)[0]
    # The range in which a temperature is looked for is that of logits, margins lie within one.
    scaled = margins / max(float(margins.std()), 1e-12)
    probabilities = np.exp(log_softmax(scaled / fit_temperature(scaled, labels)))
    predicted = margins.argmax(axis=1)
    own = probabilities[np.arange(len(labels)), labels]
    typical, misplaced = [], []
    for label in range(num_classes):
        members = np.flatnonzero(labels == label)
        order = members[np.argsort(own[members], kind="stable")]
        typical.append(order[::-1][:num_shown])
        misplaced.append(order[predicted[order] != label][:num_shown])
    return OutOfFold(
        probabilities, confusion(labels, predicted, num_classes), tuple(typical), tuple(misplaced)
    )
