"""Layers train on two replicas as on one device, with one counter, and noise of their own."""

from __future__ import annotations

import contextlib
import itertools
import tempfile

import keras
import numpy as np
import tensorflow as tf

from tests.conformance.replicated import X, on_replicas, strategy
from tf_discrete import callbacks, layers, losses, schedules

# Each replica is given one half of a batch; equal halves have the statistics of the whole.
TWICE = np.concatenate([X[:8], X[:8]])


@keras.saving.register_keras_serializable("tests")
class Penalty(keras.layers.Layer):
    """Adds the mean square of its input to the loss."""

    def call(self, inputs):
        self.add_loss(0.1 * keras.ops.mean(keras.ops.square(inputs)))
        return inputs


def shielded(units):
    """A layer that passes no gradient and no noise on: what is trained before it is so by losses alone."""
    return keras.layers.Dense(units, kernel_initializer="zeros", trainable=False)


def penalised(inputs, units):
    """Losses and batch normalisation on the way from the inputs to what is returned."""
    dense = keras.layers.Dense(units, activity_regularizer=keras.regularizers.L2(0.3))
    return Penalty()(keras.layers.BatchNormalization()(dense(inputs)))


def network(first, second, third):
    """Latent layers, the second called twice, with losses and batch normalisation around them."""
    x = keras.Input([12])
    z = first(layers.LatentHead(2, 3)(penalised(x, 6)))
    hidden = penalised(keras.layers.Add()([x, shielded(12)(keras.layers.Flatten()(z))]), 6)
    z = keras.layers.Add()([second(layers.LatentHead(2, 3)(hidden)) for _ in range(2)])
    hidden = keras.layers.Add()([x, shielded(12)(keras.layers.Flatten()(z))])
    z = third(keras.layers.Dense(3, activity_regularizer=keras.regularizers.L2(0.3))(hidden))
    hidden = keras.layers.Add()([x, shielded(12)(z)])
    return keras.Model(x, penalised(hidden, 12))


def trained(scope, make, epochs=2):
    """The weights that are not counters, and the logs, after some epochs of one batch."""
    keras.utils.set_random_seed(0)
    with scope:
        model = make()
        model.compile(keras.optimizers.SGD(0.1), losses.NegativeLogLikelihood(), jit_compile=False)
        model.optimizer.build(model.trainable_variables)  # Otherwise Keras traces the step twice.
    start = [w.numpy() for w in model.trainable_weights]
    history = model.fit(TWICE, TWICE, batch_size=16, epochs=epochs, shuffle=False, verbose=0)
    weights = [w.numpy() for w in model.weights if "float" in w.dtype]
    moved = [
        np.abs(w.numpy() - s).max() for w, s in zip(model.trainable_weights, start, strict=True)
    ]
    return weights, history.history, moved


def check_alike(make):
    alone, logs, moved = trained(contextlib.nullcontext(), make)
    mirrored, mirrored_logs, _ = trained(strategy().scope(), make)
    assert sum(m > 1e-3 for m in moved) >= 5, moved
    for a, b in zip(alone, mirrored, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-3, atol=1e-5)
    assert set(logs) == set(mirrored_logs)
    for name, values in logs.items():
        np.testing.assert_allclose(mirrored_logs[name], values, rtol=1e-4, err_msg=name)


def keras_alone():
    """The yardstick: the same network with Keras' layers only."""
    return network(*(keras.layers.Identity() for _ in range(3)))


def with_layers():
    kl_weight = schedules.Linear(0.2, 1.0, steps=4)
    return network(
        layers.GumbelSoftmax(schedules.Linear(1.0, 0.5, 4), kl_weight=kl_weight, name="a"),
        layers.StochasticLayer("reinmax", kl_weight=0.5, prior="learned", name="b"),
        layers.SemanticHashing(kl_weight=1.0, name="c"),
    )


def test_layers_train_alike():
    try:
        check_alike(with_layers)
    except AssertionError:
        check_alike(keras_alone)  # If this fails too, the layers are not the cause.
        raise


def latent_model():
    keras.utils.set_random_seed(0)
    with strategy().scope():
        layer = layers.GumbelSoftmax(
            schedules.Linear(1.0, 0.5, 12), hard=True, inference="draw", kl_weight=0.5, name="z"
        )
        model = keras.Sequential([keras.layers.Input([12]), layers.LatentHead(4, 3), layer])
        model.compile("sgd", loss="mse", jit_compile=False)
    return model


def draws(model):
    """One draw of each kind on each replica, [4, 50, 4, 3]; it moves the counters."""
    layer, logits = model.get_layer("z"), tf.zeros([50, 4, 3])
    made = [strategy().run(lambda t=t: layer(logits, training=t)) for t in (True, False)]
    return np.stack([part for one in made for part in strategy().experimental_local_results(one)])


def test_counters_schedules_and_noise():
    model = latent_model()
    layer, targets = model.get_layer("z"), np.zeros([48, 4, 3], "float32")
    history = model.fit(
        X,
        targets,
        batch_size=8,
        epochs=2,
        verbose=0,
        validation_data=(X, targets),
        callbacks=[callbacks.TemperatureLogger()],
    ).history
    assert np.isfinite(history["loss"]).all() and np.isfinite(history["val_loss"]).all()
    assert np.isclose(history["temperature"][-1], 1 - 0.5 * 11 / 12)
    # 2 epochs of 6 batches, of training and of validation, however many replicas.
    assert on_replicas(layer.step) == on_replicas(layer.inference_step) == [12, 12]
    usage = callbacks.CodeUsageCallback(X)
    usage.set_model(model)
    assert usage.measure().num_examples == 48
    for one, other in itertools.combinations(draws(model), 2):
        assert not np.array_equal(one, other), "replicas share their noise"


def test_files_keep_counters_and_schedules():
    model, restored = latent_model(), latent_model()
    for _ in range(3):
        draws(model)
    with tempfile.TemporaryDirectory() as folder:
        model.save(f"{folder}/model.keras")
        with strategy().scope():
            loaded = keras.saving.load_model(f"{folder}/model.keras")
        path = tf.train.Checkpoint(model=model).write(f"{folder}/checkpoint")
        tf.train.Checkpoint(model=restored).read(path)
    expected = draws(model)
    for again in (loaded, restored):
        layer = again.get_layer("z")
        assert on_replicas(layer.step) == on_replicas(layer.inference_step) == [3, 3]
        assert np.allclose(on_replicas(layer.estimator.temperature.variable), 1 - 0.5 * 2 / 12)
        np.testing.assert_array_equal(draws(again), expected)
