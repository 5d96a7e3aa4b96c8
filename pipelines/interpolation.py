"""Stage `interpolation`: what lies between two pictures."""

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.embed import embed, latents_of
from pipelines.run_data import Subject, load_model, load_pictures_of
from vae_tf.artifacts.json_files import write_json
from vae_tf.artifacts.npz_files import save_arrays
from vae_tf.artifacts.stage import Stage, StageWriter
from vae_tf.data.dataset import Index
from vae_tf.errors import UserError
from vae_tf.pixels import to_uint8

LARGEST_NUM_CLASSES = 6
MANIFOLD_SIDE = 15
CORNER_SIDE = 7


@dataclasses.dataclass(frozen=True)
class InterpolationOptions:
    """Ends by (a part of) their path; `num_steps` frames; `num_pairs` are chosen where no end is named."""

    start: tuple[str, ...] = ()
    to: tuple[str, ...] = ()
    num_steps: int = 11
    num_pairs: int = 4
    seed: int = 0


def interpolate(subject: Subject, options: InterpolationOptions) -> Stage:
    """Decodes paths between pictures and class means, a four-corner grid, and the manifold of 1 or 2 latents.

    Of sentences the paths alone.
    """
    from pipelines.homotopies import write_homotopies

    embedded = embed(subject)
    inputs = {"embed": embedded.hash, "options": dataclasses.asdict(options)}
    work = write_homotopies if subject.is_text else write_paths
    return subject.compute("interpolation", inputs, lambda stage: work(subject, embedded, options, stage))


def write_paths(subject: Subject, embedded: Stage, options: InterpolationOptions, stage: StageWriter) -> None:
    index, model = load_pictures_of(subject).index, load_model(subject.run)
    means = latents_of(embedded)["mean"]
    if len(index.paths) < 2:
        raise UserError("There is one picture only.", "A path needs two: name another source.")
    pairs = named_pairs(index, options) or chosen_pairs(index, means, options)
    arrays: dict[str, Any] = {}
    paths = [
        decode_path(model, means[a], means[b], options.num_steps, arrays, f"pair{i}")
        | {"a": int(a), "b": int(b)}
        for i, (a, b) in enumerate(pairs)
    ]
    classes = class_paths(model, index, means, options, arrays)
    corners = corner_grid(model, means, pairs, arrays)
    add_manifold(model, arrays)
    save_arrays(stage.folder / "frames.npz", **arrays)
    write_json(stage.folder / "paths.json", {"pairs": paths, "classes": classes, "corners": corners})
    save_pngs(stage.folder, arrays)
    stage.results.update(num_pairs=len(paths), num_class_paths=len(classes))


def named_pairs(index: Index, options: InterpolationOptions) -> list[tuple[int, int]]:
    """The pictures that --from and --to name, in pairs.

    Raises:
        UserError: Not as many ends as starts, or a name that fits none or several pictures.
    """
    if len(options.start) != len(options.to):
        raise UserError(
            f"{len(options.start)} × --from and {len(options.to)} × --to were given.",
            "Give both ends of each pair: --from happy/a.png --to angry/a.png",
        )
    return [
        (find_picture(index, a), find_picture(index, b))
        for a, b in zip(options.start, options.to, strict=True)
    ]


def find_picture(index: Index, text: str) -> int:
    exact = [i for i, path in enumerate(index.paths) if path == text]
    found = exact or [i for i, path in enumerate(index.paths) if text in path]
    if len(found) != 1:
        shown = ", ".join(index.paths[i] for i in (found or range(len(index.paths)))[:5])
        what = f"fits {len(found):,} pictures" if found else "fits no picture"
        raise UserError(f"{text!r} {what} of this run.", f"Paths are such as: {shown}")
    return found[0]


