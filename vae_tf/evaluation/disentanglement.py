"""Does each latent dimension tell of one known factor? Seven published scores from codes and factors alone.

Every score has a blind spot (Locatello et al. 2019), so that none should be read without the matrix of mutual
information beside it. All take the factors to vary independently of each other; in found pictures they rarely do.
"""

import dataclasses
import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vae_tf import random

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

NUM_BINS = 20
# Pictures that share a value are drawn from values with at least this many pictures.
SMALLEST_LEVEL = 5
GROUP_SIZE = 64
NUM_GROUPS = 2000
# Of a dimension that has a vote in the FactorVAE score; the prior's is 1.
SMALLEST_DEVIATION = 0.05
NUM_SHUFFLES = 20
# Rows that trees are fitted on, and as many again that they are judged by.
LARGEST_NUM_ROWS = 5000


@dataclasses.dataclass(frozen=True)
class Disentanglement:
    """Scores of F factors and d dimensions, 0 to 1 and higher is better; None where a score needs two factors.

    Args:
        mig, sap, modularity: See `mutual_information_gap`, `separated_predictability`, `modularity`.
        dci_disentanglement, dci_completeness, dci_informativeness: See `dci`.
        beta_vae, factor_vae: See `beta_vae_score`, `factor_vae_score`; chance is 0, and the accuracy that papers
            print is score + (1 − score) / F.
        factors: Names of the factors that are scored [F].
        information: Mutual information of factor and binned dimension [F, d], nats.
        chance: The largest of `information` over shuffled pictures [F], nats: what lies below means nothing.
        entropy: Of each factor's levels [F], nats.
        mig_per_factor, sap_per_factor: [F].
        importance: Of each dimension for predicting each factor [F, d]; rows sum to 1, or are 0.
        notes: A sentence about each factor that is left out.
    """

    mig: float | None
    sap: float | None
    modularity: float | None
    dci_disentanglement: float | None
    dci_completeness: float | None
    dci_informativeness: float | None
    beta_vae: float | None
    factor_vae: float | None
    factors: tuple[str, ...]
    information: Floats
    chance: Floats
    entropy: Floats
    mig_per_factor: Floats
    sap_per_factor: Floats
    importance: Floats
    notes: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Factor:
    """What is known of one factor: n of the pictures, their level (0 to L − 1), and numbers if it is continuous."""

    name: str
    rows: Integers
    levels: Integers
    values: Floats | None = None


def disentanglement(codes: ArrayLike, factors: Mapping[str, Sequence[Any]], seed: int = 0) -> Disentanglement:
    """All scores; a pure function of its arguments.

    Args:
        codes: Posterior means [N, d].
        factors: Values [N] by name: numbers or words. None and what is not finite are unknown: such pictures do not
            count for that factor. See `read_factor` for what is continuous.
        seed: Of shuffles, splits, trees, pairs and groups.
    """
    table = np.asarray(codes, np.float64)
    if table.ndim != 2 or not table.size or not np.isfinite(table).all():
        raise ValueError(f"codes have shape {table.shape}; expected finite numbers [N, d].")
    read = [read_factor(name, values, len(table)) for name, values in factors.items()]
    known = [factor for factor in read if isinstance(factor, Factor)]
    shape = (len(known), table.shape[1])
    binned = np.stack([_bins(column) for column in table.T], axis=1)
    information = np.array([mutual_information(binned[f.rows], f.levels) for f in known]).reshape(shape)
    entropy = np.array([mutual_information(f.levels[:, None], f.levels)[0] for f in known])
    chance = np.array([_chance(binned, factor, seed) for factor in known])
    gaps = mutual_information_gap(information, entropy)
    saps = np.array([separated_predictability(table, factor, seed) for factor in known])
    importance, quality = dci(table, known, seed)
    one, two = shape[0] > 0, shape[0] > 1
    weight = importance.sum(axis=0) / (importance.sum() or 1.0)
    return Disentanglement(
        mig=float(gaps.mean()) if one else None,
        sap=float(saps.mean()) if one else None,
        modularity=modularity(information, chance) if two else None,
        dci_disentanglement=float(_concentration(importance.T) @ weight) if two else None,
        dci_completeness=float(_concentration(importance).mean()) if one and shape[1] > 1 else None,
        dci_informativeness=float(quality.mean()) if one else None,
        beta_vae=beta_vae_score(table, known, seed) if two else None,
        factor_vae=factor_vae_score(table, known, seed) if two else None,
        factors=tuple(factor.name for factor in known),
        information=information,
        chance=chance,
        entropy=entropy,
        mig_per_factor=gaps,
        sap_per_factor=saps,
        importance=importance,
        notes=tuple(note for note in read if isinstance(note, str)),
    )


