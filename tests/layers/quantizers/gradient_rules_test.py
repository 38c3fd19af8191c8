"""Gradient rules: the value is the codeword bit for bit, the gradient that of the paper's formula."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tf_discrete.layers.quantizers import gradient_rules

Z = tf.random.stateless_normal([7, 4], [0, 1], dtype=tf.float64)
C = tf.random.stateless_normal([7, 4], [0, 2], dtype=tf.float64)
UPSTREAM = tf.random.stateless_normal([7, 4], [0, 3], dtype=tf.float64)


def value_and_gradients(function, z=Z, c=C):
    with tf.GradientTape() as tape:
        tape.watch([z, c])
        value = function(z, c)
    gradients = tape.gradient(value, [z, c], UPSTREAM[: len(z)], unconnected_gradients="zero")
    return value, *gradients


def rotated(z, c):
    """The rotation trick as the paper writes it, with everything but z held constant."""
    size, target = (tf.norm(x, axis=-1, keepdims=True) for x in (z, c))
    start, end = z / size, c / target
    middle = (start + end) / tf.norm(start + end, axis=-1, keepdims=True)
    rotation = tf.eye(4, dtype=z.dtype) - 2 * middle[..., None] * middle[:, None]
    rotation += 2 * end[..., None] * start[:, None]
    return tf.linalg.matvec(tf.stop_gradient(rotation * (target / size)[..., None]), z)


def directional(z, c):
    """DiVeQ as the paper writes it, without noise."""
    error = c - z
    direction = tf.stop_gradient(error / tf.norm(error, axis=-1, keepdims=True))
    return z + tf.norm(error, axis=-1, keepdims=True) * direction


PAPERS = {
    "straight_through": lambda z, c: z + tf.stop_gradient(c - z),
    "rotation": rotated,
    "diveq": directional,
}


def test_every_rule_has_a_formula():
    assert sorted(PAPERS) == gradient_rules.names()


@pytest.mark.parametrize("name", gradient_rules.names())
def test_value_and_gradients_are_those_of_the_paper(name):
    value, to_vectors, to_codewords = value_and_gradients(gradient_rules.get(name))
    expected, expected_vectors, expected_codewords = value_and_gradients(PAPERS[name])
    np.testing.assert_array_equal(value, C)
    np.testing.assert_allclose(expected, C, rtol=1e-12)
    np.testing.assert_allclose(to_vectors, expected_vectors, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(to_codewords, expected_codewords, rtol=1e-10, atol=1e-12)
    assert bool(np.any(to_codewords)) == (name in gradient_rules.TRAINS_CODEBOOK)


def test_the_rotation_keeps_the_angle_to_the_gradient():
    """The gradient stands to z as the upstream gradient stands to the codeword."""
    _, gradient, _ = value_and_gradients(gradient_rules.rotation)

    def cosine(x, y):
        return np.sum(x * y, -1) / np.linalg.norm(x, axis=-1) / np.linalg.norm(y, axis=-1)

    np.testing.assert_allclose(cosine(gradient, Z), cosine(UPSTREAM, C), rtol=1e-10)


@pytest.mark.parametrize("name", gradient_rules.names())
@pytest.mark.parametrize("z, c", [(0.0, 1.0), (1.0, 0.0), (1.0, -1.0), (1.0, 1.0), (0.0, 0.0)])
def test_gradients_are_finite_at_the_degenerate_points(name, z, c):
    ones = tf.ones([2, 4], dtype=tf.float64)
    value, *gradients = value_and_gradients(gradient_rules.get(name), z * ones, c * ones)
    np.testing.assert_array_equal(value, c * ones)
    assert np.isfinite(gradients).all()
    if name != "diveq" or z == c:
        np.testing.assert_allclose(gradients[0], UPSTREAM[:2], rtol=1e-10)


def test_unknown_rules_are_refused():
    with pytest.raises(
        ValueError, match="gradient must be one of diveq, .* Did you mean 'rotation'"
    ):
        gradient_rules.get("rotations")
