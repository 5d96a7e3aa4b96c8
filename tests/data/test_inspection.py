"""What is found among pictures with planted copies, against Pillow's own encoding, resizing and cropping."""

import io
import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from vae_tf.data.faces import render, sample_factors
from vae_tf.data.inspection import Inspection, inspect
from vae_tf.data.remarks import findings, remarks, search_note
from vae_tf.data.splits import PARTS

TRAIN, VALIDATION, TEST = (PARTS.index(name) for name in ("train", "validation", "test"))
SIDE = 64


@pytest.fixture(scope="module")
def faces() -> np.ndarray:
    """Six portraits of each of ten drawn people, happy and angry [60, 64, 64, 3]."""
    return np.stack([render(sample_factors(0, person, k), SIDE) for person in range(10) for k in range(6)])


@pytest.fixture(scope="module")
def photographs() -> np.ndarray:
    """Rough grey surfaces under smooth coloured light, which no two share [80, 64, 64, 3]."""
    random = np.random.default_rng(0)
    surfaces = random.normal(size=(80, 40, 40, 1)).cumsum(1).cumsum(2)
    lights = random.normal(size=(80, 4, 4, 3))

    def stretched(values: np.ndarray) -> np.ndarray:
        levels = 255 * (values - values.min()) / np.ptp(values)
        return np.asarray(Image.fromarray(levels.astype(np.uint8).squeeze()).resize((SIDE, SIDE)), np.float64)

    pictures = [
        0.75 * stretched(surface)[..., None] + 0.25 * stretched(light)
        for surface, light in zip(surfaces, lights, strict=True)
    ]
    return np.stack(pictures).astype(np.uint8)


