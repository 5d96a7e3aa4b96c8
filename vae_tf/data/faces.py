"""`demo:faces`: portraits of invented people, happy or angry, with every generative factor on record.

The same seed gives the same people on every machine: only `Generator.random` is drawn from (its stream is the
least likely one to change between versions of NumPy), and every factor is rounded.
"""

import csv
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np
from PIL import Image

from vae_tf.data.portraits import EYE_COLOURS, HAIR_COLOURS, FaceFactors, render
from vae_tf.errors import UserError

__all__ = ["FaceFactors", "render", "sample_factors", "write_faces"]

SHORT_HAIR = ("bald", "buzz", "short", "side part", "curly")
LONG_HAIR = ("afro", "bob", "long", "bun")
BEARDS = ("none", "none", "full", "moustache", "goatee")
GLASSES = ("none", "none", "none", "round", "square")


class _Draws:
    """Keyed random draws, rounded so that a factor reads back from text exactly."""

    def __init__(self, seed: int, *key: int) -> None:
        # A spawn key, since SeedSequence pads plain entropy with zeros: [seed, 1] would equal [seed, 1, 0].
        self._generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))

    def between(self, low: float, high: float) -> float:
        return round(low + (high - low) * float(self._generator.random()), 4)

    def one_of(self, choices: Sequence[str]) -> str:
        return choices[int(float(self._generator.random()) * len(choices))]


def sample_factors(seed: int, person: int, picture: int) -> FaceFactors:
    """The factors of one picture: who it is depends on (seed, person) only; the expression alternates."""
    identity, moment = _Draws(seed, person), _Draws(seed, person, picture)
    has_long_hair = identity.between(0, 1) < 0.5
    return FaceFactors(
        person=person,
        picture=picture,
        expression="happy" if (person + picture) % 2 == 0 else "angry",
        intensity=moment.between(0.5, 1),
        face_width=identity.between(0.44, 0.54),
        face_length=identity.between(0.55, 0.64),
        jaw=identity.between(0, 0.6) if has_long_hair else identity.between(0.2, 1),
        skin_tone=identity.between(0, 1),
        hair_style=identity.one_of(LONG_HAIR if has_long_hair else SHORT_HAIR),
        hair_colour=identity.one_of(tuple(HAIR_COLOURS)),
        hair_volume=identity.between(0, 1),
        eye_size=identity.between(0.11, 0.14),
        eye_distance=identity.between(0.2, 0.25),
        eye_colour=identity.one_of(tuple(EYE_COLOURS)),
        brow_thickness=identity.between(0.035, 0.065),
        brow_height=identity.between(0.15, 0.19),
        nose_length=identity.between(0.17, 0.24),
        nose_width=identity.between(0.06, 0.1),
        mouth_width=identity.between(0.19, 0.24),
        lip_fullness=identity.between(0, 1),
        ear_size=identity.between(0.08, 0.12),
        beard="none" if has_long_hair else identity.one_of(BEARDS),
        glasses=identity.one_of(GLASSES),
        clothes_hue=identity.between(0, 1),
        mouth_open=max(0.0, moment.between(-0.8, 1)),
        yaw=moment.between(-0.3, 0.3),
        tilt=moment.between(-0.08, 0.08),
        nod=moment.between(-0.08, 0.08),
        gaze=moment.between(-1, 1),
        light_direction=moment.between(-1, 1),
        light_strength=moment.between(0.3, 1),
        background_hue=moment.between(0, 1),
    )


def _check_request(folder: Path, numbers: dict[str, tuple[int, int, int]]) -> None:
    """Refuse a folder in use and numbers out of range; `numbers` maps a name to (value, lowest, highest)."""
    for name, (value, lowest, highest) in numbers.items():
        if not lowest <= value <= highest:
            raise UserError(
                f"demo:faces got {name}={value}, expected a whole number from {lowest} to {highest}.",
                f"Choose {name} between {lowest} and {highest}.",
            )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        found = "is not empty" if folder.is_dir() else "is a file"
        raise UserError(
            f"{folder} {found}; the pictures of demo:faces need a new or an empty folder.",
            "Name another folder, or remove this one first.",
        )


def write_faces(
    folder: Path,
    num_people: int = 40,
    per_person: int = 10,
    size: int = 64,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Write `{happy,angry}/person007-03.png` and `factors.csv` in `folder`; returns how many pictures.

    Args:
        folder: New or empty.
        size: Side of the square pictures, in pixels.
        progress: Called after each picture with the number written so far.

    Raises:
        UserError: The folder is in use, or a number is out of range.
    """
    _check_request(
        folder,
        {
            "num_people": (num_people, 1, 1000),
            "per_person": (per_person, 2, 100),
            "size": (size, 16, 512),
            "seed": (seed, 0, 2**63 - 1),
        },
    )
    for expression in ("happy", "angry"):
        (folder / expression).mkdir(parents=True, exist_ok=True)
    written = 0
    with (folder / "factors.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, ["file", *(field.name for field in fields(FaceFactors))])
        table.writeheader()
        for person in range(num_people):
            for picture in range(per_person):
                factors = sample_factors(seed, person, picture)
                name = f"{factors.expression}/person{person:03d}-{picture:02d}.png"
                Image.fromarray(render(factors, size)).save(folder / name)
                table.writerow({"file": name, **asdict(factors)})
                written += 1
                if progress is not None:
                    progress(written)
    return written
