"""The page of maps and clusters without labels: the headline, the map, how many clusters, and what they hold."""

from pathlib import Path

from reports.cluster_records import ClusterContents, ClustersRecord
from reports.figures import bic_curves, stability_curve
from reports.images import tiles
from reports.maps import map_data, variants_in_words
from reports.page import json_for_script, write_page

SIDE = 72

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
        "bic": bic_curves(beside, record.bic) if record.bic else None,
        "clusters": [
            (
                cluster,
                cluster_tiles(cluster) if form.pictures else [],
                average_of(cluster) if form.pictures else "",
            )
            for cluster in record.clusters
        ],
        "stability": stability_curve(beside, record.stability) if record.stability else None,
    }
    return write_page(folder, "clusters", record.run, context, scripts=MAP_SCRIPTS)


def cluster_tiles(cluster: ClusterContents) -> list[tuple[str, str, str]]:
    """Address ("" for a sentence), split and path of each picture shown for a cluster."""
    paths = cluster.paths or [""] * len(cluster.splits)
    addresses = [""] * len(paths) if cluster.pictures is None else tiles(cluster.pictures, SIDE)
    return list(zip(addresses, cluster.splits, paths, strict=True))


def average_of(cluster: ClusterContents) -> str:
    """The address of the picture generated from the cluster's mean; "" where there is none."""
    return "" if cluster.average is None else tiles(cluster.average, SIDE)[0]
