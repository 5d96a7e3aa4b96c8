"""The page of `cluster-report`: the headline, the map, and the two questions behind the headline."""

from collections.abc import Sequence
from pathlib import Path

from reports.figures import bic_curves, confusion_matrix
from reports.images import tiles
from reports.maps import map_data, variants_in_words
from reports.page import json_for_script, write_page
from reports.records import ClusterContents, ClustersRecord, Score

# In the order in which they build on each other.
MAP_SCRIPTS = tuple(
    f"map-{part}.js"
    for part in (
        *("data", "state", "raster", "marks", "view", "large", "linked"),
        *("chosen", "select", "selection", "legend", "find", "controls"),
    )
)


def write_clusters(folder: Path, record: ClustersRecord) -> Path:
    """Writes clusters.html into `folder`."""
    form = record.run.form
    beside = form.beside(folder)
    data = map_data(beside, record.map, form.pictures, record.run.noun)
    context = {
        "record": record,
        "map": data,
        "map_json": json_for_script(data),
        "variants": variants_in_words(record.map.variants, record.run.noun),
        "questions": [(question, by_statistic(question.scores)) for question in record.questions],
        "bic": bic_curves(beside, record.bic) if record.bic else None,
        "clusters": [
            (cluster, cluster_tiles(cluster) if form.pictures else []) for cluster in record.clusters
        ],
        "confusion": confusion_matrix(beside, record.confusion) if record.confusion else None,
    }
    return write_page(folder, "clusters", record.run, context, scripts=MAP_SCRIPTS)


def by_statistic(scores: Sequence[Score]) -> list[tuple[str, list[Score]]]:
    """The scores of each statistic, in the order in which the statistics first appear."""
    names = dict.fromkeys(score.statistic for score in scores)
    return [(name, [score for score in scores if score.statistic == name]) for name in names]


def cluster_tiles(cluster: ClusterContents) -> list[tuple[str, str, str]]:
    """Address ("" for a sentence), split and path of each picture shown for a cluster."""
    paths = cluster.paths or [""] * len(cluster.splits)
    addresses = [""] * len(paths) if cluster.pictures is None else tiles(cluster.pictures, 72)
    return list(zip(addresses, cluster.splits, paths, strict=True))