def read_factor(name: str, values: Sequence[Any], num_pictures: int) -> Factor | str:
    """A factor's levels, or a sentence on why it is left out.

    Numbers with more than 20 different values are continuous: their levels are 20 bins of equal width, as for the
    codes, so that a code equal to the factor has all its information. Words, and numbers with fewer values, are
    levels as they are. A few far-off values squeeze the rest into few bins; take the logarithm of such a factor.
    """
    if len(values) != num_pictures:
        raise ValueError(f"The factor {name} has {len(values)} values for {num_pictures} pictures.")
    unknown = (None, float("inf"), -float("inf"))
    rows = np.array([i for i, v in enumerate(values) if v not in unknown and v == v], np.int64)
    known = [values[row] for row in rows]
    is_number = all(isinstance(value, numbers.Real) and not isinstance(value, bool) for value in known)
    column = np.array(known, np.float64) if is_number else np.array([str(value) for value in known])
    distinct, levels = np.unique(column, return_inverse=True)
    if len(distinct) < 2:
        return f"{name} is the same in every picture where it is known, and left out."
    numeric = column.astype(np.float64) if is_number and len(distinct) > NUM_BINS else None
    if numeric is not None:
        distinct, levels = np.unique(_bins(numeric), return_inverse=True)
    if len(rows) < SMALLEST_LEVEL * len(distinct):
        return (
            f"{name} has {len(distinct)} values or bins in {len(rows)} pictures: too few of each, left out."
        )
    return Factor(name, rows, levels.astype(np.int64), numeric)


def mutual_information(columns: Integers, levels: Integers) -> Floats:
    """Of each column [n, d] with the levels [n], in nats [d], from their counts.

    Counts overstate it by about (B − 1)(L − 1) / (2 n) nats for B bins and L levels (Miller 1955).
    """
    num_levels, found = int(levels.max()) + 1, []
    for column in columns.T:
        counts = np.bincount(column * num_levels + levels, minlength=(int(column.max()) + 1) * num_levels)
        joint = counts.reshape(-1, num_levels) / len(levels)
        apart = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
        seen = joint > 0
        found.append(max(0.0, float((joint[seen] * np.log(joint[seen] / apart[seen])).sum())))
    return np.array(found)


def mutual_information_gap(information: Floats, entropy: Floats) -> Floats:
    """MIG of each factor [F] (Chen et al. 2018, eq. 6): the best dimension's information less the next one's.

    From `information` [F, d] over the factor's `entropy` [F], both in nats, with 20 bins of equal width per
    dimension as in Locatello et al. 2019. 1: one dimension knows the factor, no other knows any of it. 0: two
    dimensions know as much, or none knows anything. A dimension may know several factors and the gap be 1 for all;
    bins of equal width suffer from far-off codes. The second of a single dimension counts as 0.
    """
    ordered = np.sort(np.pad(information, ((0, 0), (1, 0))), axis=1)
    return np.asarray((ordered[:, -1] - ordered[:, -2]) / entropy)


def modularity(information: Floats, chance: Floats) -> float:
    """Ridgeway & Mozer 2018, eq. 2: does each dimension tell of one factor only?

    A dimension with information m_i and its largest m* scores 1 − Σ_{i ≠ *} m_i² / (m*² (F − 1)); the mean over
    dimensions. 1: one factor each; 0: all F alike, or nothing known. Here dimensions whose information is below
    `chance` for every factor do not count: the paper has none, and their scores would be those of noise. One factor
    in many dimensions costs nothing, and factors with more entropy weigh more.
    """
    squares = information[:, (information > chance[:, None]).any(axis=0)] ** 2
    if not squares.size:
        return 0.0
    largest = squares.max(axis=0)
    return float(np.mean(1 - (squares.sum(axis=0) - largest) / (largest * (len(squares) - 1))))


def separated_predictability(codes: Floats, factor: Factor, seed: int) -> float:
    """SAP of one factor (Kumar et al. 2018, sec. 3): how much better the best dimension predicts it than the next.

    Continuous factors by the R² of a straight line; levels by as many thresholds as separate them, placed on one
    half of the pictures and judged on the other by balanced accuracy, here rescaled so that 1 / L is 0 (published
    gaps are smaller by the factor 1 − 1 / L; some use a linear SVM, which cannot tell the middle one of three).
    1: one dimension predicts it perfectly, no other at all. 0: two predict it alike, or none does. R² asks for a
    straight relation: a bent one scores less.
    """
    if factor.values is not None:
        centred = codes[factor.rows] - codes[factor.rows].mean(axis=0)
        target = factor.values - factor.values.mean()
        scale = np.sqrt((centred**2).sum(axis=0) * (target @ target))
        scores = np.divide(target @ centred, scale, out=np.zeros(len(scale)), where=scale > 1e-12) ** 2
    else:
        halves = _halves(factor, seed)
        scores = np.array([_threshold_accuracy(column, factor, *halves) for column in codes.T])
    ordered = np.sort(np.append(scores, 0.0))
    return float(ordered[-1] - ordered[-2])


