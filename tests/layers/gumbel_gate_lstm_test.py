"""Gates of 0 and 1: against an LSTM written out in NumPy, files, gradients, memory that does not fade."""

from __future__ import annotations

import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_discrete import schedules
from tf_discrete.layers.gumbel_gate_lstm import GumbelGateLSTM, GumbelGateLSTMCell

X = np.random.default_rng(0).normal(size=[3, 6, 2]).astype(np.float32)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def written_out(layer: GumbelGateLSTM, inputs: np.ndarray) -> np.ndarray:
    """The output at the last step."""
    kernel, recurrent, bias = (
        variable.numpy()
        for variable in (layer.cell.kernel, layer.cell.recurrent_kernel, layer.cell.bias)
    )
    value = memory = np.zeros([len(inputs), layer.cell.units], np.float32)
    for one in inputs.transpose(1, 0, 2):
        enter, keep, candidate, leave = np.split(
            one @ kernel + value @ recurrent + bias, 4, axis=-1
        )
        memory = (keep > 0) * memory + (enter > 0) * np.tanh(candidate)
        value = sigmoid(leave) * np.tanh(memory)
    return value


def test_gates_are_0_or_1_at_inference():
    layer = GumbelGateLSTM(4, seed=0)
    np.testing.assert_allclose(layer(X), written_out(layer, X), rtol=1e-5, atol=1e-6)
    gates = layer.gate_values(X)
    assert gates.shape == (3, 6, 2, 4) and set(np.unique(gates)) == {0.0, 1.0}


@pytest.mark.parametrize("go_backwards", [False, True])
def test_the_gates_are_those_of_the_layer(go_backwards):
    layer = GumbelGateLSTM(4, seed=0, return_sequences=True, go_backwards=go_backwards)
    value, gates = layer(X).numpy(), layer.gate_values(X).numpy()
    before = np.concatenate([np.zeros([3, 1, 4], np.float32), value[:, :-1]], axis=1)
    read = X[:, ::-1] if go_backwards else X
    sums = read @ layer.cell.kernel.numpy() + before @ layer.cell.recurrent_kernel.numpy()
    sums = (sums + layer.cell.bias.numpy())[..., :8].reshape([3, 6, 2, 4])
    np.testing.assert_array_equal(gates, sums > 0)


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16", "float64"])
def test_gates_in_other_precisions(dtype):
    layer = GumbelGateLSTM(4, seed=0, dtype=dtype)
    gates = layer.gate_values(X)
    assert gates.dtype == layer.compute_dtype == layer(X).dtype
    assert set(np.unique(tf.cast(gates, tf.float32))) == {0.0, 1.0}


def test_open_gates_keep_the_memory_for_ever():
    layer = GumbelGateLSTM(1, seed=0)
    layer.build((None, None, 1))
    layer.cell.kernel.assign([[100.0, 0.0, 1.0, 0.0]])  # An input above 0 is read.
    layer.cell.recurrent_kernel.assign(tf.zeros([1, 4]))
    layer.cell.bias.assign([-10.0, 10.0, 0.0, 0.0])
    sequence = np.zeros([1, 1000, 1], np.float32)
    sequence[0, 0] = 1.0
    np.testing.assert_allclose(layer(sequence), [[0.5 * np.tanh(np.tanh(1.0))]], rtol=1e-6)


@pytest.mark.parametrize("estimator", ["gumbel_softmax", "straight_through_gumbel_softmax"])
def test_training_samples_anew_at_every_step_and_reaches_every_weight(estimator):
    layer = GumbelGateLSTM(4, estimator, 0.9, seed=0)
    with tf.GradientTape() as tape:
        first = layer(X, training=True)
        loss = tf.reduce_sum(first**2)
    gradients = tape.gradient(loss, layer.trainable_variables)
    assert all(np.isfinite(g).all() and np.abs(g).max() > 0 for g in gradients)
    assert np.abs(first - layer(X, training=True)).max() > 1e-3
    constant = GumbelGateLSTMCell(50, estimator, 0.9, seed=0)
    constant.build((None, 2))
    states = [tf.zeros([1, 50]), tf.zeros([1, 50])]
    _, _, one = constant.step(tf.zeros([1, 2]), states, training=True)
    _, _, other = constant.step(tf.zeros([1, 2]), states, training=True)
    assert np.abs(one - other).max() > 0.1
    assert (set(np.unique(one)) == {0.0, 1.0}) == (estimator != "gumbel_softmax")


def test_a_model_trains_in_a_graph_and_is_the_same_from_its_file(tmp_path: pathlib.Path):
    inputs = keras.Input([None, 2])
    falling = schedules.Linear(1.0, 0.4, steps=6)
    layer = GumbelGateLSTM(4, "straight_through_gumbel_softmax", falling, 3, forget_bias=2.5)
    model = keras.Model(inputs, layer(inputs))
    np.testing.assert_array_equal(layer.cell.bias.numpy(), np.repeat([0.0, 2.5, 0.0, 0.0], 4))
    model.compile("adam", "mse")
    history = model.fit(X, X[:, 0, :1] * np.ones([3, 4], np.float32), epochs=3, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    # Three training steps, of six time steps each: the schedule counts the former. The last step saw 2.
    temperature = float(layer.cell.gates.estimator.temperature.value)
    np.testing.assert_allclose(temperature, 1.0 - 2 * 0.1, rtol=1e-6)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(model.predict(X, verbose=0), again.predict(X, verbose=0))
    (layer,) = (one for one in again.layers if isinstance(one, GumbelGateLSTM))
    assert layer.get_config()["units"] == 4 and layer.cell.forget_bias == 2.5
    assert layer.cell.gates.seed == 3
    assert type(layer.cell.gates.estimator).__name__ == "StraightThroughGumbelSoftmax"


def test_steps_that_a_mask_excludes_change_nothing():
    layer = GumbelGateLSTM(4, seed=0)
    mask = np.array([[True] * 4 + [False] * 2] * 3)
    np.testing.assert_allclose(layer(X, mask=mask), layer(X[:, :4]), rtol=1e-6)


def test_bad_arguments():
    with pytest.raises(ValueError, match="units must be at least 1.*Received: units=0"):
        GumbelGateLSTM(0)
    with pytest.raises(
        ValueError, match="forget_bias must be a finite number.*Received: forget_bias=nan"
    ):
        GumbelGateLSTM(2, forget_bias=float("nan"))
    with pytest.raises(ValueError, match="must see the objective"):
        GumbelGateLSTM(2, "score_function")
