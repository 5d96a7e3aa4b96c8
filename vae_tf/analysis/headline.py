"""What the tests of the classes found, in plain words."""

from __future__ import annotations

from vae_tf.analysis.cluster_meaning import Meanings
from vae_tf.analysis.permutation import ALPHA
from vae_tf.analysis.power import power_of
from vae_tf.analysis.separation import Separation, Statistic

# The declared tests: one rule for what is readable, one clustering for what is clustered.
DECLARED = {"readable": "ridge_probe", "clustered": "ari"}
# Of the way from guessing to never being wrong: below this a rule is better than guessing, and little more.
_LITTLE = 0.3
# Adjusted Rand indices: below the first nobody would call clusters the classes, from the second on everybody.
_CLEAR_ARI, _SAME_ARI = 0.2, 0.8


def headline(
    separation: Separation,
    noun: str = "pictures",
    group_noun: str = "groups",
    meanings: Meanings | None = None,
) -> str:
    """Say whether the classes are readable and clustered in the first space, and what could have been seen.

    Readable is decided by the ridge probe's balanced accuracy, clustered by the ARI of k-means with as many clusters as
    classes, each at p ≤ 0.05 by permutation. The other statistics are for the table and change nothing here.

    Args:
        separation: From `separate`.
        noun: What a picture shows, in the plural.
        group_noun: What a group is, in the plural.
        meanings: Of those clusters, to say when they follow groups instead.

    Returns:
        A few sentences: on reading, then on clusters.
    """
    return f"{say_readable(separation, noun, group_noun)} {say_clustered(separation, noun, group_noun, meanings)}"


def say_readable(separation: Separation, noun: str = "pictures", group_noun: str = "groups") -> str:
    """Whether a rule learnt elsewhere tells the classes apart, how often, and what could have been seen."""
    statistic = separation.find(separation.spaces[0], "ridge_probe")
    classes, each = _classes(separation), noun.removesuffix("s")
    group = group_noun.removesuffix("s")
    unseen = f"the {each}" if separation.design.kind == "no groups" else f"any {each} of the same {group}"
    counted = "" if len(set(separation.cohort.class_counts)) == 1 else ", each class counting alike"
    interval = "" if statistic.interval is None else f"95 % interval {_range(statistic.interval)}, "
    measured = (
        f"a rule that has not seen {unseen} names the class of {_percent(statistic.value)} of the {noun} rightly "
        f"({interval}guessing {_percent(statistic.chance)}, {format_p(statistic.p_value)}{counted})"
    )
    if statistic.p_value > ALPHA:
        limit = _limit(statistic, separation, noun, group_noun)
        return f"No difference between {classes} was found: {measured}. {limit}"
    if (statistic.value - statistic.chance) / (1 - statistic.chance) < _LITTLE:
        return (
            f"A little: {classes} can be told apart somewhat better than by guessing. In figures, {measured}."
        )
    return f"Yes, {classes} can be told apart: {measured}."


def say_clustered(
    separation: Separation,
    noun: str = "pictures",
    group_noun: str = "groups",
    meanings: Meanings | None = None,
) -> str:
    """Whether clusters found without labels are the classes."""
    statistic = separation.find(separation.spaces[0], "ari")
    sorted_so = f"sorted into {_number(separation.design.num_classes)} clusters by likeness alone, the {noun}"
    if statistic.p_value > ALPHA and statistic.minimum_p > ALPHA and statistic.critical_value is None:
        sample = describe_sample(separation, noun, group_noun)
        return f"Whether the classes form clusters can't be told with {sample}."
    instead = ""
    if meanings is not None and meanings.clusters_are_groups:
        group = group_noun.removesuffix("s")
        instead = f" What brings {noun} together in a cluster is rather the {group} that they are of than the class."
    if statistic.p_value > ALPHA:
        return f"The classes form no clusters of their own: {sorted_so} don't divide by class.{instead}"
    if statistic.value < _CLEAR_ARI:
        return f"The classes hardly form clusters: {sorted_so} divide by class little better than by chance.{instead}"
    if statistic.value < _SAME_ARI:
        return (
            f"The classes form clusters in part: {sorted_so} divide by class, with many exceptions.{instead}"
        )
    return f"The classes form clusters, too: {sorted_so} divide by class almost without exception."


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
        return f"{num_pictures:,} {noun}"
    if design.kind == "nested":
        counts = zip(cohort.class_groups, cohort.class_names, strict=True)
        split = ", ".join(f"{count} {name}" for count, name in counts)
        return f"{design.num_groups} {group_noun}" + (f" ({split})" if design.num_classes <= 4 else "")
    return f"{num_pictures:,} {noun} of {design.num_groups:,} {group_noun}"


def format_p(p_value: float) -> str:
    """Two decimals down to 0.1, three below, never "0.000"."""
    if p_value < 0.0005:
        return "p < 0.001"
    return f"p = {p_value:.2f}" if p_value >= 0.0995 else f"p = {p_value:.3f}"


def _limit(statistic: Statistic, separation: Separation, noun: str, group_noun: str) -> str:
    sample = describe_sample(separation, noun, group_noun)
    if statistic.critical_value is None:
        smallest = f"the smallest p that could have come out is {statistic.minimum_p:.2g}"
        return f"With {sample} no difference, however large, could have been told from chance ({smallest})."
    detectable = power_of(statistic, separation.design.num_classes).detectable
    if detectable is None:
        return f"With {sample} no difference would have been found reliably."
    return (
        f"That doesn't show that there is none: with {sample} only a rule that is right for about "
        f"{_percent(detectable)} would have been found four times out of five."
    )


def _classes(separation: Separation) -> str:
    names = separation.cohort.class_names
    if len(names) <= 3:
        return f"{', '.join(names[:-1])} and {names[-1]}"
    return f"the {len(names)} classes"


def _number(count: int) -> str:
    words = {
        2: "two",
        3: "three",
        4: "four",
        5: "five",
        6: "six",
        7: "seven",
        8: "eight",
        9: "nine",
        10: "ten",
    }
    return words.get(count, f"{count:,}")


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if 0.1 <= share <= 0.995 or share in (0, 1) else f"{100 * share:.1f} %"


def _range(interval: tuple[float, float]) -> str:
    low, high = (f"{100 * end:.0f}" for end in interval)
    return f"{low} to {high} %"
