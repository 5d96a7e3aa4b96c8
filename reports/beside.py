"""Pictures and animations that lie as files beside the pages, or within a page that must hold all itself."""

import io
from pathlib import Path
from typing import Any

import numpy as np

from reports.images import png, resized, to_image, webp
from reports.page import data_address
from reports.records import Pictures

MILLISECONDS_A_FRAME = 110
LONGEST_SIDE = 128


def save_picture(folder: Path | None, place: str, name: str, picture: Pictures) -> dict[str, Any]:
    """A PNG of one picture [H, W, C] in `folder/place`: its address, width and height."""
    address = _save(folder, place, f"{name}.png", png(picture))
    return {"address": address, "width": picture.shape[1], "height": picture.shape[0]}


def save_animation(folder: Path | None, place: str, name: str, frames: Pictures) -> dict[str, Any]:
    """Frames [N, H, W, C] there and back, without end, as an animated WebP beside its first frame as a still."""
    large = resized(frames, LONGEST_SIDE) if frames.shape[2] <= LONGEST_SIDE else frames
    around = np.concatenate([large, large[-2:0:-1]])
    return {
        "moving": _save(folder, place, f"{name}.webp", animated_webp(around)),
        "still": _save(folder, place, f"{name}-still.webp", webp(around[0])),
        "width": large.shape[2],
        "height": large.shape[1],
    }


def animated_webp(frames: Pictures, quality: int = 80) -> bytes:
    """Frames [N, H, W, C] as a WebP that repeats without end."""
    first, *others = [to_image(frame).convert("RGB") for frame in frames]
    buffer = io.BytesIO()
    first.save(
        buffer,
        "WEBP",
        save_all=True,
        append_images=others,
        duration=MILLISECONDS_A_FRAME,
        loop=0,
        quality=quality,
        method=4,
    )
    return buffer.getvalue()


def _save(folder: Path | None, place: str, file: str, data: bytes) -> str:
    if folder is None:
        return data_address(file.rpartition(".")[2], data)
    path = folder / place / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return f"{place}/{file}"
