"""Class arithmetic: the difference of two classes' mean codes, added to the codes of unseen pictures."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.interpolation import LARGEST_NUM_CLASSES
from vae_tf import random
from vae_tf.data.dataset import Index, Pictures
from vae_tf.pixels import to_uint8

AMOUNTS = (0.0, 0.5, 1.0, 1.5)
NUM_SHOWN = 6
LARGEST_NUM_MOVED = 500
WHOLE = AMOUNTS.index(1.0)


def class_arithmetic(
    model: Any,
    pictures: Pictures,
    means: NDArray[np.float32],
    trained: dict[str, NDArray[Any]],
    arrays: dict[str, Any],
    seed: int,
) -> dict[str, Any]:
    """Steps between classes, computed on pictures trained on and applied to unseen ones; pictures go into `arrays`.

    Returns:
        {"reason": why there is none, or "", "steps": one dictionary for each pair of classes}.
    """
    from vae_tf.analysis.traversal import SMALLEST_CLASS, class_step, fit_probe, random_step

    if model.condition_dim:
        return _none(
            "This model is told the class beside the code, so that no code holds it: `predict` draws each "
            "picture as every class."
        )
    index = pictures.index
    names = [n for n in index.class_names if (trained["class"] == n).sum() >= SMALLEST_CLASS]
    if len(names) < 2:
        return _none(
            f"Class arithmetic needs two classes with at least {SMALLEST_CLASS} training pictures each."
        )
    part = next((p for p in ("test", "validation") if len(index.where(p))), None)
    if part is None:
        return _none("No pictures were kept apart, so that there are none to move.")
    moves = []
    for number, (a, b) in enumerate(pairs_of(names[:LARGEST_NUM_CLASSES])):
        rows = rows_of(index, part, a, seed)
        if not len(rows):
            continue
        of_pair = np.isin(trained["class"], [a, b])
        codes, is_b = trained["mean"][of_pair], trained["class"][of_pair] == b
        probe = fit_probe(codes, is_b)
        step = class_step(codes, is_b.astype(np.int64), 0, 1)
        control = random_step(step, trained["mean"].std(axis=0), seed)
        frames = {amount: to_uint8(decode(model, means[rows] + amount * step)) for amount in AMOUNTS}
        controlled = to_uint8(decode(model, means[rows] + control))
        read = [int(probe.reads_b(encode(model, frames[amount])).sum()) for amount in AMOUNTS]
        other = rows_of(index, part, b, seed)
        shown = rows[:NUM_SHOWN]
        arrays[f"moved_{number}"] = np.stack([frames[amount][:NUM_SHOWN] for amount in AMOUNTS], axis=1)
        moves.append(
            {
                "a": a,
                "b": b,
                "part": part,
                "shown": shown.tolist(),
                "num": len(rows),
                "amounts": AMOUNTS,
                "read_as_b": read,
                "controls_read_as_b": int(probe.reads_b(encode(model, controlled)).sum()),
                "originals_read_as_b": int(probe.reads_b(means[rows]).sum()),
                "num_b": len(other),
                "bs_read_as_b": int(probe.reads_b(means[other]).sum()) if len(other) else 0,
                "num_trained": [int((~is_b).sum()), int(is_b.sum())],
            }
        )
    return {"reason": "" if moves else "No unseen picture has a class.", "steps": moves}


def _none(reason: str) -> dict[str, Any]:
    return {"reason": reason, "steps": []}


def pairs_of(names: list[str]) -> list[tuple[str, str]]:
    """Each class to the next, around; two classes there and back."""
    return [(name, names[(i + 1) % len(names)]) for i, name in enumerate(names)]


def rows_of(index: Index, part: str, name: str, seed: int) -> NDArray[np.int64]:
    """Positions of the part's pictures of a class, in a keyed random order."""
    rows = index.where(part)
    rows = rows[index.labels[rows] == index.class_names.index(name)]
    return random.generator(seed, "arithmetic", name).permutation(rows)[:LARGEST_NUM_MOVED]


def decode(model: Any, codes: NDArray[Any], batch_size: int = 128) -> NDArray[np.float32]:
    parts = [
        np.asarray(model.decode(codes[i : i + batch_size].astype(np.float32)))
        for i in range(0, len(codes), batch_size)
    ]
    return np.concatenate(parts)


def encode(model: Any, pictures: NDArray[np.uint8], batch_size: int = 128) -> NDArray[np.float32]:
    """Posterior means of pictures as a file would hold them."""
    parts = [
        np.asarray(model.encode(pictures[i : i + batch_size])["mean"])
        for i in range(0, len(pictures), batch_size)
    ]
    return np.concatenate(parts)
