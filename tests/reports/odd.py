"""The record of a page of anomalies."""

import numpy as np

from reports.anomaly_records import AnomaliesRecord, AnomalyScore, Count, OddPictures, ScoreSpread
from reports.records import Estimate, RunFacts
from tests.reports.shapes import CLASSES, HOSTILE, blend, shapes

ALARMS = Count(count=2, num=40, low=0.006, high=0.169)
RUN = RunFacts(name="r", command="c", source="s", date="d", versions={}, pages=("index", "anomalies"))


def odd_pictures(title: str, total: int) -> OddPictures:
    originals, labels = shapes(total)
    return OddPictures(
        title=title,
        note="The highest scores.",
        originals=originals,
        rebuilt=np.stack([blend(one, originals[0], 3)[1] for one in originals]),
        differences=originals[..., :1],
        ranks=list(range(1, total + 1)),
        p_values=[0.025 * (i + 1) for i in range(total)],
        classes=[CLASSES[label] for label in labels],
        truths=["abnormal" if label else "normal" for label in labels],
        paths=[f"{HOSTILE}/{i:03}.png" for i in range(total)],
    )


def anomalies_record() -> AnomaliesRecord:
    """Two scores with truth, one of them no better than chance, and a class with a hostile name."""
    random = np.random.default_rng(4)
    return AnomaliesRecord(
        run=RUN,
        answer="Reconstruction error tells abnormal pictures from normal ones: of one abnormal and one normal picture "
        "it finds the abnormal one odder in 81 % of cases (95 % interval 74 to 87 %, guessing 50 %).",
        facts=[
            ("Normal", HOSTILE),
            ("Threshold", "0.0042 (mean squared error): exceeded by 1 picture of 39 kept for calibration."),
            ("Promised", "2/40 = 5.0 % of new normal pictures above it."),
            ("Measured", "2 of 40 (5.0%) unseen normal pictures above it."),
        ],
        scores=[
            AnomalyScore(
                name="Reconstruction error",
                meaning="mean squared error",
                verdict="better than PCA (by 0.04 to 0.2)",
                auroc=Estimate(value=0.81, low=0.74, high=0.87),
                precision=Estimate(value=0.9),
                false_alarms=ALARMS,
                naive=Count(count=9, num=40, low=0.1, high=0.385),
                found=Count(count=30, num=80, low=0.27, high=0.49),
                is_main=True,
            ),
            AnomalyScore(
                name="PCA’s reconstruction error",
                meaning="the rival",
                verdict="not told from chance",
                auroc=Estimate(value=0.53, low=0.42, high=0.61),
                precision=Estimate(value=0.7, low=0.6, high=0.8),
                false_alarms=ALARMS,
                naive=ALARMS,
                found=Count(count=4, num=80, low=0.01, high=0.12),
            ),
        ],
        spread=ScoreSpread(
            name="Reconstruction error, mean squared error",
            values={
                "calibration": random.gamma(4, 0.0005, 39),
                "unseen, normal": random.gamma(4, 0.0005, 40),
                "abnormal": random.gamma(4, 0.001, 80),
            },
            threshold=0.0042,
        ),
        chance_precision=0.667,
        score_note="Intervals: 95 %.",
        shown=[odd_pictures("Most odd", 6), odd_pictures("Most typical", 3)],
        map_note="Mid-grey: none.",
        notes=["3 pictures are ranked but not counted in any figure."],
        methods=["Split-conformal prediction at α = 0.05."],
        csv="../anomalies/scores.csv",
    )
