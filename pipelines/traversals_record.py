"""From what the stage `traversals` left to the record of its page."""

from typing import Any

import numpy as np

from pipelines.run_data import Subject
from pipelines.stage_records import split_names
from reports.records import RunFacts
from reports.traversal_records import ClassMove, Link, TraversalsRecord, Walk
from reports.words import percent, plural, said_p, split_label
from vae_tf.artifacts.json_files import read_json
from vae_tf.artifacts.npz_files import load_arrays
from vae_tf.data.dataset import Pictures

SIGNIFICANT = 0.05
ORDER = {
    "information": "Ordered by what a dimension tells of a picture (mutual information I(x; z), nats), the most first.",
    "kl": "Ordered by mean KL from the prior, nats, the largest first.",
    "variance": "Ordered by the variance of the codes, the largest first: a plain autoencoder has neither KL nor "
    "mutual information.",
}


def traversals(subject: Subject, facts: RunFacts, pictures: Pictures) -> TraversalsRecord:
    stage = subject.computed("traversals")
    scores, arrays = read_json(stage.folder / "scores.json"), load_arrays(stage.folder / "traversals.npz")
    index = pictures.index
    return TraversalsRecord(
        run=facts,
        answer=answer_of(scores),
        order_note=ORDER[scores["ordered_by"]],
        range_note=range_note(scores),
        bases=["mean of all codes", *(index.paths[i] for i in scores["bases"])],
        base_splits=["", *split_names(index, scores["bases"])],
        walks=[walk(j, scores, arrays) for j in scores["shown"]],
        left_out=max(0, len(scores["in_use"]) - len(scores["shown"])),
        link_note=link_note(scores["factors"], bool(index.group_names)),
        moves=[move(i, m, arrays, pictures) for i, m in enumerate(scores["arithmetic"]["steps"])],
        move_note=scores["arithmetic"]["reason"] or move_note(scores["arithmetic"]["steps"]),
    )


def walk(dimension: int, scores: dict[str, Any], arrays: dict[str, Any]) -> Walk:
    def of(name: str) -> float | None:
        return None if scores[name] is None else float(scores[name][dimension])

    values = scores["centre"][dimension] + scores["spread"][dimension] * np.asarray(scores["steps"])
    return Walk(
        dimension=dimension,
        frames=arrays[f"walk_{dimension}"],
        values=values.tolist(),
        changed=arrays[f"change_{dimension}"],
        information=of("information"),
        kl=of("kl"),
        links=links(scores["factors"], dimension),
    )


def links(found: dict[str, Any] | None, dimension: int) -> list[Link]:
    """Every factor with this dimension, the strongest first; none of a dimension that was not tested."""
    if found is None or dimension not in found["dimensions"]:
        return []
    column = found["dimensions"].index(dimension)
    made = [
        Link(factor=name.replace("_", " "), kind=kind, strength=strength[column], p=p[column])
        for name, kind, strength, p in zip(
            found["factors"], found["kinds"], found["strength"], found["p_values"], strict=True
        )
    ]
    return sorted(made, key=lambda link: -abs(link.strength))


def answer_of(scores: dict[str, Any]) -> str:
    """How many dimensions are in use, and which goes with a known factor most."""
    used, size = len(scores["in_use"]), len(scores["order"])
    which = f"All {size}" if used == size > 1 else f"{used} of {size}"
    said = f"{which} latent dimension{'' if size == 1 else 's'} {'draws' if used == 1 else 'draw'} something"
    if not used:
        return (
            f"None of {plural(size, 'latent dimension')} tells anything of a picture: walks change nothing."
        )
    largest = max(scores["shown"], key=lambda j: scores["change"][str(j)])
    share = scores["change"][str(largest)]
    said += f"; dimension {largest} changes the picture most, a pixel by {percent(share)} of its range on average."
    found = scores["factors"]
    if found is None or not found["factors"]:
        return f"{said} Nothing else is known of the unseen pictures, so no dimension can be named."
    best = strongest(scores)
    if best is None:
        return (
            f"{said} None goes with a known factor beyond chance ({found['num_comparisons']:,} comparisons)."
        )
    dimension, link = best
    return (
        f"{said} Dimension {dimension} goes with {link.factor}: {sign(link)} on {found['num_pictures']} unseen "
        f"pictures, where 0 would be not at all and 1 entirely ({said_p(link.p)} with all "
        f"{found['num_comparisons']:,} comparisons counted)."
    )


def strongest(scores: dict[str, Any]) -> tuple[int, Link] | None:
    """The dimension and factor with the strongest link beyond chance: the least p, then the largest strength."""
    every = [(j, link) for j in scores["in_use"] for link in links(scores["factors"], j)]
    beyond = [(j, link) for j, link in every if link.p <= SIGNIFICANT]
    return min(beyond, key=lambda pair: (pair[1].p, -abs(pair[1].strength)), default=None)


def sign(link: Link) -> str:
    """The coefficient as text: "ρ = −0.54", "η = 0.61"."""
    text = f"{link.strength:.2f}".replace("-", "−")
    return f"{'ρ' if link.kind == 'spearman' else 'η'} = {text}"


def range_note(scores: dict[str, Any]) -> str:
    reach = f"{scores['steps'][-1]:g}"
    if scores["range_of"] == "switches":
        return (
            f"Each walk goes from −{reach} to +{reach} standard deviations of the prior of a feature’s amount "
            "around 0, where the feature is off."
        )
    return (
        f"Each walk goes from −{reach} to +{reach} standard deviations of the aggregate posterior (the codes of the "
        "pictures trained on, with their uncertainty) around its mean; all else of the code stays."
    )


def link_note(found: dict[str, Any] | None, has_groups: bool) -> str:
    if found is None:
        return ""
    parts = " and ".join(split_label(part) for part in found["parts"])
    how = (
        "within groups, or whole groups at once, as each factor lies" if has_groups else "among the pictures"
    )
    said = (
        f"Spearman’s ρ of numbers, η (share of spread between categories, as a root) of words, on "
        f"{found['num_pictures']} {parts} pictures. p: {found['num_comparisons']:,} comparisons "
        f"({len(found['factors'])} factors, {len(found['dimensions'])} dimensions in use) are corrected for "
        f"together, by shuffling values {how}: one false link on the whole page has a chance of 5 % at most. η is "
        "never 0 by chance; ρ may be."
    )
    return " ".join([said if found["factors"] else "", *found["notes"]]).strip()


def move(number_of: int, found: dict[str, Any], arrays: dict[str, Any], pictures: Pictures) -> ClassMove:
    shown = found["shown"]
    return ClassMove(
        a=found["a"],
        b=found["b"],
        amounts=found["amounts"],
        originals=pictures.to_look_at[shown],
        moved=arrays[f"moved_{number_of}"],
        splits=split_names(pictures.index, shown),
        paths=[pictures.index.paths[i] for i in shown],
        num_trained=(found["num_trained"][0], found["num_trained"][1]),
        **{
            key: found[key]
            for key in (
                "num",
                "read_as_b",
                "controls_read_as_b",
                "originals_read_as_b",
                "bs_read_as_b",
                "num_b",
            )
        },
    )


def move_note(steps: list[dict[str, Any]]) -> str:
    part = split_label(steps[0]["part"])
    return (
        "The step is the mean code of one class less that of the other, over pictures that were trained on; it is "
        f"added to the codes of {part} pictures and decoded. Each moved picture is then encoded again and read by a "
        "logistic regression fitted on the codes trained on. It reads with the model’s own encoder, so that this is "
        "no proof that a person would see the other class: look."
    )
