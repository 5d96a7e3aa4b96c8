"""What training wrote of its epochs, along the runs that a run extends."""

import json
from typing import Any

from pipelines.run_data import train_folder
from reports.records import CurveSegment
from vae_tf import strangers
from vae_tf.artifacts.run import Run
from vae_tf.artifacts.runs import all_runs
from vae_tf.data.splits import PARTS


def chain_of(run: Run) -> list[Run]:
    """The run and those that it extends, the oldest first; a deleted parent ends the chain."""
    chain = [run]
    while chain[0].parent:
        # By number: a name may have changed since.
        number = chain[0].parent[:5]
        parents = [other for other in all_runs(run.folder.parent) if other.name[:5] == number]
        # A run that would extend itself was not written by us.
        if not parents or parents[0] in chain:
            break
        chain.insert(0, parents[0])
    return chain


def curves(run: Run, hidden: set[str], all_parts: bool = False) -> list[CurveSegment]:
    """One segment per run of the chain of parents, the oldest first; `all_parts`: validation's parts, too."""
    chain = chain_of(run)
    lines = [read_lines(link) for link in chain]
    segments, done = [], 0
    for link, records in zip(chain, lines, strict=True):
        new = [record for record in records if record["epoch"] > done]
        if new:
            done = new[-1]["epoch"]
            segments.append(segment(link.name, new, hidden, all_parts))
    return segments


def segment(
    name: str, records: list[dict[str, Any]], hidden: set[str], all_parts: bool = False
) -> CurveSegment:
    nothing = float("nan")
    series = {
        "loss": [record.get("loss", nothing) for record in records],
        "reconstruction": [record.get("reconstruction", nothing) for record in records],
        "kl": [record.get("kl", nothing) for record in records],
        "validation_objective": [record.get("val_loss", nothing) for record in records],
        "validation_elbo": [record.get("val_elbo", nothing) for record in records],
    }
    if all_parts:
        series["validation_reconstruction"] = [r.get("val_reconstruction", nothing) for r in records]
        series["validation_kl"] = [r.get("val_kl", nothing) for r in records]
    shown = {
        key: values
        for key, values in series.items()
        if key.removeprefix("validation_") not in hidden and key not in hidden
    }
    return CurveSegment(run=name, epochs=[record["epoch"] for record in records], series=shown)


def read_lines(run: Run) -> list[dict[str, Any]]:
    path = train_folder(run) / "metrics.jsonl"
    with strangers.read_from(path):
        lines: list[dict[str, Any]] = [
            json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()
        ]
        if not all(type(line["epoch"]) is int for line in lines):
            raise TypeError("an epoch is no whole number")
        return lines


def hidden_series(scores: dict[str, Any]) -> set[str]:
    """Curves that would mean nothing: of a KL that the codes have not, of an ELBO that the loss is not."""
    has_elbo = any(scores[part]["elbo"] is not None for part in PARTS if part in scores)
    return (set() if has_elbo else {"validation_elbo"}) | (set() if scores["kl_per_dimension"] else {"kl"})
