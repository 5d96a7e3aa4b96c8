"""Colours that carry a category alone can be told apart by eyes that lack a kind of cone."""

import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

import reports

STATIC = Path(reports.__file__).parent / "static"
# Machado, Oliveira & Fernandes 2009, severity 1, on linear RGB.
EYES = {
    "usual": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}  # fmt: skip


def palettes() -> list[np.ndarray]:
    """The categorical colours of the light and of the dark page [12, 3], 0 to 1."""
    css = (STATIC / "report.css").read_text()
    found = re.findall(r"--c\d+: #([0-9a-f]{6})", css)
    colors = np.array([[int(color[k : k + 2], 16) for k in (0, 2, 4)] for color in found]) / 255
    return [colors[:12], colors[12:]]


def nearest_two(colors: np.ndarray, eye: str) -> float:
    """The least CIEDE2000 difference of two colours, as this eye sees them; 2.3 is just noticeable."""
    linear = np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.asarray(EYES[eye]).T, 0, 1)
    lab = rgb2lab(np.where(seen <= 0.0031308, seen * 12.92, 1.055 * seen ** (1 / 2.4) - 0.055))
    return float(min(deltaE_ciede2000(lab[i], lab[j]) for i, j in combinations(range(len(lab)), 2)))


@pytest.mark.parametrize("eye", EYES)
def test_colours_without_letters_are_told_apart(eye: str) -> None:
    alone = int(re.search(r"TOLD_APART = (\d+)", (STATIC / "map-marks.js").read_text())[1])  # type: ignore[index]
    assert len(palettes()[1]) == 12
    for colors in palettes():
        assert nearest_two(colors[:alone], eye) > 10


def test_the_whole_palette_is_not_which_is_why_there_are_letters() -> None:
    assert min(nearest_two(palettes()[0], eye) for eye in EYES) < 3
