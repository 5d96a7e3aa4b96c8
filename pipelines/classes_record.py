"""From what stage `classes` found to the record of its page."""

from typing import Any

import numpy as np

from pipelines.classes import LATENTS
from pipelines.run_data import Examples, Subject
from pipelines.stage_records import looked_at, split_names
from reports.class_records import ClassesRecord, ClassPictures, DimensionRow, Judged, Question, Score
from reports.records import Confusion, RunFacts
from reports.words import number, percent, plural, said_of
from vae_tf.artifacts.json_files import read_json
from vae_tf.artifacts.npz_files import load_arrays

LARGEST_NUM_CLASSES = 12
NUM_DIMENSIONS = 8
ALPHA = 0.05
AS_GOOD_AS_SURE = 0.995
METHODS = (
    "The declared test of reading is the balanced accuracy of a linear rule (ridge regression on one-hot classes) that "
    "never saw the picture's group; of clusters, the adjusted Rand index of k-means with as many clusters as classes. "
    "The other figures stand beside them and decide nothing. Probabilities come from the linear rule's margins, "
    "with one temperature fitted to all of them.",
    "p: the share of shuffled labellings with at least the observed value. Least p: the smallest that this design "
    "could have given. Seen from: a value below it could not have been told from chance. Intervals: Wilson's, with as "
    "many independent answers as resampling whole groups of the left-out predictions, and the spread under shuffled "
    "labels, say there are.",
)
TITLES = {
    "readable": "Can the classes be read?",
    "clustered": "Do the classes form clusters?",
    "size": "How large is the difference?",
}


def classes(subject: Subject, facts: RunFacts, pictures: Examples) -> ClassesRecord:
    stage = subject.computed("classes")
    scores, arrays = read_json(stage.folder / "scores.json"), load_arrays(stage.folder / "out_of_fold.npz")
    if scores["reason"]:
        return ClassesRecord(run=facts, answer=scores["reason"])
    shown = shown_classes(scores)
    dimensions = scores["dimensions"]
    return ClassesRecord(
        run=facts,
        answer=scores["readable"],
        clustered=scores["clustered"],
        classes=[class_pictures(label, scores, arrays, pictures) for label in shown],
        left_out=left_out(scores, shown),
        confusion=confusion(scores, facts.noun),
        questions=questions(scores),
        dimensions=dimension_rows(dimensions),
        dimension_answer=dimension_answer(dimensions),
        dimension_note=said_of(dimension_note(dimensions, scores["class_names"]), facts.noun),
        power=power_rows(scores["power"]["curve"]),
        power_answer=said_of(power_answer(scores), facts.noun),
        power_note=said_of(power_note(scores), facts.noun),
        methods=[scores["design"], *scores["notes"], *(said_of(text, facts.noun) for text in METHODS)],
    )


def shown_classes(scores: dict[str, Any]) -> list[int]:
    """All classes, or those that most pictures are taken out of."""
    counts = np.asarray(scores["confusion"])
    wrong = counts.sum(axis=1) - np.diag(counts)
    return sorted(np.argsort(-wrong, kind="stable")[:LARGEST_NUM_CLASSES].tolist())


def left_out(scores: dict[str, Any], shown: list[int]) -> str:
    missing = len(scores["class_names"]) - len(shown)
    if not missing:
        return ""
    more = plural(missing, "more class has", "more classes have")
    return f"{more} no more mistakes than these; the figure below holds all."


def class_pictures(
    label: int, scores: dict[str, Any], arrays: dict[str, Any], pictures: Examples
) -> ClassPictures:
    counts = np.asarray(scores["confusion"])[label]
    named = arrays["probabilities"].argmax(axis=1)
    return ClassPictures(
        name=scores["class_names"][label],
        total=int(counts.sum()),
        wrong=int(counts.sum() - counts[label]),
        # Of a class with hardly any picture named rightly the likeliest ones are misplaced, too.
        typical=judged([i for i in scores["typical"][label] if named[i] == label], scores, arrays, pictures),
        misplaced=judged(scores["misplaced"][label], scores, arrays, pictures),
    )


def judged(rows: list[int], scores: dict[str, Any], arrays: dict[str, Any], pictures: Examples) -> Judged:
    positions, found = arrays["positions"][rows], arrays["probabilities"][rows]
    return Judged(
        pictures=looked_at(pictures, positions),
        paths=[pictures.index.paths[i] for i in positions],
        splits=split_names(pictures.index, positions),
        taken_for=[scores["class_names"][i] for i in found.argmax(axis=1)],
        probabilities=found.max(axis=1).tolist(),
    )


def confusion(scores: dict[str, Any], noun: str) -> Confusion:
    names, counts = scores["class_names"], np.asarray(scores["confusion"])
    wrong = counts - np.diag(np.diag(counts))
    finding = "No class is taken for another."
    if wrong.any():
        row, column = np.unravel_index(int(wrong.argmax()), wrong.shape)
        finding = (
            f"Most often {names[row]} is taken for {names[column]}: {wrong[row, column]:,} of "
            f"{counts[row].sum():,} {noun}s."
        )
    title = "Which classes are taken for which? True class in rows"
    return Confusion(title=title, rows=names, columns=names, counts=counts, finding=finding)


