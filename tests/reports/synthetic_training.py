"""Records of the pages of traversals and of a training, and methods for every page, made of shapes."""

import numpy as np

from reports.method_records import Method
from reports.page import PAGES
from reports.records import CurveSegment, RunFacts
from reports.training_records import Choice, TrainingRecord
from reports.traversal_records import ClassMove, Link, TraversalsRecord, Walk
from tests.reports.shapes import HOSTILE, blend, shapes

METHODS = {
    page: Method(
        text="A model was trained.",
        parameters=[("seed", "0"), ("labels", HOSTILE)],
        command=f"python cli.py report 42 '{HOSTILE}'",
        versions={"vae_tf": "0.1.0", "numpy": "2.0"},
        date="21 November 2026",
    )
    for page in PAGES
}


def training_record(run: RunFacts, curves: list[CurveSegment]) -> TrainingRecord:
    """Eighty epochs of two runs; one dimension dies."""
    epochs = list(range(1, 81))
    values = [3000 - 40 * e + (0.9 * max(0, e - 62) ** 2) for e in epochs]
    kl = np.stack([np.linspace(0, 3, 80), np.linspace(1, 0, 80), np.full(80, 0.02)], axis=1)
    return TrainingRecord(
        run=run,
        answer="It over-fitted: after epoch 62 validation rose by 30 nats.",
        notes=["Validation objective: 3,000 after epoch 1."],
        curves=curves,
        choice=Choice(
            epochs=epochs,
            values=values,
            is_best=[e <= 62 for e in epochs],
            chosen=1 + int(np.argmin(values)),
        ),
        kl_epochs=epochs,
        kl=kl,
        gradient_epochs=epochs[40:],
        gradient_norm=[1000.0 / e for e in epochs[40:]],
        largest_gradient_norm=[3000.0 / e for e in epochs[40:]],
        rate_epochs=epochs,
        learning_rate=[1e-3 * (1 - e / 81) for e in epochs],
        parents=[("00041-shapes", "../../00041-shapes/report/training.html")],
        children=[(HOSTILE, "")],
        facts=[("Recipe", "conv")],
    )


def traversals_record(run: RunFacts) -> TraversalsRecord:
    """Two dimensions from two starting points, and one step between classes; names are hostile."""
    pictures, _ = shapes(6)
    frames = np.stack([blend(pictures[0], pictures[2], 9), blend(pictures[1], pictures[3], 9)])
    walks = [
        Walk(
            dimension=d,
            frames=frames,
            values=list(np.linspace(-2, 2, 9)),
            changed=np.abs(frames[0, -1].astype(float) - frames[0, 0]).mean(axis=-1) / 255,
            information=information,
            kl=None if information is None else information + 0.4,
            links=[
                Link(factor="age", kind="spearman", strength=-0.61, p=0.004),
                Link(factor=HOSTILE, kind="eta", strength=0.3, p=0.7),
            ],
        )
        for d, information in ((3, 2.1), (0, None))
    ]
    moved = np.stack([blend(pictures[i], pictures[i + 1], 4) for i in range(3)])
    move = ClassMove(
        a="red",
        b=HOSTILE,
        amounts=(0.0, 0.5, 1.0, 1.5),
        originals=pictures[:3],
        moved=moved,
        splits=["test"] * 3,
        num=10,
        read_as_b=[1, 4, 9, 10],
        controls_read_as_b=2,
        originals_read_as_b=1,
        bs_read_as_b=9,
        num_b=10,
        num_trained=(53, 54),
        paths=["red/001.png", f"{HOSTILE}.png", "red/003.png"],
    )
    return TraversalsRecord(
        run=run,
        answer="2 of 6 latent dimensions draw something; dimension 3 goes with age.",
        order_note="Ordered by mutual information.",
        range_note="From −2 to +2 standard deviations.",
        bases=["mean of all codes", f"{HOSTILE}/001.png"],
        base_splits=["", "test"],
        walks=walks,
        left_out=1,
        link_note="12 comparisons.",
        moves=[move],
        move_note="By the mean codes of training pictures.",
    )
