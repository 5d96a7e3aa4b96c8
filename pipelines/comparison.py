"""What may be said of runs side by side: which may be ranked together, and which is best beyond noise.

The table's columns are those of pictures; `pipelines.text_comparison` has those of sentences.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.run_data import config_of, own_pictures
from reports.words import plural
from vae_tf.artifacts.hashes import hash_of
from vae_tf.artifacts.run import Run

BEST, LEVEL = " *", " ≈"


@dataclasses.dataclass(frozen=True)
class Row:
    """What a comparison says of one run; `scores` are those of its unseen pictures, or of validation ones.

    `each`: "mse" and, where there is one, "elbo" of every scored picture [N]; `groups` [N] of these pictures.
    """

    run: Run
    part: str
    scores: dict[str, Any]
    unit: str
    headline: str
    each: dict[str, NDArray[np.float64]] = dataclasses.field(default_factory=dict)
    groups: NDArray[np.int64] = dataclasses.field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def name(self) -> str:
        return self.run.name

    @property
    def same_pictures(self) -> tuple[str, str, str]:
        """Runs are ranked only where this is equal: the pictures, their shape, and the part they were scored on."""
        subject = own_pictures(self.run)
        # Which labels were hidden from training changes neither the pictures nor their parts.
        listed = hash_of([subject.index.paths, subject.index.parts.tolist()])
        return str(subject.data.record["inputs"]["fingerprint"]), listed, self.part

    @property
    def same_nats(self) -> tuple[str, ...]:
        """ELBOs are ranked only where this is equal, too: a density cannot be set against a mass."""
        return (*self.same_pictures, self.unit)


@dataclasses.dataclass(frozen=True)
class Ranking:
    """Runs that may be ranked together by one measure, the best first, and what is told from it."""

    rows: list[Row]
    best: int
    level: list[int]
    difference: NDArray[np.float64]
    standard_error: NDArray[np.float64]

    @property
    def is_clear(self) -> bool:
        return not self.level


def rank(rows: Sequence[Row], measure: str, sign: float, comparable: str) -> list[Ranking]:
    """One ranking for each set of two or more runs that may be compared; `sign` 1 where lower is better.

    `level`: positions of the runs that cannot be told from the best.
    """
    from vae_tf.evaluation.paired import compare_with_best

    sets: dict[Any, list[Row]] = {}
    for row in rows:
        if measure in row.each:
            sets.setdefault(getattr(row, comparable), []).append(row)
    rankings = []
    for members in sets.values():
        if len(members) < 2:
            continue
        errors = np.stack([sign * row.each[measure] for row in members])
        found = compare_with_best(errors, members[0].groups)
        level = [i for i in range(len(members)) if i != found.best and not found.beyond_chance[i]]
        rankings.append(Ranking(members, found.best, level, found.difference, found.standard_error))
    return rankings


def by_error(rows: Sequence[Row]) -> list[Ranking]:
    return rank(rows, "mse", 1.0, "same_pictures")


def by_elbo(rows: Sequence[Row]) -> list[Ranking]:
    return rank(rows, "elbo", -1.0, "same_nats")


def mark(row: Row, rankings: Sequence[Ranking]) -> str:
    """A star for a best that is told from all others, ≈ for what cannot be told from the best, itself included."""
    for ranking in rankings:
        for i, member in enumerate(ranking.rows):
            if member is row and i == ranking.best:
                return BEST if ranking.is_clear else LEVEL
            if member is row and i in ranking.level:
                return LEVEL
    return ""


@dataclasses.dataclass(frozen=True)
class Wording:
    """How a ranking by `measure` is told; `sign` is 1 where lower is better.

    `clear` and `level` are told of the best run, "{which}" being what was scored and "{value}" its mean.
    """

    measure: str
    sign: float
    noun: str
    clear: str
    level: str
    digits: int


OF_PICTURES = Wording(
    "mse",
    1.0,
    "picture",
    "rebuilds {which} best: mean squared error {value}",
    "has the least error on {which} ({value})",
    5,
)


def answer(rows: Sequence[Row]) -> str:
    """Which run rebuilds unseen pictures best, as far as noise lets one say."""
    return answer_by(by_error(rows), rows, OF_PICTURES)


def answer_by(rankings: Sequence[Ranking], rows: Sequence[Row], wording: Wording) -> str:
    """The best of each ranking of `rows`, one sentence each."""
    if len(rows) == 1:
        return f"{rows[0].name} alone: name other runs on the same {wording.noun}s to compare it with."
    if not rankings and len(rows) == 2:
        return f"The runs were not scored on the same {wording.noun}s: neither can be called better."
    if not rankings:
        return (
            f"{plural(len(rows), 'run')}, of which no two were scored on the same {wording.noun}s: none can be called "
            "better."
        )
    return " ".join(sentence(ranking, len(rankings) > 1, wording) for ranking in rankings)


def sentence(ranking: Ranking, of_several: bool, wording: Wording) -> str:
    best = ranking.rows[ranking.best]
    num = len(best.each[wording.measure])
    which = plural(num, f"{'unseen' if best.part == 'test' else best.part} {wording.noun}")
    among = f"Of {len(ranking.rows)} runs on the same {wording.noun}s, " if of_several else ""
    errors = [wording.sign * float(row.each[wording.measure].mean()) for row in ranking.rows]
    least = f"{errors[ranking.best]:.{wording.digits}f}"
    if ranking.is_clear:
        order = np.argsort(errors, kind="stable")
        second = int(order[1] if order[0] == ranking.best else order[0])
        more = f"{ranking.difference[second]:.{wording.digits}f} ± {ranking.standard_error[second]:.{wording.digits}f}"
        return (
            f"{among}{best.name} {wording.clear.format(which=which, value=least)}; the next, "
            f"{ranking.rows[second].name}, has {more} (standard error) more."
        )
    level = [ranking.rows[i].name for i in ranking.level]
    shown = level[:3] + ([f"{len(level) - 3} more"] if len(level) > 3 else [])
    named = f"{', '.join(shown[:-1])} and {shown[-1]}" if len(shown) > 1 else shown[0]
    # Few groups are why even a large difference may be noise.
    num_groups = len(np.unique(best.groups[best.groups >= 0]))
    of_groups = f" of {plural(num_groups, 'group')}" if num_groups else ""
    return (
        f"{among}{'no' if among else 'No'} run is the best beyond noise: {best.name} "
        f"{wording.level.format(which=which + of_groups, value=least)}, but {named} cannot be told from it."
    )


def cautions(rows: Sequence[Row]) -> list[str]:
    """What must not be read out of the table."""
    marks, chance = marks_explained("picture")
    said = [
        f"{marks} Intervals of single runs are 95 %; they overlap sooner than paired differences do.",
        chance,
    ]
    if len({row.same_pictures for row in rows}) > 1:
        said.append(
            "Some runs were scored on other pictures, sizes or parts: their errors are not ranked together."
        )
    if len({row.same_nats for row in rows}) > 1:
        said.append(
            "ELBOs of different likelihoods, sizes or pictures are not ranked: a density over [0, 1] may exceed 1 "
            "and its logarithm 0, a probability mass may not."
        )
    return said


def marks_explained(noun: str) -> tuple[str, str]:
    """What the marks mean, and what they do not say."""
    return (
        "* the best of the runs that can be compared, told from each of the others; ≈ not told from the best. "
        f"Differences are paired, {noun} by {noun}, with standard errors over groups, and corrected for all pairs.",
        f"This is about these weights on these {noun}s: another seed of the same recipe may turn a small difference "
        "round.",
    )


COLUMNS = ("run", "recipe", "latent", "seed", "epochs", "pictures", "MSE", "SSIM", "PCA's MSE", "ELBO, nats")


def cells(rows: Sequence[Row], epochs_of: Callable[[Row], int]) -> list[list[str]]:
    """The table's texts, the best of comparable values marked."""
    errors, elbos = by_error(rows), by_elbo(rows)
    table = []
    for row in rows:
        mse, ssim, elbo = row.scores["vae"]["mse"], row.scores["vae"]["ssim"], row.scores["elbo"]
        table.append(
            [
                *described(row, epochs_of),
                f"{mse['value']:.5f}{interval(mse)}{mark(row, errors)}",
                f"{ssim['value']:.3f}",
                f"{row.scores['pca']['mse']['value']:.5f}",
                "none" if elbo is None else f"{elbo:,.1f}{mark(row, elbos)}",
            ]
        )
    return table


def described(row: Row, epochs_of: Callable[[Row], int]) -> list[str]:
    """What every table begins with."""
    config = config_of(row.run)
    return [
        row.name,
        config.model.recipe,
        str(config.model.latent),
        str(config.training.seed),
        str(epochs_of(row)),
        f"{row.scores['num']} {'unseen' if row.part == 'test' else row.part}",
    ]


def interval(cell: dict[str, Any]) -> str:
    return "" if cell["low"] is None else f" ({cell['low']:.5f} to {cell['high']:.5f})"
