"""Draws a person's portrait, happy or angry, from the factors that decide it."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vae_tf.data.easel import (
    ACROSS,
    CIRCLE,
    DARK,
    WHITE,
    Colour,
    Easel,
    Points,
    band,
    curve,
    ellipse,
    hue,
    mirrored,
    mix,
    shadow,
)

Expression = Literal["happy", "angry"]

SKIN_TONES: tuple[Colour, ...] = (
    (255, 224, 200),
    (243, 198, 164),
    (222, 168, 126),
    (176, 118, 80),
    (118, 74, 50),
)
HAIR_COLOURS: dict[str, Colour] = {
    "black": (44, 38, 44),
    "brown": (98, 60, 38),
    "chestnut": (146, 84, 48),
    "blond": (226, 186, 104),
    "ginger": (204, 98, 42),
    "grey": (176, 176, 184),
}
EYE_COLOURS: dict[str, Colour] = {
    "brown": (96, 58, 32),
    "blue": (66, 122, 182),
    "green": (76, 136, 84),
    "grey": (110, 124, 136),
}


@dataclass(frozen=True)
class FaceFactors:
    """Everything that decides one picture. Lengths are in head units (see `easel`), angles in radians.

    From `face_width` to `clothes_hue` the factors belong to the person, from `mouth_open` on to the picture.
    `jaw`, `skin_tone`, `hair_volume`, `lip_fullness`, `mouth_open`, `intensity` and `light_strength` run from
    0 (least) to 1 (most), `gaze` and `light_direction` from -1 (left) to 1 (right); hues are turns (0 to 1).
    """

    person: int
    picture: int
    expression: Expression
    intensity: float
    face_width: float
    face_length: float
    jaw: float
    skin_tone: float
    hair_style: str
    hair_colour: str
    hair_volume: float
    eye_size: float
    eye_distance: float
    eye_colour: str
    brow_thickness: float
    brow_height: float
    nose_length: float
    nose_width: float
    mouth_width: float
    lip_fullness: float
    ear_size: float
    beard: str
    glasses: str
    clothes_hue: float
    mouth_open: float
    yaw: float
    tilt: float
    nod: float
    gaze: float
    light_direction: float
    light_strength: float
    background_hue: float


def _skin(tone: float) -> Colour:
    position = tone * (len(SKIN_TONES) - 1)
    lower = min(int(position), len(SKIN_TONES) - 2)
    return mix(SKIN_TONES[lower], SKIN_TONES[lower + 1], position - lower)


def _head_outline(factors: FaceFactors, grow: float = 0.0) -> Points:
    """The head without hair [48, 2]: half an ellipse above the eyes, a rounder or squarer jaw below."""
    cosine, sine = CIRCLE[:, 0], CIRCLE[:, 1]
    roundness = 1.12 - 0.42 * factors.jaw
    jaw = np.sign(cosine) * np.round(np.abs(cosine) ** roundness, 6)
    x = (factors.face_width + grow) * np.where(sine > 0, jaw, cosine)
    return np.stack((x, -0.06 + sine * (np.where(sine > 0, factors.face_length, 0.54) + grow)), 1)


def _draw_background(easel: Easel, factors: FaceFactors) -> None:
    edge, middle = hue(factors.background_hue, 0.32, 0.7), hue(factors.background_hue, 0.14, 0.94)
    easel.image.paste(edge, (0, 0, easel.width, easel.width))
    easel.tint(ellipse(0, -0.15, 0.7, 0.7), 0.3, middle, 1, still=True)


def _draw_body(easel: Easel, factors: FaceFactors, skin: Colour) -> None:
    clothes = hue(factors.clothes_hue, 0.55, 0.6)
    neck = curve(mirrored([(0.2, 0.3), (0.19, 0.6), (0.3, 0.8), (0.3, 1.1)]), closed=True)
    easel.fill(neck, shadow(skin, 0.2), still=True)
    under_chin = _head_outline(factors) + np.array((0, 0.1))
    easel.tint(under_chin, 0.05, shadow(skin, 0.75), 0.65, easel.mask(neck, still=True))
    shoulder = curve([(0.21, 0.69), (0.36, 0.73), (0.68, 0.82), (0.9, 1.1)])
    for drop, colour in ((0.0, shadow(clothes, 0.35)), (0.035, clothes)):
        collar = [(-0.14, 0.78 + drop), (0, 0.82 + drop), (0.14, 0.78 + drop)]
        neckline = curve([(-0.21, 0.69), *collar, (0.21, 0.69)])
        easel.fill(np.concatenate((neckline, shoulder, shoulder[::-1] * (-1, 1))), colour, still=True)


def _draw_head(easel: Easel, factors: FaceFactors, skin: Colour) -> None:
    """Ears and head with soft shading and blushing cheeks."""
    light, strength = factors.light_direction, factors.light_strength
    for side in () if factors.hair_style in ("bob", "long") else (-1, 1):
        x, size = side * (factors.face_width + 0.01), factors.ear_size
        easel.fill(ellipse(x, 0.04, size * 0.75, size * 1.3), shadow(skin, 0.16), -0.1)
        easel.fill(ellipse(x, 0.05, size * 0.4, size * 0.8), shadow(skin, 0.4), -0.1)
    outline = _head_outline(factors)
    head = easel.mask(outline)
    easel.fill(outline, skin)
    lit = ellipse(0.2 * light, -0.04, factors.face_width * 0.92, 0.58)
    easel.tint(lit, 0.13, shadow(skin, 0.6), 0.3 + 0.4 * strength, head, outside=True)
    easel.tint(ellipse(0.22 * light, -0.22, 0.2, 0.14), 0.1, WHITE, 0.3 * strength, head)
    if factors.hair_style != "bald":
        fringe = _hair_outline(factors) + np.array((0, 0.05))
        easel.tint(fringe, 0.02, shadow(skin, 0.6), 0.5, head)
    happy = factors.expression == "happy"
    blush, height = (0.25 + 0.3 * factors.intensity, 0.15) if happy else (0.15, 0.19)
    for side in (-1, 1):
        easel.tint(ellipse(side * 0.31, height, 0.1, 0.07), 0.06, (226, 84, 78), blush, head)
    if not happy:
        scowl = ellipse(0, 0.08 * factors.intensity - factors.brow_height, 0.28, 0.07)
        easel.tint(scowl, 0.06, shadow(skin, 0.8), 0.6 * factors.intensity, head)


def _draw_eyes(easel: Easel, factors: FaceFactors, skin: Colour) -> None:
    strength, size, distance = factors.intensity, factors.eye_size, factors.eye_distance
    # u runs from the outer corner (-1) to the inner one (1), whichever eye it is.
    u, arch = ACROSS, 1 - ACROSS * ACROSS
    if factors.expression == "happy":
        upper, lower = -0.76 * size * arch, (0.52 - 0.55 * strength) * size * arch
    else:
        lid = -0.5 + 0.25 * strength + 0.4 * strength * u
        upper, lower = size * np.maximum(-0.8, lid) * arch, 0.5 * size * arch
    upper = np.minimum(upper, lower)
    for side in (-1, 1):
        x = side * (distance - u * size)
        easel.fill(band(x, upper, lower), WHITE)
        centre = side * distance + 0.25 * size * factors.gaze
        for radius, colour in ((0.56, EYE_COLOURS[factors.eye_colour]), (0.3, DARK)):
            iris = ellipse(centre, -0.1 * size, radius * size, radius * size)
            position = (distance - side * iris[:, 0]) / size
            iris[:, 1] = np.clip(iris[:, 1], np.interp(position, u, upper), np.interp(position, u, lower))
            easel.fill(iris, colour)
        glint = 0.2 * size * (1 if factors.light_direction > 0 else -1)
        easel.fill(ellipse(centre + glint, -0.2 * size, 0.14 * size, 0.14 * size), WHITE)
        easel.stroke(np.stack((x, upper), 1), 0.034, DARK)
        easel.stroke(np.stack((x, lower), 1), 0.014, shadow(skin, 0.65))


def _draw_brows(easel: Easel, factors: FaceFactors, colour: Colour, skin: Colour) -> None:
    strength, height = factors.intensity, factors.brow_height
    u = np.linspace(0, 1, 9)
    inner, outer = factors.eye_distance - 0.13, factors.eye_distance + 0.15
    bow = 4 * u * (1 - u)
    if factors.expression == "happy":
        middle = 0.02 * u - height - 0.05 * strength - (0.04 + 0.03 * strength) * bow
    else:
        middle = (0.11 - 0.18 * u) * strength - height - 0.02 * bow
        inner -= 0.03 * strength
    half = factors.brow_thickness / 2 * (1.15 - 0.75 * u * u)
    for side in (-1, 1):
        easel.fill(band(side * (inner + (outer - inner) * u), middle - half, middle + half), colour, 0.03)
        if factors.expression == "angry":
            furrow = curve([(side * 0.035, -0.2), (side * 0.03, -0.12), (side * 0.045, -0.06)])
            easel.stroke(furrow, 0.008 + 0.012 * strength, shadow(skin, 0.5), 0.03)


def _draw_nose(easel: Easel, factors: FaceFactors, skin: Colour) -> None:
    tip, half = 0.02 + factors.nose_length * 0.85, factors.nose_width
    side = -1 if factors.light_direction > 0 else 1
    ridge = [(0.02, -0.04), (half * 0.6, tip - 0.07), (half, tip), (0, tip + 0.02), (0, tip - 0.1)]
    easel.tint(curve(ridge, True) * (side, 1), 0.025, shadow(skin, 0.7), 0.5, lift=0.1)
    easel.tint(ellipse(-side * 0.015, tip - 0.05, 0.025, 0.05), 0.025, WHITE, 0.5, lift=0.1)
    base = [(-half, tip - 0.02), (-half * 0.7, tip + 0.015), (0, tip + 0.03)]
    easel.stroke(curve([*base, *((-x, y) for x, y in base[1::-1])]), 0.018, shadow(skin, 0.55), 0.1)


def _mouth_half_width(factors: FaceFactors) -> float:
    return factors.mouth_width * (1 + 0.25 * factors.intensity if factors.expression == "happy" else 0.95)


def _draw_folds(easel: Easel, factors: FaceFactors, skin: Colour) -> None:
    """The creases from the nose around the mouth, deeper with a stronger expression."""
    corner = _mouth_half_width(factors) + 0.04
    fold = [(0.13, 0.16), (corner, 0.22), (corner + 0.02, 0.31)]
    if factors.expression == "angry":
        fold = [(0.12, 0.18), (0.19, 0.23), (corner + 0.01, 0.32)]
    for side in (-1, 1):
        easel.stroke(curve(fold) * (side, 1), 0.006 + 0.01 * factors.intensity, shadow(skin, 0.32))


def _draw_mouth(easel: Easel, factors: FaceFactors, skin: Colour) -> None:
    strength, happy = factors.intensity, factors.expression == "happy"
    u, arch = ACROSS, 1 - ACROSS * ACROSS
    x = u * _mouth_half_width(factors)
    corner = -0.06 - 0.09 * strength if happy else 0.04 + 0.06 * strength
    middle = 0.25 + factors.face_length * 0.13 + corner * (u * u - 0.4)
    # A laugh opens downwards like a bowl; bared teeth show in an almost rectangular gap.
    gap = factors.mouth_open * (0.17 * arch if happy else 0.1 * (1 - u * u * u * u))
    upper, lower = (middle - 0.1 * gap, middle + 0.9 * gap) if happy else (middle - gap / 2, middle + gap / 2)
    lips = mix(shadow(skin, 0.15), (206, 76, 84), 0.4 + 0.3 * factors.lip_fullness)
    lip = (0.025 + 0.025 * factors.lip_fullness) * arch * (1 if happy else 1 - 0.3 * strength)
    easel.fill(band(x, upper - lip, lower + 1.4 * lip), lips, 0.04)
    if factors.mouth_open > 0.1:
        easel.fill(band(x, upper, lower), (96, 28, 34), 0.04)
        teeth = np.maximum(upper, np.minimum(lower - 0.012 * arch, upper + (0.08 if happy else 0.2) * arch))
        easel.fill(band(x * 0.94, upper, teeth), WHITE, 0.04)
        if not happy:
            easel.stroke(np.stack((x * 0.85, middle), 1), 0.01, (170, 140, 138), 0.04)
    thickness = 0.016 if factors.mouth_open > 0.1 else 0.034
    easel.stroke(np.stack((x, upper), 1), thickness, mix(lips, DARK, 0.75), 0.04)


def _draw_beard(easel: Easel, factors: FaceFactors, colour: Colour) -> None:
    wide, chin = factors.face_width, factors.face_length - 0.06
    if factors.beard == "none":
        return
    if factors.beard == "full":
        cheek = [(-wide * 1.02, 0.0), (-wide * 0.86, 0.16), (-0.3, 0.25), (-0.12, 0.23), (0, 0.24)]
        line = curve([*cheek, *((-x, y) for x, y in cheek[3::-1])])
        easel.fill(np.concatenate((_head_outline(factors, 0.03)[1:24], line)), colour)
    elif factors.beard == "goatee":
        tuft = [(0.05, 0.41), (0.13, 0.42), (0.1, chin), (0.03, chin + 0.04)]
        easel.fill(curve(mirrored(tuft), True), colour, 0.02)
    moustache = [(0.02, 0.215), (0.13, 0.23), (0.24, 0.33), (0.14, 0.3), (0.02, 0.285)]
    easel.fill(curve(mirrored(moustache), True), colour, 0.05)


# Right half of each hairline from its lower end to the middle: x in face widths, y in head units.
HAIRLINES: dict[str, list[tuple[float, float]]] = {
    "buzz": [(0.98, 0.0), (0.92, -0.2), (0.72, -0.36), (0.3, -0.4), (0, -0.39)],
    "short": [(0.98, 0), (0.84, -0.24), (0.66, -0.3), (0.5, -0.25), (0.3, -0.34), (0.1, -0.27), (0, -0.34)],
    "side part": [(0.98, 0.02), (0.9, -0.25), (0.5, -0.46)],
    "curly": [(0.98, 0.04), (0.88, -0.2), (0.7, -0.32), (0.3, -0.34), (0, -0.33)],
    "afro": [(0.98, 0.04), (0.9, -0.18), (0.7, -0.34), (0.3, -0.4), (0, -0.4)],
    "bob": [(0.96, 0.52), (0.84, 0.3), (0.86, 0.0), (0.76, -0.2), (0.4, -0.25), (0, -0.26)],
    "long": [(0.9, 0.92), (0.92, 0.5), (0.9, 0.15), (0.82, -0.14), (0.5, -0.34), (0.06, -0.52)],
    "bun": [(0.97, 0.0), (0.9, -0.22), (0.65, -0.4), (0, -0.46)],
}
SWOOP = [(0.1, -0.36), (-0.4, -0.27), (-0.8, -0.2), (-0.97, 0.02)]


def _hair_growth(factors: FaceFactors) -> float:
    return 0.012 if factors.hair_style == "buzz" else 0.045 + 0.05 * factors.hair_volume


def _hair_side(factors: FaceFactors) -> list[tuple[float, float]]:
    """The outer edge of the hair on the right, from the temple down."""
    temple = factors.face_width + _hair_growth(factors)
    end = HAIRLINES[factors.hair_style][0][1]
    if end < 0.1:
        return [(temple, -0.06), (temple, end)]
    wide = temple + 0.02 + 0.06 * factors.hair_volume
    return [(temple, -0.06), (temple + 0.02, 0.2), (wide, end - 0.15), (wide - 0.05, end)]


def _hair_outline(factors: FaceFactors) -> Points:
    """The hair in front of the head, open over the face: [n, 2]."""
    wide = factors.face_width
    right = [(x * wide, y) for x, y in HAIRLINES[factors.hair_style]]
    left = [(-x, y) for x, y in right[::-1]]
    if factors.hair_style == "side part":
        left = [(x * wide, y) for x, y in SWOOP]
    side = curve(_hair_side(factors))
    crown = _head_outline(factors, _hair_growth(factors))[24:]
    return np.concatenate((side[::-1] * (-1, 1), crown, side, curve([*right, *left])))


def _draw_hair_behind(easel: Easel, factors: FaceFactors, colour: Colour) -> None:
    volume = factors.hair_volume
    if factors.hair_style == "afro":
        easel.fill(ellipse(0, -0.2, 0.6 + 0.1 * volume, 0.58 + 0.1 * volume), colour, -0.1)
    elif factors.hair_style == "bun":
        easel.fill(ellipse(0, -0.66, 0.16 + 0.05 * volume, 0.15 + 0.03 * volume), colour, -0.1)
    elif factors.hair_style in ("bob", "long"):
        easel.fill(curve(mirrored([(0.25, -0.5), *_hair_side(factors)]), True), colour)


def _draw_hair(easel: Easel, factors: FaceFactors, colour: Colour) -> None:
    if factors.hair_style == "bald":
        return
    hair = _hair_outline(factors)
    easel.fill(hair, colour)
    if factors.hair_style in ("curly", "afro"):
        crown = _head_outline(factors, _hair_growth(factors))[24::2]
        for x, y in crown:
            easel.fill(ellipse(x * 0.97, y * 0.97 - 0.02, 0.09 + 0.03 * factors.hair_volume, 0.09), colour)
    shine = ellipse(0.2 * factors.light_direction, -0.5, 0.26, 0.05)
    easel.tint(shine, 0.05, mix(colour, WHITE, 0.6), 0.3 + 0.3 * factors.light_strength, easel.mask(hair))


def _draw_glasses(easel: Easel, factors: FaceFactors) -> None:
    if factors.glasses == "none":
        return
    distance, radius = factors.eye_distance, 0.165
    for side in (-1, 1):
        middle = np.array((side * (distance + 0.01), 0.0))
        lens = middle + radius * CIRCLE
        if factors.glasses == "square":
            lens = middle + np.clip(CIRCLE * 1.3, -1, 1) * (radius * 1.05, radius * 0.8)
        easel.stroke(np.concatenate((lens, lens[:2])), 0.022, DARK, 0.06)
        temple = np.array([(side * (distance + radius + 0.01), -0.02), (side * factors.face_width, -0.04)])
        easel.stroke(temple, 0.022, DARK, 0.03)
    bridge = curve([(0.01 + radius - distance, -0.01), (0, -0.035), (distance - radius - 0.01, -0.01)])
    easel.stroke(bridge, 0.022, DARK, 0.08)


def render(factors: FaceFactors, size: int = 64) -> NDArray[np.uint8]:
    """The picture of these factors: uint8 [size, size, 3], RGB."""
    skin, hair = _skin(factors.skin_tone), HAIR_COLOURS[factors.hair_colour]
    if factors.hair_style == "buzz":
        hair = mix(hair, skin, 0.25)
    easel = Easel(size, factors.yaw, factors.nod, factors.tilt)
    _draw_background(easel, factors)
    _draw_hair_behind(easel, factors, shadow(hair, 0.28))
    _draw_body(easel, factors, skin)
    _draw_head(easel, factors, skin)
    _draw_folds(easel, factors, skin)
    _draw_beard(easel, factors, shadow(hair, 0.15))
    _draw_mouth(easel, factors, skin)
    _draw_nose(easel, factors, skin)
    _draw_eyes(easel, factors, skin)
    _draw_hair(easel, factors, hair)
    _draw_brows(easel, factors, shadow(hair, 0.35), skin)
    _draw_glasses(easel, factors)
    return easel.pixels()
