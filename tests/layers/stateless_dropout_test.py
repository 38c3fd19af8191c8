"""Dropout whose masks follow a saved count."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_discrete.layers.stateless_dropout import StatelessDropout

ONES = tf.ones([100, 200])


def test_share_and_scale():
    dropped = StatelessDropout(0.3)(ONES, training=True).numpy()
    assert set(np.unique(dropped)) == {0.0, np.float32(1 / 0.7)}
    assert abs((dropped == 0).mean() - 0.3) < 5 * np.sqrt(0.21 / dropped.size)
    layer = StatelessDropout(0.3)
    assert layer(ONES) is ONES and int(layer.step) == 0


def test_calls_differ_and_a_saved_layer_goes_on(tmp_path):
    model = keras.Sequential([keras.Input([200]), StatelessDropout(0.5, seed=3, name="dropout")])
    first = model(ONES, training=True).numpy()
    model.save(tmp_path / "model.keras")
    second = model(ONES, training=True).numpy()
    assert np.any(first != second)
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(ONES, training=True), second)


def test_layers_and_seeds_differ():
    draws = [
        StatelessDropout(0.5, seed=seed, name=name)(ONES, training=True).numpy()
        for seed, name in ((0, "a"), (0, "b"), (1, "a"), (0, "a"))
    ]
    assert np.any(draws[0] != draws[1]) and np.any(draws[0] != draws[2])
    np.testing.assert_array_equal(draws[0], draws[3])


@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_refused(rate):
    with pytest.raises(ValueError, match="rate must be in .0, 1.. Received: rate="):
        StatelessDropout(rate)
