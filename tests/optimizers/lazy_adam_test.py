import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_discrete.optimizers import LazyAdam

ROWS, WIDTH = 7, 3


def table():
    return keras.Variable(np.random.RandomState(0).normal(size=[ROWS, WIDTH]), dtype="float32")


def slices(step, indices):
    values = np.random.RandomState(step).normal(size=[len(indices), WIDTH])
    return tf.IndexedSlices(tf.constant(values, tf.float32), indices, [ROWS, WIDTH])


def test_rows_that_always_have_a_gradient_move_as_with_adam():
    """Several slices of one row count as their sum."""
    lazy, dense = table(), table()
    ours, keras_adam = LazyAdam(0.1), keras.optimizers.Adam(0.1)
    for step in range(5):
        gradient = slices(step, [1, 4, 4, 6])
        ours.apply([gradient], [lazy])
        keras_adam.apply([tf.convert_to_tensor(gradient)], [dense])
    np.testing.assert_allclose(lazy.numpy(), dense.numpy(), rtol=1e-5, atol=1e-6)


def test_other_rows_and_their_moments_stay_as_they_are():
    variable, optimizer = table(), LazyAdam(0.1)
    optimizer.apply([slices(0, [1, 2])], [variable])
    before = [np.array(v) for v in (variable, *optimizer.variables)]
    optimizer.apply([slices(1, [2, 5])], [variable])
    changed = [
        np.any(old != new, axis=1)
        for old, new in zip(
            before, (variable.numpy(), *map(np.array, optimizer.variables)), strict=True
        )
        if old.shape == (ROWS, WIDTH)
    ]
    assert len(changed) == 3
    for rows in changed:
        assert np.flatnonzero(rows).tolist() == [2, 5]


def test_dense_gradients_are_those_of_adam():
    ours, theirs = table(), table()
    lazy, adam = LazyAdam(0.1), keras.optimizers.Adam(0.1)
    for step in range(3):
        gradient = tf.constant(np.random.RandomState(step).normal(size=[ROWS, WIDTH]), tf.float32)
        lazy.apply([gradient], [ours])
        adam.apply([gradient], [theirs])
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-5)


def test_in_a_graph_and_in_fit(tmp_path):
    model = keras.Sequential(
        [keras.Input([2], dtype="int32"), keras.layers.Embedding(50, 4), keras.layers.Flatten()]
    )
    model.add(keras.layers.Dense(1))
    model.compile(LazyAdam(0.05), loss="mse")
    x = np.random.RandomState(0).randint(10, size=[32, 2])
    before = model.layers[0].get_weights()[0]
    losses = model.fit(x, x.sum(1), epochs=3, verbose=0).history["loss"]
    after = model.layers[0].get_weights()[0]
    assert losses[-1] < losses[0]
    np.testing.assert_array_equal(before[10:], after[10:])
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert isinstance(again.optimizer, LazyAdam)
    for one in (model, again):
        one.fit(x, x.sum(1), epochs=1, verbose=0, shuffle=False)
    np.testing.assert_allclose(model.get_weights()[0], again.get_weights()[0], rtol=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        {"amsgrad": True},
        {"weight_decay": 0.1},
        {"clipnorm": 1.0},
        {"global_clipnorm": 1.0},
        {"clipvalue": 1.0},
        {"gradient_accumulation_steps": 2},
        {"use_ema": True},
    ],
)
def test_what_needs_all_rows_is_refused(options):
    (name,) = options
    with pytest.raises(ValueError, match=f"{name} needs all rows.*Received: {name}="):
        LazyAdam(**options)
