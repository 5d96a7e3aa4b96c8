"""The one definition of how a decoded picture gets its shape, for the cache and for exported graphs alike."""

from typing import Any

import tensorflow as tf

from vae_tf.pixels import WHITE


def resize(picture: Any, height: int, width: int, channels: int, fit: str) -> Any:
    """Stored pixels [h, w, 1 or 3] to [height, width, channels] of the same type: bilinear, antialiased, rounded.

    Args:
        picture: Tensor of uint8, uint16 or float32 (never rounded); its shape may be known only when the graph runs.
        height, width, channels: The shape to reach; channels is 1 or 3.
        fit: "crop" cuts the middle part of the right proportions, "pad" adds black borders, "stretch" ignores
            proportions.
    """
    picture = match_channels(tf.convert_to_tensor(picture), channels)
    shape = tf.shape(picture)
    h, w = shape[0], shape[1]
    if fit == "crop":
        crop_h = tf.clip_by_value((w * height + width // 2) // width, 1, h)
        crop_w = tf.clip_by_value((h * width + height // 2) // height, 1, w)
        top, left = (h - crop_h) // 2, (w - crop_w) // 2
        picture = picture[top : top + crop_h, left : left + crop_w]
        return to_size(picture, height, width, channels)
    if fit == "stretch":
        return to_size(picture, height, width, channels)
    inner_h = tf.clip_by_value((h * width + w // 2) // w, 1, height)
    inner_w = tf.clip_by_value((w * height + h // 2) // h, 1, width)
    inner = to_size(picture, inner_h, inner_w, channels)
    padded = tf.image.pad_to_bounding_box(
        inner, (height - inner_h) // 2, (width - inner_w) // 2, height, width
    )
    return tf.ensure_shape(padded, (height, width, channels))


def match_channels(picture: Any, channels: int) -> Any:
    """Grey to three equal channels, or colour to luma (ITU-R 601, rounded), where needed."""
    if channels == 3:
        return picture if picture.shape[-1] == 3 else tf.concat([picture] * 3, axis=-1)
    if picture.shape[-1] == 1:
        return picture
    luma = tf.tensordot(tf.cast(picture, tf.float32), tf.constant([0.299, 0.587, 0.114]), 1)
    return to_type(luma, picture.dtype)[..., None]


def to_size(picture: Any, height: Any, width: Any, channels: int) -> Any:
    # It reckons in floats whatever it is given; to give it floats would cost four times the memory.
    values = tf.image.resize(picture, (height, width), method="bilinear", antialias=True)
    pixels = to_type(values, picture.dtype)
    known = height if isinstance(height, int) else None, width if isinstance(width, int) else None
    return tf.ensure_shape(pixels, (*known, channels))


def to_type(values: Any, dtype: tf.DType) -> Any:
    """float32 values as stored pixels: rounded and kept between black and white, floats left as they are."""
    if dtype == tf.float32:
        return values
    return tf.cast(tf.clip_by_value(tf.round(values), 0.0, WHITE[dtype.name]), dtype)
