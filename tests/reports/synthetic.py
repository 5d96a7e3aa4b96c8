"""A whole report made of small coloured shapes, for the tests and for a look at the pages."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from reports.anomalies import write_anomalies
from reports.class_records import (
    ClassesRecord,
    ClassPictures,
    DimensionRow,
    Judged,
    Question,
    Score,
)
from reports.classes import write_classes
from reports.cluster_records import (
    AgreementRow,
    BicCurve,
    ClusterContents,
    ClustersRecord,
    StabilityCurve,
)
from reports.clusters import write_clusters
from reports.compare import write_compare
from reports.compare_records import Compared, CompareRecord, Overlaid
from reports.data import write_data
from reports.evaluation import write_evaluation
from reports.evaluation_records import BoundRow, BoundsOfPart, EvaluationRecord, Sampler
from reports.explore import ExploreRecord, write_explore
from reports.export import write_export
from reports.feature_records import Associations, FeaturesRecord, Switched
from reports.features import write_features
from reports.interpolation import write_interpolation
from reports.latents import write_latents
from reports.map_records import ColorBy, MapRecord, Projection, Reconstructed, Variant, Variants
from reports.overview import write_overview
from reports.prediction_records import (
    AccuracyRow,
    ClassGrid,
    PredictedPictures,
    PredictionsRecord,
    ReliabilityBin,
)
from reports.predictions import write_predictions
from reports.probe import write_probe
from reports.records import (
    Confusion,
    CurveSegment,
    Difference,
    DimensionStrip,
    Estimate,
    ExportRecord,
    Grid,
    InterpolationRecord,
    LatentsRecord,
    LineRecord,
    OtherFormat,
    OverviewRecord,
    PageForm,
    PathBetween,
    ProbeRecord,
    Quality,
    Reconstructions,
    RunFacts,
    Signature,
    SplitCount,
    Tensor,
)
from reports.training import write_training
from reports.traversals import write_traversals
from tests.reports.odd import anomalies_record
from tests.reports.shapes import CLASSES, HOSTILE, blend, shapes
from tests.reports.synthetic_training import METHODS, training_record, traversals_record

RUN = RunFacts(
    name="00042-shapes-conv-z6",
    command="python cli.py train shapes/ --latent 6",
    source="shapes/",
    date="21 November 2026",
    versions={"vae_tf": "0.1.0", "tensorflow": "2.21.0"},
    pages=(
        "index",
        "data",
        "training",
        "latents",
        "clusters",
        "classes",
        "interpolation",
        "explore",
        "traversals",
        "evaluation",
        "probe",
        "predictions",
        "features",
        "anomalies",
        "compare",
        "export",
    ),
    methods=METHODS,
)


def map_record(total: int = 60, seed: int = 0) -> MapRecord:
    """Three classes in three places, one file and one class with a hostile name."""
    random = np.random.default_rng(seed)
    pictures, labels = shapes(total)
    centres = np.array([[-6.0, 0.0], [5.0, 3.0], [2.0, -6.0]])
    xy = centres[labels] + random.normal(size=(total, 2))
    paths = [f"{CLASSES[label]}/{i:03}.png" for i, label in enumerate(labels)]
    splits = ["train" if i % 5 else ("test" if i % 10 else "validation") for i in range(total)]
    return MapRecord(
        projections=[
            Projection(name="t-SNE", xy=xy, trustworthiness=0.93, note="Perplexity 12."),
            Projection(name="UMAP", xy=xy[:, ::-1] * 3, trustworthiness=0.88),
            Projection(name="PCA", xy=xy * [1, 0.3], trustworthiness=0.71),
        ],
        pictures=pictures,
        paths=paths,
        splits=splits,
        color_by=[
            ColorBy(name="class", kind="category", values=labels, categories=CLASSES, public=True),
            ColorBy(
                name="group",
                kind="category",
                values=np.where(np.arange(total) < 3, -1, np.arange(total) // 4),
                categories=[f"person {i}" for i in range(total // 4 + 1)],
            ),
            ColorBy(
                name="error",
                kind="number",
                values=np.where(np.arange(total) == 7, np.nan, random.random(total)),
            ),
            ColorBy(name="latent 2 (KL 1.2 nats)", kind="number", values=xy[:, 0], listed=False),
        ],
        neighbours=neighbours(xy),
        reconstructed=Reconstructed(pictures=255 - pictures[::2], positions=np.arange(0, total, 2)),
        variants=variants(xy),
    )


def neighbours(xy: np.ndarray) -> np.ndarray:
    """The next four of many, the nearest four of few [N, 4]."""
    if len(xy) > 1000:
        return (np.arange(len(xy))[:, None] + [1, 2, 3, 4]) % len(xy)
    distances = np.linalg.norm(xy[:, None] - xy[None], axis=2)
    return np.argsort(distances, axis=1)[:, 1:5]


def variants(xy: np.ndarray) -> Variants:
    """Every second picture, twice, and a cloud."""
    chosen = np.arange(0, len(xy), 2)
    shown = [("t-SNE, perplexity 5", False), ("UMAP, neighbours 15", False), ("t-SNE, perplexity 5", True)]
    return Variants(
        maps=[
            Variant(
                name=name,
                xy=xy[chosen] * [1, i + 1],
                trustworthiness=0.9 - i / 20,
                stability=0.6 - i / 10,
                chance=0.09,
                shapeless=shapeless,
            )
            for i, (name, shapeless) in enumerate(shown)
        ],
        positions=chosen,
        neighbours=10,
    )


def curves() -> list[CurveSegment]:
    """Two runs, the second extending the first."""
    segments = []
    for run, epochs in (("00041-shapes", range(1, 41)), ("00042-shapes", range(41, 81))):
        e = np.array(epochs, dtype=float)
        reconstruction = -3000 + 9000 / e
        kl = 20 * (1 - np.exp(-e / 15))
        segments.append(
            CurveSegment(
                run=run,
                epochs=list(epochs),
                series={
                    "loss": list(reconstruction + kl),
                    "validation_objective": list(reconstruction + kl + 40 + e),
                    "reconstruction": list(reconstruction),
                    "kl": list(kl),
                    "validation_elbo": list(-(reconstruction + kl + 40 + e)),
                },
            )
        )
    return segments


def reconstructions(total: int, offset: int) -> Reconstructions:
    """Pictures that the VAE darkens a little and PCA a little more."""
    originals, labels = shapes(total + offset)
    originals = originals[offset:]
    return Reconstructions(
        originals=originals,
        vae=originals - np.uint8(8),
        pca=originals - np.uint8(20),
        vae_mse=[0.0047 + 0.0002 * i for i in range(total)],
        pca_mse=[0.0059 - 0.0002 * i for i in range(total)],
        paths=[f"{CLASSES[labels[offset + i]]}/{offset + i:03}.png" for i in range(total)],
    )


def overview_record() -> OverviewRecord:
    """Everything the first page can show."""
    cells = [
        ("MSE", "VAE", "test", 0.00459, 0.0041, 0.0051),
        ("MSE", "PCA", "test", 0.00587, 0.0053, 0.0064),
        ("SSIM", "VAE", "test", 0.754, 0.73, 0.77),
        ("SSIM", "PCA", "test", 0.693, 0.67, 0.71),
        ("MSE", "VAE", "train", 0.0031, 0.0030, 0.0032),
        ("MSE", "PCA", "train", 0.0043, 0.0042, 0.0044),
        ("SSIM", "VAE", "train", 0.81, None, None),
        ("SSIM", "PCA", "train", 0.76, None, None),
    ]
    return OverviewRecord(
        run=RUN,
        answer="On 44 pictures of 22 people it has never seen, the VAE keeps more than PCA of its size: "
        "mean squared error 0.0046 against 0.0059.",
        trained_on="160 pictures of 80 people in 3 classes, 24 × 24 pixels, in colour",
        headline="Readable: 5-NN balanced accuracy 0.54 (chance 0.50), p = 0.31. Clustered: no.",
        next_command="python cli.py cluster-report",
        facts=[
            ("Recipe", "conv"),
            ("Latent dimensions", "6"),
            ("β", "1"),
            ("Seed", "0"),
            ("Device", "CPU, float32"),
        ],
        counts=[
            SplitCount(split="train", pictures=160, groups=80, classes=dict.fromkeys(CLASSES, 53)),
            SplitCount(split="validation", pictures=20, groups=10, classes=dict.fromkeys(CLASSES, 7)),
            SplitCount(split="test", pictures=44, groups=22, classes=dict.fromkeys(CLASSES, 14)),
        ],
        unseen=reconstructions(8, 3),
        trained=reconstructions(8, 20),
        quality=[
            Quality(measure=m, method=a, split=s, value=v, low=lo, high=hi, lower_is_better=m == "MSE")
            for m, a, s, v, lo, hi in cells
        ],
        verdict="The VAE reconstructs unseen pictures better than PCA with as many components.",
        quality_note="Intervals: 95 %, from 1,000 resamplings of people.",
        curves=curves(),
        best_epoch=62,
        samples=shapes(16)[0],
        kl_per_dimension=np.array([3.1, 0.02, 2.2, 0.4, 0.05, 1.7]),
        warnings=["Only 44 unseen pictures: intervals are wide."],
        skipped=[(f"broken/{HOSTILE}.jpg", "not a picture"), ("notes.txt.png", "truncated after 12 kB")],
    )


def latents_record() -> LatentsRecord:
    """Three strips."""
    pictures = shapes(10)[0]
    splits = ["train", "test"] * 5
    return LatentsRecord(
        run=RUN,
        kl_per_dimension=np.array([3.1, 0.02, 2.2, 0.4, 0.05, 1.7]),
        information_per_dimension=np.array([2.9, 0.01, 2.0, 0.02, 0.04, 1.5]),
        spread_per_dimension=np.array([0.99, 0.1, 0.95, 0.6, 0.2, 0.93]),
        strips=[
            DimensionStrip(dimension=d, values=list(np.linspace(-2, 2, 10)), pictures=pictures, splits=splits)
            for d in (0, 2, 5)
        ],
        line=LineRecord(
            values=list(np.linspace(-2, 2, 10)), counts=[3, 0, 1, 2, 0, 0, 4, 1, 1, 2], pictures=pictures
        ),
        csv="../embed/latents.csv",
        npz="runs/00042-shapes-conv-z6/embed/latents.npz",
        arrays=[
            ("mean", "[204, 6]", "posterior mean of each picture"),
            ("split", "[204]", "train, validation or test"),
        ],
    )


def clusters_record(total: int = 60) -> ClustersRecord:
    """The map, BIC, stability, two clusterings against what is known, two clusters."""
    pictures, _ = shapes(13)
    k = range(2, 9)
    return ClustersRecord(
        run=RUN,
        headline="The pictures fall into 3 clusters, and other samples give nearly the same ones. All 20 subsamples of "
        "80 % of the pictures give k = 3 as well. They have nothing to do with the classes.",
        map=map_record(total),
        facts=["3 clusters have the lowest BIC of 1 to 8."],
        bic=[
            BicCurve(method="k-means", k=range(1, 9), bic=[50, 40, 33, 34, 36, 39, 43, 48], chosen=3),
            BicCurve(
                method="Gaussian mixture", k=range(1, 9), bic=[45, 36, 38, 41, 44, 48, 52, 57], chosen=2
            ),
        ],
        stability=StabilityCurve(
            k=list(k),
            mean=np.array([0.7, 0.92, 0.6, 0.5, 0.45, 0.4, 0.41]),
            lowest=np.array([0.4, 0.85, 0.3, 0.3, 0.2, 0.2, 0.25]),
            noise=np.full(7, 0.35),
        ),
        agreements=[
            AgreementRow(
                name="k-means, k by BIC (shown here)",
                num_clusters=3,
                classes=Estimate(value=-0.004, low=-0.02, high=0.02),
                groups=Estimate(value=0.41, low=0.3, high=0.52),
                ari=0.02,
            ),
            AgreementRow(
                name="Gaussian mixture, k by BIC", num_clusters=2, classes=Estimate(value=0.01), ari=0.0
            ),
        ],
        agreement_note="AMI: 0 by chance.",
        clusters=[
            ClusterContents(
                name=f"Cluster {i}",
                size=30,
                pictures=pictures[:12],
                splits=["train", "test"] * 6,
                classes={"red": 20, HOSTILE: 10},
                average=pictures[12:],
                num_groups=7,
            )
            for i in (1, 2)
        ],
    )


def classes_record() -> ClassesRecord:
    """Three classes with typical and misplaced pictures, tables, dimensions, power."""
    pictures, labels = shapes(9)

    def judged(offset: int, num: int) -> Judged:
        chosen = np.arange(offset, offset + num)
        return Judged(
            pictures=pictures[chosen],
            paths=[f"{HOSTILE}/{i}.png" for i in chosen],
            splits=["train", "test", "validation"][:num],
            taken_for=[CLASSES[labels[i]] for i in chosen],
            probabilities=[0.97, 0.9, 0.55][:num],
        )

    spaces = ("VAE latents", "PCA", "pixels")
    readable = [
        Score(
            statistic="ridge-probe balanced accuracy",
            space=space,
            value=0.54 + i / 50,
            chance=0.5,
            p=0.31,
            least_p=0.001,
            detectable=0.72,
            low=0.41,
            high=0.66,
            primary=not i,
        )
        for i, space in enumerate(spaces)
    ]
    clustered = [
        Score(statistic="ARI", space=s, value=0.02, chance=0.0, p=0.4, least_p=0.001, detectable=0.09)
        for s in spaces
    ]
    return ClassesRecord(
        run=RUN,
        answer=f"No difference between red, green and {HOSTILE} was found: a rule learnt on pictures of "
        "other groups names "
        "the class of 54 % of the pictures rightly (95 % interval 41 to 66 %, guessing 50 %, p = 0.31).",
        clustered="They form no clusters of their own.",
        classes=[
            ClassPictures(name=name, total=20, wrong=3, typical=judged(0, 3), misplaced=judged(3, 2))
            for name in CLASSES
        ],
        left_out="3 classes with fewer mistakes left out.",
        confusion=Confusion(
            title="Which classes are taken for which? True class in rows",
            rows=CLASSES,
            columns=CLASSES,
            counts=np.array([[10, 6, 4], [7, 8, 5], [3, 9, 8]]),
            finding=f"Most often {HOSTILE} is taken for green: 9 of 20 pictures.",
        ),
        questions=[
            Question(title="Can the classes be read?", answer="Not with these pictures.", scores=readable),
            Question(title="Do the classes form clusters?", answer="No.", scores=clustered),
        ],
        dimensions=[
            DimensionRow(dimension=i, explained=0.3 / i, by_chance=0.02, p=0.004 * i, shift=-0.8 / i)
            for i in (1, 2, 3)
        ],
        dimension_answer="3 of 6 differ between the classes, most first: 1, 2, 3.",
        dimension_note="p is corrected for all dimensions.",
        power=[(0.55, 0.003), (0.7, 0.42), (0.95, 0.999)],
        power_answer="With 20 pictures, a rule that is right for 83 % of new pictures would have been found.",
        power_note="Found: p ≤ 0.05.",
        methods=[
            "Each of 20 people appears in every class, so labels were permuted within people, 999 times."
        ],
    )


def interpolation_record() -> InterpolationRecord:
    """Two pairs, a path between class means, a grid and a manifold."""
    pictures, _ = shapes(6)
    a, b, c, d = pictures[:4]
    corners = np.stack(
        [blend(left, right, 7) for left, right in zip(blend(a, c, 7), blend(b, d, 7), strict=True)]
    )
    pair = PathBetween(
        a="red/000.png",
        b=f"{HOSTILE}/005.png",
        split_a="test",
        split_b="test",
        linear=blend(a, pictures[5], 9),
        spherical=blend(a, pictures[5], 9),
        original_a=a,
        original_b=pictures[5],
    )
    return InterpolationRecord(
        run=RUN,
        answer="Between two unseen pictures the model changes shape and colour step by step, without a jump.",
        pairs=[pair, pair],
        class_means=[PathBetween(a="red", b="green", linear=blend(a, b, 9))],
        corners=Grid(
            pictures=corners,
            note="Linear between four unseen pictures",
            corners=["a", "b", "c", HOSTILE],
            splits=["test"] * 4,
            originals=pictures[:4],
        ),
        corners_spherical=Grid(pictures=corners, note="Spherical", corners=["a", "b", "c", HOSTILE]),
        manifold=Grid(pictures=corners, note="Latent 0 from left to right, latent 1 from top to bottom"),
    )


def explore_record() -> ExploreRecord:
    """Two latents that a layer turns into logits of 6×4 grey pixels, and a layer that reads them off the picture."""
    generator = np.random.default_rng(5)
    pictures = generator.integers(0, 256, (9, 6, 4, 1), dtype=np.uint8)
    kernel, bias = generator.normal(size=(2, 24)), generator.normal(size=24)
    reading = generator.normal(size=(24, 2)).astype(np.float16)
    weights = np.concatenate([kernel.ravel(), bias, reading.ravel(), np.zeros(2)]).astype(np.float16)
    exact = weights.astype(np.float64)
    means = pictures.reshape(9, 24) / 255.0 @ reading.astype(np.float64)
    average = means.mean(axis=0)
    logits = average @ exact[:48].reshape(2, 24) + exact[48:72]
    dense = {"op": "dense", "activation": "linear"}
    return ExploreRecord(
        run=RUN,
        encode=[{"op": "flatten"}, dense | {"units": 2, "weights": 72, "bias": 120}],
        decode=[
            dense | {"units": 24, "weights": 0, "bias": 48},
            {"op": "reshape", "shape": [6, 4, 1]},
            {"op": "mean", "channels": 1, "of": "sigmoid"},
        ],
        weights=weights,
        shape=(6, 4, 1),
        fit="crop",
        order=[1, 0],
        told=[0.05, 2.0],
        average=average,
        spread=means.std(axis=0),
        samples=generator.normal(size=(5, 2)),
        means=means,
        pictures=pictures,
        paths=[f"red/{i:03}.png" for i in range(8)] + [f"{HOSTILE}/008.png"],
        splits=["train"] * 6 + ["test"] * 3,
        classes=["red"] * 8 + [HOSTILE],
        starts=[6, 7, 8],
        total=9,
        average_drawn=np.rint(255 / (1 + np.exp(-logits))).astype(np.uint8).reshape(6, 4, 1),
        checked=pictures[6],
        checked_mean=means[6],
    )


def export_record() -> ExportRecord:
    """Two signatures, both equal to the run."""
    image = Tensor(name="image", shape="[batch, 24, 24, 3]", dtype="uint8", meaning="pictures, 0 to 255")
    latent = Tensor(name="mean", shape="[batch, 6]", dtype="float32", meaning="posterior mean")
    return ExportRecord(
        run=RUN,
        location="runs/00042-shapes-conv-z6/export/1",
        signatures=[
            Signature(
                name="encode",
                summary="the latents of pictures",
                inputs=[image],
                outputs=[latent],
                differences=[Difference(output="mean", largest=2e-7, mean=3e-8, tolerance=3e-5, scale=3.0)],
            ),
            Signature(
                name="decode",
                inputs=[latent],
                outputs=[image],
                differences=[Difference(output="pictures", largest=0.0, mean=0.0, tolerance=1.0)],
            ),
        ],
        largest=7e-8,
        checked_on="16 unseen pictures",
        files="the source's own files",
        examples=[("With TensorFlow", "import tensorflow as tf\nmodel = tf.saved_model.load('export/1')")],
        sizes=[("saved_model.pb", 812_345), ("variables/variables.data-00000-of-00001", 17_123_456)],
        formats=[
            OtherFormat(
                title="ONNX",
                weights=weights,
                location="runs/00042-shapes-conv-z6/export-onnx/model",
                num_bytes=5_000_000,
                largest=0.02,
                mean=0.001,
                tolerances=(0.25, 0.03),
                rise=rise,
                speeds=[("1", 661.0, 250.0), ("32", 735.0, 300.0)],
                left_out=[("score", "it has no operation for Log1p")],
            )
            for weights, rise in (("int8", 0.0035), ("float32", None))
        ],
    )


def compare_record() -> CompareRecord:
    """Two runs on the same pictures and one on others; a run's name is hostile."""
    pictures, _ = shapes(12)
    runs = [
        Compared(
            name=name,
            address=f"../{i}/report/index.html",
            headline=headline,
            originals=own,
            reconstructions=own,
        )
        for i, (name, headline, own) in enumerate(
            [
                ("00001-faces-conv-z20", "Readable: yes. Clustered: no.", pictures[:6]),
                ("00002-faces-conv-z50", "", pictures[:6]),
                ("<script>alert(1)</script>", "", pictures[6:9]),
            ]
        )
    ]
    cells = [[run.name, "conv", "20", "10 unseen", "0.00400 (0.003 to 0.005) *", "0.750"] for run in runs]
    columns = ["run", "recipe", "latent", "pictures", "MSE", "SSIM"]
    return CompareRecord(
        run=RUN,
        answer="00001-faces-conv-z20 rebuilds 10 unseen pictures best.",
        columns=columns,
        cells=cells,
        runs=runs,
        notes=["* the best."],
        curves=[
            Overlaid(
                title="Validation ELBO, nats",
                curves=[(run.name, [10, 20, 30], [-5.0 * i, 2.0, 4.0 + i]) for i, run in enumerate(runs)],
            )
        ],
    )


