"""From what stage `clusters` found to the record of its page: the map, and clusters without labels."""

from typing import Any

import numpy as np

from pipelines.map_record import map_record
from pipelines.run_data import Examples, Subject
from pipelines.stage_records import looked_at, split_names
from reports.cluster_records import (
    AgreementRow,
    BicCurve,
    ClusterContents,
    ClustersRecord,
    StabilityCurve,
)
from reports.records import Estimate, RunFacts
from vae_tf.artifacts.json_files import read_json
from vae_tf.artifacts.npz_files import load_arrays

NOTE = (
    "AMI: adjusted mutual information, 0 by chance, over the smaller entropy, so that it is 1 where "
    "no class (no group) is "
    "divided among clusters, or where the clusters tell it exactly; with 95 % intervals from half-sampling groups. "
    "ARI: adjusted Rand index, 1 only where clusters and classes are the same."
)


def clusters(subject: Subject, facts: RunFacts, pictures: Examples) -> ClustersRecord:
    stage = subject.computed("clusters")
    scores, arrays = read_json(stage.folder / "scores.json"), load_arrays(stage.folder / "maps.npz")
    known = any(row["classes"] or row["groups"] for row in scores["agreements"])
    return ClustersRecord(
        run=facts,
        headline=scores["headline"],
        map=map_record(subject, stage.folder, scores["maps"], arrays, pictures),
        facts=scores["facts"],
        bic=[BicCurve(**found) for found in scores["curves"]],
        stability=stability(scores["stability"]),
        agreements=[agreement(row) for row in scores["agreements"]] if known else [],
        agreement_note=NOTE,
        clusters=cluster_contents(scores["representatives"], arrays, pictures),
    )


def stability(found: dict[str, Any]) -> StabilityCurve | None:
    if len(found["candidates"]) < 2:
        return None
    return StabilityCurve(
        k=found["candidates"],
        mean=np.asarray(found["agreement"]),
        lowest=np.asarray(found["lowest"]),
        noise=np.asarray(found["by_chance"]),
    )


def agreement(row: dict[str, Any]) -> AgreementRow:
    return AgreementRow(
        name=row["name"],
        num_clusters=row["num_clusters"],
        classes=estimate(row["classes"]),
        groups=estimate(row["groups"]),
        ari=row["ari"],
    )


def estimate(found: dict[str, Any] | None) -> Estimate | None:
    if found is None:
        return None
    low, high = found["interval"] or (None, None)
    return Estimate(value=found["value"], low=low, high=high)


def cluster_contents(
    representatives: list[list[int]], arrays: dict[str, Any], pictures: Examples
) -> list[ClusterContents]:
    """The clusters of k-means, with the pictures nearest to each mean and what the mean decodes to."""
    assignments, index = arrays["k_means"], pictures.index
    contents = []
    for i, positions in enumerate(representatives):
        inside = assignments == i
        counts = {name: int(np.sum(index.labels[inside] == k)) for k, name in enumerate(index.class_names)}
        groups = index.groups[inside]
        contents.append(
            ClusterContents(
                name=f"Cluster {i + 1}",
                size=int(inside.sum()),
                pictures=looked_at(pictures, positions),
                splits=split_names(index, positions),
                classes={name: count for name, count in counts.items() if count},
                paths=[index.paths[p] for p in positions],
                average=arrays["averages"][i : i + 1] if "averages" in arrays else None,
                num_groups=len(np.unique(groups[groups >= 0])) if index.group_names else None,
            )
        )
    return contents
