"""What a pipeline fills in and a page shows: plain arrays, texts and numbers, one record per page.

Pictures are uint8 arrays [N, H, W, C] with C 1 or 3; splits are named as in the run: "train", "validation",
"test" or "calibration". Texts are plain (never HTML): the templates escape them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reports.compare_records import Overlaid
from reports.method_records import Method

Pictures = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, kw_only=True)
class PageForm:
    """How the pages of a report are written.

    Attributes:
        single_file: Every page is one file that needs no other, to be sent by mail.
        pictures: False leaves out every picture, also those that the model makes up (it may have learned
            real ones by heart), and every file name, so that a report on private pictures can be shown.
    """

    single_file: bool = False
    pictures: bool = True

    def beside(self, folder: Path) -> Path | None:
        """Where files beside the pages are to lie; None where a page must hold them itself."""
        return None if self.single_file else folder


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """What every page of a report says about its run; `pages`: keys of `reports.page.PAGES` that exist.

    `noun`: what one of the things is that the run is about, "picture" or "sentence".
    `methods`: how each page was made, by its key.
    """

    name: str
    command: str
    source: str
    date: str
    versions: Mapping[str, str]
    pages: Sequence[str]
    form: PageForm = PageForm()
    noun: str = "picture"
    methods: Mapping[str, Method] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A figure with its 95 % interval; None where there is no interval."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class SplitCount:
    """How many pictures a split holds; `groups` (people, plates, …) and `classes` where it has them."""

    split: str
    pictures: int
    groups: int | None = None
    classes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class CurveSegment:
    """The epochs that one run trained; a run extended from parents has one segment for each, oldest first.

    `series` maps a name in `reports.figures.SERIES` to one value per epoch (NaN where there is none).
    """

    run: str
    epochs: Sequence[int]
    series: Mapping[str, Sequence[float]]


@dataclass(frozen=True, kw_only=True)
class Reconstructions:
    """Some pictures of one split beside what the VAE and PCA make of them, with the error of each picture."""

    originals: Pictures
    vae: Pictures
    vae_mse: Sequence[float]
    pca: Pictures | None = None
    pca_mse: Sequence[float] | None = None
    paths: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Quality:
    """One cell of the quality table: `method` ("VAE", "PCA") on `split` by `measure` ("MSE", "PSNR", "SSIM")."""

    measure: str
    method: str
    split: str
    value: float
    low: float | None = None
    high: float | None = None
    lower_is_better: bool = True


@dataclass(frozen=True, kw_only=True)
class OverviewRecord:
    """The first page: `answer` is its one sentence; `headline` what a later stage found, if it has run.

    `elsewhere`: (name, address) of the reports on other pictures under the same model, or of the run's own.
    """

    run: RunFacts
    answer: str
    trained_on: str
    next_command: str
    headline: str = ""
    elsewhere: Sequence[tuple[str, str]] = ()
    facts: Sequence[tuple[str, str]] = ()
    counts: Sequence[SplitCount] = ()
    unseen: Reconstructions | None = None
    trained: Reconstructions | None = None
    quality: Sequence[Quality] = ()
    model: str = "VAE"
    verdict: str = ""
    quality_note: str = ""
    curves: Sequence[CurveSegment] = ()
    best_epoch: int | None = None
    samples: Pictures | None = None
    kl_per_dimension: Numbers | None = None
    information_per_dimension: Numbers | None = None
    warnings: Sequence[str] = ()
    skipped: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, kw_only=True)
class DimensionStrip:
    """Pictures from the lowest to the highest value on one latent dimension, all equally long.

    Without pictures the `paths` are sentences, and shown in their place.
    """

    dimension: int
    values: Sequence[float]
    pictures: Pictures | None
    splits: Sequence[str]
    paths: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class LineRecord:
    """A latent space of one dimension: equal steps of it, the codes in each, and what its middle decodes to."""

    values: Sequence[float]
    counts: Sequence[int]
    pictures: Pictures


@dataclass(frozen=True, kw_only=True)
class LatentsRecord:
    """The page of `embed`; links are relative to the report folder, such as "../embed/latents.csv".

    `kl_per_dimension` is None for a plain autoencoder, whose codes have no distribution; `information_per_dimension`,
    what each dimension tells of a picture, also where it is not known.
    """

    run: RunFacts
    kl_per_dimension: Numbers | None
    spread_per_dimension: Numbers
    strips: Sequence[DimensionStrip]
    csv: str
    line: LineRecord | None = None
    information_per_dimension: Numbers | None = None
    npz: str
    arrays: Sequence[tuple[str, str, str]] = ()
    answer: str = ""


@dataclass(frozen=True, kw_only=True)
class Confusion:
    """Counts of true class (rows) against predicted class or cluster (columns)."""

    title: str
    rows: Sequence[str]
    columns: Sequence[str]
    counts: npt.NDArray[Any]
    finding: str = ""


@dataclass(frozen=True, kw_only=True)
class PathBetween:
    """Decoded frames [num, H, W, C] from A to B: straight through the latents, and along the sphere if given.

    `split_a`, `split_b` are "" for what is not a picture of the data, such as the mean of a class.
    """

    a: str
    b: str
    linear: Pictures
    spherical: Pictures | None = None
    split_a: str = ""
    split_b: str = ""
    original_a: Pictures | None = None
    original_b: Pictures | None = None
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Decoded pictures [R, C, H, W, channels]; `corners`: their names, reading order; `note`: what varies.

    `originals`: the pictures at the corners as they are [4, H, W, channels].
    """

    pictures: Pictures
    note: str
    corners: Sequence[str] = ()
    splits: Sequence[str] = ()
    originals: Pictures | None = None


