"""The part that thresholds are calibrated on."""

import numpy as np
import pytest

from vae_tf.analysis.conformal import one_of_each, promise, threshold
from vae_tf.data.calibration import FEWEST_UNITS, split_for_calibration
from vae_tf.data.splits import FREE, OTHER, PARTS, split

SHARES = (60.0, 10.0, 15.0, 15.0)


def dealt(num, groups=None, seed=0):
    alone = np.full(num, -1)
    return split_for_calibration(
        np.zeros(num, np.int64),
        alone if groups is None else groups,
        SHARES,
        seed,
        alone.astype(np.int8),
        alone,
    )


@pytest.mark.parametrize(
    ("num", "enough"), [(30, False), (56, False), (60, True), (102, True), (127, True), (500, True)]
)
def test_the_part_grows_until_five_per_cent_can_be_promised(num, enough):
    parts, shares = dealt(num)
    found, said = len(parts.where("calibration")), " ".join(parts.notes)
    assert (found >= FEWEST_UNITS) == enough
    if shares == SHARES:
        assert enough or f"`anomalies` can promise is 1/{found + 1}" in said
    else:
        assert shares[1:3] == SHARES[1:3] and sum(shares) == 100 and "can promise 5 %" in said
    assert len(parts.where("train")) >= 0.4 * num
    assert promise(max(found, FEWEST_UNITS), 0.05).allowed >= 1


def test_groups_and_copies_are_counted_not_pictures():
    groups = np.repeat(np.arange(100), 4)
    parts, shares = dealt(400, groups)
    assert len(np.unique(groups[parts.where("calibration")])) >= FEWEST_UNITS and shares != SHARES
    assert not set(groups[parts.where("calibration")]) & set(groups[parts.where("train")])
    again, same = dealt(400)
    assert same == SHARES and len(again.where("calibration")) == 60
    pairs = np.repeat(np.arange(100), 2)
    alone = np.full(200, -1)
    labels, free = np.zeros(200, np.int64), alone.astype(np.int8)
    copied, grown = split_for_calibration(labels, alone, SHARES, 0, free, pairs)
    assert grown != SHARES and len(np.unique(pairs[copied.where("calibration")])) >= FEWEST_UNITS


def test_what_is_put_aside_stays_there_and_a_chosen_part_is_not_touched():
    labels = np.repeat([0, 1], [80, 50])
    fixed = np.where(labels == 1, OTHER, FREE).astype(np.int8)
    alone = np.full(130, -1)
    parts, _ = split_for_calibration(labels, alone, SHARES, 0, fixed, alone)
    assert np.array_equal(parts.where("other"), np.arange(80, 130))
    assert FEWEST_UNITS <= len(parts.where("calibration")) < 30
    fixed[:5] = PARTS.index("calibration")
    parts, shares = split_for_calibration(labels, alone, SHARES, 0, fixed, alone)
    assert parts.where("calibration").tolist() == [0, 1, 2, 3, 4] and shares == SHARES


def test_unseen_groups_might_as_well_have_calibrated():
    """Groups of one to hundreds of pictures, the larger the odder: what the split hands out keeps the promise.

    Dealt by fit alone, calibration would get the larger groups, and 5 % more false alarms than promised.
    """
    excess = []
    for seed in range(450):
        random = np.random.default_rng(seed)
        sizes = np.minimum(1 + (3 * random.pareto(1.0, 80)).astype(int), 300)
        groups = np.repeat(np.arange(80), sizes)
        scores = (random.normal(size=80) + 2 * np.log(sizes))[groups] + 0.1 * random.normal(size=len(groups))
        parts = split(np.zeros(len(groups), np.int64), groups, (42.0, 10.0, 15.0, 33.0), seed)
        calibration, test = parts.where("calibration"), parts.where("test")
        reference = scores[calibration][one_of_each(groups[calibration], seed)]
        if len(reference) < 5:
            continue
        found = promise(len(reference), 0.3)
        new = scores[test][one_of_each(groups[test], seed)]
        excess.append(np.mean(new > threshold(reference, found.allowed)) - found.rate)
    error = np.std(excess) / np.sqrt(len(excess))
    assert error < 0.015 and abs(np.mean(excess)) < 3 * error


def test_classes_stay_in_balance_when_the_parts_exchange_places():
    labels = np.repeat([0, 1], 100)
    parts = split(labels, np.full(200, -1), (60.0, 10.0, 15.0, 15.0), 3)
    for part in ("test", "calibration"):
        assert np.bincount(labels[parts.where(part)]).tolist() == [15, 15]