def evaluation_record() -> EvaluationRecord:
    """Bounds of two parts, two samplers, two scores."""
    pictures, _ = shapes(6)
    rows = [
        BoundRow(name="ELBO", num_samples=1, mean=-101.3, standard_error=0.8),
        BoundRow(name="importance-weighted", num_samples=100, mean=-98.7, standard_error=0.8, effective=23.5),
        BoundRow(name="naive, prior", num_samples=100, mean=-310.2, standard_error=9.1, effective=1.02),
    ]
    return EvaluationRecord(
        run=RUN,
        answer="Unseen pictures: log p(x) is at least -98.7 ± 0.8 nats on average.",
        unit="nats of mass over black and white",
        bounds=[
            BoundsOfPart(split="test", num=100, rows=rows),
            BoundsOfPart(split="train", num=100, rows=rows),
        ],
        sentences=["6 of 6 latent dimensions are used.", "No over-fitting to be seen."],
        samplers=[Sampler(name="prior", distance=3.2, floor=0.4, detail=0.31)],
        sample_note="Below 1 they are blurred.",
        drawn={"prior": pictures},
        factor_scores=[("MIG", 0.31, "gap between dimensions")],
        factor_notes=["hue has one value, left out."],
    )


def probe_record() -> ProbeRecord:
    """Three methods at two numbers of labels."""
    return ProbeRecord(
        run=RUN,
        answer="With 1 label of each class, a linear classifier on latents tells 71 % of unseen pictures rightly.",
        part="test",
        num_judged=40,
        chance=0.5,
        columns=["1", "all"],
        rows=[
            ("latents, linear", [[0.7, 0.72, 0.71], [0.93]]),
            ("PCA, linear", [[0.6, 0.66, 0.64], [0.9]]),
            ("encoder, fine-tuned", [[0.68, 0.75, 0.7], [0.97]]),
        ],
        note="Fine-tuned with the augmentation of the run.",
    )