@dataclass(frozen=True, kw_only=True)
class InterpolationRecord:
    """The page of `interpolation-grid`; `manifold` for a model with two latents (with one: a single row)."""

    run: RunFacts
    answer: str
    pairs: Sequence[PathBetween] = ()
    class_means: Sequence[PathBetween] = ()
    corners: Grid | None = None
    corners_spherical: Grid | None = None
    manifold: Grid | None = None


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """One input or output of a signature; `shape` as text, such as "[batch, 64, 64, 3]"."""

    name: str
    shape: str
    dtype: str
    meaning: str = ""


@dataclass(frozen=True, kw_only=True)
class Signature:
    """One signature of the SavedModel and how far its outputs lay from the run's own, in a fresh process."""

    name: str
    inputs: Sequence[Tensor]
    outputs: Sequence[Tensor]
    difference: float | None = None
    tolerance: float | None = None


@dataclass(frozen=True, kw_only=True)
class ExportRecord:
    """The page of `export`; `examples` are (title, code) blocks, `sizes` are (file, bytes)."""

    run: RunFacts
    location: str
    signatures: Sequence[Signature]
    examples: Sequence[tuple[str, str]] = ()
    sizes: Sequence[tuple[str, int]] = ()
    answer: str = ""


@dataclass(frozen=True, kw_only=True)
class Remark:
    """A sentence that names nobody, and the pictures or people it is about, which a page may leave out."""

    text: str
    examples: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Shown:
    """Some pictures under one name, such as those of a class; `total`: how many there are in all."""

    name: str
    total: int
    pictures: Pictures
    splits: Sequence[str]
    paths: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Copied:
    """Pictures that are copies of each other; `similarity` is 1 for exact ones; `classes` where they have some."""

    pictures: Pictures
    splits: Sequence[str]
    similarity: float = 1.0
    classes: Sequence[str] = ()
    paths: Sequence[str] = ()
    total: int = 0


@dataclass(frozen=True, kw_only=True)
class DataColumn:
    """What is known of every picture beside its pixels; `kind`: "number" or "text"."""

    name: str
    kind: str
    distinct: int
    missing: int = 0


