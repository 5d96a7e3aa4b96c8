"""From what the stage `features` left to the record of its page."""

from typing import Any

import numpy as np

from pipelines.run_data import Subject
from pipelines.stage_records import split_names
from reports.feature_records import Associations, FeaturesRecord, Switched
from reports.records import RunFacts
from reports.words import percent
from vae_tf.artifacts.json_files import read_json
from vae_tf.artifacts.npz_files import load_arrays
from vae_tf.artifacts.stage import Stage
from vae_tf.data.dataset import Pictures

SIGNIFICANT = 0.05


def features(subject: Subject, facts: RunFacts, pictures: Pictures) -> FeaturesRecord:
    stage = subject.computed("features")
    scores, arrays = read_json(stage.folder / "scores.json"), load_arrays(stage.folder / "features.npz")
    index = pictures.index
    if not np.isin(arrays["num_on"], np.arange(len(arrays["share_on"]) + 1)).all():
        raise ValueError("no picture has so many features on")
    return FeaturesRecord(
        run=facts,
        answer=answer_of(stage),
        share_on=arrays["share_on"],
        probability=arrays["probability"],
        num_on=arrays["num_on"],
        factors=[name.replace("_", " ") for name in scores["factors"]],
        switching=Associations(strength=arrays["strength"], p_values=arrays["p_values"]),
        moving=Associations(strength=arrays["amount_strength"], p_values=arrays["amount_p_values"]),
        features=[
            Switched(
                feature=int(key),
                share_on=float(arrays["share_on"][int(key)]),
                off=arrays[f"off_{key}"],
                on=arrays[f"on_{key}"],
                splits=split_names(index, positions),
                paths=[index.paths[i] for i in positions],
                factors=significant(scores["factors"], arrays, "", int(key)),
                moved_by=significant(scores["factors"], arrays, "amount_", int(key)),
            )
            for key, positions in scores["examples"].items()
        ],
        notes=notes(scores, bool(index.group_names)),
    )


def significant(
    names: list[str], arrays: dict[str, Any], kind: str, feature: int
) -> list[tuple[str, float, float]]:
    """(factor, share of variance, corrected p) of those beyond chance, the strongest first."""
    strength, p_values = arrays[f"{kind}strength"][:, feature], arrays[f"{kind}p_values"][:, feature]
    rows = [
        (name.replace("_", " "), float(s), float(p))
        for name, s, p in zip(names, strength, p_values, strict=True)
    ]
    return sorted((row for row in rows if row[2] <= SIGNIFICANT), key=lambda row: -row[1])


def answer_of(stage: Stage) -> str:
    """How many features are on, and which factor goes with one most."""
    scores, arrays = read_json(stage.folder / "scores.json"), load_arrays(stage.folder / "features.npz")
    size, used = len(arrays["share_on"]), scores["num_used"]
    said = f"A picture has {arrays['num_on'].mean():.1f} features on; {used} of {size} are in use."
    if not scores["factors"]:
        return f"{said} Nothing else is known of the pictures, so none can be named."
    for kind, words in (("", "is switched by"), ("amount_", "is moved by")):
        beyond = (arrays[f"{kind}p_values"] <= SIGNIFICANT) & (arrays["share_on"] > 0.01)
        if beyond.any():
            best = np.where(beyond, arrays[f"{kind}strength"], -1.0)
            factor, feature = np.unravel_index(int(best.argmax()), best.shape)
            name = scores["factors"][factor].replace("_", " ")
            said += f" Feature {feature} {words} {name} ({percent(best.max())} of its variance)."
    return said if said.count("Feature") else f"{said} None goes with a known factor beyond chance."


def notes(scores: dict[str, Any], has_groups: bool) -> list[str]:
    how = "within or between whole groups, as each factor lies" if has_groups else "freely among the pictures"
    tested = (
        f"Tested on {scores['num_tested']:,} pictures, trained on and unseen: the model was told of no factor. Values "
        f"were shuffled {how}; p is corrected for all pairs, so that one false pair on the whole page has a chance of "
        "5 % at most. Numbers were cut into 8 levels of equally many pictures."
    )
    return [*([tested] if scores["factors"] else []), *scores["notes"]]
