"""One pre-declared test, in plain words."""

from __future__ import annotations

from vae_tf.analysis.permutation import ALPHA
from vae_tf.analysis.separation import Separation, Statistic

# Below this, clusters beat chance but nobody would call them the classes.
_CLEAR_ARI = 0.2


def headline(separation: Separation, noun: str = "pictures", group_noun: str = "groups") -> str:
    """Say whether the classes are readable and clustered in the first space, and what could have been seen.

    Readable is decided by the nearest-neighbour balanced accuracy, clustered by the ARI of k-means, each at p
    ≤ 0.05 by permutation. The other statistics are for the table and change nothing here.

    Args:
        separation: From `separate`.
        noun: What a picture shows, in the plural.
        group_noun: What a group is, in the plural.

    Returns:
        Two sentences.
    """
    space = separation.spaces[0]
    sample = describe_sample(separation, noun, group_noun)
    readable = separation.find(space, "nearest_neighbors")
    clustered = separation.find(space, "ari")
    return f"Readable: {_readable(readable, sample)} Clustered: {_clustered(clustered, sample)}"


def describe_sample(separation: Separation, noun: str = "pictures", group_noun: str = "groups") -> str:
    """What the test rests on: "20 faces", "40 faces of 20 persons", "6 persons (3 happy, 3 angry)".

    Args:
        separation: From `separate`.
        noun: What a picture shows, in the plural.
        group_noun: What a group is, in the plural.

    Returns:
        A phrase to follow "with".
    """
    design, cohort = separation.design, separation.cohort
    num_pictures = len(design.labels)
    if design.kind == "no groups":
        return f"{num_pictures} {noun}"
    if design.kind == "nested":
        counts = zip(cohort.class_groups, cohort.class_names, strict=True)
        split = ", ".join(f"{count} {name}" for count, name in counts)
        return f"{design.num_groups} {group_noun}" + (f" ({split})" if design.num_classes <= 4 else "")
    return f"{num_pictures} {noun} of {design.num_groups} {group_noun}"


def format_p(p_value: float) -> str:
    """Two decimals down to 0.1, three below, never "0.000"."""
    if p_value < 0.0005:
        return "p < 0.001"
    return f"p = {p_value:.2f}" if p_value >= 0.0995 else f"p = {p_value:.3f}"


def _readable(statistic: Statistic, sample: str) -> str:
    chance, shuffled = f"{statistic.chance:.2f}", f"{statistic.null_mean:.2f}"
    # Leaving groups out makes the held-out class the rarer one, so few groups score below 1 / C by chance.
    baseline = f"chance {chance}" + ("" if shuffled == chance else f", {shuffled} with shuffled labels")
    measured = f"{statistic.name} {statistic.value:.2f} ({baseline}), {format_p(statistic.p_value)}"
    if statistic.p_value <= ALPHA:
        return f"yes, {measured}."
    return f"{measured}: {_limit(statistic, sample)}."


def _clustered(statistic: Statistic, sample: str) -> str:
    # Adding zero turns "-0.00" into "0.00".
    measured = f"ARI {round(statistic.value, 2) + 0.0:.2f}"
    if statistic.p_value > ALPHA:
        if statistic.critical_value is None and statistic.minimum_p > ALPHA:
            return f"{measured}, {format_p(statistic.p_value)}: {_limit(statistic, sample)}."
        return f"{measured}, no."
    if statistic.value < _CLEAR_ARI:
        more = f"more than chance ({format_p(statistic.p_value)})"
        return f"{measured}, hardly: {more}, but the clusters are not the classes."
    return f"yes, {measured}, {format_p(statistic.p_value)}."


def _limit(statistic: Statistic, sample: str) -> str:
    if statistic.critical_value is not None:
        return f"with {sample} nothing below {statistic.critical_value:.2f} could have been seen"
    smallest = f"the smallest possible {format_p(statistic.minimum_p)}"
    return f"with {sample} no result could have been told from chance ({smallest})"
