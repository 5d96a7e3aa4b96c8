"""Pictures out of a run: samples of the prior, and reconstructions of a user's own files."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.run_data import load_model, own_pictures
from vae_tf.artifacts.run import Run
from vae_tf.data.pictures import UnusablePicture, read_picture
from vae_tf.errors import UserError
from vae_tf.pixels import rescale, to_uint8
from vae_tf.whole import new_file


def sample(run: Run, num: int, temperature: float, seed: int, to: Path | None) -> Path:
    """Writes `num` pictures drawn from the prior as one PNG."""
    decoded = to_uint8(load_model(run).sample(num, seed=seed, temperature=temperature))
    path = to or run.room("pictures") / f"samples-{num}-seed{seed}-temperature{temperature:g}.png"
    return write_grid(path, decoded, columns=int(np.ceil(np.sqrt(num))))


def reconstruct(run: Run, files: list[Path], to: Path | None) -> tuple[Path, list[str]]:
    """Writes originals above their reconstructions as one PNG; returns its path and what could not be read.

    Raises:
        UserError: None of the files is a usable picture.
    """
    import tensorflow as tf

    from vae_tf.data.resize import resize

    model, shape = load_model(run), own_pictures(run).shape
    originals, problems = [], []
    for file in files:
        try:
            values = read_picture(file, dtype=shape.dtype, value_range=shape.value_range)
            pixels = tf.constant(rescale(values, shape.value_range))
            originals.append(resize(pixels, *shape.image_shape, shape.fit).numpy())
        except UnusablePicture as error:
            problems.append(f"{file}: {error}")
    if not originals:
        raise UserError("None of the files is a usable picture.", "\n".join(problems[:5]))
    stacked = np.stack(originals)
    decoded = to_uint8(model.reconstruct(stacked))
    name = f"reconstructions-{files[0].stem}" + (f"-and-{len(files) - 1}-more" if len(files) > 1 else "")
    path = to or run.room("pictures") / f"{name}.png"
    return write_grid(path, np.concatenate([to_uint8(stacked), decoded]), columns=len(stacked)), problems


def write_grid(path: Path, pictures: NDArray[np.uint8], columns: int) -> Path:
    from reports.images import grid, png

    path.parent.mkdir(parents=True, exist_ok=True)
    with new_file(path) as partial:
        partial.write_bytes(png(grid(pictures, columns)))
    return path