def predictions_record() -> PredictionsRecord:
    """Two groups of pictures, two grids, one of them with originals; names are hostile."""
    pictures, labels = shapes(12)
    names = [CLASSES[label] for label in labels]
    grid = np.stack([pictures[:3], pictures[3:6]])
    return PredictionsRecord(
        run=RUN,
        answer="From 6 labelled pictures the model names the class of 54 others: 90.0 % right.",
        counts=[("unseen, class known", 20), ("trained on, label hidden", 34)],
        accuracies=[
            AccuracyRow(name="unseen", num=20, accuracy=0.9, low=0.7, high=0.97, balanced=0.88, baseline=0.5),
            AccuracyRow(
                name="validation", num=1, accuracy=1.0, low=None, high=None, balanced=1.0, baseline=1.0
            ),
        ],
        accuracy_note="Intervals: 95 %.",
        calibration=["On 30 validation labels the model was too sure: its logits are divided by 1.80."],
        reliability=[
            ReliabilityBin(num=n, confidence=c, accuracy=c - 0.1) for n, c in ((5, 0.5), (15, 0.95))
        ],
        confusion=Confusion(
            title="True class against predicted class",
            rows=CLASSES,
            columns=CLASSES,
            counts=np.array([[6, 1, 0], [0, 7, 0], [1, 0, 5]]),
            finding="Most often the first is taken for the second.",
        ),
        shown=[
            PredictedPictures(
                title=title,
                pictures=pictures,
                paths=[f"{HOSTILE}/{i}.png" for i in range(12)],
                classes=names,
                probabilities=[0.5] * 12,
                truths=["", CLASSES[0], *names[2:]],
            )
            for title in ("Least sure", "Most sure")
        ],
        grids=[
            ClassGrid(
                title="Samples of each class", note="A class in each column.", pictures=grid, classes=CLASSES
            ),
            ClassGrid(
                title="As every class",
                note="Left: pictures.",
                pictures=grid,
                classes=CLASSES,
                originals=pictures[:2],
            ),
        ],
        csv="../predictions/predictions.csv",
    )


