"""One function brings pictures to shape: against Pillow's bilinear filter, and the same in a graph as eagerly."""

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from vae_tf.data.resize import resize


def noise(height: int, width: int, channels: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def by_pillow(picture: NDArray[np.uint8], height: int, width: int) -> NDArray[np.int64]:
    image = Image.fromarray(picture[..., 0] if picture.shape[-1] == 1 else picture)
    pixels = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR)).astype(np.int64)
    return pixels.reshape(height, width, picture.shape[-1])


def run(picture: NDArray[np.uint8], height: int, width: int, channels: int, fit: str) -> NDArray[np.int64]:
    result = resize(picture, height, width, channels, fit)
    assert result.dtype == tf.uint8 and result.shape == (height, width, channels)
    return result.numpy().astype(np.int64)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((100, 80), (50, 40)),
        ((97, 131), (32, 32)),
        ((20, 30), (64, 48)),
        ((33, 90), (64, 17)),
        ((1, 1), (8, 9)),
    ],
)
def test_equals_pillows_bilinear_filter(
    before: tuple[int, int], after: tuple[int, int], channels: int
) -> None:
    picture = noise(*before, channels)
    # Pillow rounds to 8 bits between its two passes; that is worth up to one level.
    assert np.abs(run(picture, *after, channels, "stretch") - by_pillow(picture, *after)).max() <= 1


def test_downscaling_averages_instead_of_picking() -> None:
    stripes = np.tile(np.array([0, 255], np.uint8)[None, :, None], (64, 64, 1))
    middle = run(stripes, 16, 16, 1, "stretch")[:, 2:-2]
    assert middle.min() >= 126 and middle.max() <= 129


@hypothesis.given(
    h=st.integers(8, 60), w=st.integers(8, 60), height=st.integers(8, 40), width=st.integers(8, 40)
)
def test_crop_takes_the_centred_box_of_the_right_proportions(h: int, w: int, height: int, width: int) -> None:
    picture = noise(h, w, 1, seed=h * 100 + w)
    box_h, box_w = min(h, w * height / width), min(w, h * width / height)
    box_h, box_w = max(1, int(box_h + 0.5)), max(1, int(box_w + 0.5))
    top, left = (h - box_h) // 2, (w - box_w) // 2
    box = picture[top : top + box_h, left : left + box_w]
    assert np.abs(run(picture, height, width, 1, "crop") - by_pillow(box, height, width)).max() <= 1


def test_crop_keeps_the_middle() -> None:
    picture = np.zeros((40, 100, 1), np.uint8)
    picture[:, 30:70] = 200
    assert np.array_equal(run(picture, 40, 40, 1, "crop"), np.full((40, 40, 1), 200))
    assert np.array_equal(run(picture.transpose(1, 0, 2), 20, 20, 1, "crop"), np.full((20, 20, 1), 200))


@hypothesis.given(
    h=st.integers(8, 60), w=st.integers(8, 60), height=st.integers(8, 40), width=st.integers(8, 40)
)
def test_pad_keeps_proportions_between_black_borders(h: int, w: int, height: int, width: int) -> None:
    picture = np.maximum(noise(h, w, 3, seed=h * 100 + w), 8)
    scale = min(height / h, width / w)
    inner_h, inner_w = (
        max(1, min(int(side * scale + 0.5), most)) for side, most in ((h, height), (w, width))
    )
    top, left = (height - inner_h) // 2, (width - inner_w) // 2
    padded = run(picture, height, width, 3, "pad")
    inner = padded[top : top + inner_h, left : left + inner_w]
    assert np.abs(inner - by_pillow(picture, inner_h, inner_w)).max() <= 1
    assert (padded > 0).all(-1).sum() == inner_h * inner_w


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_of_the_right_size_stay_as_they_are(fit: str, channels: int) -> None:
    picture = noise(37, 53, channels)
    assert np.array_equal(run(picture, 37, 53, channels, fit), picture)


def test_grey_becomes_three_equal_channels_and_colour_becomes_luma() -> None:
    grey, colour = noise(16, 16, 1), noise(16, 16, 3)
    assert np.array_equal(run(grey, 16, 16, 3, "crop"), np.repeat(grey, 3, -1))
    luma = np.asarray(Image.fromarray(colour).convert("L"))[..., None]
    assert np.abs(run(colour, 16, 16, 1, "crop") - luma).max() <= 1
    exact = colour @ np.array([0.299, 0.587, 0.114])
    assert np.abs(run(colour, 16, 16, 1, "crop")[..., 0] - exact).max() <= 0.5 + 1e-4


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 1), (3, 3)])
def test_a_graph_gives_the_same_bits_as_eager_execution(fit: str, before: int, after: int) -> None:
    @tf.function(input_signature=[tf.TensorSpec((None, None, before), tf.uint8)])
    def graph(picture: tf.Tensor) -> tf.Tensor:
        return resize(picture, 24, 32, after, fit)

    for height, width in [(24, 32), (100, 37), (13, 64), (48, 64), (9, 9)]:
        picture = noise(height, width, before, seed=height)
        assert np.array_equal(graph(picture).numpy(), run(picture, 24, 32, after, fit))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_grey_of_every_depth_becomes_three_equal_channels(dtype: str) -> None:
    picture = noise(5, 7, 1).astype(dtype) * np.ones((), dtype)
    result = np.asarray(resize(picture, 5, 7, 3, "crop"))
    assert result.dtype == dtype
    np.testing.assert_array_equal(result, np.repeat(picture, 3, axis=-1))


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("sides", [(97, 131, 32, 32), (20, 30, 64, 48), (200, 10, 8, 8)])
def test_to_reckon_from_whole_numbers_is_to_reckon_from_floats(
    dtype: str, sides: tuple[int, int, int, int]
) -> None:
    """The operation turns its input into floats itself, so that no copy of four times the size is needed."""
    h, w, height, width = sides
    picture = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (h, w, 3), dtype, endpoint=True)
    floats = tf.image.resize(picture.astype(np.float32), (height, width), "bilinear", antialias=True)
    expected = np.rint(floats.numpy()).astype(dtype)
    assert np.array_equal(resize(picture, height, width, 3, "stretch"), expected)