def picture_of(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def encoded(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file)


def resized(image: Image.Image, side: int) -> Image.Image:
    return image.resize((side, side), Image.Resampling.LANCZOS).resize(image.size, Image.Resampling.BILINEAR)


def cropped(image: Image.Image, left: int, top: int, right: int, bottom: int) -> Image.Image:
    box = (left, top, image.width - right, image.height - bottom)
    return image.crop(box).resize(image.size, Image.Resampling.BILINEAR)


def brightened(image: Image.Image, factor: float) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(factor)


def look(pictures: np.ndarray, parts: Any = None, labels: Any = None, groups: Any = None) -> Inspection:
    none = np.full(len(pictures), -1)
    parts = np.zeros(len(pictures), np.int8) if parts is None else np.asarray(parts)
    labels, groups = (none if given is None else np.asarray(given) for given in (labels, groups))
    return inspect(pictures, parts, labels, groups)


def pairs(inspection: Inspection) -> set[tuple[int, ...]]:
    return {tuple(copies.positions) for copies in inspection.near}


@pytest.mark.parametrize(
    "change",
    [
        lambda image: encoded(image, 90),
        lambda image: encoded(image, 50),
        lambda image: resized(image, 40),
        lambda image: resized(image, 48),
        lambda image: brightened(image, 1.06),
        lambda image: brightened(image, 0.9),
        lambda image: cropped(image, 1, 1, 1, 1),
        lambda image: cropped(image, 1, 0, 0, 0),
        lambda image: cropped(image, 0, 2, 1, 0),
        lambda image: encoded(brightened(cropped(image, 1, 0, 1, 1), 1.04), 70),
    ],
    ids=[
        "jpeg 90",
        "jpeg 50",
        "to 40",
        "to 48",
        "brighter",
        "darker",
        "crop 1",
        "crop left",
        "crop 2",
        "all",
    ],
)
def test_a_changed_copy_is_found_and_nothing_else(
    photographs: np.ndarray, change: Callable[[Image.Image], Image.Image]
) -> None:
    chosen = range(0, 80, 8)
    copies = np.stack([np.asarray(change(picture_of(photographs[i]))) for i in chosen])
    found = look(np.concatenate([photographs, copies]))
    wanted = {(i, 80 + k) for k, i in enumerate(chosen)}
    assert pairs(found) <= wanted
    assert len(pairs(found)) >= 9
    assert found.num_exact == 0 and found.num_near == len(pairs(found))
    assert all(0.9 < copies.similarity < 1 for copies in found.near)


def test_the_same_person_twice_is_no_copy(faces: np.ndarray) -> None:
    found = look(faces)
    assert found.num_compared >= 60  # they were looked at
    assert found.num_near == found.num_exact == 0
    assert findings(found) == []


def test_one_small_thing_that_differs_is_no_copy(photographs: np.ndarray) -> None:
    changed = photographs[:20].copy()
    patch = changed[:, 30:36, 30:36]
    changed[:, 30:36, 30:36] = np.where(patch < 128, patch + 90, patch - 90)
    assert look(np.concatenate([photographs, changed])).num_near == 0


def test_another_colour_at_the_same_brightness_is_no_copy(photographs: np.ndarray) -> None:
    other = photographs[:20].copy()
    other[:, 20:44, 20:44] = other[:, 20:44, 20:44][..., [1, 2, 0]]
    assert look(np.concatenate([photographs, other])).num_near == 0


def test_leaks_and_conflicts_are_told_from_harmless_copies(photographs: np.ndarray) -> None:
    near = np.asarray(encoded(picture_of(photographs[4]), 60))[None]
    pictures = np.concatenate([photographs[:12], photographs[[0, 1, 2, 2]], near])
    parts = np.zeros(17, np.int8)
    parts[[12, 16]] = TEST  # a copy of 0, and one of 4 encoded again
    labels = np.zeros(17, int)
    labels[13] = 1  # a copy of 1
    groups = np.arange(17) // 2
    found = look(pictures, parts, labels, groups)
    assert {
        tuple(copies.positions): (copies.across_parts, copies.across_classes) for copies in found.exact
    } == {
        (0, 12): (True, False),
        (1, 13): (False, True),
        (2, 14, 15): (False, False),
    }
    assert found.exact[0].across_parts  # the worst first
    assert (found.num_exact, found.num_extra) == (3, 4)
    assert (found.num_exact_across_parts, found.num_exact_across_classes) == (1, 1)
    assert pairs(found) == {(4, 16)} and found.num_near_across_parts == 1
    assert found.groups_across == [6] and found.num_groups_across == 1  # 12 is unseen, 13 is not

    paths = [f"{i}.png" for i in range(17)]
    lines = findings(found, paths, [f"person {i}" for i in range(9)])
    assert "0.png = 12.png" in lines[0] and "too good" in lines[0]
    assert "person 6" in lines[1]
    assert "4.png ≈ 16.png" in lines[2]
    assert "1.png = 13.png" in lines[3] and "classes" in lines[3]
    assert lines[4] == "In all, 4 pictures are exact copies of another one. 2.png = 14.png = 15.png"
    assert len(lines) == 5
    assert not any(".png" in line or "person" in line for line in findings(found))
    assert str(remarks(found, paths)[0]) == lines[0]


def test_parts_beside_the_split_leak_nothing(photographs: np.ndarray) -> None:
    if "other" not in PARTS:
        pytest.skip("there is no such part")
    pictures = np.concatenate([photographs[:6], photographs[:1]])
    parts = [*[TRAIN] * 6, PARTS.index("other")]
    found = look(pictures, parts, groups=[0, 1, 2, 3, 4, 5, 0])
    assert found.num_exact == 1 and found.num_exact_across_parts == found.num_groups_across == 0


def test_constant_and_broken_pictures_are_named_and_do_not_disturb(photographs: np.ndarray) -> None:
    pictures = photographs[:8].astype(np.float32) / 255
    pictures[2] = 0.25
    pictures[5, 3, 3, 1] = np.nan
    pictures[6] = pictures[1]
    found = look(pictures)
    assert found.constant == [2] and found.not_finite == [5]
    assert [copies.positions for copies in found.exact] == [[1, 6]]
    assert np.isfinite(found.brightness).all() and np.isfinite(found.contrast).all()
    assert found.num_near == 0
    assert len(findings(found)) == 3


def test_one_colour_is_constant_and_two_are_not(photographs: np.ndarray) -> None:
    pictures = photographs[:3].copy()
    pictures[0] = [10, 200, 30]
    pictures[1] = 7
    pictures[1, -1, -1, -1] = 8
    assert look(pictures).constant == [0]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_brightness_and_contrast_are_those_of_the_pixels(photographs: np.ndarray, dtype: Any) -> None:
    share = photographs.astype(np.float64) / 255
    pictures = (
        (share * (np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else 1)).round(6).astype(dtype)
    )
    found = look(pictures)
    means, deviations = share.mean((1, 2, 3)), share.std((1, 2, 3))
    np.testing.assert_allclose(found.brightness[3], np.median(means), atol=2e-3)
    np.testing.assert_allclose(
        [found.brightness[0], found.brightness[-1]], [means.min(), means.max()], atol=2e-3
    )
    np.testing.assert_allclose(found.contrast[3], np.median(deviations), atol=2e-3)


def test_copies_are_found_in_all_kinds_of_pixels(photographs: np.ndarray) -> None:
    near = np.asarray(encoded(picture_of(photographs[3]), 70))[None]
    pictures = np.concatenate([photographs[:20], near])
    for kind in (
        pictures.astype(np.uint16) * 257,
        pictures.astype(np.float32) / 255,
        pictures.mean(3, keepdims=True).astype(np.uint8),
    ):
        assert pairs(look(kind)) == {(3, 20)}


def test_pictures_need_not_be_square(photographs: np.ndarray) -> None:
    wide = photographs[:20, 5:52]
    near = np.asarray(cropped(picture_of(wide[7]), 1, 0, 0, 1))[None]
    assert pairs(look(np.concatenate([wide, near]))) == {(7, 20)}


def test_very_small_pictures_are_not_searched_and_it_is_said() -> None:
    pictures = np.random.default_rng(0).integers(0, 255, (10, 8, 8, 1), dtype=np.uint8)
    found = look(np.concatenate([pictures, pictures[:1]]))
    assert not found.searched and found.num_exact == 1 and "not looked for" in search_note(found)


def test_pairs_left_out_are_told(photographs: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vae_tf.data.inspection.affordable", lambda shape: 1)
    near = np.asarray(encoded(picture_of(photographs[3]), 90))[None]
    found = look(np.concatenate([photographs, near]))
    assert found.num_compared == 1 < found.num_candidates
    assert pairs(found) == {(3, 80)}  # the most alike comes first
    assert "Only the 1 most alike" in search_note(found)


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, len(PARTS) - 1), st.integers(-1, 2)),
        min_size=1,
        max_size=24,
    )
)
def test_exact_copies_are_what_counting_finds(rows: list[tuple[int, int, int]]) -> None:
    kinds = np.random.default_rng(1).integers(0, 255, (6, 9, 9, 1), dtype=np.uint8)
    which, parts, labels = (np.array(column) for column in zip(*rows, strict=True))
    found = look(kinds[which], parts, labels)
    times = Counter(which.tolist())
    assert found.num_exact == sum(amount > 1 for amount in times.values())
    assert found.num_extra == len(rows) - len(times)
    for copies in found.exact:
        assert copies.positions == np.flatnonzero(which == which[copies.positions[0]]).tolist()
        assert copies.across_classes == (len(set(labels[copies.positions].tolist()) - {-1}) > 1)
    table = Counter((PARTS[part], label) for _, part, label in rows)
    for part, row in zip(PARTS, found.counts, strict=True):
        assert row == [table[part, label] for label in [*range(len(row) - 1), -1]]
    assert Inspection.from_json(json.loads(json.dumps(found.to_json()))) == found


