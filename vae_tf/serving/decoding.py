"""JPEG and PNG bytes to stored pixels inside a graph: the pixels that `vae_tf.data` makes of the same bytes by Pillow.

Equal bit for bit for pictures of 8 bits and grey ones of 16, with palettes, transparency, an EXIF orientation, of any
size (tests/serving/test_decoding.py); libjpeg must do what Pillow asks of it: accurate integers, fancy upsampling.
Orientations that stand in XMP or in a PNG's text alone are not read. CMYK is within two levels.
"""

import dataclasses
import functools
from typing import Any

import tensorflow as tf

from vae_tf.data.pictures import LARGEST_NUM_PIXELS, ORIENTATION_TAG
from vae_tf.data.resize import match_channels, resize
from vae_tf.pixels import WHITE

JPEG_START, PNG_START = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
# JPEG's markers: of the pixels, of a segment that may hold EXIF, and those that stand alone.
SCAN, APP1, FIRST_ALONE, LAST_ALONE, TEMPORARY = 0xDA, 0xE1, 0xD0, 0xD9, 0x01
EXIF_HEADER = b"Exif\0\0"
# Where a PNG's header says its width, height, depth and kind of colour.
PNG_WIDTH, PNG_HEIGHT, PNG_DEPTH, PNG_COLOUR = 16, 20, 24, 25
# Kinds of colour from this one on have an alpha channel.
PNG_ALPHA = 4
# Types of EXIF values.
SHORT, LONG = 3, 4


@dataclasses.dataclass(frozen=True)
class Decoding:
    """How bytes become the stored pixels of a run.

    Args:
        image_shape: (H, W, C).
        fit: "crop", "pad" or "stretch".
        dtype: Stored type, "uint8" or "uint16".
        value_range: The source's values that became black and white; None where they are the type's own.
    """

    image_shape: tuple[int, int, int]
    fit: str
    dtype: str = "uint8"
    value_range: tuple[float, float] | None = None

    @functools.cached_property
    def function(self) -> Any:
        """`__call__` as one `tf.function`: every signature that decodes shares its graph."""
        return tf.function(self, input_signature=[tf.TensorSpec((None,), tf.string)], autograph=False)

    def __call__(self, encoded: Any) -> Any:
        """Stored pixels [B, H, W, C] of JPEG or PNG strings [B].

        Fails, when it runs, for what is neither, is damaged or has more pixels than training would take.
        """
        spec = tf.TensorSpec(self.image_shape, self.dtype)
        return tf.map_fn(self.one, encoded, fn_output_signature=spec)

    def one(self, encoded: Any) -> Any:
        """Stored pixels [H, W, C] of one string."""
        data = tf.io.decode_raw(encoded, tf.uint8)
        is_png = starts_with(data, PNG_START)
        kind = tf.debugging.Assert(
            is_png | starts_with(data, JPEG_START), ["The bytes are neither a JPEG nor a PNG picture."]
        )
        with tf.control_dependencies([kind]):
            values, exif = tf.cond(
                is_png,
                lambda: (self._png(encoded, data), find_chunk(encoded, data, b"eXIf")),
                lambda: (self._jpeg(encoded), find_exif(encoded, data)),
            )
        picture = tf.cond(exif < 0, lambda: values, lambda: upright(values, orientation(data, exif)))
        # As the cache does: what has its shape already is left alone.
        is_done = tf.reduce_all(tf.shape(picture) == self.image_shape)
        return tf.cond(
            is_done,
            lambda: tf.reshape(picture, self.image_shape),
            lambda: resize(picture, *self.image_shape, self.fit),
        )

    def _jpeg(self, encoded: Any) -> Any:
        height, width, _ = tf.unstack(tf.io.extract_jpeg_shape(encoded))
        with tf.control_dependencies([check_size(height, width)]):
            pixels = tf.io.decode_jpeg(
                encoded, channels=3, dct_method="INTEGER_ACCURATE", fancy_upscaling=True
            )
        return self._stored(pixels)

    def _png(self, encoded: Any, data: Any) -> Any:
        header = tf.debugging.Assert(tf.size(data) > PNG_COLOUR, ["The PNG ends before its header does."])
        with tf.control_dependencies([header]):
            size = check_size(number(data, PNG_HEIGHT, 4), number(data, PNG_WIDTH, 4))
        with tf.control_dependencies([size]):
            is_deep_grey = (data[PNG_DEPTH] == 16) & (data[PNG_COLOUR] == 0)
            # Asked for an alpha that is not there, TensorFlow makes it transparent where the depth is below 8 bits.
            has_alpha = (data[PNG_COLOUR] >= PNG_ALPHA) | (find_chunk(encoded, data, b"tRNS") >= 0)
        return tf.cond(
            is_deep_grey,
            lambda: self._stored(match_channels(tf.io.decode_png(encoded, channels=1, dtype=tf.uint16), 3)),
            lambda: self._stored(
                tf.cond(
                    has_alpha,
                    lambda: on_white(tf.io.decode_png(encoded, channels=4)),
                    lambda: tf.io.decode_png(encoded, channels=3),
                )
            ),
        )

    def _stored(self, values: Any) -> Any:
        """Values in the depth of the file at the stored depth and range, as `to_depth` and `rescale` make them."""
        white = WHITE[self.dtype]
        low, high = self.value_range or (0.0, white)
        spread = tf.cast(values, tf.float64)
        if values.dtype.name != self.dtype:
            # In float32 first, as `to_depth` does: a rounding more decides some ties.
            unit = tf.cast(values, tf.float32) / WHITE[values.dtype.name]
            spread = tf.round(low + tf.cast(unit, tf.float64) * (high - low))
        if self.value_range is not None:
            spread = tf.round((spread - low) * (white / (high - low)))
        return tf.cast(tf.clip_by_value(spread, 0.0, white), self.dtype)


