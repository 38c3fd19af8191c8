"""Models that hold a stochastic layer, trained by plain `compile` and `fit` in every mode of Keras."""

import pathlib
import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn import datasets

from tf_discrete import layers, losses, schedules

X = np.random.default_rng(0).integers(0, 2, [48, 12]).astype("float32")


def _autoencoder(seed=0, functional=False, **options):
    keras.utils.set_random_seed(seed)
    options = {"temperature": schedules.Linear(1.0, 0.5, steps=12), "kl_weight": 0.1, **options}
    stack = [
        layers.LatentHead(4, 3),
        layers.GumbelSoftmax(name="z", **options),
        keras.layers.Flatten(),
        keras.layers.Dense(12),
    ]
    inputs = keras.Input([12])
    if not functional:
        return keras.Sequential([inputs, *stack])
    outputs = inputs
    for layer in stack:
        outputs = layer(outputs)
    return keras.Model(inputs, outputs)


def _fit(model, epochs=2, **options):
    model.compile("adam", loss=losses.NegativeLogLikelihood(), **{"jit_compile": False, **options})
    return model.fit(
        X, X, batch_size=8, epochs=epochs, shuffle=False, verbose=0, validation_data=(X, X)
    ).history


@pytest.mark.parametrize(
    "functional, options",
    [
        (False, {}),
        (True, {}),
        (True, {"jit_compile": True}),
        (True, {"run_eagerly": True}),
    ],
)
def test_every_way_of_fitting_counts_schedules_and_logs_alike(functional, options):
    model = _autoencoder(functional=functional)
    history = _fit(model, **options)
    layer = model.get_layer("z")
    assert int(layer.step) == 12 and int(layer.inference_step) == 0
    assert float(layer.estimator.temperature.value) == pytest.approx(1.0 - 0.5 * 11 / 12)
    assert np.isfinite(history["loss"]).all() and np.isfinite(history["val_z_kl_nats"]).all()


