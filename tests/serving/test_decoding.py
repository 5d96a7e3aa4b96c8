"""Bytes in the graph become the very pixels that the cache holds of them, which Pillow decoded."""

import functools
import io
import struct

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from PIL import Image

from vae_tf.data.cache import Shape, decoder
from vae_tf.data.pictures import LARGEST_NUM_PIXELS, read_picture, read_values, to_depth
from vae_tf.serving.decoding import Decoding

MODES = {"JPEG": ["L", "RGB"], "PNG": ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"]}


def random_image(seed, mode, height, width):
    """A smooth picture with noise, as every mode has it; transparency where the mode knows it."""
    generator = np.random.default_rng(seed)
    coarse = generator.uniform(0, 255, (3, 3, 4)).astype(np.float32)
    smooth = np.asarray(tf.image.resize(coarse, (height, width)))
    values = np.clip(smooth + generator.normal(0, 12, smooth.shape), 0, 255).astype(np.uint8)
    if mode == "I;16":
        return Image.fromarray((values[..., 0].astype(np.uint16) * 256) + values[..., 1])
    rgba = Image.fromarray(values)
    return (
        rgba if mode == "RGBA" else rgba.convert("RGB").convert(mode) if mode in "1LP" else rgba.convert(mode)
    )


def encoded(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def exif(orientation, order="<", kind=3):
    value = struct.pack(order + {3: "H", 4: "I", 1: "B"}[kind], orientation).ljust(4, b"\0")
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    make = struct.pack(order + "HHI", 0x010F, 2, 4) + b"abc\0"
    entry = struct.pack(order + "HHI", 0x0112, kind, 1) + value
    return b"Exif\0\0" + start + struct.pack(order + "H", 2) + make + entry + b"\0\0\0\0"


class Bytes:
    """A source of one picture, as the cache's decoder knows sources."""

    data, dtype, value_range = b"", "uint8", None

    def read(self, _):
        return to_depth(read_values(self.data), self.dtype, self.value_range)


SOURCE = Bytes()


@functools.cache
def decoder_of(image_shape, fit, dtype="uint8", value_range=None):
    return decoder(SOURCE, Shape(*image_shape, fit, dtype, value_range))


def cached(data, image_shape, fit, dtype="uint8", value_range=None):
    SOURCE.data, SOURCE.dtype, SOURCE.value_range = data, dtype, value_range
    return np.frombuffer(decoder_of(image_shape, fit, dtype, value_range)(0).pixels, dtype).reshape(
        image_shape
    )


@functools.cache
def graph_of(*arguments):
    return tf.function(Decoding(*arguments), input_signature=[tf.TensorSpec((None,), tf.string)])


def in_graph(data, *arguments):
    return graph_of(*arguments)(tf.constant([data]))[0].numpy()


@settings(max_examples=40, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(
    kind=st.sampled_from(["JPEG", "PNG"]),
    data=st.data(),
    seed=st.integers(0, 10**6),
    height=st.integers(1, 60),
    width=st.integers(1, 60),
    channels=st.sampled_from([1, 3]),
    fit=st.sampled_from(["crop", "pad", "stretch"]),
    orientation=st.integers(0, 9),
)
def test_equals_the_cache_bit_for_bit(kind, data, seed, height, width, channels, fit, orientation):
    image = random_image(seed, data.draw(st.sampled_from(MODES[kind])), height, width)
    options = {"quality": data.draw(st.integers(20, 98))} if kind == "JPEG" else {}
    given_bytes = encoded(image, kind, exif=exif(orientation), **options)
    shape = (16, 24, channels)
    np.testing.assert_array_equal(in_graph(given_bytes, shape, fit), cached(given_bytes, shape, fit))


@pytest.mark.parametrize("mode", MODES["PNG"])
@pytest.mark.parametrize("value_range", [None, (0.0, 4095.0)])
def test_sixteen_bits_keep_their_depth(mode, value_range):
    image = random_image(3, mode, 20, 30)
    if value_range and mode == "I;16":
        image = Image.fromarray(np.asarray(image) // 16)
    data = encoded(image, "PNG")
    arguments = ((16, 16, 1), "crop", "uint16", value_range)
    np.testing.assert_array_equal(in_graph(data, *arguments), cached(data, *arguments))


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", [1, 3, 4])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_in_either_byte_order(order, kind, orientation):
    image = random_image(5, "RGB", 9, 14)
    data = encoded(image, "PNG", exif=exif(orientation, order, kind))
    size = read_picture(data).shape
    np.testing.assert_array_equal(in_graph(data, size, "crop"), read_picture(data))
    # A byte is no number that EXIF has for it, and Pillow ignores it.
    assert size[:2] == ((14, 9) if orientation >= 5 and kind != 1 else (9, 14))


@pytest.mark.parametrize("options", [{"progressive": True}, {"subsampling": 0}, {"subsampling": 1}, {"optimize": True},
                                     {"restart_marker_rows": 1}, {"comment": b"\xff\xe1 Exif"}])  # fmt: skip
def test_kinds_of_jpeg(options):
    data = encoded(random_image(7, "RGB", 40, 50), "JPEG", exif=exif(6), **options)
    np.testing.assert_array_equal(in_graph(data, (50, 40, 3), "crop"), read_picture(data))


def test_kinds_of_png():
    image = random_image(8, "RGB", 20, 30)
    palette = image.quantize(16)
    for data in (
        encoded(palette, "PNG", transparency=3),
        encoded(image.convert("L"), "PNG", transparency=100),
        encoded(image, "PNG", transparency=tuple(image.getpixel((3, 4)))),
        encoded(palette, "PNG", bits=4),
    ):
        arguments = ((20, 30, 3), "crop")
        np.testing.assert_array_equal(in_graph(data, *arguments), cached(data, *arguments))


@settings(max_examples=60, deadline=None)
@given(place=st.integers(0, 60), value=st.integers(0, 255), cut=st.integers(0, 40))
def test_a_broken_exif_block_costs_no_picture(place, value, cut):
    """What Pillow reads of it is not asked: pixels must come, in one orientation or another."""
    block = bytearray(exif(6))
    block[min(6 + place, len(block) - 1)] = value
    data = encoded(random_image(9, "RGB", 8, 8), "JPEG", exif=bytes(block[: len(block) - cut]))
    assert graph_of((8, 8, 3), "crop")(tf.constant([data])).shape == (1, 8, 8, 3)


DAMAGES = {
    "empty": lambda data: b"",
    "another format": lambda data: b"GIF89a",
    "three bytes": lambda data: data[:3],
    "a header": lambda data: data[:30],
    "half": lambda data: data[: len(data) // 2],
    "bytes in the middle": lambda data: data[:20] + b"\xff" * 8 + data[28:],
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_what_is_no_picture_fails_and_says_so(kind, damage):
    data = encoded(random_image(1, "RGB", 30, 30), kind)
    with pytest.raises(tf.errors.InvalidArgumentError):
        graph_of((8, 8, 3), "crop")(tf.constant([data, damage(data)]))


def test_a_picture_of_too_many_pixels_is_refused_by_its_header():
    data = bytearray(encoded(random_image(1, "L", 8, 8), "PNG"))
    data[16:24] = struct.pack(">II", 60_000, 60_000)
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"more than {LARGEST_NUM_PIXELS:,} pixels"):
        graph_of((8, 8, 3), "crop")(tf.constant([bytes(data)]))
