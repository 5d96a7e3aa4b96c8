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
class Difference:
    """How far an output of the SavedModel lay from the run's own; the scale is its largest value, at least 1."""

    output: str
    largest: float
    mean: float
    tolerance: float
    scale: float = 1.0

    @property
    def holds(self) -> bool:
        return self.largest <= self.tolerance


@dataclass(frozen=True, kw_only=True)
class Signature:
    """One signature of the SavedModel, and how far its outputs lay from the run's own."""

    name: str
    inputs: Sequence[Tensor]
    outputs: Sequence[Tensor]
    summary: str = ""
    differences: Sequence[Difference] = ()


@dataclass(frozen=True, kw_only=True)
class OtherFormat:
    """The model in a format that is no SavedModel.

    Args:
        title, weights, location: "ONNX", "int8", "RUN/export-onnx/model".
        num_bytes: Of the files.
        largest, mean: Differences from the run's outputs by their scale; `tolerances` of both.
        rise: Of the squared error of reconstructions, relative; None of sentences.
        speeds: (batch size, reconstructions per second, those of the SavedModel) on one thread.
        left_out: (signature, reason).
    """

    title: str
    weights: str
    location: str
    num_bytes: int
    largest: float
    mean: float
    tolerances: tuple[float, float]
    rise: float | None
    speeds: Sequence[tuple[str, float, float]]
    left_out: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, kw_only=True)
class ExportRecord:
    """The page of `export`; `examples` are (title, code) blocks, `sizes` are (file, bytes).

    Args:
        largest: The largest difference of an output by its own scale; None where nothing was compared.
        checked_on: Such as "16 unseen pictures".
        files: What the files were that the bytes signatures were asked about.
    """

    run: RunFacts
    location: str
    signatures: Sequence[Signature]
    largest: float | None = None
    checked_on: str = ""
    files: str = ""
    examples: Sequence[tuple[str, str]] = ()
    sizes: Sequence[tuple[str, int]] = ()
    formats: Sequence[OtherFormat] = ()
    answer: str = ""


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
