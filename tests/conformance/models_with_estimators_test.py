"""Every estimator, by name, inside models: trains, scores, is saved, infers classes, is counted."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conformance import estimator_cases as conformance
from tests.evaluation import gradients_test
from tests.models import (
    categorical_vae_arguments_test,
    layered_models,
    semi_supervised_models,
    small_models,
)
from tf_discrete import estimators, evaluation, models, seeds

CASES = [
    (name, latents)
    for latents in ("categorical", "bernoulli")
    for name in estimators.names(family="pathwise", latents=latents)
]
IMAGES = tf.cast(tf.random.stateless_uniform([60, 4, 4, 1], [0, 1]) > 0.5, tf.float32)


def small_model(name, latents, **arguments):
    keras.utils.set_random_seed(0)
    model = models.CategoricalVAE(
        (4, 4, 1),
        num_variables=3,
        num_categories=3 if latents == "categorical" else 2,
        latents=latents,
        hidden_units=(8,),
        estimator=name,
        monitor_every=1,
    )
    model.compile(optimizer=keras.optimizers.SGD(0.01), **arguments)
    return model


def _first(name, latents):
    """`make test` takes one kind of latents of each estimator, and `make test-slow` the others."""
    again = latents != estimators.get_class(name).spec.supports[0]
    return pytest.param(name, latents, marks=[pytest.mark.slow] if again else [])


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name,latents", [_first(*case) for case in CASES])
def test_trains_and_scores_by_name(name, latents):
    model = small_model(name, latents, run_eagerly=True)
    before = [w.numpy() for w in model.encoder.trainable_variables]
    logs = [model.train_on_batch(IMAGES, return_dict=True) for _ in range(2)][-1]
    assert np.isfinite(list(logs.values())).all()
    after = [w.numpy() for w in model.encoder.trainable_variables]
    moved = [np.abs(new - old).max() for new, old in zip(after, before, strict=True)]
    # It may rightly be 0 for some samples, but not for all of 120 images.
    assert min(moved) > 0, "the gradient does not reach every weight of the encoder"
    # Evaluation uses the distribution that the estimator declares.
    posterior = model.posterior(IMAGES)
    np.testing.assert_allclose(
        posterior.logits, model.estimator.distribution(model.logits(IMAGES)).logits
    )
    bound = model.log_likelihood(IMAGES, 5, seeds.base(0))
    assert np.isfinite(bound).all()


COMPILED = {("gumbel_softmax", "categorical")}
"""Compiled in a model by `make test`, all by `make test-slow`; estimator_numerics_test compiles every one."""


def _compiled(name, latents):
    return pytest.param(
        name, latents, marks=[] if (name, latents) in COMPILED else [pytest.mark.slow]
    )


@pytest.mark.parametrize("name,latents", [_compiled(*case) for case in CASES])
def test_trains_under_xla_and_mixed_precision(name, latents):
    before = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy("mixed_float16")
    try:
        model = small_model(name, latents, jit_compile=True)
        logs = model.train_on_batch(IMAGES, return_dict=True)
    finally:
        keras.mixed_precision.set_dtype_policy(before)
    assert np.isfinite(list(logs.values())).all()
    assert all(np.isfinite(w.numpy()).all() for w in model.trainable_variables)


def _once(name, latents):
    """`make test` saves each estimator that learns once, and three of the others; `make test-slow` all."""
    of_many = ("gumbel_softmax", "slope_annealed_straight_through", "semantic_hashing")
    cls = estimators.get_class(name)
    known = issubclass(cls, estimators.PathwiseEstimator) and name not in of_many
    again = known or latents != cls.spec.supports[0]
    return pytest.param(name, latents, marks=[pytest.mark.slow] if again else [])


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name,latents", [_once(*case) for case in conformance.CASES])
def test_round_trip_of_every_estimator(name, latents, tmp_path):
    arguments = categorical_vae_arguments_test.LATENTS[latents]
    model = small_models.make(estimator=name, **arguments)
    again = categorical_vae_arguments_test.round_trip(model, tmp_path)
    assert type(again.estimator) is estimators.get_class(name)


IN_A_DEEP_ELBO = ("gumbel_softmax", "semantic_hashing", "enumeration", "score_function", "rebar")
"""One of each way to evaluate the objective. `make test-slow` takes all."""


def _in_a_deep_elbo(name):
    return pytest.param(name, marks=[] if name in IN_A_DEEP_ELBO else [pytest.mark.slow])


@pytest.mark.parametrize(
    "name", [_in_a_deep_elbo(name) for name in estimators.names(latents="bernoulli")]
)
def test_the_parts_of_the_elbo_do_not_depend_on_the_weight_of_the_kl(name):
    """The value is linear in the weight, whatever estimator evaluates it how often."""
    x, found = small_models.data(), []
    for weight in (0.0, 1.0):
        model = layered_models.make("bernoulli", estimator=name, kl_weight=weight, prior="learned")
        found.append(model.objective(x, seeds.base(2), training=False))
    without, whole = found
    for part in ("elbo_nats", "reconstruction_nats", "kl_nats"):
        np.testing.assert_allclose(without.terms[part], whole.terms[part], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(without.loss, without.terms["reconstruction_nats"], rtol=1e-5)
    np.testing.assert_allclose(whole.loss, -whole.terms["elbo_nats"], rtol=1e-5)
    assert (np.abs(without.loss - whole.loss) > 1e-2).any()


@pytest.mark.one_in(4)
@pytest.mark.parametrize("name", estimators.names(latents="categorical"))
def test_every_estimator_infers_classes(name):
    """The gradient may rightly be 0 for some samples, but not for those of all seeds."""
    model = semi_supervised_models.make(estimator=name)
    variables = [v.value for v in model.classifier.trainable_variables]
    reached = [False] * len(variables)
    for seed in range(10):
        with tf.GradientTape() as tape:
            found = semi_supervised_models.terms(
                model, semi_supervised_models.MIXED, seed=seeds.base(seed)
            )
        gradients = tape.gradient(found.loss, variables)
        assert np.isfinite(found.loss).all() and all(np.isfinite(g).all() for g in gradients)
        reached = [old or bool(np.any(g)) for old, g in zip(reached, gradients, strict=True)]
        if all(reached):
            return
    raise AssertionError(f"the gradient does not reach every weight: {reached}")


@pytest.mark.one_in(4)
@conformance.every_case
def test_evaluations_are_those_that_are_declared(name, latents):
    """Of a whole model; the formulas that depend on the shape are held by declarations_test."""
    made = gradients_test.model(name, latents)
    each = made.estimator.spec.evaluations
    counted = [evaluation.count_evaluations(made, made.num_samples * more) for more in (1, 2)]
    if each.isdigit():
        assert counted == [int(each) * made.num_samples * more for more in (1, 2)]
    assert counted[0] >= 1


@pytest.mark.one_in(4)
@pytest.mark.parametrize("name", estimators.names(latents="categorical"))
def test_as_many_samples_as_the_evaluations_allow(name):
    made = gradients_test.model(name)
    samples = evaluation.most_samples(made, 12)
    fewest = made.estimator.min_samples
    assert evaluation.count_evaluations(made, samples) <= 12 or samples == fewest