def features_record() -> FeaturesRecord:
    """Ten features, six in use, one factor with a hostile name."""
    pictures, _ = shapes(6)
    random = np.random.default_rng(2)
    share = np.array([0.9, 0.7, 0.5, 0.45, 0.2, 0.05, 0.0, 0.0, 0.0, 0.0])
    strength = random.random((3, 10)) ** 4
    return FeaturesRecord(
        run=RUN,
        answer="A picture has 2.8 features on; 6 of 10 are in use.",
        share_on=share,
        probability=0.9 ** np.arange(1, 11),
        num_on=random.integers(1, 6, 60),
        factors=["class", "mouth open", HOSTILE],
        switching=Associations(strength=strength, p_values=np.where(strength > 0.2, 0.012, 0.6)),
        moving=Associations(
            strength=strength[:, ::-1], p_values=np.where(strength[:, ::-1] > 0.3, 0.03, 1.0)
        ),
        features=[
            Switched(
                feature=k,
                share_on=share[k],
                off=pictures[:3],
                on=pictures[3:],
                splits=["train", "test", "validation"],
                paths=["a.png", HOSTILE, "b.png"],
                factors=[("class", 0.41, 0.012)] if k else [],
                moved_by=[("mouth open", 0.3, 0.012)] if k == 2 else [],
            )
            for k in range(3)
        ],
        notes=["Tested on 60 pictures."],
    )


