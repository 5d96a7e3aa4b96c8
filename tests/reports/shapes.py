"""Small coloured shapes, which a test can tell apart by a single pixel."""

import numpy as np

from reports.records import Pictures

HOSTILE = "<img src=x onerror=alert(1)>"
CLASSES = ("red", "green", HOSTILE)
COLORS = np.array([[208, 60, 48], [52, 148, 80], [64, 96, 200]], np.uint8)


def shapes(total: int, side: int = 24) -> tuple[Pictures, np.ndarray]:
    """Discs and squares, one colour for each class; also the class of each."""
    labels = np.arange(total) % len(CLASSES)
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    disc, square = np.hypot(x, y) < side * 0.4, np.maximum(abs(x), abs(y)) < side * 0.35
    pictures = np.full((total, side, side, 3), 235, np.uint8)
    for i, label in enumerate(labels):
        pictures[i][disc if i % 2 else square] = COLORS[label]
    return pictures, labels


def blend(a: Pictures, b: Pictures, frames: int) -> Pictures:
    """A fade from one picture to another."""
    weights = np.linspace(0, 1, frames)[:, None, None, None]
    return np.rint(a * (1 - weights) + b * weights).astype(np.uint8)
