"""What a pipeline fills in of the map on the page of clusters; the rest of that page is in `reports.records`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, kw_only=True)
class Projection:
    """One map of all pictures; `trustworthiness` is scikit-learn's, over `neighbours` neighbours."""

    name: str
    xy: npt.NDArray[np.floating[Any]]
    trustworthiness: float | None = None
    neighbours: int = 10
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class ColorBy:
    """One way to colour the map.

    Kind "category": `values` are indices into `categories` (−1: none); "number": any floats (NaN: none).
    `public`: the categories name no person and no file; others are numbered where pictures are left out.
    `listed`: shown with every point; others (latents, the split) only where they colour the map.
    """

    name: str
    kind: Literal["category", "number"]
    values: npt.NDArray[Any]
    categories: Sequence[str] = ()
    public: bool = False
    listed: bool = True


@dataclass(frozen=True, kw_only=True)
class Variant:
    """The map of some pictures at another size of neighbourhood; `name` says method and size.

    `stability`: share of the nearest neighbours that a second drawing of it has, too (Jaccard), `chance` that of two
    unrelated maps. `shapeless`: not the pictures, but a Gaussian cloud of the same spread.
    """

    name: str
    xy: npt.NDArray[np.floating[Any]]
    trustworthiness: float
    stability: float
    chance: float
    shapeless: bool = False


@dataclass(frozen=True, kw_only=True)
class Variants:
    """Maps of the pictures at `positions` [n]; `neighbours`: how many of each were compared for stability."""

    maps: Sequence[Variant]
    positions: npt.NDArray[np.integer[Any]]
    neighbours: int


@dataclass(frozen=True, kw_only=True)
class Reconstructed:
    """Thumbnails [n, h, w, C] of the reconstructions of the pictures at `positions` [n], in ascending order."""

    pictures: npt.NDArray[np.uint8]
    positions: npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, kw_only=True)
class MapRecord:
    """All pictures as points; the first projection and the first colour column are shown first.

    Without pictures the points are sentences, which are their `paths`. `neighbours`: positions of the nearest in the
    latent space itself [N, k], the nearest first.
    """

    projections: Sequence[Projection]
    pictures: npt.NDArray[np.uint8] | None
    paths: Sequence[str]
    splits: Sequence[str]
    color_by: Sequence[ColorBy]
    neighbours: npt.NDArray[np.integer[Any]] | None = None
    reconstructed: Reconstructed | None = None
    variants: Variants | None = None
