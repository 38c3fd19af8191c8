"""Hundreds of millions of codes of real images, fast: a trained encoder that is linear, and distortions of
its weights.

A linear encoder gives the bits [W x + b > 0]. Moving, turning and scaling an image is linear in its
pixels, so the logits of distorted images are those of the images under distorted weights, one product for
a whole data set. Gaussian noise of the pixels is Gaussian noise of the logits with the covariance W W^T.
So the codes are those that the encoder gives to distorted, noisy images, without making the images.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from benchmarks import help_flag

if not help_flag.GIVEN:
    import keras

    from tf_discrete.models import SemanticHashingAutoencoder


SHIFT, ANGLE, SCALE = 2.0, 10.0, 1.1
"""Greatest shift in pixels, rotation in degrees and scaling."""


class LinearEncoder(NamedTuple):
    """Bits [x kernel + bias > 0] of images [B, H, W, 1] in [0, 1].

    Attributes:
        kernel: float32 [H * W, N].
        bias: float32 [N].
        side: H and W.
    """

    kernel: np.ndarray
    bias: np.ndarray
    side: int


def train(images: np.ndarray, bits: int, epochs: int, seed: int) -> LinearEncoder:
    """Trains a semantic hashing autoencoder whose encoder is linear.

    Args:
        images: float32 [M, H, H, 1] in [0, 1].
        bits: N.
        epochs: Passes over the images.
        seed: Int, of weights, order and noise.
    """
    keras.utils.set_random_seed(seed)
    dense = keras.layers.Dense(bits)
    encoder = keras.Sequential([keras.Input(images.shape[1:]), keras.layers.Flatten(), dense])
    model = SemanticHashingAutoencoder(
        images.shape[1:], bits, encoder=encoder, decoder="mlp", hidden_units=(256,), seed=seed
    )
    model.compile(optimizer=keras.optimizers.Adam(2e-3))
    model.fit(images, epochs=epochs, batch_size=200, verbose=0)
    kernel, bias = (np.asarray(weight) for weight in dense.get_weights())
    return LinearEncoder(kernel, bias, images.shape[1])


def packed_codes(
    encoder: LinearEncoder, images: np.ndarray, count: int, seed: int, noise: float, repeats: int
) -> Iterator[np.ndarray]:
    """Yields packed codes, uint8 [B, N / 8], until there are enough.

    Args:
        encoder: The encoder.
        images: float32 [M, H * W].
        count: Codes to make.
        seed: Int, of distortions and noise.
        noise: Standard deviation of the noise of a pixel.
        repeats: Draws of the noise for each distortion of all images.
    """
    generator = np.random.default_rng(seed)
    covariance = encoder.kernel.T.astype(np.float64) @ encoder.kernel
    root = np.linalg.cholesky(covariance + 1e-9 * np.trace(covariance) * np.eye(len(covariance)))
    root = (noise * root.T).astype(np.float32)
    made = 0
    while made < count:
        logits = images @ distorted(encoder, generator) + encoder.bias
        for _ in range(repeats):
            noisy = logits + generator.standard_normal(logits.shape, np.float32) @ root
            packed = np.packbits(noisy > 0, axis=1)[: count - made]
            made += len(packed)
            if len(packed):
                yield packed


def distorted(encoder: LinearEncoder, generator: np.random.Generator) -> np.ndarray:
    """The kernel that gives to images the logits of the same images moved, turned and scaled at random."""
    side = encoder.side
    down, right = generator.uniform(-SHIFT, SHIFT, 2)
    angle = math.radians(ANGLE) * generator.uniform(-1, 1)
    scale = math.exp(math.log(SCALE) * generator.uniform(-1, 1))
    rows, columns = (axis.ravel() - (side - 1) / 2 for axis in np.mgrid[:side, :side])
    a, b = math.cos(angle) / scale, math.sin(angle) / scale
    y = a * (rows - down) - b * (columns - right) + (side - 1) / 2
    x = b * (rows - down) + a * (columns - right) + (side - 1) / 2
    result = np.zeros_like(encoder.kernel)
    for dy in (0, 1):  # Bilinear: each pixel of the result reads four of the image.
        for dx in (0, 1):
            row, column = np.floor(y) + dy, np.floor(x) + dx
            weight = (1 - np.abs(y - row)) * (1 - np.abs(x - column))
            inside = (row >= 0) & (row < side) & (column >= 0) & (column < side)
            source = (row * side + column).astype(int)[inside]
            np.add.at(result, source, (weight[inside, None] * encoder.kernel[inside]))
    return result
