"""A small drawing kit: smooth outlines and a supersampled canvas that turns a round head to its pose.

Coordinates are those of a head seen from the front: x to the right, y down, the origin between the eyes; one
unit ("head unit") is half the picture's side before `ZOOM`. With one version of Pillow the same shapes give
the same pixels on every machine: sines and powers are rounded before use, the rest is exact arithmetic.
"""

import colorsys
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter

Colour = tuple[int, int, int]
Points = NDArray[np.float64]

SUPERSAMPLING = 4
ZOOM = 1.22
WHITE: Colour = (252, 250, 246)
DARK: Colour = (40, 28, 30)


def mix(first: Colour, second: Colour, amount: float) -> Colour:
    red, green, blue = (round(a + (b - a) * amount) for a, b in zip(first, second, strict=True))
    return red, green, blue


def hue(hue: float, saturation: float, value: float) -> Colour:
    red, green, blue = (round(255 * channel) for channel in colorsys.hsv_to_rgb(hue, saturation, value))
    return red, green, blue


def shadow(colour: Colour, amount: float) -> Colour:
    """A darker, warmer version: shadows on skin and hair turn towards red-brown, not towards grey."""
    return mix(colour, (round(colour[0] * 0.42), round(colour[1] * 0.26), round(colour[2] * 0.28)), amount)


_ANGLES = np.linspace(0, 2 * np.pi, 48, endpoint=False)
CIRCLE: Points = np.round(np.stack((np.cos(_ANGLES), np.sin(_ANGLES)), 1), 6)
ACROSS: Points = np.linspace(-1, 1, 17)


def ellipse(x: float, y: float, radius_x: float, radius_y: float) -> Points:
    return CIRCLE * (radius_x, radius_y) + (x, y)


def curve(control: Sequence[tuple[float, float]], closed: bool = False, steps: int = 8) -> Points:
    """A smooth (Catmull-Rom) curve through the control points: [n, 2]."""
    points = np.asarray(control, np.float64)
    ends = (points[-1:], points[:2]) if closed else (points[:1], points[-1:])
    padded = np.concatenate((ends[0], points, ends[1]))
    a, b, c, d = (padded[i : len(padded) - 3 + i, None] for i in range(4))
    t = (np.arange(steps) / steps)[None, :, None]
    bend = (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t * t + (3 * b - 3 * c + d - a) * t * t * t
    smooth = (b + bend / 2).reshape(-1, 2)
    return smooth if closed else np.concatenate((smooth, points[-1:]))


def band(x: Points, upper: Points, lower: Points) -> Points:
    """The closed outline between two edges over the same x: [2n, 2]."""
    return np.concatenate((np.stack((x, upper), 1), np.stack((x, lower), 1)[::-1]))


def mirrored(right: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """A symmetric outline from its right half, listed from top to bottom."""
    return [*right, *((-x, y) for x, y in reversed(right))]


class Easel:
    """A supersampled canvas that places head coordinates according to the pose."""

    def __init__(self, size: int, yaw: float, nod: float, tilt: float) -> None:
        self.size = size
        self.width = size * SUPERSAMPLING
        self.image = Image.new("RGB", (self.width, self.width))
        self._draw = ImageDraw.Draw(self.image)
        self._yaw, self._nod = round(math.sin(yaw), 6), round(math.sin(nod), 6)
        self._tilt = round(math.cos(tilt), 6), round(math.sin(tilt), 6)

    def place(self, points: Points, lift: float = 0.0, still: bool = False, width: int = 0) -> list[float]:
        """Flat canvas pixels x0, y0, x1, y1 … of `points` [n, 2]; `lift`: height above the face's surface."""
        x, y = points[:, 0], points[:, 1]
        if not still:
            # The head is round: what lies in its middle moves most when it turns, the crown least.
            round_depth = np.sqrt(np.maximum(0, 1 - (x / 0.64) * (x / 0.64)))
            depth = 0.36 * round_depth * np.clip(1 + y, 0.3, 1) + lift
            x, y = x + depth * self._yaw, y + depth * self._nod
            cosine, sine = self._tilt
            x, y = x * cosine - (y - 0.6) * sine, 0.6 + x * sine + (y - 0.6) * cosine
        half = (width or self.width) / 2
        pixels: list[float] = np.rint(half + half * (ZOOM * np.stack((x, y), 1) + (0, 0.06))).ravel().tolist()
        return pixels

    def fill(self, points: Points, colour: Colour, lift: float = 0.0, still: bool = False) -> None:
        self._draw.polygon(self.place(points, lift, still), fill=colour)

    def stroke(self, points: Points, thickness: float, colour: Colour, lift: float = 0.0) -> None:
        pixels = max(1, round(thickness * ZOOM * self.width / 2))
        self._draw.line(self.place(points, lift), fill=colour, width=pixels, joint="curve")

    def mask(self, points: Points, still: bool = False) -> Image.Image:
        """Where a shape lies, mode L, at canvas size: what `tint` is to stay inside of."""
        mask = Image.new("L", self.image.size)
        ImageDraw.Draw(mask).polygon(self.place(points, still=still), fill=255)
        return mask

    def tint(
        self,
        points: Points,
        blur: float,
        colour: Colour,
        opacity: float,
        inside: Image.Image | None = None,
        outside: bool = False,
        lift: float = 0.0,
        still: bool = False,
    ) -> None:
        """Lay a translucent colour with soft edges over a shape, or over all but the shape (`outside`)."""
        # Blurred at the final size and only then enlarged: sixteen times fewer pixels, and nobody sees it.
        level = round(255 * opacity)
        soft = Image.new("L", (self.size, self.size), level if outside else 0)
        ImageDraw.Draw(soft).polygon(self.place(points, lift, still, self.size), fill=0 if outside else level)
        soft = soft.filter(ImageFilter.GaussianBlur(blur * ZOOM * self.size / 2))
        small = soft.getbbox()
        if small is None:
            return
        left, top, right, bottom = (SUPERSAMPLING * edge for edge in small)
        soft = soft.crop(small).resize((right - left, bottom - top), Image.Resampling.BILINEAR)
        if inside is not None:
            soft = ImageChops.multiply(soft, inside.crop((left, top, right, bottom)))
        self.image.paste(colour, (left, top), soft)

    def pixels(self) -> NDArray[np.uint8]:
        """The picture at its final size: uint8 [size, size, 3], RGB."""
        return np.array(self.image.reduce(SUPERSAMPLING))
