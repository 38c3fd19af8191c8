"""Moved images: the transform does what its numbers say, and every image is encoded in turn."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from benchmarks.codes import augmented as augmented_codes
from tf_discrete import seeds

CENTRE = np.zeros([1, 9, 9, 1], np.float32)
CENTRE[0, 4, 4] = 1.0


def centroids(images):
    """The centre of the intensities of each image, [B, 2]."""
    places = np.stack(np.meshgrid(np.arange(9), np.arange(9), indexing="ij"), axis=-1)
    weights = images / images.sum(axis=(1, 2, 3), keepdims=True)
    return (weights * places).sum(axis=(1, 2))


def test_the_centre_moves_by_the_shift_alone(monkeypatch):
    # Bilinear reading of a blob keeps its centroid where nothing is turned or scaled.
    monkeypatch.setattr(augmented_codes, "ANGLE", 0.0)
    monkeypatch.setattr(augmented_codes, "SCALE", 1.0)
    seed = seeds.base(0)
    found = centroids(augmented_codes.move(np.repeat(CENTRE, 50, axis=0), seed).numpy())
    draws = tf.random.stateless_uniform([4, 50], seed, -1.0, 1.0).numpy()
    np.testing.assert_allclose(found, 4 + 2 * draws[:2].T, atol=1e-4)


def test_an_image_is_turned_about_its_centre_and_scaled(monkeypatch):
    monkeypatch.setattr(augmented_codes, "SHIFT", 0.0)
    seed = seeds.base(1)
    bar = np.zeros([1, 9, 9, 1], np.float32)
    bar[0, 4, :] = bar[0, :, 4] = 1.0
    moved = augmented_codes.move(np.repeat(bar, 20, axis=0), seed).numpy()
    np.testing.assert_allclose(moved[:, 4, 4], 1.0, atol=1e-5)
    monkeypatch.setattr(augmented_codes, "ANGLE", 0.0)
    monkeypatch.setattr(augmented_codes, "SCALE", 1.0)
    np.testing.assert_allclose(augmented_codes.move(bar, seed), bar, atol=1e-5)
    assert abs(moved - bar).max() > 0.1


class Brightest:
    """Encodes an image as its largest intensity, at least 1/2 or not."""

    def encode(self, images):
        return tf.cast(tf.reduce_max(images, axis=(1, 2)) >= 0.5, tf.int32)


def test_images_come_in_turn_and_bytes_are_intensities():
    images = np.zeros([3, 9, 9, 1], np.uint8)
    images[1, 1:8, 1:8] = 255
    codes = augmented_codes.encode(Brightest(), images, 2500, seeds.base(0))
    assert codes.shape == (2500, 1) and codes.dtype == np.int32
    np.testing.assert_array_equal(codes[:, 0], np.arange(2500) % 3 == 1)
