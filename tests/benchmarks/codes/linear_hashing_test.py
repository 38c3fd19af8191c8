"""Signs of linear projections against what the mathematics says of them."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.codes import linear_hashing as hashing
from tf_discrete import seeds

RANDOM = np.random.default_rng(5)


def test_bits_are_signs_of_centred_projections():
    one = hashing.LinearHash(np.array([1.0, 2.0]), np.array([[1.0, 0.0], [-1.0, 2.0]]))
    images = np.array([[3.0, 1.0], [1.0, 2.5], [1.0, 2.0]])
    np.testing.assert_array_equal(one.project(images), [[3, -2], [-0.5, 1], [0, 0]])
    np.testing.assert_array_equal(one.encode(images), [[1, 0], [0, 1], [0, 0]])


def test_principal_components_are_those_of_known_axes():
    turn, _ = np.linalg.qr(RANDOM.normal(size=[3, 3]))
    corners = np.array([[x, y, z] for x in (-3, 3) for y in (-1, 1) for z in (-2, 2)])
    found = hashing.principal_components(corners @ turn.T + 7.0, 2)
    np.testing.assert_allclose(found.mean, [7.0] * 3)
    # Up to its sign, the axis of standard deviation 3 comes first and that of 2 second.
    np.testing.assert_allclose(abs(turn.T @ found.matrix), [[1, 0], [0, 0], [0, 1]], atol=1e-12)
    with pytest.raises(ValueError, match="Give fewer bits. Received: num_bits=4, 3 pixels"):
        hashing.principal_components(corners, 4)


def test_random_projections_keep_angles_in_expectation():
    images = np.eye(2, dtype=np.float32) * 2 - 1  # Opposite once their mean is subtracted.
    found = hashing.random_projections(images, 4096, seeds.base(0))
    first, second = found.encode(images)
    assert (first != second).all()
    # 90 degrees: half of the bits differ; 5 standard deviations are 5 / (2 sqrt(4096)) = 0.04.
    third = found.encode(found.mean + np.array([[1.0, 1.0]]))[0]
    assert abs((first != third).mean() - 0.5) < 0.04


def test_the_best_rotation_is_found_among_all_of_the_plane():
    projections = RANDOM.normal(size=[20, 2])
    bits = np.where(RANDOM.normal(size=[20, 2]) > 0, 1.0, -1.0)
    best = hashing.best_rotation(projections, bits)
    np.testing.assert_allclose(best @ best.T, np.eye(2), atol=1e-12)
    error = ((bits - projections @ best) ** 2).sum()
    angles = np.linspace(0, 2 * np.pi, 2001)
    for flip in (1.0, -1.0):
        for c, s in zip(np.cos(angles), np.sin(angles), strict=True):
            other = np.array([[c, -s], [s, c]]) * [1.0, flip]
            assert error <= ((bits - projections @ other) ** 2).sum() + 1e-9


def test_rotations_are_orthogonal_and_of_their_seed():
    one, same, other = (hashing.random_rotation(5, seeds.base(seed)) for seed in (0, 0, 1))
    np.testing.assert_allclose(one @ one.T, np.eye(5), atol=1e-5)
    assert (one == same).all() and abs(one - other).max() > 0.1


def test_iterative_quantization_turns_a_square_to_its_corners():
    # Four clusters on the axes of the plane; the best codes part them along the diagonals.
    centres = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]], np.float32)
    images = np.repeat(centres, 50, axis=0) + RANDOM.normal(0, 0.05, [200, 2]).astype(np.float32)
    found = hashing.iterative_quantization(images, 2, seeds.base(0))
    codes = found.encode(images).reshape(4, 50, 2)
    assert (codes == codes[:, :1]).all()
    assert len(np.unique(codes[:, 0], axis=0)) == 4
    turned = found.project(images)
    start = hashing.principal_components(images, 2).project(images)
    assert loss(turned) < loss(start @ hashing.random_rotation(2, seeds.base(0)))
    np.testing.assert_allclose((turned**2).sum(1), (start**2).sum(1), rtol=1e-4)


def loss(projections):
    """|sign(V) - V|^2."""
    return ((np.where(projections > 0, 1, -1) - projections) ** 2).sum()
