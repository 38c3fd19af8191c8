"""Shifts, turns, zooms and noise of images: pure functions of image and seed."""

import numpy as np
import pytest
import tensorflow as tf

from tf_discrete import seeds
from tf_discrete.models import augmentation
from tf_discrete.models.augmentation import Augmentation

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
    one, again = (Augmentation(shift=1, noise_stddev=0.5)(IMAGES, seeds.base(1)) for _ in range(2))
    np.testing.assert_array_equal(one, again)
    assert np.any(one != Augmentation(shift=1, noise_stddev=0.5)(IMAGES, seeds.base(2)))
    noise = Augmentation(noise_stddev=0.5)(IMAGES, seeds.base(1)) - IMAGES
    assert abs(float(tf.math.reduce_std(noise)) - 0.5) < 5 * 0.5 / np.sqrt(2 * 18000)
    assert Augmentation()(IMAGES, seeds.base(1)) is IMAGES


@pytest.mark.parametrize("jit_compile", [False, True])
def test_turns_and_zooms_are_those_asked_for(jit_compile):
    """A plane stays a plane under bilinear reading, and its new slopes tell the angle and the zoom."""
    i, j = np.meshgrid(np.arange(9) - 4, np.arange(11) - 5, indexing="ij")
    planes = np.stack([i, j], axis=-1)[np.newaxis].repeat(400, 0).astype(np.float64) + 20
    turn = tf.function(augmentation.turn, jit_compile=jit_compile, autograph=False)
    turned = turn(planes, 30.0, 0.2, seeds.base(0)).numpy()[:, 3:6, 4:7] - 20
    inside = np.stack([i, j], axis=-1)[3:6, 4:7].reshape(9, 2)
    slopes, residual = np.linalg.lstsq(
        inside, turned.reshape(400, 9, 2).transpose(1, 0, 2).reshape(9, 800), rcond=None
    )[:2]
    assert residual.max() < 1e-20
    of_rows, of_columns = slopes.reshape(2, 400, 2).transpose(2, 1, 0)  # [400, (by i, by j)] each
    np.testing.assert_allclose(of_rows, np.stack([of_columns[:, 1], -of_columns[:, 0]], 1))
    angle = np.degrees(np.arctan2(of_rows[:, 1], of_rows[:, 0]))
    zoom = np.hypot(*of_rows.T) - 1
    for found, limit in ((angle, 30), (zoom, 0.2)):
        # Uniform on [-limit, limit]: 400 draws come near both ends, their mean is within 5 standard errors.
        assert -limit <= found.min() < -0.95 * limit and 0.95 * limit < found.max() <= limit
        assert abs(found.mean()) < 5 * limit / np.sqrt(3 * 400)
    assert abs(np.corrcoef(angle, zoom)[0, 1]) < 5 / np.sqrt(400)


def test_what_moves_in_is_zero_and_an_angle_of_nothing_changes_nothing():
    np.testing.assert_allclose(
        augmentation.turn(IMAGES, 0.0, 0.0, seeds.base(0)), IMAGES, rtol=1e-5
    )
    ones = tf.ones([50, 8, 8, 1])
    shrunk = augmentation.turn(ones, 0.0, 0.9, seeds.base(0)).numpy()
    assert shrunk.min() == 0 and shrunk.max() <= 1 + 1e-6
    np.testing.assert_allclose(shrunk[:, 3:5, 3:5], 1, rtol=1e-6)


@pytest.mark.parametrize(
    "options,message",
    [
        ({"shift": -1}, "shift must be at least 0. Received: shift=-1"),
        ({"rotation": 180.0}, r"rotation must be in \[0, 180\). Received: rotation=180.0"),
        ({"zoom": 1.0}, r"zoom must be in \[0, 1\). Received: zoom=1.0"),
        ({"noise_stddev": -0.1}, "noise_stddev must be a finite number >= 0. Received: noise_std"),
    ],
)
def test_refuses_arguments_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        Augmentation(**options)