def check_size(height: Any, width: Any) -> Any:
    num_pixels = tf.cast(height, tf.int64) * tf.cast(width, tf.int64)
    reason = f"The picture is empty, or has more than {LARGEST_NUM_PIXELS:,} pixels:"
    return tf.debugging.Assert((num_pixels > 0) & (num_pixels <= LARGEST_NUM_PIXELS), [reason, width, height])


def on_white(rgba: Any) -> Any:
    """uint8 [h, w, 4] laid on white [h, w, 3], with Pillow's own fixed-point arithmetic (`Image.alpha_composite`)."""
    values = tf.cast(rgba, tf.int32)
    colour, alpha = values[..., :3], values[..., 3:]
    blended = (colour * alpha + 255 * (255 - alpha)) * 128 + 0x4000
    pixels = ((blended // 256 + blended) // 256) // 128
    return tf.cast(tf.where(alpha == 0, 255, pixels), tf.uint8)


def upright(picture: Any, orientation: Any) -> Any:
    """A picture [h, w, c] turned as its EXIF orientation, 1 to 8, asks for."""
    channels = picture.shape[-1]
    is_turned = orientation >= 5
    turned = tf.transpose(picture, tf.where(is_turned, [1, 0, 2], [0, 1, 2]))
    is_flipped = tf.reduce_any(orientation == [3, 4, 7, 8])
    is_mirrored = tf.reduce_any(orientation == [2, 3, 6, 7])
    picture = turned[:: tf.where(is_flipped, -1, 1), :: tf.where(is_mirrored, -1, 1)]
    return tf.ensure_shape(picture, (None, None, channels))


def orientation(data: Any, exif: Any) -> Any:
    """The orientation that the EXIF block at `exif` in the bytes [n] names; 1 where `exif` is −1 or it names none."""

    def read() -> Any:
        is_little = data[exif] == ord("I")
        first = exif + number(data, exif + 4, 4, is_little)
        count = number(data, first, 2, is_little)
        # Entries of 12 bytes: tag, type, count, value.
        room = tf.maximum((tf.size(data) - first - 2) // 12, 0)
        entries = tf.reshape(
            tf.gather(data, first + 2 + tf.range(tf.clip_by_value(count, 0, room) * 12)), (-1, 12)
        )
        tag, kind, num = (field(entries, at, size, is_little) for at, size in ((0, 2), (2, 2), (4, 4)))
        short, long = field(entries, 8, 2, is_little), field(entries, 8, 4, is_little)
        value = tf.where(kind == SHORT, short, long)
        is_named = (tag == ORIENTATION_TAG) & (num == 1) & ((kind == SHORT) | (kind == LONG))
        found = tf.concat([[1], tf.boolean_mask(value, is_named)], 0)[-1]
        return tf.where((found >= 1) & (found <= 8), found, 1)

    is_whole = (exif >= 0) & (exif + 8 <= tf.size(data))
    start = tf.cond(is_whole, lambda: exif + number(data, exif + 4, 4, data[exif] == ord("I")), lambda: -1)
    return tf.cond((start > exif) & (start + 2 <= tf.size(data)), read, lambda: 1)


def find_exif(encoded: Any, data: Any) -> Any:
    """Where the EXIF block of a JPEG's bytes [n] begins; −1 for none."""
    end = tf.size(data)

    def walk(at: Any, _: Any) -> Any:
        marker = tf.cast(data[at + 1], tf.int32)
        # Between segments any byte may be filled in.
        is_filling = (data[at] != 0xFF) | (marker == 0xFF)
        is_alone = (marker == 0) | (marker == TEMPORARY) | ((marker >= FIRST_ALONE) & (marker <= LAST_ALONE))
        length = 2 + tf.maximum(number(data, at + 2, 2), 2)
        step = tf.where(is_filling, 1, tf.where(is_alone, 2, tf.where(marker == SCAN, end, length)))
        is_exif = ~is_filling & (marker == APP1) & starts_with(data[at + 4 :], EXIF_HEADER)
        return tf.where(is_exif, end, at + step), tf.where(is_exif, at + 4 + len(EXIF_HEADER), -1)

    first = tf.constant(2), tf.constant(-1)
    return tf.cond(
        contains(encoded, "Exif"),
        lambda: tf.while_loop(lambda at, _: at < end - 4, walk, first)[1],
        lambda: -1,
    )


def find_chunk(encoded: Any, data: Any, name: bytes) -> Any:
    """Where what the chunk of this name holds begins in a PNG's bytes [n]; −1 for none."""
    end = tf.size(data)

    def walk(at: Any, _: Any) -> Any:
        length = number(data, at, 4)
        is_found = starts_with(data[at + 4 :], name)
        # A lie of more than 2³¹ bytes reads as negative; then nothing follows.
        is_last = is_found | (length < 0) | (length > end - at)
        return tf.where(is_last, end, at + 12 + length), tf.where(is_found, at + 8, -1)

    first = tf.constant(len(PNG_START)), tf.constant(-1)
    return tf.cond(
        contains(encoded, name.decode()),
        lambda: tf.while_loop(lambda at, _: at < end - 8, walk, first)[1],
        lambda: -1,
    )


def contains(encoded: Any, name: str) -> Any:
    """Whether a string has these bytes anywhere: looked for at once, as walking to them costs more than to decode."""
    return tf.strings.regex_full_match(encoded, rf"\C*{name}\C*")


def starts_with(data: Any, start: bytes) -> Any:
    """Whether bytes [n] begin with `start`."""
    first = data[: len(start)]
    is_long = tf.size(first) == len(start)
    return is_long & tf.reduce_all(tf.pad(first, [[0, len(start) - tf.size(first)]]) == list(start))


def number(data: Any, at: Any, size: int, is_little: Any = False) -> Any:
    """An int32 of `size` bytes at a place in bytes [n]; 0 where they lie beyond the end."""
    places = at + tf.range(size)
    is_inside = (places >= 0) & (places < tf.size(data))
    read = tf.where(is_inside, tf.gather(data, tf.where(is_inside, places, 0)), 0)
    return field(read[None], 0, size, is_little)[0]


def field(rows: Any, at: int, size: int, is_little: Any) -> Any:
    """int32 [n] of `size` bytes at a place in each row of bytes [n, m]."""
    digits = tf.cast(rows[:, at : at + size], tf.int32)
    digits = tf.where(is_little, digits, digits[:, ::-1])
    # Wraps to a negative number above 2³¹, which no caller takes for a place.
    return tf.reduce_sum(tf.bitwise.left_shift(digits, 8 * tf.range(size)), axis=-1)
