from __future__ import annotations

import numpy as np

from tf_discrete.datasets import resizing


def test_no_size_and_the_same_size_change_nothing():
    images = np.arange(32, dtype=np.uint8).reshape(2, 4, 4, 1)
    assert resizing.resize(images, None) is images
    assert resizing.resize(images, (4, 4)) is images


def test_it_averages_when_it_makes_images_smaller():
    images = np.zeros([300, 16, 16, 3], np.uint8)
    images[:, ::2] = 200
    small = resizing.resize(images, (2, 4))
    assert small.shape == (300, 2, 4, 3) and small.dtype == np.uint8
    assert np.abs(small.astype(int) - 100).max() <= 15  # without antialiasing: 0 or 200


def test_float_images_stay_in_range():
    images = np.random.RandomState(0).choice([0.0, 1.0], (3, 5, 5, 1)).astype(np.float32)
    large = resizing.resize(images, (11, 7))
    assert large.shape == (3, 11, 7, 1) and large.dtype == np.float32
    assert large.min() >= 0.0 and large.max() <= 1.0
