import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_discrete import layers


@pytest.mark.parametrize("lead", [(2,), (2, 5), (2, 5, 3)])
@pytest.mark.parametrize("latents, shape", [("categorical", (4, 2)), ("bernoulli", (4,))])
def test_is_a_dense_layer_of_the_right_shape(lead, latents, shape):
    head = layers.LatentHead(4, 2, latents=latents)
    x = tf.random.stateless_normal([*lead, 6], [0, 1])
    logits = head(x)
    assert tuple(logits.shape) == (*lead, *shape)
    kernel, bias = head.get_weights()
    np.testing.assert_allclose(
        logits, (x @ kernel + bias).numpy().reshape(logits.shape), rtol=1e-5, atol=1e-6
    )


def test_shape_is_known_before_the_data():
    outputs = layers.LatentHead(3, 5)(keras.Input([None, 7]))
    assert outputs.shape == (None, None, 3, 5)


def test_unknown_axes_at_run_time():
    head = layers.LatentHead(3, 5)
    head.build([None, None, 7])
    traced = tf.function(head, input_signature=[tf.TensorSpec([None, None, 7])])
    for batch, time in ((0, 4), (2, 0), (3, 2)):
        assert traced(tf.zeros([batch, time, 7])).shape == (batch, time, 3, 5)


def test_passes_the_mask_on():
    masked = keras.layers.Masking()(tf.constant([[[1.0], [0.0]]]))
    assert layers.LatentHead(2, 3)(masked)._keras_mask.numpy().tolist() == [[True, False]]


def test_regularizer_counts_once():
    head = layers.LatentHead(2, 3, kernel_initializer="ones", kernel_regularizer="l2")
    head(tf.zeros([1, 4]))
    np.testing.assert_allclose(tf.add_n(head.losses), 0.01 * 24, rtol=1e-6)


def test_follows_the_dtype_policy():
    head = layers.LatentHead(2, 3, dtype="mixed_bfloat16")
    assert head(tf.zeros([1, 4])).dtype == tf.bfloat16
    assert {weight.dtype for weight in head.weights} == {"float32"}


@pytest.mark.parametrize(
    "options, message",
    [
        ({"num_variables": 0}, "num_variables must be at least 1. Received: num_variables=0"),
        ({"num_categories": 1}, "num_categories must be at least 2. Received: num_categories=1"),
        ({"latents": "bernoulli"}, "Set num_categories=2. Received: num_categories=10"),
        ({"latents": "ternary"}, "latents must be one of .* Received: latents='ternary'"),
    ],
)
def test_refuses_sizes_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        layers.LatentHead(**options)


def test_refuses_inputs_without_features():
    with pytest.raises(ValueError, match=r"inputs must be \[batch, ..., features\].*\(3,\)"):
        layers.LatentHead()(tf.zeros([3]))