def pages_of_pictures(run: RunFacts) -> list[tuple[Callable[..., Path], Any]]:
    """How each page of a run on pictures is written, and its record."""
    from tests.reports.test_data_page import data_record

    records = [
        (write_overview, overview_record()),
        (write_data, data_record()),
        (write_latents, latents_record()),
        (write_clusters, clusters_record()),
        (write_classes, classes_record()),
        (write_interpolation, interpolation_record()),
        (write_explore, explore_record()),
        (write_export, export_record()),
        (write_compare, compare_record()),
        (write_evaluation, evaluation_record()),
        (write_probe, probe_record()),
        (write_predictions, predictions_record()),
        (write_features, features_record()),
        (write_anomalies, anomalies_record()),
        (write_training, training_record(run, curves())),
        (write_traversals, traversals_record(run)),
    ]
    return [(write, replace(record, run=run)) for write, record in records]  # type: ignore[type-var]


def write_report(folder: Path, form: PageForm = PageForm()) -> Path:
    """Writes every page in this form; returns the folder."""
    for write, record in pages_of_pictures(replace(RUN, form=form)):
        write(folder, record)
    return folder


if __name__ == "__main__":
    import sys

    write_report(
        Path(sys.argv[1]),
        PageForm(
            single_file="--single-file" in sys.argv,
            pictures="--no-thumbnails" not in sys.argv,
        ),
    )
