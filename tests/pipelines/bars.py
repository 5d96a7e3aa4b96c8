"""A small folder of pictures, and the options of a training that takes seconds."""

from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).parent.parent.parent
QUICK = [
    "--recipe",
    "mlp",
    "--latent",
    "2",
    "--epochs",
    "2",
    "--set",
    "encoder.widths=[16]",
    "--set",
    "decoder.widths=[16]",
]


def write_pictures(folder, people=12):
    """Two classes, each person once in each: a bright or dark bar on the person's colour."""
    generator = np.random.default_rng(0)
    for person in range(people):
        colour = generator.integers(40, 200, 3)
        for name, bar in (("down", slice(12, 15)), ("up", slice(1, 4))):
            picture = np.broadcast_to(colour, (16, 16, 3)).astype(np.uint8).copy()
            picture[bar] = 255 - colour + generator.integers(-20, 20)
            path = folder / name / f"p{person:02d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(path)
    (folder / "up" / "broken.png").write_bytes(b"\x89PNG but not really")
    (folder / "notes.txt").write_text("left alone")
    return folder
