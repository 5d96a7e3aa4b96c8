"""What clusters without labels are, in plain words."""

from __future__ import annotations

from vae_tf.analysis.cluster_meaning import Meaning, Meanings
from vae_tf.analysis.clustering import Clustering
from vae_tf.analysis.stability import Stability, say_uncertainty

# Mean adjusted Rand index of subsamples' clusters: from here on they are the same but for a few pictures.
_STEADY, _ROUGH = 0.8, 0.5


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
    return f"The {noun} fall into {k} clusters{_steadiness(stability, k)}. {uncertain}{say_followed(meanings)}"


def say_followed(meanings: Meanings) -> str:
    """Whether clusters follow classes or groups; nothing where neither is known."""
    if meanings.clusters_are_groups:
        return (
            " Beware: they follow the groups rather than the classes; pictures are together because they are of one "
            "group (one person, say), not because they are of one class."
        )
    if _above(meanings.classes):
        return " They go with the classes."
    if _above(meanings.groups):
        return " They go with the groups."
    if meanings.classes is not None:
        return " They have nothing to do with the classes."
    return ""


def _above(found: Meaning | None) -> bool:
    return found is not None and found.interval is not None and found.interval[0] > 0


def _steadiness(stability: Stability, k: int) -> str:
    agreement = dict(zip(stability.candidates.tolist(), stability.agreement.tolist(), strict=True)).get(k)
    if agreement is None:
        return ""
    if agreement >= _STEADY:
        return ", and other samples give nearly the same ones"
    if agreement >= _ROUGH:
        return ", which other samples give roughly"
    return ", but other samples divide them differently: take them for regions of one cloud"