def questions(scores: dict[str, Any]) -> list[Question]:
    answers = {
        "readable": scores["readable"],
        "clustered": scores["clustered"],
        "size": size_answer(scores["statistics"]),
    }
    return [
        Question(
            title=TITLES[key],
            answer=answer,
            scores=[score(row, scores["declared"]) for row in scores["statistics"] if row["question"] == key],
        )
        for key, answer in answers.items()
    ]


def size_answer(statistics: list[dict[str, Any]]) -> str:
    """The effect's size in words: of all that differs between pictures, how much goes with the class."""
    rows = {row["key"]: row for row in statistics if row["space"] == LATENTS}
    said = f"Of all differences between latents, {share(rows['variance'])} lie between the classes"
    if "variance_within" in rows:
        said += f"; of those within groups {share(rows['variance_within'])}"
    return f"{said}."


def share(row: dict[str, Any]) -> str:
    return f"{percent(row['value'], 1)} ({percent(row['chance'], 1)} by chance)"


def score(row: dict[str, Any], declared: dict[str, str]) -> Score:
    low, high = row["interval"] or (None, None)
    return Score(
        statistic=row["name"],
        space=row["space"],
        value=row["value"],
        chance=row["chance"],
        p=row["p_value"],
        least_p=row["minimum_p"],
        detectable=row["critical_value"],
        low=low,
        high=high,
        primary=row["space"] == LATENTS and row["key"] in declared.values(),
    )


def dimension_rows(found: dict[str, Any]) -> list[DimensionRow]:
    """Those that differ most, all the significant ones among them as far as there is room."""
    order = np.argsort(-np.asarray(found["explained"]), kind="stable")[:NUM_DIMENSIONS]
    return [
        DimensionRow(
            dimension=i,
            explained=found["explained"][i],
            by_chance=found["by_chance"][i],
            p=found["p_values"][i],
            shift=None if found["shifts"] is None else found["shifts"][i],
        )
        for i in order.tolist()
    ]


def dimension_answer(found: dict[str, Any]) -> str:
    order = np.argsort(-np.asarray(found["explained"]), kind="stable")
    differing = [i for i in order.tolist() if found["p_values"][i] <= ALPHA]
    total = len(order)
    if found["minimum_p"] > ALPHA:
        return f"That can't be told: with so few groups the smallest p that could come out is {found['minimum_p']:.2g}."
    if not differing:
        return f"No single dimension of {total} differs by more than chance."
    listed = ", ".join(str(i) for i in differing[:NUM_DIMENSIONS])
    more = f" and {len(differing) - NUM_DIMENSIONS} more" if len(differing) > NUM_DIMENSIONS else ""
    verb = "differs" if len(differing) == 1 else "differ"
    how_many = f"All {total}" if len(differing) == total > 1 else f"{len(differing)} of {total}"
    return f"{how_many} {verb} between the classes, most first: {listed}{more}."


def dimension_note(found: dict[str, Any], names: list[str]) -> str:
    within = " of its variance within groups," if found["within_groups"] else ","
    note = (
        f"Share of a dimension's variance that lies between the classes{within} and its mean under shuffled labels. "
        "p is corrected for all dimensions: it compares with the largest share of any dimension "
        "(Westfall & Young 1993), "
        "so that the chance of even one false find is 5 %; the smallest that could come out is "
        f"{found['minimum_p']:.2g}."
    )
    if found["shifts"] is not None:
        note += f" Shift: mean of {names[1]} less mean of {names[0]}, in standard deviations within classes."
    return note


def power_answer(scores: dict[str, Any]) -> str:
    power, sample = scores["power"], scores["sample"]
    if power["detectable"] is None:
        return f"With {sample} no difference, whatever its size, would have been found reliably."
    said = (
        f"With {sample}, a rule that is right for {percent(power['detectable'])} of new pictures "
        "would have been found "
        "four times out of five, a weaker one less often."
    )
    if power["separation"] is not None:
        said += (
            f" That is a distance of about {number(power['separation'], 2)} standard deviations between "
            "the two classes, along the best direction."
        )
    return said


def power_rows(curve: list[list[float]]) -> list[tuple[float, float]]:
    """The accuracies that are found or missed, and the first that is as good as sure to be found."""
    sure = next((i for i, (_, found) in enumerate(curve) if found > AS_GOOD_AS_SURE), len(curve) - 1)
    return [(accuracy, found) for accuracy, found in curve[: sure + 1]]


def power_note(scores: dict[str, Any]) -> str:
    return (
        "Found: p ≤ 0.05 in the declared test. Computed from the spread of the accuracy under "
        "shuffled labels of this very "
        "design, scaled as a binomial's and taken as normal; simulations agree within some percent. "
        "Right means: on average over classes, for pictures of groups that the rule has not seen."
    )
