"""What clusters without labels are, in plain words."""

from __future__ import annotations

from vae_tf.analysis.cluster_meaning import Meaning, Meanings
from vae_tf.analysis.clustering import Clustering
from vae_tf.analysis.stability import Stability, say_uncertainty

# Mean adjusted Rand index of subsamples' clusters: from here on they are the same but for a few pictures.
_STEADY, _ROUGH = 0.8, 0.5
# Adjusted mutual information with classes or groups.
_WHOLLY, _PARTLY = 0.8, 0.3


def cluster_headline(
    clustering: Clustering, stability: Stability, meanings: Meanings, noun: str = "pictures"
) -> str:
    """How many clusters, how sure that is, and what they follow.

    Args:
        clustering: The one whose clusters are shown, with k by BIC.
        stability: Of the same method.
        meanings: Of the same clusters.
        noun: What a picture shows, in the plural.

    Returns:
        Two or three sentences.
    """
    k, largest = clustering.num_clusters, int(clustering.candidates[-1])
    if largest == 1:
        return f"There are too few {noun} to look for clusters."
    uncertain = say_uncertainty(stability, k)
    if k == 1:
        return f"The {noun} form one cloud: no division into 2 to {largest} clusters describes them better. {uncertain}"
    # Where k stops at the limit, for all pictures or for most subsamples, no number was found.
    limited = k == largest or 2 * stability.chosen.count(largest) > len(stability.chosen)
    said = (
        _at_the_limit(stability, k, largest, noun)
        if limited and stability.chosen
        else f"{_divided(stability, k, noun)} {uncertain}"
    )
    return f"{said}{say_followed(meanings)}"


def say_followed(meanings: Meanings) -> str:
    """Whether clusters follow classes or groups; nothing where neither is known."""
    if meanings.clusters_are_groups:
        return (
            " Beware: what brings pictures together in a cluster is rather the group that they are "
            "of (one person, say) "
            "than their class."
        )
    rivals = ((meanings.classes, "classes"), (meanings.groups, "groups (one person, say)"))
    followed = [
        f"{_how_far(found)} with the {name}" for found, name in rivals if found is not None and _above(found)
    ]
    if followed:
        return f" They go {' and '.join(followed)}."
    if meanings.classes is not None:
        return " Nothing shows that they have to do with the classes."
    return ""


def _above(found: Meaning) -> bool:
    return found.interval is not None and found.interval[0] > 0


def _how_far(found: Meaning) -> str:
    return "almost wholly" if found.value >= _WHOLLY else "in part" if found.value >= _PARTLY else "a little"


def _agreement(stability: Stability, k: int) -> float | None:
    return dict(zip(stability.candidates.tolist(), stability.agreement.tolist(), strict=True)).get(k)


def _steadily(agreement: float) -> str:
    how = "nearly" if agreement >= _STEADY else "roughly"
    return f"and other samples of them into {how} the same ones"


def _divided(stability: Stability, k: int, noun: str) -> str:
    """Whether there are clusters at all comes first: a number alone would be taken for a finding."""
    agreement = _agreement(stability, k)
    if agreement is None:
        return f"The {noun} fall into {k} clusters."
    if agreement >= _ROUGH:
        return f"The {noun} fall into {k} clusters, {_steadily(agreement)}."
    return (
        f"The {noun} fall into no clusters to rely on: other samples of them divide differently, so take "
        f"what is shown for regions of one cloud. {k} regions describe it best."
    )


def _at_the_limit(stability: Stability, k: int, largest: int, noun: str) -> str:
    """Too few clusters are unsteady even where there are clear ones, because they cut through them."""
    agreement = _agreement(stability, k)
    if agreement is not None and agreement < _ROUGH:
        return (
            f"How many clusters the {noun} fall into can't be told: of up to {largest} that were tried {k} describe "
            "them best, so that there may well be more, and other samples of them divide differently."
        )
    steadily = "" if agreement is None else f", {_steadily(agreement)}"
    return f"The {noun} fall into {k} clusters or more{steadily}: {largest} are the most that were tried."
