"""MuProp in a stack: its control is a mean-field pass. Unbiased, and of less variance than one by samples."""

import numpy as np
import pytest
import tensorflow as tf

from tests.estimators import learning, nesting_test
from tf_discrete import estimators, seeds

DRAWS, BATCH, INPUTS, UNITS, OUTPUTS = 400, 8, 6, 12, 10


def weight_gradients(layers, seed, training=False):
    """Gradients for the affine maps to two layers of bits between x and log p(y | z_2), [DRAWS, ...] each.

    Each draw has its own copy of the weights, so its gradient is seen alone.
    """
    random = np.random.RandomState(1)
    x = tf.constant(random.normal(size=[BATCH, INPUTS]), tf.float32)
    y = tf.constant(random.uniform(size=[BATCH, OUTPUTS]) > 0.5, tf.float32)
    sizes = [(INPUTS, UNITS), (UNITS, UNITS), (UNITS, OUTPUTS)]
    weights = [
        tf.constant(np.broadcast_to(random.normal(size=size), [DRAWS, *size]), tf.float32)
        for size in sizes
    ]

    def affine(z, depth):
        return tf.einsum("...dbi,dij->...dbj", 2.0 * z - 1.0, weights[depth])

    def log_likelihood(z, logits):
        outputs = affine(z[-1], 2)
        losses = tf.nn.sigmoid_cross_entropy_with_logits(y + tf.zeros_like(outputs), outputs)
        return -tf.reduce_sum(losses, axis=-1)

    with tf.GradientTape() as tape:
        tape.watch(weights)
        first = tf.einsum("bi,dij->dbj", x, weights[0])
        estimate = estimators.nested_estimate(
            layers,
            lambda before: affine(before[-1], len(before)) if before else first,
            log_likelihood,
            seeds.base(seed),
            num_samples=1,
            training=training,
        )
        total = tf.reduce_sum(tf.reduce_mean(estimate.value, axis=-1))
    return [one.numpy().astype(np.float64) for one in tape.gradient(total, weights)[:2]]


def test_a_mean_field_pass_has_less_variance_than_one_by_samples():
    first = {}
    for baseline in ("none", "moving_average"):
        for mean_field in (False, True):
            layers = [
                estimators.get("muprop", latents="bernoulli", baseline=baseline) for _ in range(2)
            ]
            for layer in layers:
                layer.mean_field_control = mean_field
            weight_gradients(layers, 0, training=True)  # Moves the averages.
            drawn = weight_gradients(layers, 1)
            first[baseline, mean_field] = drawn[0]
            total = [one.var(axis=0, ddof=1).sum() for one in drawn]
            print(f"{baseline}, mean-field pass {mean_field}: W1 {total[0]:.1f}, W2 {total[1]:.1f}")
    centred = first["moving_average", True]
    for other, most in ((("moving_average", False), 0.9), (("none", False), 0.7)):
        ratio, low, high = learning.variance_ratio(centred, first[other])
        print(f"W1, both over {other}: {ratio:.3f}, 95 % interval [{low:.3f}, {high:.3f}]")
        assert high < most


@pytest.mark.parametrize("inner", ["enumeration", "straight_through"])
def test_the_first_layer_stays_unbiased_by_enumeration(inner):
    """The layer below is summed exactly, so that only the outer noise is left; or it is a biased one."""
    outer = nesting_test.OUTER
    below = estimators.get(inner)
    logits = tf.broadcast_to(nesting_test.LOGITS, [outer, 1, outer])
    z1 = tf.eye(outer, dtype=tf.float64)[:, tf.newaxis][tf.newaxis]
    probability = tf.nn.softmax(nesting_test.LOGITS[0])

    def logits_fn(before):
        if not before:
            return logits
        one = nesting_test.inner_logits(before[-1], nesting_test.WEIGHTS)
        return tf.stack([tf.zeros_like(one), one], axis=-1)

    def total(layer):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            estimate = estimators.nested_estimate(
                [layer, below],
                logits_fn,
                lambda z, _: nesting_test.objective(z[0], z[1][..., 1]),
                seeds.base(0),
                num_samples=1,
                noise=z1,
            )
            value = tf.reduce_sum(probability * estimate.value)
        return tf.reduce_sum(tape.gradient(value, logits), axis=0)

    plain = estimators.get("score_function", baseline="none")
    found = total(estimators.get("muprop", baseline="none"))
    np.testing.assert_allclose(found, total(plain), atol=1e-9)
    assert np.abs(found).max() > 1e-2