def test_several_steps_per_execution_draw_what_single_steps_draw():
    one, many = _autoencoder(), _autoencoder()
    _fit(one)
    _fit(many, steps_per_execution=4)  # the second execution of an epoch has 2 steps only
    assert int(many.get_layer("z").step) == 12
    for a, b in zip(one.get_weights(), many.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_evaluation_repeats_at_the_mode_and_not_with_draws():
    for inference, same in (("mode", True), ("draw", False)):
        model = _autoencoder(inference=inference)
        model.compile(loss=losses.NegativeLogLikelihood(), jit_compile=False)
        values = [model.evaluate(X, X, verbose=0)[0] for _ in range(2)]
        assert (values[0] == values[1]) == same, inference


def test_a_saved_model_goes_on_where_it_stood(tmp_path):
    whole, first = _autoencoder(), _autoencoder()
    _fit(whole, epochs=2)
    _fit(first, epochs=1)
    first.save(tmp_path / "model.keras")
    second = keras.saving.load_model(tmp_path / "model.keras")
    layer = second.get_layer("z")
    assert int(layer.step) == 6 and layer.seed == first.get_layer("z").seed
    second.fit(X, X, batch_size=8, shuffle=False, verbose=0)
    for a, b in zip(whole.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision(policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = _autoencoder()
        history = _fit(model, epochs=15)
    finally:
        keras.config.set_dtype_policy(before)
    assert model.get_layer("z").output.dtype == policy.removeprefix("mixed_")
    assert history["loss"][-1] < history["loss"][0]


def test_time_axes():
    model = keras.Sequential(
        [
            keras.layers.Input([None, 5]),
            keras.layers.GRU(6, return_sequences=True),
            layers.LatentHead(2, 3),
            layers.StraightThrough(kl_weight=0.1),
            keras.layers.Reshape((-1, 6)),
            keras.layers.GRU(4),
        ]
    )
    model.compile("adam", loss="mse")
    x = np.zeros([6, 7, 5], "float32")
    history = model.fit(x, np.ones([6, 4], "float32"), epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()


def test_saved_model_and_export_answer_as_the_model(tmp_path):
    model = _autoencoder()
    _fit(model)
    tf.saved_model.save(model, str(tmp_path / "saved"))
    model.export(str(tmp_path / "exported"), verbose=False)
    expected = model.predict(X[:5], verbose=0)
    exported = tf.saved_model.load(str(tmp_path / "exported"))
    np.testing.assert_allclose(exported.serve(X[:5]), expected, rtol=1e-5)
    saved = tf.saved_model.load(str(tmp_path / "saved")).signatures["serving_default"]
    (answer,) = saved(tf.constant(X[:5])).values()
    np.testing.assert_allclose(answer, expected, rtol=1e-5)


def test_an_exported_draw_is_new_each_time_or_repeats_with_a_seed(tmp_path):
    layer = layers.GumbelSoftmax(inference="draw")
    archive = keras.export.ExportArchive()
    layer.build([None, 30, 3])
    archive.track(layer)
    logits = tf.TensorSpec([None, 30, 3])
    archive.add_endpoint("draw", lambda logits: layer(logits), [logits])
    archive.add_endpoint(
        "repeat",
        lambda logits, seed: layer(logits, seed=seed),
        [logits, tf.TensorSpec([2], tf.int32)],
    )
    archive.write_out(str(tmp_path / "exported"), verbose=False)
    served = tf.saved_model.load(str(tmp_path / "exported"))
    x = tf.zeros([4, 30, 3])
    assert np.any(served.draw(x) != served.draw(x))
    np.testing.assert_array_equal(served.repeat(x, [1, 2]), served.repeat(x, [1, 2]))
    np.testing.assert_array_equal(served.repeat(x, [1, 2]), layer(x, seed=tf.constant([1, 2])))
    assert np.any(served.repeat(x, [1, 2]) != served.repeat(x, [1, 3]))


MIRRORED = """
    import numpy as np, keras, tensorflow as tf
    from tf_discrete import callbacks, layers, losses, schedules

    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    assert strategy.num_replicas_in_sync == 2
    keras.utils.set_random_seed(0)
    with strategy.scope():
        layer = layers.GumbelSoftmax(
            schedules.Linear(1.0, 0.5, 12), hard=True, inference="draw", kl_weight=0.5, name="z"
        )
        model = keras.Sequential([
            keras.layers.Input([12]), layers.LatentHead(4, 3), layer,
            keras.layers.Flatten(), keras.layers.Dense(12),
        ])
        model.compile("adam", loss=losses.NegativeLogLikelihood(), jit_compile=False)
    x = np.random.default_rng(0).integers(0, 2, [48, 12]).astype("float32")
    history = model.fit(
        x, x, batch_size=8, epochs=2, verbose=0, validation_data=(x, x),
        callbacks=[callbacks.TemperatureLogger()],
    ).history
    assert np.isfinite(history["loss"]).all() and np.isfinite(history["val_loss"]).all()
    assert np.isclose(history["temperature"][-1], 1 - 0.5 * 11 / 12)
    # 2 epochs of 6 batches, of training and of validation, however many replicas.
    assert layer.step.numpy() == 12, layer.step.numpy()
    assert layer.inference_step.numpy() == 12, layer.inference_step.numpy()
    usage = callbacks.CodeUsageCallback(x)
    usage.set_model(model)
    assert usage.look().num_examples == 48

    logits = tf.zeros([50, 4, 3])
    for training in (True, False):
        values = strategy.run(lambda: layer(logits, training=training))
        first, second = strategy.experimental_local_results(values)
        assert not np.array_equal(first, second), "replicas share their noise"

    # One step on two replicas moves the weights as one step on the whole batch does.
    def gradient_step(scope):
        keras.utils.set_random_seed(1)
        with scope:
            z = layers.StochasticLayer(inference="mean", kl_weight=0.5, name="z")
            made = keras.Sequential([
                keras.layers.Input([12]), layers.LatentHead(4, 3), z,
                keras.layers.Flatten(), keras.layers.Dense(12, kernel_initializer="zeros"),
            ])
            made.compile(keras.optimizers.SGD(0.1), losses.NegativeLogLikelihood(), jit_compile=False)
        # The decoder starts at 0, so the first step moves the encoder by the KL alone, without noise.
        before = made.layers[0].get_weights()[0]
        made.fit(x, x, batch_size=48, verbose=0)
        return made.layers[0].get_weights()[0] - before

    import contextlib
    alone, mirrored = gradient_step(contextlib.nullcontext()), gradient_step(strategy.scope())
    assert np.abs(alone).max() > 1e-4
    np.testing.assert_allclose(mirrored, alone, rtol=1e-3, atol=1e-6)
    print("mirrored: fine")
"""


def test_mirrored_strategy_on_two_devices():
    """In a process of its own, for logical devices are made before TensorFlow starts."""
    root = pathlib.Path(__file__).parents[2]
    script = textwrap.dedent(MIRRORED)
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0 and "mirrored: fine" in done.stdout, done.stderr[-3000:]


def test_a_classifier_learns_digits_through_a_discrete_bottleneck():
    """8 variables of 4 categories, 16 bits, between the image and the class."""
    images, labels = datasets.load_digits(return_X_y=True)
    x, y = (images / 16.0).astype("float32"), labels.astype("int32")
    keras.utils.set_random_seed(0)
    bottleneck = layers.GumbelSoftmax(
        temperature=schedules.Exponential(1.0, rate=5e-3, floor=0.5), kl_weight=1e-3, seed=0
    )
    model = keras.Sequential(
        [
            keras.layers.Input([64]),
            keras.layers.Dense(64, activation="relu"),
            layers.LatentHead(num_variables=8, num_categories=4),
            bottleneck,
            keras.layers.Flatten(),
            keras.layers.Dense(10),
        ]
    )
    model.compile(
        keras.optimizers.Adam(5e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(x[:1400], y[:1400], batch_size=50, epochs=12, verbose=0)
    accuracy = model.evaluate(x[1400:], y[1400:], verbose=0, return_dict=True)["accuracy"]
    assert accuracy > 0.8
    codes = keras.Model(model.inputs, bottleneck.output).predict(x[1400:], verbose=0)
    assert set(np.unique(codes)) == {0.0, 1.0}