@pytest.fixture(scope="module")
def data() -> Path:
    if "VAE_TF_DATA" not in os.environ:
        pytest.skip("VAE_TF_DATA names no folder of real data")
    return Path(os.environ["VAE_TF_DATA"])


def test_real_photographs(data: Path) -> None:
    files = sorted((data / "faces/london").glob("*/*.png"))
    photographs = np.stack(
        [np.asarray(Image.open(file).convert("RGB").resize((SIDE, SIDE))) for file in files]
    )
    assert look(photographs).num_near == 0  # everybody twice, neutral and smiling
    chosen = range(0, 200, 10)
    photographs = photographs[:201]
    for change, least in (
        (lambda i: encoded(i, 30), 17),
        (lambda i: resized(i, 32), 20),
        (lambda i: cropped(i, 1, 1, 1, 1), 20),
    ):
        copies = np.stack([np.asarray(change(picture_of(photographs[i]))) for i in chosen])
        found = pairs(look(np.concatenate([photographs, copies])))
        assert found <= {(i, 201 + k) for k, i in enumerate(chosen)} and len(found) >= least


def test_real_digits_and_sprites(data: Path) -> None:
    digits = np.load(data / "mnist.npz")
    assert look(digits["x_train"][digits["y_train"] == 1][:1500, ..., None]).num_near == 0
    sprites = np.load(data / "lpc_sprites.npz")["imgs"]
    assert look(sprites[:200]).num_near == 0  # in the order of their factors: neighbours differ in one
