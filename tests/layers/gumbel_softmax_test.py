import numpy as np
import pytest
import tensorflow as tf

from tf_discrete import estimators, functional, layers

LOGITS = tf.constant([[[0.3, -1.2, 0.7], [2.0, 0.0, -float("inf")]]])


def test_is_the_plain_function_of_the_same_seed():
    layer = layers.GumbelSoftmax(temperature=0.7)
    drawn = layer(LOGITS, training=True, seed=5)
    expected = functional.gumbel_softmax(LOGITS[tf.newaxis], 0.7, seed=5)[0]
    np.testing.assert_allclose(drawn, expected, rtol=1e-6)
    assert np.allclose(tf.reduce_sum(drawn, axis=-1), 1.0) and drawn[0, 1, 2] == 0.0


@pytest.mark.parametrize("latents", ["categorical", "bernoulli"])
def test_hard_has_the_value_of_a_draw_and_the_gradient_of_the_relaxation(latents):
    soft = layers.GumbelSoftmax(temperature=0.7, latents=latents)
    hard = layers.GumbelSoftmax(temperature=0.7, latents=latents, hard=True)
    logits = tf.Variable([[[0.3, -1.2, 0.7], [2.0, 0.0, -1.0]]])
    weights = tf.constant([[[1.0, -2.0, 3.0], [0.5, 0.0, 1.0]]])
    with tf.GradientTape(persistent=True) as tape:
        relaxed = soft(logits, training=True, seed=5)
        drawn = hard(logits, training=True, seed=5)
        relaxed_sum = tf.reduce_sum(weights * relaxed)
        drawn_sum = tf.reduce_sum(weights * drawn)
    assert set(np.unique(drawn)) == {0.0, 1.0}
    np.testing.assert_array_equal(
        drawn,
        soft.estimator.distribution(logits).one_hot(
            soft.estimator.distribution(logits).code(relaxed)
        ),
    )
    np.testing.assert_allclose(
        tape.gradient(drawn_sum, logits), tape.gradient(relaxed_sum, logits), rtol=1e-5
    )


@pytest.mark.parametrize("hard", [False, True])
def test_config_names_the_arguments_of_the_class(hard):
    layer = layers.GumbelSoftmax(temperature=0.7, hard=hard, seed=3)
    config = layer.get_config()
    assert "estimator" not in config and config["hard"] == hard
    again = layers.GumbelSoftmax.from_config(config)
    assert type(again.estimator) is type(layer.estimator)
    assert isinstance(again.estimator, estimators.GumbelSoftmax)
    assert float(again.estimator.temperature.value) == pytest.approx(0.7)