def _threshold_accuracy(column: Floats, factor: Factor, train: Integers, test: Integers) -> float:
    from sklearn.metrics import recall_score
    from sklearn.tree import DecisionTreeClassifier

    num_levels = int(factor.levels.max()) + 1
    tree = DecisionTreeClassifier(max_leaf_nodes=num_levels, class_weight="balanced", random_state=0)
    tree.fit(column[factor.rows[train], None], factor.levels[train])
    predicted, truth = tree.predict(column[factor.rows[test], None]), factor.levels[test]
    return _above_chance(recall_score(truth, predicted, labels=np.unique(truth), average="macro"), num_levels)


def dci(codes: Floats, factors: Sequence[Factor], seed: int) -> tuple[Floats, Floats]:
    """Importances [F, d] and qualities [F], of which the three scores of Eastwood & Williams 2018, sec. 2, are made.

    A random forest of 20 trees per factor, fitted on one half of the pictures, at most 5,000, may split by any
    dimension (were the choice random, useless dimensions would be taken where the useful one is not on offer); its
    leaves hold 1 % of the pictures or more, so that few splits fit noise. Importance is the share in the fall of
    impurity. Quality, on the other half: R² if continuous, else accuracy with the commonest level's share as 0.

    Disentanglement: 1 less the entropy, over log F, of a dimension's importances for the factors, weighted by their
    sum; 1 where each dimension serves one factor. Completeness: 1 less the entropy, over log d, of a factor's
    importances, averaged; 1 where one dimension serves it; depends on d. Informativeness: mean quality (the paper
    prints the error). All are 0 for constant codes. Importances are shares even where nothing can be predicted, so
    the first two mean something only where the third is high.
    """
    fitted = [_forest(codes, factor, seed) for factor in factors]
    importance = np.array([weights for weights, _ in fitted]).reshape(len(factors), codes.shape[1])
    return importance, np.array([quality for _, quality in fitted])


