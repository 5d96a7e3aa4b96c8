"""Which training labels a model may see, so that what it predicts for the rest can be checked."""

import numpy as np
from numpy.typing import NDArray

from vae_tf import random
from vae_tf.errors import UserError


def hide_labels(
    labels: NDArray[np.int64],
    training: NDArray[np.int64],
    class_names: list[str],
    fraction: float,
    seed: int,
) -> NDArray[np.bool_]:
    """Which pictures' labels are hidden [N]: all of the training part but a keyed choice, stratified by class.

    Every class keeps at least one label. Validation and test labels are never hidden: they choose the epoch,
    calibrate and score.

    Args:
        labels: Class of each picture [N], −1 for none.
        training: Positions of the pictures to train on.
        class_names: Name of each class.
        fraction: Share of the training labels to keep, in (0, 1].
        seed: Key of the choice.

    Raises:
        UserError: No labels, or a share that leaves fewer labels than classes.
    """
    known = training[labels[training] >= 0]
    if not len(known):
        raise UserError(
            f"--labelled-fraction {fraction:g}: no picture to train on has a class.",
            "Classes come from subfolders or --labels FILE.csv; leave the option out for unlabelled pictures.",
        )
    classes, counts = np.unique(labels[known], return_counts=True)
    num_kept = round(fraction * len(known))
    if num_kept < len(classes):
        raise UserError(
            f"--labelled-fraction {fraction:g} leaves {num_kept} of {len(known):,} labels for {len(classes)} classes.",
            f"Give at least {least_fraction(len(classes), len(known)):g}, which is one for each class on average.",
        )
    hidden = np.zeros(len(labels), dtype=bool)
    hidden[known] = True
    for label, kept in zip(classes.tolist(), shares(counts, num_kept), strict=True):
        members = known[labels[known] == label]
        order = random.generator(seed, "labelled", class_names[label]).permutation(len(members))
        hidden[members[order[:kept]]] = False
    return hidden


def shares(counts: NDArray[np.int64], total: int) -> list[int]:
    """`total` dealt in proportion to `counts`, at least one and at most the count to each (largest remainders)."""
    exact = counts * (total / counts.sum())
    dealt = np.clip(np.floor(exact).astype(np.int64), 1, counts)
    for index in np.argsort(dealt - exact, kind="stable"):
        if dealt.sum() < total and dealt[index] < counts[index]:
            dealt[index] += 1
    return [int(number) for number in dealt]


def least_fraction(num_classes: int, num_labels: int) -> float:
    """The smallest share, to two digits, that leaves a label for each class."""
    share = num_classes / num_labels
    step = 10.0 ** (np.floor(np.log10(share)) - 1)
    return float(f"{min(1.0, np.ceil(share / step - 1e-9) * step):.12g}")
