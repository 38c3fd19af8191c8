"""Models that hold a stochastic layer, trained by plain `compile` and `fit` in every mode of Keras."""

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


def _fit(model, epochs=2, validation_data=None, **options):
    model.compile("adam", loss=losses.NegativeLogLikelihood(), **{"jit_compile": False, **options})
    model.optimizer.build(model.trainable_variables)  # Otherwise Keras traces the step twice.
    settings = {"batch_size": 8, "epochs": epochs, "shuffle": False, "verbose": 0}
    return model.fit(X, X, validation_data=validation_data, **settings).history


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    "functional, options",
    [
        (False, {}),
        (True, {"jit_compile": True}),
        (True, {"run_eagerly": True}),
    ],
)
def test_every_way_of_fitting_counts_schedules_and_logs_alike(functional, options):
    model = _autoencoder(functional=functional)
    history = _fit(model, validation_data=(X, X), **options)
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
    _fit(whole, epochs=2, run_eagerly=True)
    _fit(first, epochs=1, run_eagerly=True)
    first.save(tmp_path / "model.keras")
    second = keras.saving.load_model(tmp_path / "model.keras")
    layer = second.get_layer("z")
    assert int(layer.step) == 6 and layer.seed == first.get_layer("z").seed
    second.run_eagerly = True
    second.fit(X, X, batch_size=8, shuffle=False, verbose=0)
    for a, b in zip(whole.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.one_in(2)
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
            keras.layers.GlobalAveragePooling1D(),
        ]
    )
    model.compile("sgd", loss="mse")
    x = np.zeros([6, 7, 5], "float32")
    history = model.fit(x, np.ones([6, 6], "float32"), epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()


def _recurrent(wrap, steps=4, **options):
    """A latent of every time step, drawn at once or one step after another."""
    keras.utils.set_random_seed(0)
    layer = layers.GumbelSoftmax(schedules.Linear(1.0, 0.5, steps=12), name="z", seed=1, **options)
    stack = [layers.LatentHead(2, 3), layer]
    if wrap == "layer":
        stack[1] = keras.layers.TimeDistributed(layer)
    elif wrap == "model":
        stack = [keras.layers.TimeDistributed(keras.Sequential([keras.Input([5]), *stack]))]
    model = keras.Sequential(
        [keras.layers.Input([steps, 5]), *stack, keras.layers.Reshape((-1, 6))]
    )
    model.compile("sgd", loss="mse", jit_compile=False)
    return model, layer


@pytest.mark.parametrize(
    "wrap,eager",
    [
        ("layer", False),
        ("model", True),
        pytest.param("layer", True, marks=pytest.mark.slow),
        pytest.param("model", False, marks=pytest.mark.slow),
    ],
)
def test_under_time_distributed_schedules_and_kl_are_those_of_the_layer_alone(wrap, eager):
    x = np.random.default_rng(0).normal(size=[8, 4, 5]).astype("float32")
    logs = []
    for kind in (None, wrap):
        model, layer = _recurrent(kind, kl_weight=1.0)
        model.run_eagerly = eager
        logs.append(model.fit(x, x[..., :1], batch_size=4, epochs=2, verbose=0).history)
        assert int(layer.step) == 4
        assert float(layer.estimator.temperature.value) == pytest.approx(1.0 - 0.5 * 3 / 12)
    np.testing.assert_allclose(logs[1]["z_kl_nats"], logs[0]["z_kl_nats"], rtol=0.01)
    np.testing.assert_allclose(logs[1]["loss"], logs[0]["loss"], rtol=0.1)


def test_under_time_distributed_every_step_has_noise_of_its_own():
    _, layer = _recurrent("layer", hard=True)
    wrapped = keras.layers.TimeDistributed(layer)
    zeros = tf.zeros([50, 4, 2, 3])
    first, second = (wrapped(zeros, training=True).numpy() for _ in range(2))
    each = [*np.moveaxis(first, 1, 0), *np.moveaxis(second, 1, 0)]
    for i, one in enumerate(each):
        assert not any(np.array_equal(one, other) for other in each[:i])
    # The seed of the first call of a pass is that of a layer which is called once.
    np.testing.assert_array_equal(
        each[0], _recurrent(None, hard=True)[1](zeros[:, 0], training=True)
    )


def test_a_time_axis_of_unknown_length_under_time_distributed_is_refused():
    _, layer = _recurrent("layer")
    wrapped = keras.layers.TimeDistributed(layer)
    wrapped.build([None, None, 2, 3])
    traced = tf.function(lambda x: wrapped(x, training=True))
    with pytest.raises(ValueError, match=r"\[batch, time, ...\] directly.*Received: inputs.shape="):
        traced.get_concrete_function(tf.TensorSpec([None, None, 2, 3]))


class _Cell(keras.layers.Layer):
    state_size = output_size = 6

    def __init__(self, **options):
        super().__init__()
        self.z = layers.GumbelSoftmax(hard=True, name="z", seed=1, **options)

    def call(self, inputs, states, training=False):
        z = keras.ops.reshape(self.z(inputs, training=training), [-1, 6])
        return z, [z]


def test_a_recurrent_cell_draws_anew_at_every_step_and_counts_one():
    zeros, drawn = tf.zeros([50, 4, 2, 3]), []
    for eager in (True, False):
        recurrent = keras.layers.RNN(_Cell(), return_sequences=True)
        call = (lambda f: f) if eager else tf.function
        z = call(lambda x, layer=recurrent: layer(x, training=True))(zeros).numpy()
        assert int(recurrent.cell.z.step) == 1
        assert len({z[:, t].tobytes() for t in range(4)}) == 4
        drawn.append(z)
    np.testing.assert_array_equal(*drawn)


def test_a_kl_in_a_recurrent_cell_is_refused():
    recurrent = keras.layers.RNN(_Cell(kl_weight=1.0))
    with pytest.raises(ValueError, match="inside a loop.*Received: kl_weight="):
        tf.function(lambda x: recurrent(x, training=True))(tf.zeros([2, 4, 2, 3]))


def test_a_layer_that_is_called_twice_adds_its_kls_and_counts_one_step():
    layer = layers.GumbelSoftmax(kl_weight=0.5, name="z")
    x = keras.Input([2, 3])
    model = keras.Model(x, keras.layers.Concatenate()([layer(x), layer(2.0 * x)]))
    logits = tf.random.stateless_normal([5, 2, 3], [0, 1])
    once = []
    for scale in (1.0, 2.0):
        alone = layers.GumbelSoftmax(kl_weight=1.0)
        alone(scale * logits)
        once.append(float(alone.kl_nats.result()))
    model(logits, training=True)
    assert int(layer.step) == 1 and len(model.losses) == 2
    np.testing.assert_allclose(layer.kl_nats.result(), sum(once), rtol=1e-6)
    np.testing.assert_allclose(sum(model.losses), 0.5 * sum(once), rtol=1e-6)


def test_saved_model_and_export_answer_as_the_model(tmp_path):
    model = _autoencoder()
    _fit(model, epochs=1, run_eagerly=True)
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


@pytest.mark.slow
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
