"""What a pipeline fills in of the page of maps and clusters; the map itself is in `reports.records`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from reports.map_records import MapRecord
from reports.records import Estimate, Numbers, Pictures, RunFacts


@dataclass(frozen=True, kw_only=True)
class BicCurve:
    """BIC of one clustering method for each k tried (lower is better) and the k it chose."""

    method: str
    k: Sequence[int]
    bic: Sequence[float]
    chosen: int


@dataclass(frozen=True, kw_only=True)
class StabilityCurve:
    """Adjusted Rand index of the clusters of two subsamples for each k: mean, lowest, and for noise alike in spread."""

    k: Sequence[int]
    mean: Numbers
    lowest: Numbers
    noise: Numbers


@dataclass(frozen=True, kw_only=True)
class AgreementRow:
    """One clustering against what is known: AMI with classes and with groups, adjusted Rand index with classes."""

    name: str
    num_clusters: int
    classes: Estimate | None = None
    groups: Estimate | None = None
    ari: float | None = None


@dataclass(frozen=True, kw_only=True)
class ClusterContents:
    """One cluster: how many pictures, of which classes, and some of them, nearest to its centre first.

    Without pictures the `paths` are sentences, and shown in their place. `average` [1, H, W, C] is generated from the
    mean of its latents; `num_groups`: how many groups its pictures come from.
    """

    name: str
    size: int
    pictures: Pictures | None
    splits: Sequence[str]
    classes: Mapping[str, int] = field(default_factory=dict)
    paths: Sequence[str] = ()
    average: Pictures | None = None
    num_groups: int | None = None


@dataclass(frozen=True, kw_only=True)
class ClustersRecord:
    """The page of `cluster-report` on maps and on clusters without labels; `facts`: sentences on the number."""

    run: RunFacts
    headline: str
    map: MapRecord
    facts: Sequence[str] = ()
    bic: Sequence[BicCurve] = ()
    stability: StabilityCurve | None = None
    agreements: Sequence[AgreementRow] = ()
    agreement_note: str = ""
    clusters: Sequence[ClusterContents] = ()