def _forest(codes: Floats, factor: Factor, seed: int) -> tuple[Floats, float]:
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    train, test = _halves(factor, seed)
    target = factor.levels if factor.values is None else factor.values
    kind = RandomForestClassifier if factor.values is None else RandomForestRegressor
    leaf = max(2, len(train) // 100)
    forest = kind(20, max_features=1.0, min_samples_leaf=leaf, random_state=seed & 0xFFFF)
    forest.fit(codes[factor.rows[train]], target[train])
    quality = forest.score(codes[factor.rows[test]], target[test])
    if factor.values is None:
        most = np.bincount(factor.levels[test]).max() / len(test)
        quality = (quality - most) / max(1 - most, 1e-12)
    return np.asarray(forest.feature_importances_, np.float64), max(0.0, float(quality))


def beta_vae_score(codes: Floats, factors: Sequence[Factor], seed: int) -> float:
    """Higgins et al. 2017, sec. 3: can a straight line tell which factor pairs of pictures share?

    2,000 examples each to fit and to judge logistic regression by: a factor drawn at random, 64 pairs with the same
    level of it drawn from the pictures at hand (the paper renders them), the mean |z₁ − z₂| per dimension. Accuracy,
    rescaled so that 1 / F is 0. 1: always told; 0: chance. Coarse: it is 1 wherever factors leave different traces,
    be they in one dimension or many, and where F − 1 factors are told, the last follows.
    """
    from sklearn.linear_model import LogisticRegression

    parts = []
    for part in ("fit", "judge"):
        generator = random.generator(seed, "beta-vae", part)
        asked = generator.integers(len(factors), size=NUM_GROUPS)
        examples = np.zeros((NUM_GROUPS, codes.shape[1]))
        for k, factor in enumerate(factors):
            where = np.flatnonzero(asked == k)
            first, second = _pairs(factor, (len(where), GROUP_SIZE), generator)
            examples[where] = np.abs(codes[first] - codes[second]).mean(axis=1)
        parts.append((examples, asked))
    (train, asked), (test, expected) = parts
    mean, deviation = train.mean(axis=0), np.maximum(train.std(axis=0), 1e-12)
    classifier = LogisticRegression(max_iter=500).fit((train - mean) / deviation, asked)
    return _above_chance(classifier.score((test - mean) / deviation, expected), len(factors))


def factor_vae_score(codes: Floats, factors: Sequence[Factor], seed: int) -> float:
    """Kim & Mnih 2018, sec. 4: is the dimension that varies least among pictures alike in a factor always the same?

    2,000 groups each to fit and to judge the majority vote by: 64 pictures with the same level of a factor, drawn
    with replacement from those at hand; the dimension with the least variance, over its variance in all pictures,
    votes for the factor. Dimensions with a standard deviation below 0.05 (the prior's is 1) have no vote: the paper
    leaves collapsed ones out. Accuracy, rescaled so that 1 / F is 0. 1: always the same; 0: chance, or no dimension
    varies. A factor in two dimensions may still score 1; one dimension for two factors lowers it.
    """
    deviation = codes.std(axis=0)
    voters = (codes / np.maximum(deviation, SMALLEST_DEVIATION))[:, deviation > SMALLEST_DEVIATION]
    if not voters.shape[1]:
        return 0.0
    tables = np.zeros((2, len(factors), voters.shape[1]))
    for table, part in zip(tables, ("fit", "judge"), strict=True):
        generator = random.generator(seed, "factor-vae", part)
        asked = np.bincount(generator.integers(len(factors), size=NUM_GROUPS), minlength=len(factors))
        for k, factor in enumerate(factors):
            variance = voters[_groups(factor, int(asked[k]), generator)].var(axis=1)
            np.add.at(table[k], variance.argmin(axis=1), 1)
    right = tables[1][tables[0].argmax(axis=0), np.arange(voters.shape[1])].sum()
    return _above_chance(right / NUM_GROUPS, len(factors))


def _by_level(factor: Factor) -> tuple[Integers, Integers, Integers]:
    """Rows of the levels with enough pictures, sorted by level, with where each one's level begins and its size."""
    order = np.argsort(factor.levels, kind="stable")
    sizes = np.bincount(factor.levels)[factor.levels[order]]
    order, sizes = order[sizes >= SMALLEST_LEVEL], sizes[sizes >= SMALLEST_LEVEL]
    ordered = factor.levels[order]
    return factor.rows[order], np.searchsorted(ordered, ordered), sizes


def _pairs(
    factor: Factor, shape: tuple[int, ...], generator: np.random.Generator
) -> tuple[Integers, Integers]:
    """Rows of any picture, and of another one of the same level; two arrays of `shape`."""
    rows, begin, sizes = _by_level(factor)
    first = generator.integers(len(rows), size=shape)
    steps = generator.integers(1, sizes[first])
    second = begin[first] + (first - begin[first] + steps) % sizes[first]
    return rows[first], rows[second]


def _groups(factor: Factor, num_groups: int, generator: np.random.Generator) -> Integers:
    """Rows of pictures of one level each [num_groups, 64]; levels as frequent as among the pictures."""
    rows, begin, sizes = _by_level(factor)
    anchor = generator.integers(len(rows), size=(num_groups, 1))
    return rows[begin[anchor] + generator.integers(sizes[anchor], size=(num_groups, GROUP_SIZE))]


def _halves(factor: Factor, seed: int) -> tuple[Integers, Integers]:
    """Positions in two halves with the same share of every level, shuffled, at most 5,000 each."""
    generator = random.generator(seed, "halves", factor.name)
    shuffled = generator.permutation(len(factor.rows))
    ordered = shuffled[np.argsort(factor.levels[shuffled], kind="stable")]
    first, second = (generator.permutation(ordered[start::2])[:LARGEST_NUM_ROWS] for start in (0, 1))
    return first, second


def _chance(binned: Integers, factor: Factor, seed: int) -> float:
    """The largest mutual information of any dimension with the shuffled factor, of 20 shuffles."""
    generator = random.generator(seed, "shuffle", factor.name)
    columns = binned[factor.rows]
    shuffles = (generator.permutation(factor.levels) for _ in range(NUM_SHUFFLES))
    return max(float(mutual_information(columns, levels).max()) for levels in shuffles)


def _bins(values: Floats) -> Integers:
    """Which of 20 bins of equal width between the least and the largest value [N]; 0 to 19."""
    edges = np.histogram_bin_edges(values, NUM_BINS)
    return np.asarray(np.digitize(values, edges[1:-1]), np.int64)


def _concentration(weights: Floats) -> Floats:
    """1 less the entropy of each row's shares [m, n] over log n: 1 where one holds all, 0 where alike or nothing."""
    shares = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-300)
    entropy = -(shares * np.log(np.where(shares > 0, shares, 1))).sum(axis=1)
    return np.where(weights.sum(axis=1) > 0, 1 - entropy / np.log(weights.shape[1]), 0.0)


def _above_chance(accuracy: float, num_classes: int) -> float:
    return max(0.0, float((accuracy - 1 / num_classes) / (1 - 1 / num_classes)))
