"""What a classifier may be shown in place of an image: pure functions of the image and a seed."""

from __future__ import annotations

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


def view(x: Tensor, shift_pixels: int, noise_scale: float, seed: Seed) -> tf.Tensor:
    """An image as a classifier sees it in training: shifted, with Gaussian noise added.

    Args:
        x: float [B, *data_shape]; images [B, H, W, C] where `shift_pixels` > 0.
        shift_pixels: see `shift`.
        noise_scale: standard deviation of the noise.
        seed: int32 [2].
    """
    if shift_pixels:
        x = shift(x, shift_pixels, seeds.fold(seed, "shift"))
    if noise_scale:
        x += noise_scale * tf.random.stateless_normal(
            tf.shape(x), seeds.fold(seed, "noise"), dtype=x.dtype
        )
    return x


def _transpose(x: tf.Tensor) -> tf.Tensor:
    return tf.transpose(x, [0, 2, 1, 3])
