"""What a classifier may be shown in place of an image: pure functions of the image and a seed."""

from __future__ import annotations

import math

import tensorflow as tf

from tf_discrete import seeds
from tf_discrete.types import Seed, Tensor


def shift(x: Tensor, pixels: int, seed: Seed) -> tf.Tensor:
    """Images moved by up to so many whole pixels in each direction, each on its own; 0 moves in.

    Args:
        x: float [B, H, W, C].
        pixels: largest shift.
        seed: int32 [2].

    Example:
        >>> shift(tf.ones([2, 8, 8, 1]), 1, seeds.base(0)).shape
        TensorShape([2, 8, 8, 1])
    """
    x = tf.convert_to_tensor(x)
    padded = tf.pad(x, [[0, 0], [pixels, pixels], [pixels, pixels], [0, 0]])
    corner = tf.random.stateless_uniform(
        [tf.shape(x)[0], 2], seed, 0, 2 * pixels + 1, dtype=tf.int32
    )
    rows = corner[:, :1] + tf.range(x.shape[1])
    columns = corner[:, 1:] + tf.range(x.shape[2])
    moved = _transpose(tf.gather(padded, rows, axis=1, batch_dims=1))
    moved = _transpose(tf.gather(moved, columns, axis=1, batch_dims=1))
    return tf.ensure_shape(moved, x.shape)


def turn(x: Tensor, degrees: float, zoom: float, seed: Seed) -> tf.Tensor:
    """Images turned and zoomed around their middle, each on its own; bilinear, 0 moves in.

    Args:
        x: float [B, H, W, C].
        degrees: largest angle, to either side.
        zoom: largest share by which what is read of an image grows or shrinks, below 1.
        seed: int32 [2].

    Example:
        >>> turn(tf.ones([2, 8, 8, 1]), 15.0, 0.1, seeds.base(0)).shape
        TensorShape([2, 8, 8, 1])
    """
    x = tf.convert_to_tensor(x)
    rows, (height, width) = tf.shape(x)[0], x.shape[1:3]
    drawn = tf.random.stateless_uniform([2, rows, 1, 1], seed, -1, 1, dtype=x.dtype)
    angle, scale = drawn[0] * (degrees * math.pi / 180), 1 + drawn[1] * zoom
    cosine, sine = scale * tf.cos(angle), scale * tf.sin(angle)
    # Where the pixels of the new image lie in the old one, in pixels from its middle.
    i = tf.range(height, dtype=x.dtype)[:, tf.newaxis] - (height - 1) / 2
    j = tf.range(width, dtype=x.dtype) - (width - 1) / 2
    top, down = _neighbor(sine * j + cosine * i, height)
    left, right = _neighbor(cosine * j - sine * i, width)
    padded = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])
    flat = tf.reshape(padded, [rows, (height + 2) * (width + 2), x.shape[3]])
    corner = top * (width + 2) + left

    def pixel(offset: int) -> tf.Tensor:
        return tf.gather(flat, corner + offset, axis=1, batch_dims=1)

    upper = pixel(0) + right * (pixel(1) - pixel(0))
    lower = pixel(width + 2) + right * (pixel(width + 3) - pixel(width + 2))
    return tf.ensure_shape(upper + down * (lower - upper), x.shape)


def view(
    x: Tensor,
    seed: Seed,
    *,
    shift_pixels: int = 0,
    degrees: float = 0.0,
    zoom: float = 0.0,
    noise_scale: float = 0.0,
) -> tf.Tensor:
    """An image as a classifier sees it in training: turned, zoomed, shifted, with Gaussian noise added.

    Args:
        x: float [B, *data_shape]; images [B, H, W, C] where anything but noise is asked for.
        seed: int32 [2].
        shift_pixels: see `shift`.
        degrees: see `turn`.
        zoom: see `turn`.
        noise_scale: standard deviation of the noise.
    """
    if degrees or zoom:
        x = turn(x, degrees, zoom, seeds.fold(seed, "turn"))
    if shift_pixels:
        x = shift(x, shift_pixels, seeds.fold(seed, "shift"))
    if noise_scale:
        x += noise_scale * tf.random.stateless_normal(
            tf.shape(x), seeds.fold(seed, "noise"), dtype=x.dtype
        )
    return x


def _neighbor(place: tf.Tensor, size: int) -> tuple[tf.Tensor, tf.Tensor]:
    """The pixel before a place along an axis, int32 in an image padded by 1, and the way on, [..., 1]."""
    place = tf.clip_by_value(place + (size + 1) / 2, 0, size + 1)
    before = tf.minimum(tf.floor(place), size)
    return tf.cast(before, tf.int32), (place - before)[..., tf.newaxis]


def _transpose(x: tf.Tensor) -> tf.Tensor:
    return tf.transpose(x, [0, 2, 1, 3])
