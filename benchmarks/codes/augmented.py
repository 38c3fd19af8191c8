"""As many codes of images as one likes: those of a model, for images that are moved, turned and scaled."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf

from tf_discrete import seeds
from tf_discrete.types import Seed, Tensor

SHIFT = 2.0
"""Largest shift in each direction, pixels."""
ANGLE = 10.0
"""Largest rotation, degrees."""
SCALE = 1.1
"""Largest scaling, up or down."""
_BATCH = 1000


def encode(
    model: Any, images: np.ndarray, count: int, seed: Seed, threshold: bool = False
) -> np.ndarray:
    """Codes of images, each of which comes about equally often and never the same way.

    Args:
        model: with `encode`.
        images: uint8 of 0..255, or floats in [0, 1], [M, H, W, C].
        count: codes to make.
        seed: int32 [2].
        threshold: whether the model reads black and white, cut at 1/2. Default: False.

    Returns:
        codes: int32 [count, N].
    """
    scale = 1 / 255 if images.dtype == np.uint8 else 1.0

    @tf.function(reduce_retracing=True)
    def step(some: Tensor, own_seed: Seed) -> tf.Tensor:
        moved = move(scale * tf.cast(some, tf.float32), own_seed)
        return model.encode(tf.cast(moved > 0.5, tf.float32) if threshold else moved)

    parts = []
    for start in range(0, count, _BATCH):
        rows = np.arange(start, min(start + _BATCH, count)) % len(images)
        some = tf.constant(images[rows])
        parts.append(step(some, seeds.fold(seed, start)).numpy().astype(np.uint8))
    return np.concatenate(parts).astype(np.int32)


def move(images: Tensor, seed: Seed) -> tf.Tensor:
    """Images shifted, turned about their centre and scaled, each on its own; 0 moves in.

    Args:
        images: float32 [B, H, W, C].
        seed: int32 [2].
    """
    height, width = images.shape[1:3]
    draws = tf.random.stateless_uniform([4, tf.shape(images)[0]], seed, -1.0, 1.0)
    down, right = SHIFT * draws[0], SHIFT * draws[1]
    angle, scale = math.radians(ANGLE) * draws[2], tf.exp(math.log(SCALE) * draws[3])
    # A pixel (x, y) of the result is read at (a x + b y + c, -b x + a y + d): the centre moves by the shift.
    a, b = tf.cos(angle) / scale, tf.sin(angle) / scale
    x, y = (width - 1) / 2, (height - 1) / 2
    c, d = x - a * (x + right) - b * (y + down), y + b * (x + right) - a * (y + down)
    zero = tf.zeros_like(a)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([a, b, c, -b, a, d, zero, zero], axis=1),
        output_shape=[height, width],
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
        fill_value=0.0,
    )
