"""Checks of layers, estimators and models on two logical CPUs; prints each one's answer as JSON.

Run as a process of its own, for logical devices are made before TensorFlow starts.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import sys
import tempfile
import time
import traceback

import keras
import numpy as np
import tensorflow as tf

if __name__ == "__main__":  # A module that is only imported, such as by pytest, changes nothing.
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)

from tests.conformance import estimator_cases, layers_test  # noqa: E402
from tests.estimators import problems  # noqa: E402
from tf_discrete import callbacks, estimators, layers, losses, models, schedules, seeds, types  # noqa: E402
from tf_discrete._internal import replicas
from tf_discrete.estimators import baselines  # noqa: E402
from tf_discrete.estimators.moving_moments import MovingMoments  # noqa: E402
from tf_discrete.layers import quantizers  # noqa: E402
from tf_discrete.layers.stateless_dropout import StatelessDropout  # noqa: E402
from tf_discrete.models import training_step  # noqa: E402
from tf_discrete.models.centering import Centering  # noqa: E402

if __name__ == "__main__":
    STRATEGY = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
X = np.random.default_rng(0).integers(0, 2, [48, 12]).astype("float32")
# Each replica is given one half of a batch; equal halves have the statistics of the whole.
TWICE = np.concatenate([X[:8], X[:8]])


class Spy:
    """Counts the merges between replicas while it is entered."""

    def __enter__(self):
        self.merges, self._merge_call = 0, tf.distribute.ReplicaContext.merge_call

        def merge_call(context, *args, **kwargs):
            self.merges += 1
            return self._merge_call(context, *args, **kwargs)

        tf.distribute.ReplicaContext.merge_call = merge_call
        return self

    def __exit__(self, *error):
        tf.distribute.ReplicaContext.merge_call = self._merge_call


def merges(forward):
    """The merges of one forward pass. It runs eagerly, which takes a quarter of the time of a trace."""
    with Spy() as spy:
        STRATEGY.run(forward)
    return spy.merges


def test_the_spy_sees_a_merge():
    with STRATEGY.scope():
        variable = tf.Variable(0.0, aggregation=tf.VariableAggregation.MEAN)
    assert merges(lambda: variable.assign_add(1.0)) > 0


def test_no_layer_merges():
    for case in layers_test.OWN:
        with STRATEGY.scope():
            layer, shape = layers_test.make(case)
            layer.build([None, *shape])
        x = tf.zeros([3, *shape])

        def forward(layer=layer, x=x):
            layer(x, training=True)
            layer(x, training=False)

        assert merges(forward) == 0, case
    with STRATEGY.scope():
        others = [StatelessDropout(0.5), Centering()]
    for layer in others:
        with STRATEGY.scope():
            layer.build([None, 5])
        assert merges(lambda layer=layer: layer(tf.zeros([3, 5]), training=True)) == 0, layer


def test_no_estimator_merges():
    """Those without variables have nothing to merge."""
    cases = [(name, latents, {}) for name, latents in estimator_cases.CASES]
    for baseline in ("none", "moving_average", baselines.Learned((3,), moving_average=True)):
        options = {"baseline": baseline, "variance_normalization": True}
        cases.append(("score_function", "categorical", options))
    checked = 0
    for name, latents, options in cases:
        with STRATEGY.scope():
            made = estimators.get(name, latents=latents, **options)
            logits = problems.generic_logits(latents, tf.float32)
            made.build(logits.shape)
        if not made.variables:
            continue
        checked += 1
        f = problems.objective("quadratic", latents, tf.float32)

        def forward(made=made, logits=logits, f=f):
            noise = made.draw_noise(seeds.base(0), logits, made.min_samples)
            made.estimate(f, logits, noise, training=True)

        assert merges(forward) == 0, (name, latents, options)
    assert checked > 5


def regularized_network(outputs):
    return keras.Sequential(
        [
            keras.layers.Input([12]),
            keras.layers.Dense(5, activity_regularizer=keras.regularizers.L2(0.1)),
            keras.layers.Dense(outputs),
        ]
    )


def model_with_averages():
    """Moving averages of the objective and of the input, and a network whose activity is penalised."""
    with STRATEGY.scope():
        model = models.CategoricalVAE(
            (12,),
            num_variables=(3, 2),
            num_categories=2,
            hidden_units=(),
            centering=True,
            estimator="nvil",
        )
        model.compile(keras.optimizers.SGD(1e-3), jit_compile=False)
    return model


def test_no_objective_merges():
    x = tf.constant(X[:4])
    with STRATEGY.scope():
        flat = models.CategoricalVAE(
            (12,),
            num_variables=3,
            num_categories=2,
            estimator="nvil",
            encoder=regularized_network(6),
            decoder=keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(12)]),
        )
        flat(x)
    for model in (flat, model_with_averages()):
        seed = seeds.base(0)
        count = merges(lambda model=model, seed=seed: model.objective(x, seed, training=True))
        assert count == 0, model


def test_averages_agree_after_a_step():
    model = model_with_averages()
    model.fit(X, batch_size=8, epochs=1, verbose=0)
    averages = [
        variable
        for layer in model._flatten_layers()
        if isinstance(layer, replicas.ReplicaAverages)
        for variable in layer.replica_averages()
    ]
    assert len(averages) > 3
    for variable in averages:
        first, second = (v.numpy() for v in STRATEGY.experimental_local_results(variable.value))
        np.testing.assert_array_equal(first, second)
        assert np.abs(first).max() > 0, variable.path


def test_averages_are_those_of_all_replicas():
    with STRATEGY.scope():
        moments = MovingMoments(0.5)

    def step():
        moments.update(tf.constant([1.0, 3.0]) * tf.cast(seeds.replica_id() + 1, tf.float32))
        replicas.synchronize(moments)

    for _ in range(3):
        STRATEGY.run(step)
    assert np.allclose([moments.mean, moments.variance], [3.0, 2.5])


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
    mirrored, mirrored_logs, _ = trained(STRATEGY.scope(), make)
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
    with STRATEGY.scope():
        layer = layers.GumbelSoftmax(
            schedules.Linear(1.0, 0.5, 12), hard=True, inference="draw", kl_weight=0.5, name="z"
        )
        model = keras.Sequential([keras.layers.Input([12]), layers.LatentHead(4, 3), layer])
        model.compile("sgd", loss="mse", jit_compile=False)
    return model


def on_replicas(variable):
    return [v.numpy() for v in STRATEGY.experimental_local_results(variable.value)]


def draws(model):
    """One draw of each kind on each replica, [4, 50, 4, 3]; it moves the counters."""
    layer, logits = model.get_layer("z"), tf.zeros([50, 4, 3])
    made = [STRATEGY.run(lambda t=t: layer(logits, training=t)) for t in (True, False)]
    return np.stack([part for one in made for part in STRATEGY.experimental_local_results(one)])


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


class _Codes(training_step.TrainingStep):
    """Trains a quantiser on vectors, with a penalty before it."""

    def __init__(self, quantizer):
        super().__init__(seed=0, monitor_every=10)
        self.dense = keras.layers.Dense(12, kernel_initializer="identity", use_bias=False)
        self.quantizer = quantizer
        self.dense.build([None, 12])
        self.quantizer.build([None, 12])
        self.track_metrics((), ("hard",))
        self.built = True

    def objective(self, x, seed, training):
        found = self.quantizer.quantize_vectors(self.dense(x), training)
        error = tf.reduce_sum(tf.square(found.vectors - x), axis=-1)
        return types.ObjectiveTerms(error + found.loss, tf.zeros_like(error), {})

    def hard_terms(self, x, seed, encoded=None):
        return {"hard": tf.zeros(tf.shape(x)[:1])}


QUANTIZERS = {
    "moving_average": lambda: quantizers.VectorQuantizer(4, decay=0.8),
    "gradient": lambda: quantizers.VectorQuantizer(4, "gradient", "diveq", decay=0.8),
    "residual": lambda: quantizers.ResidualQuantizer(quantizers.VectorQuantizer(4, decay=0.8), 2),
}


def codebook_after(scope, make, far, steps):
    """The float weights after steps on one batch; codewords that start far away stand for nothing."""
    keras.utils.set_random_seed(0)
    with scope:
        model = _Codes(make())
        model.compile(keras.optimizers.SGD(0.01), jit_compile=False)
        for layer in model._flatten_layers():
            if isinstance(layer, quantizers.codebook.Codebook):
                layer.assign(X[:4] + 1000.0 * np.array(far)[:, np.newaxis])
    x = np.tile(X[:16], [steps, 1])
    model.fit(x, batch_size=16, epochs=1, shuffle=False, verbose=0)
    return [w for w in model.quantizer.weights if "float" in w.dtype]


def test_codebooks_are_those_of_one_device():
    for name, make in QUANTIZERS.items():
        alone = codebook_after(contextlib.nullcontext(), make, [0, 0, 0, 0], 3)
        mirrored = codebook_after(STRATEGY.scope(), make, [0, 0, 0, 0], 3)
        for a, b in zip(alone, mirrored, strict=True):
            first, second = on_replicas(b)
            np.testing.assert_array_equal(first, second, err_msg=name)
            np.testing.assert_allclose(first, a, rtol=1e-4, atol=1e-4, err_msg=(name, a.path))


def test_dead_codewords_come_back_on_all_replicas():
    for name in ("moving_average", "gradient"):
        weights = codebook_after(STRATEGY.scope(), QUANTIZERS[name], [0, 0, 1, 1], 20)
        for weight in weights:
            first, second = on_replicas(weight)
            np.testing.assert_array_equal(first, second, err_msg=name)
            if "use" not in weight.path:
                assert 0 < np.abs(first).max() < 100, (name, weight.path)


def test_a_quantizer_does_not_merge_and_refuses_a_step_that_never_does():
    for make in QUANTIZERS.values():
        with STRATEGY.scope():
            layer = make()
            layer.build([None, 12])

        def forward(layer=layer):
            with replicas.synchronized():
                layer(tf.constant(X[:4]), training=True)

        assert merges(forward) == 0
        try:
            STRATEGY.run(lambda layer=layer: layer(tf.constant(X[:4]), training=True))
        except ValueError as error:
            assert "must be merged over the replicas" in str(error)
        else:
            raise AssertionError("The codebooks of the replicas would drift apart.")


def test_files_keep_counters_and_schedules():
    model, restored = latent_model(), latent_model()
    for _ in range(3):
        draws(model)
    with tempfile.TemporaryDirectory() as folder:
        model.save(f"{folder}/model.keras")
        with STRATEGY.scope():
            loaded = keras.saving.load_model(f"{folder}/model.keras")
        path = tf.train.Checkpoint(model=model).write(f"{folder}/checkpoint")
        tf.train.Checkpoint(model=restored).read(path)
    expected = draws(model)
    for again in (loaded, restored):
        layer = again.get_layer("z")
        assert on_replicas(layer.step) == on_replicas(layer.inference_step) == [3, 3]
        assert np.allclose(on_replicas(layer.estimator.temperature.variable), 1 - 0.5 * 2 / 12)
        np.testing.assert_array_equal(draws(again), expected)


def main() -> None:
    answers = {}
    for name in sys.argv[1:] or [name for name in globals() if name.startswith("test_")]:
        start = time.perf_counter()
        try:
            globals()[name]()
            answers[name] = ""
        except Exception:
            answers[name] = traceback.format_exc()
        print(f"{name}: {time.perf_counter() - start:.1f} s")
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
