"""The page of `traverse`: what each latent dimension draws, what goes with it, and one class turned into another.

Where pictures are left out its numbers stay.
"""

from pathlib import Path
from typing import Any

import numpy as np

from reports.beside import save_animation, save_picture
from reports.images import data_uri, grid, resized, tiles
from reports.page import write_page
from reports.records import Numbers, Pictures
from reports.traversal_records import ClassMove, TraversalsRecord, Walk
from reports.words import score

PLACE = "traversals"
SIGNIFICANT = 0.05
SIDE = 96


def write_traversals(folder: Path, record: TraversalsRecord) -> Path:
    """Writes traversals.html into `folder`, and strips (PNG) and animations (WebP) beside it."""
    beside, pictures = record.run.form.beside(folder), record.run.form.pictures
    context = {
        "record": record,
        "walks": [
            {
                "record": walk,
                "goes_with": goes_with(walk),
                **(drawn(beside, walk) if pictures else {"strips": []}),
            }
            for walk in record.walks
        ],
        "moves": [
            {"record": move, "finding": moved_in_words(move), "rows": rows_of(move) if pictures else []}
            for move in record.moves
        ],
        "factors": sorted({link.factor for walk in record.walks for link in walk.links}),
        "by_factor": [{link.factor: link for link in walk.links} for walk in record.walks],
    }
    return write_page(folder, "traversals", record.run, context, scripts=("slider.js", "animation.js"))


def goes_with(walk: Walk) -> str:
    """The strongest factor beyond chance, else the strongest, in words; "" where none was tested.

    The strongest of all need not be beyond chance where it varies between a few groups only.
    """
    if not walk.links:
        return ""
    beyond = [link for link in walk.links if link.p <= SIGNIFICANT]
    link = beyond[0] if beyond else walk.links[0]
    symbol = "ρ" if link.kind == "spearman" else "η"
    said = f"{link.factor}, {symbol} = {score(link.strength)}"
    return f"goes with {said}" if beyond else f"no factor beyond chance (strongest: {said})"


def drawn(folder: Path | None, walk: Walk) -> dict[str, Any]:
    """A strip for each starting point, their animation side by side, and the map of what changes."""
    strips, large = [], [resized(frames, SIDE) for frames in walk.frames]
    for number, frames in enumerate(large):
        strip = save_picture(
            folder, PLACE, f"dimension-{walk.dimension}-{number}", grid(frames, len(frames), gap=0)
        )
        strips.append({**strip, "frame_width": frames.shape[2], "frame_height": frames.shape[1]})
    side_by_side = np.concatenate(large, axis=2)
    return {
        "strips": strips,
        "animation": save_animation(folder, PLACE, f"dimension-{walk.dimension}", side_by_side),
        "changed": data_uri(resized(change_map(walk.changed)[None], SIDE)[0], exact=True),
        "largest": float(np.max(walk.changed)),
    }


def change_map(changed: Numbers) -> Pictures:
    """[H, W, 1]: black where nothing changes, white where most does."""
    largest = max(float(np.max(changed)), 1e-12)
    return np.rint(255.0 * np.asarray(changed, dtype=np.float64) / largest).astype(np.uint8)[..., None]


def rows_of(move: ClassMove) -> list[dict[str, Any]]:
    """For each picture its original and what it is at each amount."""
    paths = move.paths or [""] * len(move.originals)
    return [
        {
            "original": tiles(original[None], SIDE)[0],
            "moved": tiles(moved, SIDE),
            "split": split,
            "path": path,
        }
        for original, moved, split, path in zip(move.originals, move.moved, move.splits, paths, strict=True)
    ]


def moved_in_words(move: ClassMove) -> str:
    """How many are read as the other class afterwards, beside those before and after a random step."""
    whole, nothing = list(move.amounts).index(1.0), list(move.amounts).index(0.0)
    right = move.num - move.originals_read_as_b + move.bs_read_as_b
    said = (
        f"After the whole step {move.read_as_b[whole]} of {move.num} pictures of {move.a} are read as {move.b}, "
        f"against {move.read_as_b[nothing]} as plain reconstructions and {move.controls_read_as_b} after an "
        "equally long step in a random direction."
    )
    judged = move.num + move.num_b
    sound = f" The probe itself reads {right} of {judged} unmoved pictures of the two classes rightly"
    weak = "." if right / max(judged, 1) >= 0.75 else ", which is little: its readings mean little, too."
    return said + sound + weak
