"""Layers, estimators and objectives do not merge replicas; averages are merged once a step."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from tests.conformance import estimator_cases, layers_test
from tests.conformance.replicated import X, merges, strategy
from tests.estimators import problems
from tf_discrete import estimators, models, seeds
from tf_discrete._internal import replicas
from tf_discrete.estimators import baselines
from tf_discrete.estimators.moving_moments import MovingMoments
from tf_discrete.layers.stateless_dropout import StatelessDropout
from tf_discrete.models.centering import Centering


def test_the_spy_sees_a_merge():
    with strategy().scope():
        variable = tf.Variable(0.0, aggregation=tf.VariableAggregation.MEAN)
    assert merges(lambda: variable.assign_add(1.0)) > 0


def test_no_layer_merges():
    for case in layers_test.OWN:
        with strategy().scope():
            layer, shape = layers_test.make(case)
            layer.build([None, *shape])
        x = tf.zeros([3, *shape])

        def forward(layer=layer, x=x):
            layer(x, training=True)
            layer(x, training=False)

        assert merges(forward) == 0, case
    with strategy().scope():
        others = [StatelessDropout(0.5), Centering()]
    for layer in others:
        with strategy().scope():
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
        with strategy().scope():
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
    with strategy().scope():
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
    with strategy().scope():
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
        first, second = (v.numpy() for v in strategy().experimental_local_results(variable.value))
        np.testing.assert_array_equal(first, second)
        assert np.abs(first).max() > 0, variable.path


def test_averages_are_those_of_all_replicas():
    with strategy().scope():
        moments = MovingMoments(0.5)

    def step():
        moments.update(tf.constant([1.0, 3.0]) * tf.cast(seeds.replica_id() + 1, tf.float32))
        replicas.synchronize(moments)

    for _ in range(3):
        strategy().run(step)
    assert np.allclose([moments.mean, moments.variance], [3.0, 2.5])
