"""Resizing of images, the same for every source."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

_CHUNK = 256


def resize(images: np.ndarray, image_size: tuple[int, int] | None) -> np.ndarray:
    """Returns images resized to (height, width): bilinear, antialiased, of the same dtype.

    Args:
        images: [n, H, W, C], uint8 in 0..255 or float32 in [0, 1].
        image_size: (height, width); None keeps the images as they are.

    Returns:
        [n, height, width, C], of the dtype of `images`.

    Example:
        >>> resize(np.full([1, 4, 4, 1], 7, np.uint8), (2, 2))[0, :, :, 0]
        array([[7, 7],
               [7, 7]], dtype=uint8)
    """
    if image_size is None or images.shape[1:3] == tuple(image_size):
        return images
    parts = [
        resize_tensor(images[start : start + _CHUNK], image_size).numpy()
        for start in range(0, len(images), _CHUNK)
    ]
    return np.concatenate(parts)


def resize_tensor(images: tf.Tensor, image_size: tuple[int, int]) -> tf.Tensor:
    """`resize` for a tensor [..., H, W, C]; also inside a graph."""
    images = tf.convert_to_tensor(images)
    resized = tf.image.resize(images, image_size, antialias=True)
    if images.dtype.is_integer:
        resized = tf.clip_by_value(tf.round(resized), 0.0, 255.0)
    else:
        resized = tf.clip_by_value(resized, 0.0, 1.0)
    return tf.cast(resized, images.dtype)
