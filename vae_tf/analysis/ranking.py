"""How well a score puts abnormal pictures before normal ones: AUROC and average precision, by resampling groups."""

import dataclasses
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

NUM_RESAMPLES = 2000
# Multiplicities of pictures held at once; more only need more memory.
BLOCK_SIZE = 20_000_000
QUANTILES = (0.025, 0.975)


@dataclasses.dataclass(frozen=True)
class Measured:
    """A figure with its 95 % interval; None where resampling cannot tell, as with too few groups."""

    value: float
    low: float | None
    high: float | None


@dataclasses.dataclass(frozen=True)
class Separation:
    """Of one score: AUROC, average precision, and its AUROC less that of the rival (None for the rival itself)."""

    auroc: Measured
    average_precision: Measured
    beyond_rival: Measured | None = None


def auroc(scores: NDArray[np.floating], is_abnormal: NDArray[np.bool_]) -> float:
    """P(an abnormal picture scores above a normal one), ties counting ½ (Mann & Whitney 1947), of scores [N]."""
    return float(Ranked(scores, is_abnormal).figures(np.ones((1, len(scores))))[0][0])


def average_precision(scores: NDArray[np.floating], is_abnormal: NDArray[np.bool_]) -> float:
    """Mean precision over the recalls from the highest score down, of scores [N]; a useless one has the prevalence."""
    return float(Ranked(scores, is_abnormal).figures(np.ones((1, len(scores))))[1][0])


class Ranked:
    """Scores sorted once, so that each resampling costs one pass.

    Args:
        scores: [N], higher is odder.
        is_abnormal: [N].
    """

    def __init__(self, scores: NDArray[np.floating], is_abnormal: NDArray[np.bool_]) -> None:
        self.order = np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable")
        ordered = np.asarray(scores)[self.order]
        self.starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
        self.is_abnormal = is_abnormal[self.order]

    def figures(self, weights: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """AUROC [R] and average precision [R] with each picture counted as often as `weights` [R, N] say."""
        sorted_weights = weights[:, self.order]
        found = np.add.reduceat(sorted_weights * self.is_abnormal, self.starts, axis=1)
        false = np.add.reduceat(sorted_weights * ~self.is_abnormal, self.starts, axis=1)
        all_found, all_false = np.cumsum(found, axis=1), np.cumsum(false, axis=1)
        num_found, num_false = all_found[:, -1], all_false[:, -1]
        below = num_false[:, None] - all_false
        area = np.sum(found * (below + 0.5 * false), axis=1) / (num_found * num_false)
        precision = all_found / np.maximum(all_found + all_false, 1e-300)
        return area, np.sum(found * precision, axis=1) / num_found


def separations(
    scores: dict[str, NDArray[np.floating]],
    is_abnormal: NDArray[np.bool_],
    units: NDArray[np.int64],
    rival: str,
    seed: int = 0,
) -> dict[str, Separation]:
    """AUROC and average precision of every score on the same resamplings of whole units.

    Units of normal pictures alone, of abnormal ones alone and of both are resampled apart, so that no resampling lacks
    one of the two.

    Args:
        scores: Arrays [N] by name, higher is odder.
        is_abnormal: [N], some of each.
        units: What may vary independently [N]: the group, or the picture.
        rival: The score that the others are compared with.
        seed: Of the resampling.
    """
    ranked = {name: Ranked(values, is_abnormal) for name, values in scores.items()}
    whole = {name: one.figures(np.ones((1, len(units)))) for name, one in ranked.items()}
    resampled: dict[str, list[NDArray[np.float64]]] = {name: [] for name in scores}
    enough = min(len(np.unique(units[is_abnormal])), len(np.unique(units[~is_abnormal]))) >= 2
    for weights in resamplings(is_abnormal, units, seed) if enough else ():
        for name, one in ranked.items():
            resampled[name].append(np.stack(one.figures(weights)))
    draws = {name: np.concatenate(parts, axis=1) for name, parts in resampled.items() if parts}
    return {name: separation(name, rival, whole, draws, is_abnormal, units) for name in scores}


def separation(
    name: str,
    rival: str,
    whole: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]],
    draws: dict[str, NDArray[np.float64]],
    is_abnormal: NDArray[np.bool_],
    units: NDArray[np.int64],
) -> Separation:
    area, precision = (float(values[0]) for values in whole[name])
    beyond = area - float(whole[rival][0][0])
    if not draws:
        return Separation(
            Measured(area, None, None),
            Measured(precision, None, None),
            None if name == rival else Measured(beyond, None, None),
        )
    low, high = interval(draws[name][0])
    about_precision = Measured(precision, *interval(draws[name][1]))
    if area in (0.0, 1.0):
        # Resampling a perfect order gives nothing but perfect orders. Of m pairs that share no unit all are in order.
        pairs = min(len(np.unique(units[is_abnormal])), len(np.unique(units[~is_abnormal])))
        edge = QUANTILES[0] ** (1.0 / pairs)
        low, high = (min(low, edge), high) if area == 1.0 else (low, max(high, 1.0 - edge))
        about_precision = Measured(precision, None, None)
    return Separation(
        Measured(area, low, high),
        about_precision,
        None if name == rival else Measured(beyond, *interval(draws[name][0] - draws[rival][0])),
    )


def interval(values: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.quantile(values, QUANTILES)
    return float(low), float(high)


def resamplings(
    is_abnormal: NDArray[np.bool_], units: NDArray[np.int64], seed: int
) -> Iterator[NDArray[np.float64]]:
    """How often each picture counts in each of 2,000 resamplings, in blocks [R, N]."""
    generator = np.random.default_rng(seed)
    _, codes = np.unique(units, return_inverse=True)
    num_units = int(codes.max()) + 1
    kinds = np.bincount(codes[is_abnormal], minlength=num_units).astype(bool) + 2 * np.bincount(
        codes[~is_abnormal], minlength=num_units
    ).astype(bool)
    block = max(1, min(NUM_RESAMPLES, BLOCK_SIZE // len(units)))
    sizes = [min(block, NUM_RESAMPLES - start) for start in range(0, NUM_RESAMPLES, block)]
    return (times_drawn(generator, kinds, size)[:, codes] for size in sizes)


def times_drawn(generator: np.random.Generator, kinds: NDArray[np.int64], num: int) -> NDArray[np.float64]:
    """How often each unit is drawn [num, U], among those of its own kind."""
    times = np.zeros((num, len(kinds)))
    for kind in np.unique(kinds):
        members = np.flatnonzero(kinds == kind)
        times[:, members] = generator.multinomial(len(members), np.full(len(members), 1 / len(members)), num)
    return times
