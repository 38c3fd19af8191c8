"""Values whose gradient is set by hand: bit for bit, and no further."""

import numpy as np
import pytest
import tensorflow as tf

from tf_discrete.estimators import backward


@pytest.mark.parametrize("samples", [True, False], ids=["per sample", "reduced"])
def test_attach_adds_a_gradient_and_leaves_the_value_alone(samples):
    """With weights on the values, the gradient of an example is weighed with its own."""
    logits = tf.Variable(np.random.RandomState(0).normal(size=[3, 4, 2, 5]))
    gradient = tf.constant(np.random.RandomState(1).normal(size=[3, 4, 2, 5]))
    theta = tf.Variable([1.0] * 4, dtype=tf.float64)
    shape = [3, 4] if samples else [4]
    weights = tf.constant(np.random.RandomState(2).normal(size=shape))
    with tf.GradientTape() as tape:
        value = theta * tf.constant(np.random.RandomState(3).normal(size=shape))
        attached = backward.attach(value, logits, gradient, event_rank=2)
        total = tf.reduce_sum(weights * attached)
    np.testing.assert_array_equal(attached, value)
    to_theta, to_logits = tape.gradient(total, [theta, logits])
    np.testing.assert_allclose(to_logits, weights[..., None, None] * gradient)
    own = weights * value
    np.testing.assert_allclose(to_theta, tf.reduce_sum(own, 0) if samples else own)


def test_attach_keeps_values_that_a_sum_would_lose():
    """(value + loss) - loss loses digits at 1e6 and is NaN where the loss is infinite."""
    value = tf.constant([1e6 + 0.0625, np.inf, 1e-30])
    attached = backward.attach(value, tf.zeros([3, 2]), tf.fill([3, 2], 1e6), event_rank=1)
    np.testing.assert_array_equal(attached, value)


def test_attach_does_not_differentiate_the_gradient():
    logits = tf.Variable([[1.0, 2.0]])
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            value = backward.attach(tf.constant([1.0]), logits, logits * logits, event_rank=1)
        first = inner.gradient(value, logits)
        assert first.numpy().tolist() == [[1.0, 4.0]]
    assert outer.gradient(first, logits) is None


def test_attach_in_the_dtype_of_the_logits():
    logits = tf.constant([[1.0, 2.0]], tf.bfloat16)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = backward.attach(tf.constant([1.0]), logits, tf.constant([[0.5, 3.0]]), event_rank=1)
    assert tape.gradient(value, logits).dtype == tf.bfloat16


def test_straight_through_is_hard_bit_for_bit():
    soft = tf.constant([0.1, 1e-30, 0.3333333, 0.9999999])
    hard = tf.constant([1.0, 0.0, 1.0, 0.0])
    with tf.GradientTape() as tape:
        tape.watch([soft, hard])
        z = backward.straight_through(hard, soft)
    np.testing.assert_array_equal(z, hard)
    to_soft, to_hard = tape.gradient(z, [soft, hard])
    assert to_soft.numpy().tolist() == [1.0] * 4 and to_hard is None


def test_divide_gradient_leaves_the_value_alone_and_is_safe_at_masks():
    logits = tf.constant([[1.0, -np.inf, 0.3]], tf.bfloat16)
    scale = tf.Variable(4.0)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(logits)
        divided = backward.divide_gradient(logits, scale)
        plain, value = (tf.nn.log_softmax(x)[0, 0] for x in (logits, divided))
    np.testing.assert_array_equal(divided, logits)
    ours, theirs = tape.gradient(value, logits), tape.gradient(plain, logits)
    assert ours.dtype == tf.bfloat16 and np.isfinite(tf.cast(ours, tf.float32)).all()
    np.testing.assert_array_equal(4.0 * ours, theirs)
    assert tape.gradient(value, scale) is None


def test_the_gradient_may_come_from_a_gather():
    """TensorFlow hands back the slices that were read; rows that are read twice count twice."""
    logits = tf.constant([[0.5, -1.0], [2.0, 0.0], [1.0, 1.0]])
    functions = {
        "attach": lambda x: backward.attach(tf.zeros([3]), x, tf.fill([3, 2], 3.0), 1),
        "divide_gradient": lambda x: backward.divide_gradient(x, 0.5),
        "scale_gradient": lambda x: backward.scale_gradient(x, 4.0),
    }
    for (name, function), factor in zip(functions.items(), (3.0, 2.0, 4.0), strict=True):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = tf.reduce_sum(tf.gather(function(logits), [0, 2, 0]))
        found = tf.convert_to_tensor(tape.gradient(value, logits))
        expected = factor * np.repeat([[2.0], [0.0], [1.0]], 2, axis=1)
        np.testing.assert_array_equal(found, expected, err_msg=name)