@dataclass(frozen=True, kw_only=True)
class DataRecord:
    """The page of the pictures themselves, for somebody who has not seen them yet.

    Attributes:
        image_shape: Height, width, channels.
        counts: One for each part that holds pictures.
        num_groups: People, plates, … in all parts together; None where they are not known.
        remarks: What is odd, the worst first; none where nothing is.
        sheet: Some pictures of every class, or of all, where there are no classes.
        copies: Exact ones first; `num_copies` (groups and pairs) counts those that are not shown, too.
        search_note: How near copies were looked for.
        constant: Pictures of one colour.
        original_sizes: (width, height, files) as the files have them.
        light: (name of the quantile, brightness, contrast) over the pictures, from 0 to 1.
        skipped: (path, reason).
        notes: On the split.
        source_notes: On what lay beside the pictures.
        settings: The resolved configuration.
        estimate: What training will take.
    """

    run: RunFacts
    image_shape: tuple[int, int, int]
    counts: Sequence[SplitCount]
    num_groups: int | None = None
    remarks: Sequence[Remark] = ()
    sheet: Sequence[Shown] = ()
    copies: Sequence[Copied] = ()
    num_copies: int = 0
    search_note: str = ""
    constant: Shown | None = None
    original_sizes: Sequence[tuple[int, int, int]] = ()
    shape_reasons: Sequence[str] = ()
    light: Sequence[tuple[str, float, float]] = ()
    skipped: Sequence[tuple[str, str]] = ()
    columns: Sequence[DataColumn] = ()
    notes: Sequence[str] = ()
    source_notes: Sequence[str] = ()
    settings: Sequence[tuple[str, str]] = ()
    estimate: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One run of a comparison: some scored pictures and what it makes of them, with the address of its report."""

    name: str
    address: str
    originals: Pictures
    reconstructions: Pictures
    headline: str = ""


@dataclass(frozen=True, kw_only=True)
class CompareRecord:
    """The page of `compare`: texts under `columns`, one row of `cells` for each of `runs`."""

    run: RunFacts
    answer: str
    columns: Sequence[str]
    cells: Sequence[Sequence[str]]
    runs: Sequence[Compared]
    notes: Sequence[str] = ()
    curves: Sequence[Overlaid] = ()


@dataclass(frozen=True, kw_only=True)
class BoundRow:
    """One estimate of log p(x): mean in nats, its standard error over groups, median effective sample size."""

    name: str
    num_samples: int
    mean: float
    standard_error: float | None
    effective: float | None = None


@dataclass(frozen=True, kw_only=True)
class BoundsOfPart:
    """The estimates for `num` pictures of one split."""

    split: str
    num: int
    rows: Sequence[BoundRow]


@dataclass(frozen=True, kw_only=True)
class Sampler:
    """How far samples lie from pictures (`floor`: pictures from pictures), and their share of fine detail."""

    name: str
    distance: float
    floor: float
    detail: float


@dataclass(frozen=True, kw_only=True)
class AccuracyRow:
    """Share of right classes in a group of pictures, with its 95 % interval; `balanced`: mean over classes.

    `baseline`: the share that would be right if every picture were said to be of the most frequent class.
    """

    name: str
    num: int
    accuracy: float
    low: float | None
    high: float | None
    balanced: float
    baseline: float


@dataclass(frozen=True, kw_only=True)
class ReliabilityBin:
    """Pictures whose highest probability is about `confidence`, and the share of them that is right."""

    num: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, kw_only=True)
class PredictedPictures:
    """Pictures to look at, with the likeliest class and its probability; `truths`: "" where unknown."""

    title: str
    pictures: Pictures
    paths: Sequence[str]
    classes: Sequence[str]
    probabilities: Sequence[float]
    truths: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class ClassGrid:
    """Decoded pictures [R, C, H, W, channels], a style in each row and a class in each column; `originals` [R, …]."""

    title: str
    note: str
    pictures: Pictures
    classes: Sequence[str]
    originals: Pictures | None = None


@dataclass(frozen=True, kw_only=True)
class PredictionsRecord:
    """The page of `predict`; `counts`: (what is known of the class, how many pictures)."""

    run: RunFacts
    answer: str
    counts: Sequence[tuple[str, int]]
    accuracies: Sequence[AccuracyRow] = ()
    accuracy_note: str = ""
    calibration: Sequence[str] = ()
    reliability: Sequence[ReliabilityBin] = ()
    confusion: Confusion | None = None
    shown: Sequence[PredictedPictures] = ()
    grids: Sequence[ClassGrid] = ()
    csv: str = ""


@dataclass(frozen=True, kw_only=True)
class EvaluationRecord:
    """The page of `evaluate`; `drawn`: samples by their sampler; `factor_scores`: (name, value, meaning).

    Of sentences `text_figures`: (split, number, tokens of one, perplexity of a token), and the KL of each dimension.
    """

    run: RunFacts
    answer: str
    quality: Sequence[Quality] = ()
    quality_note: str = ""
    unit: str = "nats"
    bounds: Sequence[BoundsOfPart] = ()
    sentences: Sequence[str] = ()
    samplers: Sequence[Sampler] = ()
    sample_note: str = ""
    drawn: Mapping[str, Pictures] = field(default_factory=dict)
    factor_scores: Sequence[tuple[str, float, str]] = ()
    factor_notes: Sequence[str] = ()
    text_figures: Sequence[tuple[str, int, float, float]] = ()
    kl_per_dimension: Numbers | None = None


@dataclass(frozen=True, kw_only=True)
class ProbeRecord:
    """The page of `probe`: (method, balanced accuracies of each draw by column); columns: labels of each class."""

    run: RunFacts
    answer: str
    part: str
    num_judged: int
    chance: float
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Sequence[float]]]]
    encoder_saw_labels: bool = False
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Switched:
    """One feature: pictures decoded without it and with it (at the amount that each has), and what goes with it.

    `factors` of whether it is on, `moved_by` of its value: (name, share of the variance, corrected p), the strongest
    first, the significant ones alone.
    """

    feature: int
    share_on: float
    off: Pictures
    on: Pictures
    splits: Sequence[str]
    paths: Sequence[str] = ()
    factors: Sequence[tuple[str, float, float]] = ()
    moved_by: Sequence[tuple[str, float, float]] = ()


@dataclass(frozen=True, kw_only=True)
class Associations:
    """Share of each of d features' variance that each of F factors explains [F, d], and p corrected for all pairs."""

    strength: Numbers
    p_values: Numbers


@dataclass(frozen=True, kw_only=True)
class FeaturesRecord:
    """The page of features that are on or off.

    Attributes:
        share_on: Share of pictures that have each feature [d].
        probability: What the prior has learned of it, E π_k [d].
        num_on: Features on in each picture [N].
        factors: Names [F] of what was tested.
        switching: Of the probability that a feature is on.
        moving: Of a feature's value, 0 where it is off.
        features: Those in use, that carry most.
        notes: On the tests.
    """

    run: RunFacts
    answer: str
    share_on: Numbers
    probability: Numbers
    num_on: Numbers
    factors: Sequence[str] = ()
    switching: Associations | None = None
    moving: Associations | None = None
    features: Sequence[Switched] = ()
    notes: Sequence[str] = ()
