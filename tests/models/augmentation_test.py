"""Shifts and noise of images: pure functions of image and seed."""

import numpy as np
import tensorflow as tf

from tf_discrete import seeds
from tf_discrete.models import augmentation

IMAGES = tf.random.stateless_uniform([300, 5, 6, 2], [0, 3], 0.1, 1.0)


def test_each_image_is_moved_as_a_whole_and_all_moves_occur():
    moved = augmentation.shift(IMAGES, 1, seeds.base(0)).numpy()
    padded = np.pad(IMAGES, [[0, 0], [1, 1], [1, 1], [0, 0]])
    moves = np.stack([padded[:, i : i + 5, j : j + 6] for i in range(3) for j in range(3)], 1)
    same = (moves == moved[:, None]).all((2, 3, 4))
    assert (same.sum(1) == 1).all()
    # 300 draws of 9 equal classes: each within 5 standard deviations of 33.
    assert np.abs(same.sum(0) - 300 / 9).max() < 5 * np.sqrt(300 * 8 / 81)


def test_noise_and_seeds():
    one, again = (augmentation.view(IMAGES, 1, 0.5, seeds.base(1)) for _ in range(2))
    np.testing.assert_array_equal(one, again)
    assert np.any(one != augmentation.view(IMAGES, 1, 0.5, seeds.base(2)))
    noise = augmentation.view(IMAGES, 0, 0.5, seeds.base(1)) - IMAGES
    assert abs(float(tf.math.reduce_std(noise)) - 0.5) < 5 * 0.5 / np.sqrt(2 * 18000)
    assert augmentation.view(IMAGES, 0, 0.0, seeds.base(1)) is IMAGES
