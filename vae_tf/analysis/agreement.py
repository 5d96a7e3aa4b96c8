"""Do clusters found without labels follow them, and do the classes lie apart? For many labellings at once."""

from __future__ import annotations

from typing import Literal

import numpy as np

from vae_tf.analysis.features import Floats, Integers
from vae_tf.analysis.readability import one_hot


def contingency(labels: Integers, assignments: Integers, num_classes: int) -> Floats:
    """Pictures per cluster and class, [B, K, C], for labellings [B, N] and one clustering [N]."""
    clusters = one_hot(assignments[None], int(assignments.max()) + 1)[:, 0]
    table = np.tensordot(clusters, one_hot(labels, num_classes), axes=(0, 0))
    return np.asarray(table.transpose(1, 0, 2))


def adjusted_rand(table: Floats) -> Floats:
    """Adjusted Rand index (Hubert & Arabie 1985): 1 where clusters are classes, 0 on average by chance.

    Args:
        table: [B, K, C] from `contingency`; at least two classes, one of them with two pictures.

    Returns:
        [B].
    """

    def pairs(counts: Floats) -> Floats:
        return np.asarray(counts * (counts - 1) / 2)

    together = pairs(table).sum(axis=(1, 2))
    in_clusters = pairs(table.sum(axis=2)).sum(axis=1)
    in_classes = pairs(table.sum(axis=1)).sum(axis=1)
    expected = in_clusters * in_classes / pairs(table.sum(axis=(1, 2)))
    return np.asarray((together - expected) / ((in_clusters + in_classes) / 2 - expected))


def adjusted_mutual_information(table: Floats, over: Literal["mean", "smaller"] = "mean") -> Floats:
    """Mutual information less its chance value, over the mean (or smaller) entropy less the same (Vinh et al. 2010).

    Args:
        table: [B, K, C] from `contingency`; at least two classes.
        over: Which of the two entropies' mean and minimum is the most that there could be.

    Returns:
        [B]; 0 where there is one cluster only.
    """
    from sklearn.metrics.cluster import expected_mutual_information

    num_pictures = table[0].sum()
    clusters, classes = table.sum(axis=2), table.sum(axis=1)
    information = _entropy(clusters) + _entropy(classes) - _entropy(table.reshape(len(table), -1))
    # It depends on the sizes of clusters and classes only, which most labellings share.
    known: dict[bytes, float] = {}
    expected = np.empty(len(table))
    for row, sizes in enumerate(classes):
        key = sizes.tobytes()
        if key not in known:
            known[key] = expected_mutual_information(table[row].astype(np.int64), int(num_pictures))
        expected[row] = known[key]
    entropies = np.stack([_entropy(clusters), _entropy(classes)])
    ceiling = (entropies.mean(axis=0) if over == "mean" else entropies.min(axis=0)) - expected
    # Where the ceiling is no higher than chance (one picture per cluster), nothing can be learnt.
    possible = ceiling > 1e-12
    return np.where(possible, (information - expected) / np.where(possible, ceiling, 1), 0.0)


def silhouette(distances: Floats, labels: Integers, num_classes: int) -> Floats:
    """Mean silhouette of the classes (Rousseeuw 1987): how much nearer the own class is than the next.

    Args:
        distances: [N, N] Euclidean, not squared.
        labels: [B, N] labellings; every class occurs in each.
        num_classes: C.

    Returns:
        [B], −1 to 1; a picture alone in its class, or with no distance to anything, counts 0.
    """
    targets = one_hot(labels, num_classes)
    sums = (distances @ targets.reshape(len(targets), -1)).reshape(targets.shape)
    counts = targets.sum(axis=0)
    own_count = (targets * counts).sum(axis=-1)
    inside = (targets * sums).sum(axis=-1) / np.maximum(own_count - 1, 1)
    outside = np.where(targets > 0, np.inf, sums / counts).min(axis=-1)
    scale = np.maximum(inside, outside)
    defined = (own_count > 1) & (scale > 0)
    each = np.where(defined, (outside - inside) / np.where(defined, scale, 1), 0.0)
    return np.asarray(each.mean(axis=0))


def variance_between(scores: Floats, labels: Integers, num_classes: int) -> Floats:
    """Share of the features' variance that lies between the classes: R² of Anderson 2001 (PERMANOVA), η² of one column.

    Args:
        scores: [N, r], centred.
        labels: [B, N] labellings; every class occurs in each.
        num_classes: C.

    Returns:
        [B], 0 to 1; 0 where nothing varies.
    """
    targets = one_hot(labels, num_classes)
    sums = (scores.T @ targets.reshape(len(targets), -1)).reshape(-1, *targets.shape[1:])
    between = ((sums**2).sum(axis=0) / targets.sum(axis=0)).sum(axis=1)
    total = float((scores**2).sum())
    return np.asarray(between / total) if total > 0 else np.zeros(len(labels))


def _entropy(counts: Floats) -> Floats:
    """Of [B, m] counts, in nats; [B]."""
    share = counts / counts.sum(axis=1, keepdims=True)
    return np.asarray(-(share * np.log(np.where(share > 0, share, 1))).sum(axis=1))
