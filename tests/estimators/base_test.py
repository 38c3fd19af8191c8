"""The pieces that estimators are made of."""

import numpy as np
import pytest
import tensorflow as tf

from tf_discrete import estimators
from tf_discrete.estimators import base


def test_reductions():
    values = tf.constant([[1.0, 1000.0], [3.0, 1001.0]])
    assert base.mean(values).numpy().tolist() == [2.0, 1000.5]
    expected = [np.log((np.e + np.e**3) / 2), 1000 + np.log((1 + np.e) / 2)]
    np.testing.assert_allclose(base.log_mean_exp(values), expected, rtol=1e-6)
    assert base.log_mean_exp(tf.cast(values, tf.float64)).dtype == tf.float64


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
        attached = base.attach(value, logits, gradient, event_rank=2)
        total = tf.reduce_sum(weights * attached)
    np.testing.assert_array_equal(attached, value)
    to_theta, to_logits = tape.gradient(total, [theta, logits])
    np.testing.assert_allclose(to_logits, weights[..., None, None] * gradient)
    own = weights * value
    np.testing.assert_allclose(to_theta, tf.reduce_sum(own, 0) if samples else own)


def test_attach_keeps_values_that_a_sum_would_lose():
    """(value + loss) - loss loses digits at 1e6 and is NaN where the loss is infinite."""
    value = tf.constant([1e6 + 0.0625, np.inf, 1e-30])
    attached = base.attach(value, tf.zeros([3, 2]), tf.fill([3, 2], 1e6), event_rank=1)
    np.testing.assert_array_equal(attached, value)


def test_attach_does_not_differentiate_the_gradient():
    logits = tf.Variable([[1.0, 2.0]])
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            value = base.attach(tf.constant([1.0]), logits, logits * logits, event_rank=1)
        first = inner.gradient(value, logits)
        assert first.numpy().tolist() == [[1.0, 4.0]]
    assert outer.gradient(first, logits) is None


def test_attach_in_the_dtype_of_the_logits():
    logits = tf.constant([[1.0, 2.0]], tf.bfloat16)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = base.attach(tf.constant([1.0]), logits, tf.constant([[0.5, 3.0]]), event_rank=1)
    assert tape.gradient(value, logits).dtype == tf.bfloat16


def test_straight_through_is_hard_bit_for_bit():
    soft = tf.constant([0.1, 1e-30, 0.3333333, 0.9999999])
    hard = tf.constant([1.0, 0.0, 1.0, 0.0])
    with tf.GradientTape() as tape:
        tape.watch([soft, hard])
        z = base.straight_through(hard, soft)
    np.testing.assert_array_equal(z, hard)
    to_soft, to_hard = tape.gradient(z, [soft, hard])
    assert to_soft.numpy().tolist() == [1.0] * 4 and to_hard is None


def test_apply_to_samples_folds_the_samples_into_the_batch():
    shapes = []

    def network(x):
        shapes.append(tuple(x.shape))
        return tf.reshape(x, [-1, 6]) @ tf.ones([6, 7])

    z = tf.random.stateless_normal([4, 5, 2, 3], [0, 1])
    outputs = base.apply_to_samples(network, z, batch_rank=2)
    assert shapes == [(20, 2, 3)] and outputs.shape == [4, 5, 7]
    for s in range(4):
        np.testing.assert_allclose(outputs[s], network(z[s]), rtol=1e-5)
    assert base.apply_to_samples(network, z[0]).shape == [5, 7]
    assert base.apply_to_samples(network, z[None], batch_rank=3).shape == [1, 4, 5, 7]


def test_apply_to_samples_keeps_static_shapes_in_a_graph_of_unknown_batch():
    @tf.function(input_signature=[tf.TensorSpec([3, None, 2], tf.float32)])
    def run(z):
        outputs = base.apply_to_samples(lambda x: x @ tf.ones([2, 4]), z, batch_rank=2)
        assert outputs.shape.as_list() == [3, None, 4]
        return outputs

    for batch in (0, 1, 5):
        assert run(tf.ones([3, batch, 2])).shape == [3, batch, 4]


@pytest.mark.parametrize("latents", ["ternary", None])
def test_unknown_latents(latents):
    with pytest.raises(ValueError, match="latents must be one of.*Received: latents="):
        estimators.GumbelSoftmax(latents=latents)


def test_latents_that_an_estimator_does_not_support():
    class BitsOnly(estimators.ScoreFunction):
        spec = estimators.ScoreFunction.spec._replace(supports=("bernoulli",))

    assert BitsOnly(latents="bernoulli").event_rank == 1
    with pytest.raises(ValueError, match="BitsOnly supports bernoulli latents only.*'categorical'"):
        BitsOnly()


def test_estimators_are_float32_layers_whatever_the_policy():
    estimator = estimators.GumbelSoftmax(dtype="mixed_float16")
    assert estimator.compute_dtype == "float32" and "dtype" not in estimator.get_config()
    assert estimator.trainable_variables == []