def chosen_pairs(
    index: Index, means: NDArray[np.float32], options: InterpolationOptions
) -> list[tuple[int, int]]:
    """Pairs of unseen pictures of different classes; of validation or training ones where there are too few."""
    from vae_tf.analysis.interpolation import choose_pairs

    for parts in (("test",), ("test", "validation"), ("test", "validation", "train")):
        eligible = np.zeros(len(index.paths), dtype=bool)
        for part in parts:
            eligible[index.where(part)] = True
        if eligible.sum() >= 4:
            break
    labels = index.labels if index.class_names else None
    pairs = choose_pairs(means, labels, eligible, options.num_pairs, options.seed)
    return [(int(a), int(b)) for a, b in pairs]


def decode_path(model: Any, z0: Any, z1: Any, num: int, arrays: dict[str, Any], name: str) -> dict[str, Any]:
    """Frames along the straight line and along the sphere, put into `arrays`; their names."""
    from vae_tf.analysis.interpolation import linear, spherical

    names = {}
    for kind, path in (("linear", linear), ("spherical", spherical)):
        names[kind] = f"{name}_{kind}"
        arrays[names[kind]] = to_uint8(model.decode(path(z0, z1, num).astype(np.float32)))
    return names


def class_paths(
    model: Any,
    index: Index,
    means: NDArray[np.float32],
    options: InterpolationOptions,
    arrays: dict[str, Any],
) -> list[dict[str, Any]]:
    """Decoded paths between the means of the classes, put into `arrays`."""
    paths = []
    for number, ((a, z_a), (b, z_b)) in enumerate(class_ends(index, means)):
        frames = decode_path(model, z_a, z_b, options.num_steps, arrays, f"classes{number}")
        paths.append(frames | {"a": f"mean of {a}", "b": f"mean of {b}"})
    return paths


def class_ends(index: Index, means: NDArray[np.float32]) -> list[tuple[tuple[str, Any], tuple[str, Any]]]:
    """(name, mean [d]) of both ends of each path between classes: each to the next; of up to three, all pairs."""
    from vae_tf.analysis.interpolation import class_means

    found = class_means(means, index.labels)
    count = min(len(found.labels), LARGEST_NUM_CLASSES)
    if count < 2:
        return []
    ends = [(index.class_names[found.labels[i]], found.means[i]) for i in range(count)]
    return [(ends[i], ends[(i + 1) % count]) for i in range(count if count > 2 else 1)]


def corner_grid(
    model: Any, means: NDArray[np.float32], pairs: list[tuple[int, int]], arrays: dict[str, Any]
) -> list[int]:
    """Grids between the four pictures of the first two pairs, bilinear and spherical; their positions."""
    from vae_tf.analysis.interpolation import four_corners, linear, spherical

    if len(pairs) < 2:
        return []
    corners = [*pairs[0], *pairs[1]]
    a, b, c, d = means[corners]
    for name, path in (("corners", linear), ("corners_spherical", spherical)):
        points = four_corners(a, b, c, d, CORNER_SIDE, CORNER_SIDE, path)
        decoded = to_uint8(model.decode(points.reshape(-1, means.shape[1]).astype(np.float32)))
        arrays[name] = decoded.reshape(CORNER_SIDE, CORNER_SIDE, *decoded.shape[1:])
    return corners


def add_manifold(model: Any, arrays: dict[str, Any]) -> None:
    """With 1 or 2 latents and a prior without atoms, pictures over its quantiles: [rows, columns, H, W, C]."""
    from vae_tf.analysis.interpolation import manifold_grid

    if model.latent_dim > 2 or model.prior.has_switches:
        return
    side = MANIFOLD_SIDE
    points = manifold_grid(side, model.latent_dim).reshape(-1, model.latent_dim)
    decoded = to_uint8(model.decode(points.astype(np.float32)))
    rows = side if model.latent_dim == 2 else 1
    arrays["manifold"] = decoded.reshape(rows, side, *decoded.shape[1:])


def save_pngs(folder: Any, arrays: dict[str, NDArray[np.uint8]]) -> None:
    """One PNG per path (a strip) and per grid."""
    from reports.images import grid, png

    for name, pictures in arrays.items():
        rows = pictures if pictures.ndim == 5 else pictures[None]
        columns = rows.shape[1]
        picture = grid(rows.reshape(-1, *rows.shape[2:]), columns)
        (folder / f"{name}.png").write_bytes(png(picture))
