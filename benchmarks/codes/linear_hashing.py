"""Codes without a network, to compare with: signs of linear projections of centred images.

    code = [(x - mean) matrix > 0]

The matrix is random, that of the principal components, or theirs turned by iterative quantisation (ITQ).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tf_discrete.types import Seed

ITERATIONS = 50
_ROWS = 10_000
"""Images that are projected at once."""


class LinearHash(NamedTuple):
    """Images [B, D] to bits int32 [B, N]; `mean` is float [D], `matrix` float [D, N]."""

    mean: np.ndarray
    matrix: np.ndarray

    def project(self, images: np.ndarray) -> np.ndarray:
        """Returns the projections whose signs are the bits, float32 [B, N]."""
        parts = np.array_split(images, max(1, len(images) // _ROWS))
        return np.concatenate([(part - self.mean) @ self.matrix for part in parts])

    def encode(self, images: np.ndarray) -> np.ndarray:
        """The bits."""
        return (self.project(images) > 0).astype(np.int32)


def random_projections(images: np.ndarray, num_bits: int, seed: Seed) -> LinearHash:
    """Directions drawn from a standard normal: the angle between images in expectation.

    Args:
        images: float32 [M, D], for their mean alone.
        num_bits: N.
        seed: int32 [2].

    Reference:
        Charikar. Similarity estimation techniques from rounding algorithms. STOC 2002.
    """
    matrix = tf.random.stateless_normal([images.shape[1], num_bits], seed).numpy()
    return LinearHash(images.mean(axis=0), matrix)


def principal_components(images: np.ndarray, num_bits: int) -> LinearHash:
    """The directions of largest variance, largest first.

    Args:
        images: float32 [M, D].
        num_bits: N, at most D.

    Raises:
        ValueError: more bits than pixels.
    """
    if num_bits > images.shape[1]:
        raise ValueError(
            "There are no more principal components than pixels. Give fewer bits. "
            f"Received: num_bits={num_bits}, {images.shape[1]} pixels"
        )
    mean = images.mean(axis=0)
    centred = images - mean
    _, vectors = np.linalg.eigh(centred.T @ centred)
    return LinearHash(mean, np.ascontiguousarray(vectors[:, : -num_bits - 1 : -1]))


def iterative_quantization(images: np.ndarray, num_bits: int, seed: Seed) -> LinearHash:
    """The principal components, turned so that they lie near the corners of a cube.

    With V the projections on them, B = sign(V R) and the rotation R that minimises |B - V R|^2 take turns.

    Args:
        images: float32 [M, D].
        num_bits: N, at most D.
        seed: int32 [2], of the first rotation.

    Raises:
        ValueError: more bits than pixels.

    Reference:
        Gong, Lazebnik. Iterative quantization: a Procrustean approach to learning binary codes. CVPR 2011.
    """
    components = principal_components(images, num_bits)
    projections = components.project(images)
    rotation = random_rotation(num_bits, seed)
    for _ in range(ITERATIONS):
        bits = np.where(projections @ rotation > 0, np.float32(1), np.float32(-1))
        rotation = best_rotation(projections, bits)
    return LinearHash(components.mean, components.matrix @ rotation)


def random_rotation(size: int, seed: Seed) -> np.ndarray:
    """An orthogonal matrix [size, size], uniform among all."""
    q, r = np.linalg.qr(tf.random.stateless_normal([size, size], seed).numpy())
    return q * np.sign(np.diag(r))


def best_rotation(projections: np.ndarray, bits: np.ndarray) -> np.ndarray:
    """The orthogonal R with the least |B - V R|^2: R = W U^T with the SVD B^T V = U S W^T.

    Args:
        projections: V, float [M, N].
        bits: B, -1 and 1 [M, N].
    """
    u, _, v = np.linalg.svd(bits.T @ projections)
    return v.T @ u.T
